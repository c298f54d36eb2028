# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of `seahub.offline.tree_sync`: compares, packs and sends."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

from ansible import constants as C  # noqa: N812  as everywhere in Ansible
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _signature
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source, open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _cpu
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotSigned, SeahubError, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress, ignore
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _receiver, _sync
from ansible_collections.seahub.offline.plugins.module_utils.transfer._sync import Plan, Target
from ansible_collections.seahub.offline.plugins.plugin_utils import _far_side, _ssh_stream
from ansible_collections.seahub.offline.plugins.plugin_utils._progress_display import ProgressDisplay, size
from ansible_collections.seahub.offline.plugins.plugin_utils._signals import interruptible, while_ansible_runs

LARGEST_PORTION = 128 * 1024 * 1024
SMALLEST_PORTION = 8 * 1024 * 1024
PORTION_SECONDS = 10
# What a connection of its own must be worth: opening it takes up to some seconds.
OWN_CONNECTION_BYTES = 64 * 1024 * 1024
FETCH_FROM = {
    "addresses": {"type": "list", "elements": "str", "required": True},
    "domain": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5000},
    "ca_certificate": {"type": "str", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}

display = Display()


class Pace:
    """Chooses the size of portions so that each takes some seconds: there is progress to show on any line, little is
    lost with the one under way, and each pays for starting Python on the host.
    """

    def __init__(self) -> None:
        self._size = 2 * SMALLEST_PORTION
        self._begin = time.monotonic()

    def next_size(self) -> int:
        """Return the size in bytes for the portion that begins now."""
        self._begin = time.monotonic()
        return self._size

    def sent(self, count: int) -> None:
        """Take note that the portion is done and how many bytes it had."""
        rate = count / max(time.monotonic() - self._begin, 0.01)
        self._size = int(min(max(rate * PORTION_SECONDS, SMALLEST_PORTION), LARGEST_PORTION))


def _compared(source: Source, target: Target) -> tuple[Source, Plan]:
    united = source.with_lock(_sync.united(source.lock.references, target.lock))
    plan = _sync.compare(united, target)
    if plan.changed:
        # What the target has of other platforms is not the source's to bring.
        _sync.require_fit(source, target.inventory)
    return united, plan


