# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import tarfile
from typing import Literal

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _tar
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tar import InvalidArchive, Range


def archive(*members: tuple[str, bytes, Range | None]) -> bytes:
    parts = [_tar.header(name, len(data), range_) + data + _tar.padding(len(data)) for name, data, range_ in members]
    return b"".join(parts) + _tar.END


def read(data: bytes) -> list[tuple[str, bytes, Range | None]]:
    return [(member.name, member.read(1 << 20), member.range) for member in _tar.Reader(io.BytesIO(data))]


def foreign(info: tarfile.TarInfo, data: bytes = b"", dialect: Literal[0, 1, 2] = tarfile.PAX_FORMAT) -> bytes:
    info.size = len(data)
    return info.tobuf(dialect) + data + _tar.padding(len(data)) + _tar.END


def special(kind: bytes, name: str = "a") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = "/etc/passwd"
    return info


LONG = "docker/" + "/".join("x" * 60 for _ in range(5)) + "/link"


def test_what_is_written_is_read_back() -> None:
    members = [
        ("empty", b"", None),
        ("some", b"x" * 511, None),
        ("block", b"x" * 512, None),
        (LONG, b"long", None),
        ("part", b"part", Range(7, 100)),
    ]
    assert read(archive(*members)) == members


def test_a_remark_comes_first() -> None:
    reader = _tar.Reader(io.BytesIO(_tar.comment("what it is") + archive(("a", b"1", None))))
    assert [member.name for member in reader] == ["a"]
    assert reader.comment == "what it is"


def test_every_tar_reads_it() -> None:
    data = _tar.comment("remark") + archive(("a", b"1", None), (LONG, b"22", None))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert [(info.name, info.size, info.mode, info.mtime, info.uid) for info in tar] == [
            ("a", 1, 0o644, 0, 0),
            (LONG, 2, 0o644, 0, 0),
        ]


def test_the_length_of_a_member_is_known_before_it_is_written() -> None:
    for name in ("a", LONG):
        for size in (0, 1, 512, 513):
            assert _tar.length(name, size) == len(archive((name, b"x" * size, None))) - len(_tar.END)


def test_a_file_of_more_than_8_gib_has_its_size_in_an_extended_header() -> None:
    data = _tar.header("large", 9 << 30)
    (member,) = [next(iter(_tar.Reader(io.BytesIO(data))))]
    assert member.size == 9 << 30


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(foreign(special(tarfile.SYMTYPE)), "no regular file", id="symbolic link"),
        pytest.param(foreign(special(tarfile.LNKTYPE)), "no regular file", id="hard link"),
        pytest.param(foreign(special(tarfile.CHRTYPE)), "no regular file", id="device"),
        pytest.param(foreign(special(tarfile.FIFOTYPE)), "no regular file", id="named pipe"),
        pytest.param(foreign(special(tarfile.DIRTYPE)), "no regular file", id="folder"),
        pytest.param(foreign(special(tarfile.GNUTYPE_SPARSE)), "no regular file", id="sparse"),
        pytest.param(
            foreign(tarfile.TarInfo(300 * "x"), dialect=tarfile.GNU_FORMAT), "no regular file", id="GNU long name"
        ),
        pytest.param(foreign(special(b"Z")), "no regular file", id="unknown type"),
        pytest.param(b"", "ends at byte 0", id="nothing"),
        pytest.param(archive(("a", b"1", None))[:-1024], "ends at byte", id="no end"),
        pytest.param(archive(("a", b"1" * 600, None))[:700], "ends", id="half a file"),
        pytest.param(b"x" * 1024, "no tar archive", id="no tar"),
        pytest.param(b"\x1f\x8b" + b"x" * 1024, "no tar archive", id="compressed"),
    ],
)
def test_anything_else_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidArchive, match=message):
        read(data)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"GNU.sparse.major": "1"}, "GNU.sparse.major"),
        ({"linkpath": "/etc"}, "linkpath"),
        ({"comment": 9000 * "x"}, "extended header of"),
        ({"SEAHUB.offset": "1"}, "damaged extended header"),
        ({"SEAHUB.offset": "-1", "SEAHUB.size": "9"}, "damaged extended header"),
        ({"SEAHUB.offset": "1", "SEAHUB.size": "x"}, "damaged extended header"),
        ({"SEAHUB.offset": "8", "SEAHUB.size": "9"}, "beyond its own end"),
        ({"size": "-5"}, "damaged extended header"),
    ],
)
def test_a_hostile_extended_header_is_refused(headers: dict[str, str], message: str) -> None:
    info = tarfile.TarInfo("a")
    info.pax_headers = headers
    with pytest.raises(InvalidArchive, match=message):
        read(foreign(info, b"12"))


def test_a_negative_size_is_refused() -> None:
    header = bytearray(tarfile.TarInfo("a").tobuf())
    header[124:136] = b"\xff" * 12  # base 256, all ones: -1
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(InvalidArchive, match="negative size"):
        read(bytes(header) + _tar.END)


@pytest.mark.parametrize("record", [b"x", b"5 a=b", b"99 a=b\n", b"6 ab\n\n", b"7 \xff=b\n", b"12345678 a=b\n"])
def test_a_damaged_extended_record_is_refused(record: bytes) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type = tarfile.XHDTYPE
    with pytest.raises(InvalidArchive, match="extended header"):
        read(foreign(info, record, tarfile.USTAR_FORMAT))


def test_unwanted_bytes_are_passed_over_in_any_stream() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    data = archive(("a", b"1" * 3000, None), ("b", b"2", None))
    for stream in (io.BytesIO(data), Pipe(data)):
        assert [(member.name, member.position) for member in _tar.Reader(stream)] == [("a", 512), ("b", 4096)]
