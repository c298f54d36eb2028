# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidManifest, InvalidPlatform
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest, _media_types

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
CONFIG_DIGEST, LAYER_DIGEST, OTHER_DIGEST = ("sha256:" + digit * 64 for digit in "123")

Document = dict[str, Any]


def descriptor(media_type: str, digest: str = LAYER_DIGEST, size: int = 7, **members: object) -> Document:
    return {"mediaType": media_type, "digest": digest, "size": size, **members}


def manifest(**members: object) -> Document:
    """An OCI manifest that names no media type itself, with these members over its own."""
    return {
        "schemaVersion": 2,
        "config": descriptor(_media_types.OCI_CONFIG, CONFIG_DIGEST, 3),
        "layers": [descriptor(OCI_LAYER)],
        **members,
    }


def index(**members: object) -> Document:
    """An OCI index that names no media type itself, with these members over its own."""
    amd64 = {"os": "linux", "architecture": "amd64"}
    return {"schemaVersion": 2, "manifests": [descriptor(_media_types.OCI_MANIFEST, platform=amd64)], **members}


def parse(document: object, media_type: str = "") -> _manifest.Manifest:
    return _manifest.parse(json.dumps(document).encode(), media_type)


# Document, `Content-Type` -> media type.
KINDS: dict[str, tuple[Document, str, str]] = {
    "OCI manifest": (
        manifest(mediaType=_media_types.OCI_MANIFEST),
        _media_types.OCI_MANIFEST,
        _media_types.OCI_MANIFEST,
    ),
    "docker manifest": (
        manifest(mediaType=_media_types.DOCKER_MANIFEST),
        _media_types.DOCKER_MANIFEST,
        _media_types.DOCKER_MANIFEST,
    ),
    "OCI index": (index(mediaType=_media_types.OCI_INDEX), _media_types.OCI_INDEX, _media_types.OCI_INDEX),
    "docker list": (index(mediaType=_media_types.DOCKER_LIST), _media_types.DOCKER_LIST, _media_types.DOCKER_LIST),
    "manifest that does not say": (manifest(), _media_types.OCI_MANIFEST, _media_types.OCI_MANIFEST),
    "index that does not say": (index(), _media_types.OCI_INDEX, _media_types.OCI_INDEX),
    "manifest of which nobody says": (manifest(), "", _media_types.OCI_MANIFEST),
    "index of which nobody says": (index(), "", _media_types.OCI_INDEX),
    "empty media type": (manifest(mediaType=""), "", _media_types.OCI_MANIFEST),
    "parameter": (manifest(), f"{_media_types.OCI_MANIFEST}; charset=utf-8", _media_types.OCI_MANIFEST),
    "content type of a careless server": (manifest(), "text/plain", _media_types.OCI_MANIFEST),
    # From here on the document decides: read again from the tree, without a content type, it must be the same.
    "docker's content type": (manifest(), _media_types.DOCKER_MANIFEST, _media_types.OCI_MANIFEST),
    "the other kind of manifest": (
        manifest(mediaType=_media_types.DOCKER_MANIFEST),
        _media_types.OCI_MANIFEST,
        _media_types.DOCKER_MANIFEST,
    ),
    "no children in a manifest": (manifest(manifests=None), "", _media_types.OCI_MANIFEST),
    "no layers in an index": (index(layers=None, config=None), "", _media_types.OCI_INDEX),
}

# Document, `Content-Type`, a part of the reason.
REFUSED: dict[str, tuple[object, str, str]] = {
    "list": ([], "", "no manifest"),
    "text": ("manifest", "", "no manifest"),
    "number": (2, "", "no manifest"),
    "nothing": (None, "", "no manifest"),
    "empty document": ({}, "", "schema version 2"),
    "error of a registry": ({"errors": [{"code": "UNKNOWN"}]}, "application/json", "schema version 2"),
    "no schema version": (manifest(schemaVersion=None), "", "schema version 2"),
    "later schema version": (manifest(schemaVersion=3), "", "schema version 2"),
    "schema version as text": (manifest(schemaVersion="2"), "", "schema version 2"),
    "schema 1": ({"schemaVersion": 1, "fsLayers": []}, "", "schema 1.*push it again"),
    "schema 1 by content type": (manifest(), _media_types.DOCKER_SCHEMA1[0], "schema 1.*push it again"),
    "signed schema 1": ({"schemaVersion": 1}, _media_types.DOCKER_SCHEMA1[1], "schema 1.*push it again"),
    # What one reader would take for a manifest and another for an index.
    "index with layers": (index(layers=[]), "", "contradicts"),
    "index with configuration": (index(config=descriptor("x")), "", "contradicts"),
    "declared index with layers": (index(mediaType=_media_types.OCI_INDEX, layers=[]), "", "contradicts"),
    "manifest with children": (manifest(mediaType=_media_types.OCI_MANIFEST, manifests=[]), "", "contradicts"),
    "manifest that says it is an index": (manifest(mediaType=_media_types.OCI_INDEX), "", "contradicts"),
    "index that says it is a manifest": (index(mediaType=_media_types.DOCKER_MANIFEST), "", "contradicts"),
    "manifest sent as index": (manifest(), _media_types.OCI_INDEX, "contradicts"),
    "index sent as manifest": (index(), _media_types.DOCKER_MANIFEST, "contradicts"),
    # What a stock registry has no way to serve.
    "unknown media type": (manifest(mediaType="application/vnd.example"), "", "would not serve"),
    "media type of no text": (manifest(mediaType=[_media_types.OCI_MANIFEST]), "", "would not serve"),
    "no configuration": ({"schemaVersion": 2, "layers": []}, "", "no config"),
    "configuration without content": (manifest(config=None), "", "no config"),
    "configuration as text": (manifest(config="sha256:0"), "", "config' cannot be"),
    "layers in no list": (manifest(layers={"0": descriptor(OCI_LAYER)}), "", "layers' cannot be"),
    "layer of nothing": (manifest(layers=[None]), "", "no layers"),
    "layer as text": (manifest(layers=[LAYER_DIGEST]), "", "layers' cannot be"),
    "children in no list": (index(manifests=7), "", "manifests' cannot be"),
    "child as text": (index(manifests=["x"]), "", "manifests' cannot be"),
    "subject as text": (manifest(subject="x"), "", "subject' cannot be"),
    "artifact type of no text": (manifest(artifactType=7), "", "artifactType' cannot be"),
}

