# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReference
from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._reference import Reference

DIGEST = "sha256:" + "5e" * 32

# As written -> host, path, tag, digest.
READ: dict[str, tuple[str, str, str | None, str | None]] = {
    # Short names are on Docker Hub; one word is an official image; no version is "latest".
    "mysql": ("docker.io", "library/mysql", "latest", None),
    "mysql:8": ("docker.io", "library/mysql", "8", None),
    "bitnami/mysql": ("docker.io", "bitnami/mysql", "latest", None),
    "library/mysql:8": ("docker.io", "library/mysql", "8", None),
    "team/group/app:1": ("docker.io", "team/group/app", "1", None),
    # Docker Hub has several names, and each leads to the same.
    "docker.io/mysql:8": ("docker.io", "library/mysql", "8", None),
    "docker.io/library/mysql:8": ("docker.io", "library/mysql", "8", None),
    "index.docker.io/mysql:8": ("docker.io", "library/mysql", "8", None),
    "index.docker.io/bitnami/mysql:8": ("docker.io", "bitnami/mysql", "8", None),
    "registry-1.docker.io/library/mysql:8": ("docker.io", "library/mysql", "8", None),
    # The first part is a host if it has a dot, a port or capitals, or is localhost; only then.
    "quay.io/app": ("quay.io", "app", "latest", None),
    "quay.io/team/app:v1.2.3": ("quay.io", "team/app", "v1.2.3", None),
    "localhost/app": ("localhost", "app", "latest", None),
    "localhost:5000/app": ("localhost:5000", "app", "latest", None),
    "registry:5000/app:5000": ("registry:5000", "app", "5000", None),
    "10.1.2.3/app": ("10.1.2.3", "app", "latest", None),
    "10.1.2.3:5000/team/app:1": ("10.1.2.3:5000", "team/app", "1", None),
    "[fd00::5]/app": ("[fd00::5]", "app", "latest", None),
    "[fd00::5]:5000/team/app:1": ("[fd00::5]:5000", "team/app", "1", None),
    "Intranet/app": ("Intranet", "app", "latest", None),
    "REGISTRY/team/app": ("REGISTRY", "team/app", "latest", None),
    "my-registry.example.com/app": ("my-registry.example.com", "app", "latest", None),
    "xn--bcher-kva.example/app": ("xn--bcher-kva.example", "app", "latest", None),
    # A single part is never a host, whatever it looks like.
    "localhost": ("docker.io", "library/localhost", "latest", None),
    "localhost:5000": ("docker.io", "library/localhost", "5000", None),
    "quay.io": ("docker.io", "library/quay.io", "latest", None),
    "10.1.2.3:5000": ("docker.io", "library/10.1.2.3", "5000", None),
    # A digest replaces "latest"; with a tag, both stay.
    f"mysql@{DIGEST}": ("docker.io", "library/mysql", None, DIGEST),
    f"mysql:8@{DIGEST}": ("docker.io", "library/mysql", "8", DIGEST),
    f"quay.io:443/team/app:1@{DIGEST}": ("quay.io:443", "team/app", "1", DIGEST),
    "app@sha512:" + "0a" * 64: ("docker.io", "library/app", None, "sha512:" + "0a" * 64),
    # Separators within a part: a dot, one or two underscores, any number of dashes.
    "team/a.b_c__d-e---f": ("docker.io", "team/a.b_c__d-e---f", "latest", None),
    "a/b.c.io/d": ("docker.io", "a/b.c.io/d", "latest", None),
    "0/1": ("docker.io", "0/1", "latest", None),
    # Tags keep their case, and may begin with an underscore.
    "app:RC_1.0-Final": ("docker.io", "library/app", "RC_1.0-Final", None),
    "app:_": ("docker.io", "library/app", "_", None),
    "app:" + "t" * 128: ("docker.io", "library/app", "t" * 128, None),
    # 64 hexadecimal digits are an image ID only where nothing else is written.
    "quay.io/" + "ab" * 32: ("quay.io", "ab" * 32, "latest", None),
    "ab" * 32 + ":1": ("docker.io", "library/" + "ab" * 32, "1", None),
    # The length of the repository counts, not that of its host.
    "registry.example.com/" + "r" * 255: ("registry.example.com", "r" * 255, "latest", None),
    "library/" + "r" * 247: ("docker.io", "library/" + "r" * 247, "latest", None),
}

