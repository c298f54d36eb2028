# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReference
from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference
from ansible_collections.seahub.offline.plugins.module_utils.saving import _image_list

# The content of a file -> the references in it, each with its line.
READ: dict[str, tuple[bytes, list[tuple[str, int]]]] = {
    "lines": (b"mysql:8\nquay.io/app:1\n", [("mysql:8", 1), ("quay.io/app:1", 2)]),
    "no line end at the end": (b"mysql:8\nnginx", [("mysql:8", 1), ("nginx", 2)]),
    "lines of Windows": (b"mysql:8\r\n\r\nnginx\r\n", [("mysql:8", 1), ("nginx", 3)]),
    "lines of an old Macintosh": (b"mysql:8\rnginx\r", [("mysql:8", 1), ("nginx", 2)]),
    "a byte order mark": (b"\xef\xbb\xbfmysql:8\r\n", [("mysql:8", 1)]),
    "blank lines": (b"\n\n  \n\t\nmysql:8\n\n", [("mysql:8", 5)]),
    "spaces around": (b"  mysql:8\t \n", [("mysql:8", 1)]),
    "spaces that cannot be seen": ("\N{NO-BREAK SPACE}mysql:8\N{IDEOGRAPHIC SPACE}\n".encode(), [("mysql:8", 1)]),
    "comments": (
        b"# images\nmysql:8\n  # more\nnginx # the web\nredis#7\n",
        [("mysql:8", 2), ("nginx", 4), ("redis", 5)],
    ),
    "quotes": (b"\"mysql:8\"\n'nginx'\n", [("mysql:8", 1), ("nginx", 2)]),
    "the same twice": (b"mysql:8\nmysql:8\n", [("mysql:8", 1), ("mysql:8", 2)]),
    "a page break is no line end": (b"\x0cmysql:8\nnginx\n", [("mysql:8", 1), ("nginx", 2)]),
    "nothing": (b"", []),
    "nothing but comments": (b"# none yet\n\n", []),
}

# A line that is no reference, with a part of the reason.
BAD_LINES: dict[str, tuple[bytes, str]] = {
    "two references": (b"mysql:8 nginx", "is no tag"),
    "capitals": (b"MySQL:8", "lower case"),
    "URL": (b"https://quay.io/app:1", "no registry host"),
    "list of YAML": (b"- mysql:8", "no repository path"),
    "comma at the end": (b"mysql:8,", "is no tag"),
    "control character": (b"mysql\x07:8", "no repository path"),
    "line separator": ("mysql:8\N{LINE SEPARATOR}nginx".encode(), "is no tag"),
    "file separator": (b"mysql:8\x1cnginx", "is no tag"),
    "null byte": (b"mysql\0:8", "no repository path"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.txt"


@pytest.mark.parametrize(("content", "expected"), READ.values(), ids=READ)
def test_lists_are_read_as_people_write_them(path: Path, content: bytes, expected: list[tuple[str, int]]) -> None:
    path.write_bytes(content)
    found = _image_list.read(str(path))
    assert [(item.text, item.where) for item in found] == [
        (text, f"{path}, line {number}") for text, number in expected
    ]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_not_made_good(path: Path, line: bytes, reason: str) -> None:
    """What is no reference in the file is none when it has been read."""
    path.write_bytes(b"# images\nmysql:8\n" + line + b"\nnginx\n")
    read = _image_list.read(str(path))[1]
    assert read.where == f"{path}, line 3"
    with pytest.raises(InvalidReference, match=reason):
        _reference.parse(read.text)


def test_a_hostile_line_neither_fills_nor_controls_the_screen(path: Path) -> None:
    path.write_bytes(b"a" * 1_000_000 + b"\x1b[2J")
    with pytest.raises(InvalidReference) as caught:
        _reference.parse(_image_list.read(str(path))[0].text)
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [b"\xff\xfem\0y\0", b"caf\xe9\n"], ids=["UTF-16", "Latin-1"])
def test_a_list_in_another_encoding_is_an_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InvalidReference, match=f"the image list {path} cannot be read"):
        _image_list.read(str(path))


def test_a_list_that_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(InvalidReference, match=f"the image list {path} cannot be read: .*No such file"):
        _image_list.read(str(path))