# Members of a layer's descriptor, a part of the reason.
REFUSED_LAYERS: dict[str, tuple[Document, str]] = {
    "no digest": ({"digest": None}, "no digest"),
    "path as digest": ({"digest": "sha256:../../../etc/passwd"}, "no digest"),
    "capitals in the digest": ({"digest": "sha256:" + "A" * 64}, "no digest"),
    "unknown algorithm": ({"digest": "md5:" + "0" * 32}, "no digest"),
    "digest of no text": ({"digest": ["sha256"]}, "no digest"),
    "digest of 1 MiB": ({"digest": "sha256:" + "0" * 1_048_576}, "no digest"),
    "no size": ({"size": None}, "no size"),
    "negative size": ({"size": -1}, "no size"),
    "broken size": ({"size": 1.5}, "no size"),
    "size as text": ({"size": "7"}, "no size"),
    "true as size": ({"size": True}, "no size"),
    "infinite size": ({"size": float("inf")}, "no size"),
    "size of no number": ({"size": float("nan")}, "no size"),
    "size of more than 64 bits": ({"size": 2**63}, "no size"),
    "media type of no text": ({"mediaType": 7}, "mediaType' cannot be"),
    "urls as text": ({"urls": "https://example.com"}, "urls' cannot be"),
    "url of no text": ({"urls": [["https://example.com"]]}, "urls' cannot be"),
    "annotations in a list": ({"annotations": []}, "annotations' cannot be"),
    "annotation of no text": ({"annotations": {"title": 1}}, "title' cannot be"),
    "platform as text": ({"platform": "linux/amd64"}, "platform' cannot be"),
}

# Bytes that are no document.
GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "a page": b"<!DOCTYPE html><title>Log in</title>",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "cut off": json.dumps(manifest()).encode()[:-1],
    "two documents": json.dumps(manifest()).encode() * 2,
    "not UTF-8": json.dumps(manifest()).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(manifest()).encode(),
    "a number of 100,000 digits": b'{"schemaVersion": ' + b"2" * 100_000 + b"}",
    "deep lists": b"[" * 1_000_000,
    "deep objects": b'{"a":' * 500_000,
    "deep configuration": b'{"schemaVersion": 2, "config": ' + b"[" * 900 + b"]" * 900 + b"}",
    "deep schema version": b'{"schemaVersion": ' + b"[" * 900 + b"]" * 900 + b"}",
    "too large": json.dumps(manifest(padding="x" * _manifest.SIZE_LIMIT)).encode(),
}


@pytest.mark.parametrize(("document", "content_type", "expected"), KINDS.values(), ids=KINDS)
def test_the_document_says_what_it_is(document: Document, content_type: str, expected: str) -> None:
    found = parse(document, content_type)
    assert found.media_type == expected
    assert found.is_index == (expected in _media_types.INDEXES)
    assert parse(document) == found


