# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry as a service of one host: its image out of the tree, its configuration, its container, its health."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import ssl
import tempfile
import time
from dataclasses import asdict, dataclass

from ansible_collections.seahub.offline.plugins.module_utils import _digest, _image_archive, _tls
from ansible_collections.seahub.offline.plugins.module_utils._engine import Container, Engine, EngineError, Mount, Spec
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils._tree import Tree

LABEL = "seahub.offline.registry"
_PORT = 5000
_FOLDER = "/etc/seahub"
_STORAGE = "/var/lib/registry"
_LOG_LINES = 10
_PAUSE = 0.25


class ServiceError(SeahubError):
    """A registry that cannot be set up, or does not serve."""


@dataclass(frozen=True)
class Settings:
    """What the registry is to be. All paths are files and folders of the host."""

    name: str
    tree: str
    image: str
    domain: str
    port: int
    certificate: str
    private_key: str
    ca_certificate: str
    config: str

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"https://{self.domain}:{self.port}/v2/"


@dataclass(frozen=True)
class Plan:
    """What has to be done, and why. A reason is a sentence for the user; None means that all is well."""

    image: Image
    spec: Spec
    labels: dict[str, str]
    load_reason: str | None
    config_reason: str | None
    run_reason: str | None

    @property
    def reasons(self) -> list[str]:
        """The sentences, in the order in which things are done."""
        return [reason for reason in (self.load_reason, self.config_reason, self.run_reason) if reason]


def configuration(root: str = _STORAGE) -> bytes:
    """Return the registry's configuration file, for a tree at a place in its container.

    It is YAML, of which JSON is a part. https://distribution.github.io/distribution/about/configuration/
    """
    document = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": root},
            # No cache: the tree is changed from outside, and asking the filesystem costs next to nothing.
            "delete": {"enabled": False},
            "maintenance": {"readonly": {"enabled": True}, "uploadpurging": {"enabled": False}},
        },
        "http": {
            "addr": f":{_PORT}",
            "headers": {"X-Content-Type-Options": ["nosniff"]},
            "tls": {"certificate": f"{_FOLDER}/tls.crt", "key": f"{_FOLDER}/tls.key", "minimumtls": "tls1.2"},
        },
        "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def plan(settings: Settings, engine: Engine) -> Plan:
    """Find out what has to be done, without doing it.

    :raises ServiceError: if there is a container of this name that was not made here, or a file is missing.
    :raises SeahubError: if the engine does not run, or the image is not in the tree.
    """
    image = _image_archive.find(Tree(settings.tree), settings.image, engine.platform())
    # Engines disagree on what an image's own ID is; a name that says the digest holds for all of them.
    name = f"{settings.name}:{_digest.split(image.manifest.digest)[1]}"
    spec = _spec(settings, name)
    labels = {LABEL: _fingerprint(settings, spec)}
    return Plan(
        image=image,
        spec=spec,
        labels=labels,
        load_reason=None if engine.has_image(name) else f"{engine.name} does not have {image.name} of the tree yet",
        config_reason=None if _content(settings.config) == _configuration(settings) else f"{settings.config} differs",
        run_reason=_run_reason(_own_container(settings.name, engine), labels),
    )


def carry_out(steps: Plan, settings: Settings, engine: Engine) -> None:
    """Do what a plan says.

    :raises SeahubError: if it cannot be done.
    """
    if steps.load_reason:
        engine.load(_image_archive.archive(Tree(settings.tree), steps.image, steps.spec.image))
        if not engine.has_image(steps.spec.image):
            raise EngineError(f"{engine.name} load took the image, but there is none with the name {steps.spec.image}")
    if steps.config_reason:
        _write(settings.config, _configuration(settings))
    if steps.run_reason:
        if engine.container(settings.name) is not None:
            engine.remove(settings.name)
        engine.run(steps.spec, steps.labels)


def wait_until_healthy(settings: Settings, engine: Engine, timeout: float) -> None:
    """Wait until the registry answers on this host, with the right certificate.

    :param timeout: seconds to wait.
    :raises ServiceError: if it does not, with what its container has written last.
    """
    trust = _tls.context(settings.ca_certificate)
    deadline = time.monotonic() + timeout
    while True:
        try:
            problem = _problem(settings, trust)
        except ssl.SSLCertVerificationError as error:
            # Waiting does not make a certificate right.
            raise ServiceError(
                f"{settings.url} answers on this host, but {settings.ca_certificate} does not verify its certificate "
                f"for {settings.domain}: {error.verify_message.rstrip('.')}"
            ) from error
        if problem is None:
            return
        container = engine.container(settings.name)
        if container is None or container.failed or time.monotonic() > deadline:
            raise ServiceError(_complaint(settings, engine, container, problem))
        time.sleep(_PAUSE)