# As written -> a part of the reason.
REFUSED: dict[str, str] = {
    "": "names no repository",
    " ": "no repository path",
    ":8": "names no repository",
    f"@{DIGEST}": "names no repository",
    "quay.io/": "names no repository",
    "quay.io/:8": "names no repository",
    "/app": "no repository path",
    "team/": "no repository path",
    "team//app": "no repository path",
    "app/:8": "no repository path",
    "mysql ": "no repository path",
    "mysql\n": "no repository path",
    "mysql\0": "no repository path",
    "my sql": "no repository path",
    "-app": "no repository path",
    "app-": "no repository path",
    "team/_app": "no repository path",
    "team/app.": "no repository path",
    "a..b": "no repository path",
    "a___b": "no repository path",
    "a._b": "no repository path",
    "a-.b": "no repository path",
    "café/app": "no repository path",
    "٣/app": "no repository path",
    "App": "lower case",
    "App:1": "lower case",
    "team/App": "lower case",
    "quay.io/Team/app": "lower case",
    "../etc/passwd": "no registry host",
    "quay.io/../../etc/passwd": "no repository path",
    "https://quay.io/app": "no registry host",
    "oci://quay.io/app:1": "no registry host",
    "docker://mysql": "no registry host",
    "-quay.io/app": "no registry host",
    "quay-.io/app": "no registry host",
    "quay..io/app": "no registry host",
    ".quay.io/app": "no registry host",
    "my_registry.example.com/app": "no registry host",
    "registry:port/app": "no registry host",
    "registry:/app": "no registry host",
    "user:secret@registry/app": "no digest",
    "fd00::5/app": "no registry host",
    "[fd00::5%eth0]/app": "no registry host",
    "[::ffff:10.1.2.3]/app": "no registry host",
    "[fd00::5]": "no",
    "[fd00::5]:5000": "no",
    "app:": "no tag",
    "app:-1": "no tag",
    "app:.1": "no tag",
    "app:1+2": "no tag",
    "app:é": "no tag",
    "app:1:2": "no tag",
    "app:" + "t" * 129: "no tag",
    "app@": "no digest",
    "app@latest": "no digest",
    "app@sha256:" + "0" * 63: "no digest",
    "app@sha256:" + "A" * 64: "no digest",
    "app@md5:" + "0" * 32: "no digest",
    f"app@{DIGEST}@{DIGEST}": "no digest",
    f"app@{DIGEST}:1": "no digest",
    "ab" * 32: "image ID",
    "quay.io/" + "r" * 256: "longer than 255",
    "r" * 248: "longer than 255",
    "quay.io/" + "a/" * 128 + "a": "longer than 255",
}

OCI: dict[str, tuple[str, str, str | None, str | None]] = {
    "oci://quay.io/charts/mysql:8.8.25": ("quay.io", "charts/mysql", "8.8.25", None),
    "oci://registry:5000/mysql:1.0.0+build.5": ("registry:5000", "mysql", "1.0.0_build.5", None),
    f"oci://quay.io/mysql:1.0.0+b@{DIGEST}": ("quay.io", "mysql", "1.0.0_b", DIGEST),
    f"oci://quay.io/mysql@{DIGEST}": ("quay.io", "mysql", None, DIGEST),
    "oci://registry-1.docker.io/bitnamicharts/mysql:9.0.0": ("docker.io", "bitnamicharts/mysql", "9.0.0", None),
    # Helm knows no short names: the first part is the host in any case.
    "oci://registry/mysql:1.0.0": ("registry", "mysql", "1.0.0", None),
}