@pytest.mark.parametrize(("document", "content_type", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_carried_is_refused(document: object, content_type: str, reason: str) -> None:
    with pytest.raises(InvalidManifest, match=reason):
        parse(document, content_type)


@pytest.mark.parametrize(("members", "reason"), REFUSED_LAYERS.values(), ids=REFUSED_LAYERS)
def test_descriptors_are_checked(members: Document, reason: str) -> None:
    """In every place: digests become paths, sizes are trusted, and the rest is shown."""
    wrong = {**descriptor(OCI_LAYER), **members}
    for document in (
        manifest(layers=[descriptor(OCI_LAYER), wrong]),
        manifest(config=wrong),
        manifest(subject=wrong),
        index(manifests=[wrong]),
    ):
        with pytest.raises(InvalidManifest, match=reason) as caught:
            parse(document)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_refused_at_once_and_shown_safely(raw: bytes) -> None:
    with pytest.raises(InvalidManifest) as caught:
        _manifest.parse(raw)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_a_child_for_a_platform_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(InvalidPlatform):
        parse(index(manifests=[descriptor("x", platform={"os": "linux\x1b[2J", "architecture": "amd64"})]))


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_bytes_are_kept_and_known_by_their_digest(algorithm: str) -> None:
    """Spaces, order and unknown members included: nothing is ever written anew."""
    raw = json.dumps(manifest(unknown={"b": 1, "a": 2}), indent=3).encode() + b"\r\n"
    digest = f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"
    found = _manifest.parse(raw, algorithm_of=digest)
    assert (found.raw, found.digest) == (raw, digest)


def test_the_largest_size_is_that_of_64_bits() -> None:
    assert parse(manifest(layers=[descriptor(OCI_LAYER, size=2**63 - 1)])).layers[0].size == 2**63 - 1


def test_a_manifest_of_just_the_limit_is_read() -> None:
    raw = json.dumps(manifest()).encode()
    padded = raw + b" " * (_manifest.SIZE_LIMIT - len(raw))
    assert _manifest.parse(padded).digest == _digest.hash_bytes(padded)


def test_blobs_are_the_configuration_and_the_layers_in_their_order() -> None:
    layers = [descriptor(DOCKER_LAYER, OTHER_DIGEST), descriptor(DOCKER_LAYER, LAYER_DIGEST)]
    found = parse(manifest(mediaType=_media_types.DOCKER_MANIFEST, layers=layers))
    assert [blob.digest for blob in found.blobs] == [CONFIG_DIGEST, OTHER_DIGEST, LAYER_DIGEST]
    assert found.children == ()


def test_children_have_platforms_and_annotations() -> None:
    arm64 = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    unknown = {"os": "unknown", "architecture": "unknown"}
    found = parse(
        index(
            manifests=[
                descriptor(_media_types.OCI_MANIFEST, LAYER_DIGEST, platform=arm64),
                descriptor(_media_types.OCI_MANIFEST, OTHER_DIGEST, platform=unknown, annotations={"b": "2", "a": "1"}),
                descriptor(_media_types.OCI_INDEX, CONFIG_DIGEST, platform=None, artifactType="text/x"),
            ]
        )
    )
    assert [str(child.platform) for child in found.children] == ["linux/arm64", "None", "None"]
    assert found.children[1].annotations == (("a", "1"), ("b", "2"))
    assert found.children[2].artifact_type == "text/x"
    assert found.blobs == ()


def test_foreign_layers_keep_their_urls() -> None:
    urls = ["https://one.example/layer", "https://two.example/layer"]
    assert parse(manifest(layers=[descriptor(FOREIGN_LAYER, urls=urls)])).layers[0].urls == tuple(urls)


# Media type of the configuration, those of the layers -> is an image, is a chart.
ARTIFACTS: dict[str, tuple[str, tuple[str, ...], bool, bool]] = {
    "OCI image": (_media_types.OCI_CONFIG, (OCI_LAYER,), True, False),
    "docker image": (_media_types.DOCKER_CONFIG, (DOCKER_LAYER,), True, False),
    "image without layers": (_media_types.OCI_CONFIG, (), True, False),
    "chart": (_media_types.HELM_CONFIG, (_media_types.HELM_CHART,), False, True),
    "chart with provenance": (
        _media_types.HELM_CONFIG,
        (_media_types.HELM_PROVENANCE, _media_types.HELM_CHART),
        False,
        True,
    ),
    "chart of Helm before 3.7": (_media_types.HELM_CONFIG, (_media_types.HELM_CHART_LEGACY,), False, True),
    "provenance without chart": (_media_types.HELM_CONFIG, (_media_types.HELM_PROVENANCE,), False, False),
    "policy": ("application/vnd.cncf.openpolicyagent.config.v1+json", ("application/x",), False, False),
    "signature": (_media_types.OCI_EMPTY, ("application/vnd.dev.cosign.simplesigning.v1+json",), False, False),
    "unnamed": ("", ("",), False, False),
}


@pytest.mark.parametrize(("config", "layers", "is_image", "is_chart"), ARTIFACTS.values(), ids=ARTIFACTS)
def test_media_types_tell_what_it_is(config: str, layers: tuple[str, ...], is_image: bool, is_chart: bool) -> None:
    found = parse(
        manifest(config=descriptor(config, CONFIG_DIGEST), layers=[descriptor(media_type) for media_type in layers])
    )
    assert (found.is_image, found.is_chart) == (is_image, is_chart)
    assert (found.provenance_layer is not None) == (_media_types.HELM_PROVENANCE in layers)


def test_a_signature_says_of_what_it_is() -> None:
    found = parse(manifest(subject=descriptor(_media_types.OCI_MANIFEST, OTHER_DIGEST), artifactType="application/sig"))
    assert found.subject is not None
    assert (found.subject.digest, found.artifact_type) == (OTHER_DIGEST, "application/sig")