def clean(steps: Plan, settings: Settings, engine: Engine) -> None:
    """Remove the images that earlier containers of this service ran from."""
    for name in engine.images(settings.name):
        if name != steps.spec.image:
            engine.remove_image(name)


def reasons_to_remove(name: str, config: str, engine: Engine) -> list[str]:
    """Return what of this service is there: its container, its images, its configuration.

    :raises ServiceError: if there is a container of this name that was not made here.
    """
    engine.platform()
    found = [f"the container {name} is there"] if _own_container(name, engine) else []
    found += [f"the image {image} is there" for image in engine.images(name)]
    return found + ([f"{config} is there"] if os.path.exists(config) else [])


def remove(name: str, config: str, engine: Engine) -> None:
    """Remove the service. The tree and the certificates stay."""
    if _own_container(name, engine):
        engine.remove(name)
    for image in engine.images(name):
        engine.remove_image(image)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(config)


def _spec(settings: Settings, image: str) -> Spec:
    return Spec(
        name=settings.name,
        image=image,
        # registry:2 and registry:3 look for their configuration in different places, and differ in their entry points:
        # this works with both, and with the bare program as entry point.
        command=("serve", f"{_FOLDER}/config.yml"),
        mounts=(
            Mount(settings.config, f"{_FOLDER}/config.yml"),
            Mount(settings.certificate, f"{_FOLDER}/tls.crt"),
            Mount(settings.private_key, f"{_FOLDER}/tls.key"),
            _storage(settings.tree)[0],
        ),
        host_port=settings.port,
        container_port=_PORT,
    )


def _configuration(settings: Settings) -> bytes:
    return configuration(_storage(settings.tree)[1])


def _storage(tree: str) -> tuple[Mount, str]:
    """Return what of the host the container sees as its storage, and where the tree is in there.

    Of a tree that is a link into its own folder, as bundle_mount makes it, it sees the folder, with the link and with
    all that is mounted there later: wherever the link leads, it is served at once.
    """
    if os.path.islink(tree) and not os.readlink(tree).startswith(("/", "..")):
        folder, name = os.path.split(os.path.abspath(tree))
        return Mount(folder, _STORAGE, follows=True), f"{_STORAGE}/{name}"
    return Mount(tree, _STORAGE), _STORAGE


def _fingerprint(settings: Settings, spec: Spec) -> str:
    """Say in one number what the container was made from. The registry reads its files once, when it starts."""
    hash_object = hashlib.sha256(json.dumps(asdict(spec), sort_keys=True).encode() + _configuration(settings))
    for path in (settings.certificate, settings.private_key):
        data = _content(path)
        if data is None:
            raise ServiceError(f"there is no {path}: bring the certificate and its private key to this host first")
        hash_object.update(hashlib.sha256(data).digest())
    return hash_object.hexdigest()


def _run_reason(found: Container | None, labels: dict[str, str]) -> str | None:
    if found is None:
        return "there is no container"
    if found.labels.get(LABEL) != labels[LABEL]:
        return "the container was made from another image, configuration or certificate"
    return None if found.status == "running" else f"the container is {found.status}"


def _own_container(name: str, engine: Engine) -> Container | None:
    found = engine.container(name)
    if found is not None and LABEL not in found.labels:
        raise ServiceError(
            f"there is a container {name} on this host that was not made by this module: remove or rename it, "
            "or choose another name"
        )
    return found


def _problem(settings: Settings, trust: ssl.SSLContext) -> str | None:
    """Ask the registry on this host. Its name need not be known here yet.

    :returns: what is wrong, though it may only be too early; None if it answers as it should.
    :raises ssl.SSLCertVerificationError: if its certificate is not right.
    """
    connection = _tls.Connection(settings.domain, settings.port, trust, address="127.0.0.1", timeout=10)
    try:
        connection.request("GET", "/v2/")
        status = connection.getresponse().status
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return None if status == 200 else f"it answers with HTTP {status}"


def _complaint(settings: Settings, engine: Engine, container: Container | None, problem: str) -> str:
    text = f"{settings.url} does not answer as it should on this host: {problem}."
    if container is None:
        return f"{text} The container {settings.name} is gone"
    state = f"{container.status}, exit code {container.exit_code}" if container.failed else container.status
    log = engine.logs(settings.name, _LOG_LINES) or "nothing"
    return f"{text} The container {settings.name} is {state}; it has written last:\n{log}"


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _write(path: str, data: bytes) -> None:
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".seahub-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
