# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.mounting import _mounts
from ansible_collections.seahub.offline.plugins.module_utils.mounting._mounts import Mount, MountError

OTHERS = "# mine\nUUID=1 / ext4 defaults 0 1\n/srv/x /srv/seahub-not xfs ro 0 0\n# /old /srv/seahub/old squashfs ro 0 0"
WANTED = Mount("/media/my disk/a#b\\c", "/srv/seahub/one", "squashfs", ("loop", "ro"), ("/srv/seahub/two",))
LINE = (
    r"/media/my\040disk/a\043b\134c /srv/seahub/one squashfs"
    " loop,ro,nofail,x-systemd.requires-mounts-for=/srv/seahub/two 0 0\n"
)


@pytest.fixture
def fstab(tmp_path: Path) -> Path:
    (tmp_path / "fstab").write_text(OTHERS)
    return tmp_path / "fstab"


def test_what_others_have_written_into_fstab_stays(fstab: Path) -> None:
    fstab.chmod(0o640)
    _mounts.persist([WANTED.line()], "/srv/seahub", str(fstab))
    assert fstab.read_text() == f"{OTHERS}\n{LINE}"
    assert _mounts.persisted_below("/srv/seahub", str(fstab)) == [LINE]
    _mounts.persist([], "/srv/seahub", str(fstab))
    assert fstab.read_text() == f"{OTHERS}\n"
    assert fstab.stat().st_mode & 0o777 == 0o640
    assert list(fstab.parent.iterdir()) == [fstab]


def test_a_host_without_fstab_gets_one(tmp_path: Path) -> None:
    _mounts.persist([WANTED.line()], "/srv/seahub", str(tmp_path / "fstab"))
    assert (tmp_path / "fstab").read_text() == LINE
    assert (tmp_path / "fstab").stat().st_mode & 0o777 == 0o644


def test_a_link_to_fstab_stays_one(fstab: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(fstab)
    _mounts.persist([WANTED.line()], "/srv/seahub", str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    assert LINE in fstab.read_text()


def test_what_is_mounted_is_seen_and_goes(tmp_path: Path) -> None:
    place = tmp_path / "in this folder" / "it is"
    _mounts.mount(Mount("tmpfs", str(place), "tmpfs", ("ro",)))
    assert _mounts.mounted_below(str(tmp_path / "in this folder")) == [str(place)]
    assert _mounts.mounted_below(str(tmp_path / "in this")) == []
    _mounts.unmount(str(place))
    assert _mounts.mounted_below(str(tmp_path)) == []


def test_what_cannot_be_mounted_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no image" * 1000)
    with pytest.raises(MountError, match=r"file cannot be mounted as squashfs at .*: .*"):
        _mounts.mount(Mount(str(tmp_path / "file"), str(tmp_path / "where"), "squashfs", ("loop", "ro")))
    with pytest.raises(MountError, match=r"cannot be unmounted: .*not mounted"):
        _mounts.unmount(str(tmp_path / "where"))