class ActionModule(ActionBase):
    """Runs on the controller; the module of the same name is its part on the target host."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Bring the tree to the host."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(
            {
                "source": {"type": "str", "required": True},
                "dest": {"type": "path", "required": True},
                "allowed_signers": {"type": "str"},
                "fetch_from": {"type": "dict", "options": FETCH_FROM},
            }
        )
        self._task_vars = task_vars or {}
        self._host = self._task_vars.get("inventory_hostname", "")
        self._facts: dict[str, Any] = {}
        self._dest = self._remote_expand_user(arguments["dest"])
        self._source = self._local(arguments["source"])
        self._allowed_signers = self._local(arguments["allowed_signers"]) if arguments["allowed_signers"] else None
        self._fetch_from = arguments["fetch_from"]
        with interruptible():
            try:
                result.update(self._synchronise())
            except SeahubError as error:
                raise AnsibleActionFail(str(error)) from error
            except OSError as error:
                raise AnsibleActionFail(f"{self._source} on the controller cannot be sent: {error}") from error
            finally:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _local(self, path: str) -> str:
        local: str = self._loader.path_dwim(os.path.expandvars(path))
        return local

    def _synchronise(self) -> dict[str, Any]:
        obstacle = _ssh_stream.obstacle(self._connection)
        # Both sides look at what they have at the same time: of a large tree, that is what takes the time.
        with ThreadPoolExecutor(1) as beside:
            opening = beside.submit(self._open_source)
            target = self._describe(staged=obstacle is not None)
            source, signed = opening.result()
        united, plan = _compared(source, target)
        fetched: dict[str, Any] = {}
        sent = plan
        if plan.changed and not self._task.check_mode:
            source.verify_parts(self._progress())
            if plan.blobs and self._fetch_from and self._fetch_from["addresses"]:
                _sync.require_room(plan, target, 0)
                fetched = self._fetch(united, plan)
                if fetched["blobs"] == len(plan.blobs):
                    target = _sync.filled(target, plan)
                else:
                    target = self._describe(staged=obstacle is not None)
                _united, sent = _compared(source, target)
            obstacle = obstacle or self._stream(source, target)
            if obstacle:
                display.v(f"tree_sync: sends in portions, since {obstacle}", host=self._host)
                self._send_portions(source)
        return {**self._result(plan, sent), **self._fetched(fetched), **signed}

    def _fetch(self, source: Source, plan: Plan) -> dict[str, Any]:
        """Let the host fetch what it lacks from other registries, as far as they have it."""
        certificate = self._local(self._fetch_from["ca_certificate"])
        with open(certificate, encoding="utf-8") as file:
            trust = file.read()
        # The host needs no more than the certificate itself.
        wanted = _sync.obtainable(source, plan).dump()
        return self._on_host("fetch", fetch_from=self._fetch_from, _wanted=wanted, _trust=trust)

    def _fetched(self, answer: dict[str, Any]) -> dict[str, Any]:
        if self._fetch_from is None:
            return {}
        left_out = answer.get("left_out", {})
        result: dict[str, Any] = {
            "fetched_blobs": answer.get("blobs", 0),
            "fetched_bytes": answer.get("size", 0),
            "left_out": left_out,
        }
        if left_out:
            result["warnings"] = [
                f"nothing more was fetched from the registry at {address}: {reason}"
                for address, reason in sorted(left_out.items())
            ]
        return result

    def _open_source(self) -> tuple[Source, dict[str, str]]:
        """Open what is to be sent, and return it with who has signed it, where that is asked."""
        source = open_source(self._source)
        signed = self._verify_signature(source)
        if not source.partial:
            source.require_complete()
        return source, signed

    def _describe(self, staged: bool) -> Target:
        """Ask what the host has.

        :param staged: whether portions will lie in Ansible's temporary folder there.
        """
        if not staged:
            return _sync.load_target(self._on_host("describe"))
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        return _sync.load_target(self._on_host("describe", _staging=self._connection._shell.tmpdir))

    def _verify_signature(self, source: Source) -> dict[str, str]:
        if self._allowed_signers is None:
            return {}
        if source.kind != "bundle":
            raise NotSigned(f"{source.path} is no bundle, and only bundles are signed: pack it, and give the bundle")
        return {"signed_by": _signature.verify(source.identity, source.signature_path, self._allowed_signers)}

    def _stream(self, source: Source, target: Target) -> str | None:
        """Send it all down one process of ssh; when the connection is lost, another goes on, as often as is set.

        :returns: why that cannot be done, if nothing of it could be begun.
        """
        retries = _ssh_stream.retries(self._connection)
        while True:
            united, plan = _compared(source, target)
            try:
                return self._stream_once(united, target, plan)
            except AnsibleConnectionFailure as error:
                if not retries:
                    # ssh says the same of a command that was killed.
                    raise TreeError(
                        f"{self._source} -> {self._dest}: the connection was lost, or the receiver was ended: run it"
                        f" again, it goes on ({error})"
                    ) from error
                display.v(f"tree_sync: goes on over another connection, since {error}", host=self._host)
            retries -= 1
            target = self._describe(staged=False)

    def _stream_once(self, source: Source, target: Target, plan: Plan) -> str | None:
        if plan.size >= OWN_CONNECTION_BYTES and target.encrypts_aes and _cpu.encrypts_aes():
            reason = self._stream_over(source, target, plan, prefer_aes=True)
            if reason is None:
                return None
            # Such as a password that holds for one login: the connection that is kept may have had it.
            display.vv(f"tree_sync: goes over the connection that there is, since {reason}", host=self._host)
        return self._stream_over(source, target, plan, prefer_aes=False)

    def _stream_over(self, source: Source, target: Target, plan: Plan, prefer_aes: bool) -> str | None:
        _sync.require_room(plan, target, 0)
        code = _far_side.packed("transfer._receiver")
        progress = self._progress()

        def produce(out: _ssh_stream.Input) -> None:
            out.write(code + _receiver.order(target.root))
            _sync.write_all(source, plan, out, progress)

        data = _ssh_stream.Input(produce)
        command = shlex.join([target.python, "-c", _receiver.BOOTSTRAP, str(len(code))])
        with _ssh_stream.streaming(self._connection, data, prefer_aes):
            try:
                done = self._low_level_execute_command(command, in_data=data)
            except AnsibleError as error:
                lost = isinstance(error, AnsibleConnectionFailure) and not prefer_aes
                if data.started or lost:
                    raise
                return f"ssh said: {error}"
        answers = _receiver.answers(done["stdout"])
        said = done["stderr"].strip() or f"status {done['rc']}"
        if not answers:
            return f"the receiver does not run there: {said}"
        if "error" in answers[-1]:
            raise TreeError(f"{self._source} -> {self._dest}: {answers[-1]['error']}")
        if "blobs" not in answers[-1]:
            raise TreeError(
                f"{self._source} -> {self._dest}: the receiver was ended ({said}): run it again, it goes on"
            )
        return None

    def _send_portions(self, source: Source) -> None:
        # What was there may have changed: a stream may have failed before.
        target = self._describe(staged=True)
        source, plan = _compared(source, target)
        _sync.require_room(plan, target, LARGEST_PORTION)
        pace, progress = Pace(), self._progress()
        done = blobs = 0
        with self._staged() as put:
            for portion in _sync.portions(plan.blobs, pace.next_size):
                put(functools.partial(_sync.write_portion, source, portion))
                done += sum(piece.length for piece in portion)
                blobs += sum(piece.offset + piece.length == piece.size for piece in portion)
                pace.sent(sum(piece.length for piece in portion))
                progress(Progress("sending", done, plan.size, blobs, len(plan.blobs), "blobs"))
            put(functools.partial(_sync.write_links, source, plan))

    @contextlib.contextmanager
    def _staged(self) -> Iterator[Callable[[Callable[[BinaryIO], None]], None]]:
        # Put where Ansible puts its own files: the one folder there that the connection's user can write and, after
        # _fixup_perms2, the become user can read. From there the module takes it into the tree.
        tmpdir = self._connection._shell.tmpdir
        remote = self._connection._shell.join_path(tmpdir, "portion.tar")
        descriptor, local = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP, suffix=".tar")
        os.close(descriptor)

        def put(write: Callable[[BinaryIO], None]) -> None:
            with open(local, "wb") as file:
                write(file)
            self._transfer_file(local, remote)
            self._fixup_perms2((tmpdir, remote))
            self._on_host("receive", _portion=remote)

        try:
            yield put
        finally:
            os.unlink(local)

    def _on_host(self, step: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="seahub.offline.tree_sync",
            module_args={"source": self._source, "dest": self._dest, "_step": step, **arguments},
            task_vars=self._task_vars,
        )
        if answer.get("failed"):
            message = answer.pop("msg", "the module failed on the host")
            raise AnsibleActionFail(f"{self._source} -> {self._dest}: {message}", result=answer)
        # The interpreter that was discovered on the host: the next task need not look for it again.
        self._facts = answer.get("ansible_facts", self._facts)
        return answer

    def _progress(self) -> Callable[[Progress], None]:
        shown = ignore if self._task.no_log else ProgressDisplay(self._host, display.display)
        return while_ansible_runs(shown)

    def _result(self, plan: Plan, sent: Plan) -> dict[str, Any]:
        """Say what was done.

        :param plan: all that the host lacked.
        :param sent: what of it came from here.
        """
        tags = {":".join(name): digest for name, digest in sorted(plan.links.tags.items())}
        moved = {":".join(name): digest for name, digest in sorted(plan.moved.items())}
        result: dict[str, Any] = {
            "changed": plan.changed,
            "dest": self._dest,
            "sent_bytes": sent.size,
            "sent_blobs": len(sent.blobs),
            "present_blobs": plan.present,
            "tags": list(tags),
            "moved_tags": moved,
        }
        if self._facts:
            result["ansible_facts"] = self._facts
        if self._task.check_mode and plan.changed:
            others = ", ".join((self._fetch_from or {}).get("addresses", ()))
            fetch = f"fetch from {others} or " if others else ""
            result["msg"] = f"would {fetch}send {len(plan.blobs)} blobs ({size(plan.size)}) and set {len(tags)} tags"
        if self._task.diff:
            result["diff"] = {
                "before_header": f"{self._dest} (tags)",
                "after_header": f"{self._dest} (tags)",
                "before": "".join(f"{name} {digest}\n" for name, digest in moved.items()),
                "after": "".join(f"{name} {digest}\n" for name, digest in tags.items()),
            }
        return result
