# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is mounted on this host, and what is mounted again when it starts.

https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html, https://man7.org/linux/man-pages/man5/fstab.5.html
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import tempfile
from typing import Iterable, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common import _commands
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError

FSTAB = "/etc/fstab"
_MOUNTINFO = "/proc/self/mountinfo"
_SYSTEMD = "/run/systemd/system"
_ESCAPED = re.compile(r"\\([0-7]{3})")
_RELOAD_SECONDS = 60


class MountError(SeahubError):
    """A file system that cannot be mounted or unmounted."""


@dataclasses.dataclass(frozen=True)
class Mount:
    """A file system at a place of this host.

    - what: its file or device, or what else names it.
    - where: the folder in which it is seen.
    - kind: of file system.
    - options: with which it is mounted.
    - needs: other places that have to be mounted before it.
    """

    what: str
    where: str
    kind: str
    options: Sequence[str]
    needs: Sequence[str] = ()

    def line(self) -> str:
        """Return it as a line of fstab: what is missing at boot does not keep the host from starting."""
        after = [f"x-systemd.requires-mounts-for={place}" for place in self.needs]
        fields = (self.what, self.where, self.kind, ",".join([*self.options, "nofail", *after]), "0", "0")
        return " ".join(map(_escape, fields)) + "\n"


def mount(wanted: Mount) -> None:
    """Mount a file system now.

    :raises MountError: with what the system says.
    """
    os.makedirs(wanted.where, mode=0o755, exist_ok=True)
    done = _run("mount", "-t", wanted.kind, "-o", ",".join(wanted.options), wanted.what, wanted.where)
    if done.returncode != 0:
        raise MountError(
            f"{wanted.what} cannot be mounted as {wanted.kind} at {wanted.where}: {_said(done)}; it needs root, and a"
            f" kernel with {wanted.kind} and loop devices (modprobe {wanted.kind} loop)"
        )


def unmount(where: str) -> None:
    """Unmount whatever is mounted at a place. Files that are open stay readable until they are closed.

    :raises MountError: with what the system says.
    """
    done = _run("umount", "--lazy", where)
    if done.returncode != 0:
        raise MountError(f"{where} cannot be unmounted: {_said(done)}")


def mounted_below(folder: str) -> list[str]:
    """Return the places below a folder at which something is mounted, in the order in which it was."""
    with open(_MOUNTINFO, encoding="utf-8", errors="surrogateescape") as file:
        places = [_unescape(line.split(" ")[4]) for line in file]
    return [place for place in places if place.startswith(folder + "/")]


def persisted_below(folder: str, fstab: str) -> list[str]:
    """Return the lines of fstab for places below a folder."""
    return [line for line in _lines(fstab) if _is_below(line, folder)]


def persist(wanted: Iterable[str], folder: str, fstab: str) -> None:
    """Let fstab have these lines for places below a folder, and no others. All that it says otherwise stays.

    :raises OSError: if it cannot be written; it is as before then.
    """
    others = [line for line in _lines(fstab) if not _is_below(line, folder)]
    if others and not others[-1].endswith("\n"):
        others[-1] += "\n"
    path = os.path.realpath(fstab)
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".fstab-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines([*others, *wanted])
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if os.path.isdir(_SYSTEMD):
        # Otherwise systemd warns of a file that it has not read, and goes on with the units that it has made of it.
        _run("systemctl", "daemon-reload")


def _lines(fstab: str) -> list[str]:
    try:
        with open(fstab, encoding="utf-8", errors="surrogateescape") as file:
            return file.readlines()
    except FileNotFoundError:
        return []


def _is_below(line: str, folder: str) -> bool:
    fields = line.split()
    return len(fields) > 1 and not fields[0].startswith("#") and _unescape(fields[1]).startswith(folder + "/")


def _escape(text: str) -> str:
    return re.sub(r"[\s\\#]", lambda match: f"\\{ord(match[0]):03o}", text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return _commands.run(command, _RELOAD_SECONDS, {**os.environ, "LC_ALL": "C"})


def _said(done: subprocess.CompletedProcess[str]) -> str:
    text = (done.stderr + done.stdout).strip()
    return "; ".join(text.splitlines()[:5]) or f"{done.args[0]} ended with status {done.returncode}"
