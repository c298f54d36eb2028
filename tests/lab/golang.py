# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that Debian does not have, or not in that release, built from their Go modules."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .commands import kept, run, say
from .settings import Settings, recipe_key


@dataclass(frozen=True)
class Supplement:
    """A release of a module that lacks what another asks of it, and a file for one of its packages that adds it."""

    module: str
    version: str
    package: str
    file: Path


@dataclass(frozen=True)
class Programs:
    """Programs that are built together.

    - name: of their folder in the cache.
    - packages: what is built; with `own`, what that uses.
    - version: of their module.
    - release: the Go that their module asks for.
    - tags: Go's build tags.
    - instead: what takes the place of modules that cannot be had, each as `go mod edit -replace` wants it.
    - supplements: likewise, where no release does without more.
    - own: the source of a program of the lab's.
    """

    name: str
    packages: tuple[str, ...]
    version: str
    release: tuple[int, int]
    tags: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    supplements: tuple[Supplement, ...] = ()
    own: Path | None = None

    def can_be_built(self) -> bool:
        """Whether there is a Go that is new enough."""
        if not shutil.which("go"):
            return False
        found = re.match(r"go(\d+)\.(\d+)", run(["go", "env", "GOVERSION"]))
        return found is not None and (int(found[1]), int(found[2])) >= self.release

    def built(self, settings: Settings) -> Path:
        """The folder with the programs, built if it is not in the cache: that takes a minute or some."""
        extra = [(part.module, part.version, part.package, part.file.read_text()) for part in self.supplements]
        source = self.own.read_text() if self.own else ""
        recipe = recipe_key(self.packages, self.version, self.tags, self.instead, extra, source)
        return kept(settings.cache / self.name / recipe, self._build)

    def _build(self, folder: Path) -> None:
        say(f"building {self.name} {self.version}")
        module = folder.with_name("module")
        module.mkdir()
        (module / "go.mod").write_text("module lab\n")
        for replacement in self.instead:
            run(["go", "mod", "edit", "-replace", replacement], cwd=module)
        for part in self.supplements:
            found = json.loads(run(["go", "mod", "download", "-json", f"{part.module}@{part.version}"], cwd=module))
            copy = module / part.module.replace("/", "-")
            shutil.copytree(found["Dir"], copy)
            shutil.copy(part.file, copy / part.package)
            run(["go", "mod", "edit", "-replace", f"{part.module}=./{copy.name}"], cwd=module)
        run(["go", "get", *(f"{package}@{self.version}" for package in self.packages)], cwd=module)
        wanted = list(self.packages)
        if self.own:
            (module / self.own.stem).mkdir()
            shutil.copy(self.own, module / self.own.stem)
            wanted = [f"./{self.own.stem}"]
        folder.mkdir()
        options = ["-trimpath", "-ldflags", "-s -w", "-tags", ",".join(self.tags), "-o", str(folder)]
        run(["go", "build", *options, *wanted], cwd=module, env={**os.environ, "CGO_ENABLED": "0"})