OCI_REFUSED: dict[str, str] = {
    "quay.io/charts/mysql:1.0.0": "begin with oci://",
    "https://quay.io/charts/mysql:1.0.0": "begin with oci://",
    "oci://mysql:1.0.0": "names no repository",
    "oci://quay.io/charts/mysql": "names no version",
    "oci:///mysql:1.0.0": "no registry host",
    "oci://quay.io/:1.0.0": "names no repository",
    "oci://quay.io/charts/mysql:": "no tag",
    "oci://quay.io/my+charts/mysql:1.0.0": "no repository path",
    "oci://my+registry/mysql:1.0.0": "no registry host",
    "oci://quay.io/charts/mysql:~1.0.0": "no tag",
    f"oci://quay.io/charts/mysql@{DIGEST[:-1]}+": "no digest",
}

HOSTILE: list[str] = [
    "../" * 50 + "etc/shadow",
    "/etc/shadow",
    "quay.io/" + "a/" * 100_000 + "a",
    "t" * 1_048_576,
    "app:" + "t" * 1_048_576,
    "a" + "-" * 1_000_000,
    "a" + "-a" * 500_000 + "!",
    "quay.io/app\x1b[2J",
    "quay.io/app\r\nHost: evil",
    "quay.io/app?x=1",
    "quay.io/app#x",
    "quay.io/app%2e%2e",
    "\u202equay.io/app",
]


@pytest.mark.parametrize(("text", "expected"), READ.items(), ids=[text[:60] for text in READ])
def test_read_as_docker_does(text: str, expected: tuple[str, str, str | None, str | None]) -> None:
    assert _reference.parse(text) == Reference(*expected)


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=[text[:60] for text in REFUSED])
def test_what_docker_refuses_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidReference, match=reason):
        _reference.parse(text)


@pytest.mark.parametrize("text", READ, ids=[text[:60] for text in READ])
def test_the_full_form_means_the_same(text: str) -> None:
    reference = _reference.parse(text)
    assert _reference.parse(str(reference)) == reference
    assert str(reference).startswith(reference.repository)


HOSTS = ("docker.io", "quay.io", "localhost", "registry:5000", "10.0.0.1:80", "[fd00::1]:443", "UPPER")
PATHS = ("library/a", "a/b", "a.b/c_d/e__f/g--h", "0/9")
TAGS = (None, "1", "V1.0_x-y", "_")
DIGESTS = (None, DIGEST)


@pytest.mark.parametrize(
    "reference",
    [Reference(*parts) for parts in itertools.product(HOSTS, PATHS, TAGS, DIGESTS) if parts[2] or parts[3]],
    ids=str,
)
def test_what_is_written_is_read_again(reference: Reference) -> None:
    assert _reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "version"), {"app": "latest", "app:1": "1", f"app@{DIGEST}": DIGEST, f"app:1@{DIGEST}": DIGEST}.items()
)
def test_the_digest_decides(text: str, version: str) -> None:
    assert _reference.parse(text).version == version


@pytest.mark.parametrize(("text", "expected"), OCI.items())
def test_charts_are_read_as_helm_does(text: str, expected: tuple[str, str, str | None, str | None]) -> None:
    assert _reference.parse_oci(text) == Reference(*expected)


@pytest.mark.parametrize(("text", "reason"), OCI_REFUSED.items())
def test_what_is_no_chart_reference_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidReference, match=reason):
        _reference.parse_oci(text)


@pytest.mark.parametrize("text", HOSTILE, ids=[repr(text[:30]) for text in HOSTILE])
def test_hostile_names_are_refused_at_once_and_shown_safely(text: str) -> None:
    """No name gets into a path or a URL, takes long to look at, or fills or controls the screen."""
    for attempt in (text, f"oci://{text}"):
        read = _reference.parse_oci if attempt.startswith("oci://") else _reference.parse
        with pytest.raises(InvalidReference) as caught:
            read(attempt)
        assert len(str(caught.value)) < 500
        assert str(caught.value).isprintable()
    assert not _reference.is_repository(text)


@pytest.mark.parametrize(
    ("path", "expected"),
    {
        "library/mysql": ("mysql",),
        "library/a.b": ("a.b",),
        "library/team/mysql": (),
        "team/mysql": (),
        "library": (),
        "mysql": (),
        "team/library/mysql": (),
        "library2/mysql": (),
    }.items(),
)
def test_official_images_have_a_short_name_too(path: str, expected: tuple[str, ...]) -> None:
    assert _reference.aliases(path) == expected
