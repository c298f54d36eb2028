# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry as a service of one host: its image out of the tree, its configuration, its container, its health."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import ssl
import time
from dataclasses import asdict, dataclass, field

from ansible_collections.seahub.offline.plugins.module_utils.common import _host_file, _ports, _tls
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.serving import _image_archive, _registry_config
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import (
    Container,
    Engine,
    EngineError,
    Mount,
    Spec,
)
from ansible_collections.seahub.offline.plugins.module_utils.serving._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils.serving._registry_config import Paths, Wishes
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

LABEL = "seahub.offline.registry"
PORT_LABEL = "seahub.offline.port"
_LOG_LINES = 10
_PAUSE = 0.1
# registry:3 would else look for someone who collects its traces, and complain that there is none.
_ENVIRONMENT: tuple[tuple[str, str], ...] = (("OTEL_TRACES_EXPORTER", "none"),)
# The registry's driver has no word for a CA: https://pkg.go.dev/crypto/x509#SystemCertPool
_TRUSTED = "SSL_CERT_FILE"
# No repository has this name, so that whether it has tags is asked of the storage each time.
_NOBODYS = "/v2/seahub-offline/nothing/tags/list"


class ServiceError(SeahubError):
    """A registry that cannot be set up, or does not serve."""


@dataclass(frozen=True)
class Login:
    """By which name and password the registry lets the probe in."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """What the registry is to be. All paths are files and folders of the host.

    `users` are names and bcrypt hashes; `htpasswd` is a file of them instead. `network` is None for the usual one of
    the engine. `storage_ca` is a file with the CA of the storage on S3, where the registry would not know it.
    """

    name: str
    tree: str
    image: str
    domain: str
    certificate: str
    private_key: str
    ca_certificate: str
    config: str
    wishes: Wishes
    users: tuple[tuple[str, str], ...] = ()
    htpasswd: str | None = None
    storage_ca: str | None = None
    network: str | None = None
    login: Login | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.wishes.port

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"https://{self.domain}:{self.port}/v2/"

    @property
    def paths(self) -> Paths:
        """Where it finds its files itself."""
        return Paths(f"/run/{self.name}")

    @property
    def user_file(self) -> str | None:
        """The file of its users on the host, if it has users."""
        return user_file(self.config) if self.users else self.htpasswd


def user_file(config: str) -> str:
    """Return where the file of users is written, beside the configuration."""
    return os.path.join(os.path.dirname(config), "htpasswd")


@dataclass(frozen=True)
class Plan:
    """What has to be done, and why. A reason is a sentence for the user.

    `files` are those of the host to write, with their content. `unfinished` is a container that a run which was cut off
    has left.
    """

    image: Image
    spec: Spec
    labels: dict[str, str]
    files: dict[str, bytes]
    load_reason: str | None
    file_reasons: tuple[str, ...]
    unfinished: str | None
    run_reason: str | None

    @property
    def reasons(self) -> list[str]:
        """The sentences, in the order in which things are done."""
        left = _left(self.unfinished) if self.unfinished else None
        return [reason for reason in (self.load_reason, *self.file_reasons, left, self.run_reason) if reason]


def require_port(name: str, port: int, engine: Engine) -> None:
    """Make sure that nobody but the service itself has its port.

    :raises ServiceError: if someone has, or there is a container of this name that was not made here.
    """
    names = [name, _own_unfinished(name, engine)]
    for own in (_own_container(each, engine) for each in names if each):
        if own is not None and not own.down and own.labels.get(PORT_LABEL) == str(port):
            return
    holders = _ports.listeners(port)
    if not holders:
        return
    container = engine.container_with_port(port)
    who = f"the container {container}" if container else ", ".join(holders)
    raise ServiceError(
        f"port {port} of this host is in use by {who}: stop it, or let the registry have another port "
        "(the certificate stays right, clients are told)"
    )


def plan(settings: Settings, engine: Engine) -> Plan:
    """Find out what has to be done, without doing it.

    :raises ServiceError: if there is a container of this name that was not made here, the port is not free, or a
        file is missing.
    :raises SeahubError: if the engine does not run, or the image is not in the tree.
    """
    image = _image_archive.find(Tree(settings.tree), settings.image, engine.platform())
    # Engines disagree on what an image's own ID is; a name that says the digest holds for all of them.
    name = engine.image_name(settings.name, _digest.split(image.manifest.digest)[1])
    require_port(settings.name, settings.port, engine)
    files = _files(settings)
    spec = _spec(settings, engine, name)
    labels = {LABEL: _fingerprint(settings, spec, files), PORT_LABEL: str(settings.port)}
    return Plan(
        image=image,
        spec=spec,
        labels=labels,
        files=files,
        load_reason=None if engine.has_image(name) else f"{_place(engine)} does not have {image.name} of the tree yet",
        file_reasons=tuple(f"{path} differs" for path, data in files.items() if _host_file.read(path) != data),
        unfinished=_own_unfinished(settings.name, engine),
        run_reason=_run_reason(engine, _own_container(settings.name, engine), labels),
    )


def carry_out(steps: Plan, settings: Settings, engine: Engine) -> None:
    """Do what a plan says. What takes time comes first, while the registry that there is goes on.

    :raises SeahubError: if it cannot be done.
    """
    if steps.load_reason:
        engine.load(Tree(settings.tree), steps.image, steps.spec.image)
        if not engine.has_image(steps.spec.image):
            raise EngineError(f"{engine.name} load took the image, but there is none with the name {steps.spec.image}")
    if steps.file_reasons:
        for path, data in steps.files.items():
            # There may be keys of the storage in the one, and there are hashes of passwords in the other.
            _host_file.write(path, data, 0o600)
    if steps.unfinished:
        engine.remove(steps.unfinished)
    if steps.run_reason:
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
    found = [f"the {engine.thing} {name} is there"] if _own_container(name, engine) else []
    unfinished = _own_unfinished(name, engine)
    found += [_left(unfinished)] if unfinished else []
    found += [f"the image {image} is there" for image in engine.images(name)]
    return found + [f"{path} is there" for path in (config, user_file(config)) if os.path.exists(path)]


def remove(name: str, config: str, engine: Engine) -> None:
    """Remove the service. The tree and the certificates stay."""
    if _own_container(name, engine):
        engine.remove(name)
    unfinished = _own_unfinished(name, engine)
    if unfinished:
        engine.remove(unfinished)
    for image in engine.images(name):
        engine.remove_image(image)
    for path in (config, user_file(config)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _files(settings: Settings) -> dict[str, bytes]:
    files = {settings.config: _registry_config.render(settings.wishes, settings.paths)}
    if settings.users:
        files[user_file(settings.config)] = _registry_config.htpasswd(settings.users)
    return files


def _spec(settings: Settings, engine: Engine, image: str) -> Spec:
    network = settings.network or engine.networks[0]
    if network not in engine.networks:
        raise ServiceError(f"with the engine {engine.name}, the registry is in the network {engine.networks[0]} only")
    paths = settings.paths
    files = [
        Mount(settings.config, paths.config),
        Mount(settings.certificate, paths.certificate),
        Mount(settings.private_key, paths.private_key),
    ]
    if settings.user_file:
        files.append(Mount(settings.user_file, paths.htpasswd))
    environment = _ENVIRONMENT
    if settings.storage_ca:
        files.append(Mount(settings.storage_ca, paths.storage_ca))
        environment += ((_TRUSTED, paths.storage_ca),)
    # A registry with its storage elsewhere has no business in the tree.
    folders = () if settings.wishes.s3 else (_storage(settings.tree, writable=not settings.wishes.read_only),)
    return Spec(
        name=settings.name,
        image=image,
        # registry:2 and registry:3 look for their configuration in different places, and differ in their entry points:
        # this works with both, and with the bare program as entry point.
        command=("serve", paths.config),
        environment=environment,
        files=tuple(files),
        folders=folders,
        network=network,
        port=settings.port,
    )


def _storage(tree: str, *, writable: bool) -> Mount:
    """Return what of the host the registry sees as its storage.

    Of a tree that is a link into its own folder, as bundle_mount makes it, it sees the folder, with the link and with
    all that is mounted there later: wherever the link leads, it is served at once.
    """
    if os.path.islink(tree) and not os.readlink(tree).startswith(("/", "..")):
        folder = os.path.dirname(tree)
        return Mount(folder, folder, writable=writable, follows=True)
    return Mount(tree, tree, writable=writable)


def _fingerprint(settings: Settings, spec: Spec, files: dict[str, bytes]) -> str:
    """Say in one number what the container was made from. The registry reads its files once, when it starts."""
    hash_object = hashlib.sha256(json.dumps(asdict(spec), sort_keys=True).encode())
    for mount in spec.files:
        data = files.get(mount.source) or _host_file.read(mount.source)
        if data is None:
            raise ServiceError(
                f"there is no {mount.source} on this host: bring the certificate, its private key and the file of "
                "users there first"
            )
        hash_object.update(hashlib.sha256(data).digest())
    return hash_object.hexdigest()


def _run_reason(engine: Engine, found: Container | None, labels: dict[str, str]) -> str | None:
    if found is None:
        return f"there is no {engine.thing}"
    if found.labels.get(LABEL) != labels[LABEL]:
        return f"the {engine.thing} was made from another image, configuration or certificate"
    return None if found.status == "running" else f"the {engine.thing} is {found.status}"


def _place(engine: Engine) -> str:
    return engine.name if engine.thing == "container" else "this host"


def _own_container(name: str, engine: Engine) -> Container | None:
    found = engine.container(name)
    if found is not None and LABEL not in found.labels:
        raise ServiceError(
            f"there is a {engine.thing} {name} on this host that was not made by this module: remove or rename it, "
            "or choose another name"
        )
    return found


def _own_unfinished(name: str, engine: Engine) -> str | None:
    unfinished = engine.unfinished(name)
    found = engine.container(unfinished) if unfinished else None
    return unfinished if found is not None and LABEL in found.labels else None


def _left(name: str) -> str:
    return f"a start that was cut off has left {name}"


def _problem(settings: Settings, trust: ssl.SSLContext) -> str | None:
    """Ask the registry on this host. Its name need not be known here yet.

    :returns: what is wrong, though it may only be too early; None if it answers as it should.
    :raises ssl.SSLCertVerificationError: if its certificate is not right.
    """
    try:
        status, challenge = _ask(settings, trust, "/v2/")
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    if settings.user_file and settings.login is None:
        # Without a password nobody is let in, and that is right; if everybody were, that would not be.
        if status == 401 and challenge.lower().startswith("basic "):
            return None
        return f"it answers with HTTP {status}, though it should ask for a password"
    if status == 401:
        return (
            "it asks for a password, and does not take the one that it got"
            if settings.login
            else "it asks for a password"
        )
    if status != 200:
        return f"it answers with HTTP {status}"
    return _storage_problem(settings, trust) if settings.wishes.s3 else None


def _storage_problem(settings: Settings, trust: ssl.SSLContext) -> str | None:
    """See whether the registry reaches its storage, which it does not do of itself before somebody pulls."""
    try:
        status, _challenge = _ask(settings, trust, _NOBODYS)
    except (OSError, http.client.HTTPException) as error:
        return f"its storage on S3 cannot be read: {str(error) or type(error).__name__}"
    return None if status in (200, 404) else f"its storage on S3 cannot be read, it answers with HTTP {status}"


def _ask(settings: Settings, trust: ssl.SSLContext, path: str) -> tuple[int, str]:
    """Return the status of an answer of the registry, and how it asks for a password."""
    connection = _tls.Connection(settings.domain, settings.port, trust, address="127.0.0.1", timeout=10)
    try:
        connection.request("GET", path, headers=_credentials(settings.login))
        answer = connection.getresponse()
        return answer.status, answer.headers.get("WWW-Authenticate", "")
    finally:
        connection.close()


def _credentials(login: Login | None) -> dict[str, str]:
    if login is None:
        return {}
    pair = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _complaint(settings: Settings, engine: Engine, container: Container | None, problem: str) -> str:
    text = f"{settings.url} does not answer as it should on this host: {problem}."
    if container is None:
        return f"{text} The {engine.thing} {settings.name} is gone"
    state = f"{container.status}, exit code {container.exit_code}" if container.failed else container.status
    log = engine.logs(settings.name, _LOG_LINES) or "nothing"
    return f"{text} The {engine.thing} {settings.name} is {state}; it has written last:\n{log}"
