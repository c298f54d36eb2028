# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engines there are, and the choice between them."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

from typing import Callable

from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import Engine, EngineError, find
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine_bare import Bare
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine_command import Docker, Nerdctl
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine_podman import Podman

AUTO = "auto"
ENGINES: dict[str, Callable[[], Engine]] = {
    Docker.name: Docker,
    Podman.name: Podman,
    Nerdctl.name: Nerdctl,
    Bare.name: Bare,
}
"""All of them, the one that is taken first where several are there first."""


def choose(name: str, container: str, label: str, say: Callable[[str], None]) -> Engine:
    """Return an engine that works.

    :param name: which one, or C(AUTO) for the one in which the container runs already, else the first that works.
    :param container: the name of the registry's container.
    :param label: the label by which containers of our own are known.
    :param say: is told of engines that are there, but cannot be used.
    :raises EngineError: if it does not work, or none does.
    """
    if name != AUTO:
        engine = ENGINES[name]()
        engine.platform()
        return engine
    works, problems = [], []
    for kind, make in ENGINES.items():
        try:
            engine = make()
            engine.platform()
            works.append(engine)
        except EngineError as error:
            problems.append(str(error))
            if find(kind):
                say(str(error))
    for engine in works:
        found = engine.container(container)
        if found is not None and label in found.labels:
            return engine
    if not works:
        raise EngineError("; ".join(problems))
    return works[0]
