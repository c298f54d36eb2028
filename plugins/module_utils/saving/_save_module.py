# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What image_save and chart_save have in common: their options about registries, how they run, and what they return."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import time
import urllib.parse
from typing import Any, Callable, Iterable, Mapping, Sequence, Tuple

from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    InvalidPlatform,
    InvalidReference,
    SeahubError,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference
from ansible_collections.seahub.offline.plugins.module_utils.registries import _credentials
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Settings
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.saving._save import (
    Failure,
    Found,
    Preview,
    Report,
    Rules,
    Saved,
    Saver,
    Wish,
)
from ansible_collections.seahub.offline.plugins.module_utils.saving._wishes import Choices, InvalidEntry, WishMaker
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

REGISTRY_ARGUMENTS: dict[str, Any] = {
    "registries": {"type": "dict", "default": {}},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_cert": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "plain_http": {"type": "bool", "default": False},
    "parallel": {"type": "int", "default": 16},
    "retries": {"type": "int", "default": 5},
    "timeout": {"type": "int", "default": 60},
    "deadline": {"type": "int"},
    "progress_file": {"type": "path"},
}
ARGUMENTS: dict[str, Any] = {
    **REGISTRY_ARGUMENTS,
    "dir": {"type": "path", "required": True},
    "naming": {"type": "str", "choices": ["drop_host", "keep_host"], "default": "drop_host"},
    "signatures": {"type": "bool", "default": True},
    "locked": {"type": "bool", "default": False},
    "wait": {"type": "int", "default": 0},
}
REQUIRED_TOGETHER = [("username", "password")]

Outcome = Tuple[Sequence[Wish], Sequence[Failure]]
_SETTINGS = {field.name: field for field in dataclasses.fields(Settings)}
_SECRETS = ("password", "token")


class InvalidOption(SeahubError):
    """An option that has no usable value."""


class HidesSecrets:
    """Goes before AnsibleModule among the bases of a module with these options.

    AnsibleModule knows as secret what an option holds, but not what lies deep in one; and it may refuse arguments, and
    show them, before a module can tell it.
    """

    params: dict[str, Any]
    no_log_values: set[str]

    def _load_params(self) -> None:
        super()._load_params()  # type: ignore[misc]
        self.no_log_values.update(_secrets(self.params.get("registries")))


def collect(
    entries: Iterable[tuple[Any, str]], read: Callable[[Any, str], Sequence[Wish]]
) -> tuple[list[Wish], list[Failure]]:
    """Read entries into wishes.

    :param entries: each with the file and line in which it stands, if it does.
    :returns: the wishes, and a failure for each entry whose source cannot be read or resolved.
    :raises InvalidOption: naming all entries that make no sense, so that the user can mend them in one go.
    """
    wishes: list[Wish] = []
    failures: list[Failure] = []
    problems: list[str] = []
    for entry, where in entries:
        try:
            wishes += read(entry, where)
        except (InvalidEntry, InvalidReference, InvalidPlatform) as error:
            problems.append(f"{where}: {error}" if where else str(error))
        except SeahubError as error:
            failures.append(Failure(f"{_label(entry)} ({where})" if where else _label(entry), error))
    if problems:
        raise InvalidOption("\n".join(problems))
    return wishes, failures


def choices(params: Mapping[str, Any], **more: Any) -> Choices:
    """Return what the options say for all entries."""
    return Choices(
        keep_host=params["naming"] == "keep_host",
        signatures=params["signatures"],
        lock=_lock.read(Tree(params["dir"])) if params["locked"] else None,
        **more,
    )


def run(module: Any, read: Callable[[Callable[[Choices], WishMaker]], Outcome], rules: Rules) -> None:
    """Run the module: save what it reads from its options, or tell what saving would do, and exit.

    :param module: the AnsibleModule.
    :param read: returns the wishes; it is given what makes a WishMaker.
    :param rules: what may be saved.
    """
    params = module.params
    tree = Tree(params["dir"])
    retry = retry_policy(params)
    saver = Saver(tree, retry, max(1, params["parallel"]), _progress.callback(params["progress_file"]), rules)
    try:
        before = _lock.read(tree)
        registries = make_registries(params, retry)
        wishes, failures = read(lambda chosen: WishMaker(registries, chosen))
        if module.check_mode:
            result = _preview(saver.preview(wishes))
        else:
            report = saver.save(wishes, params["wait"])
            result = _result(report)
            for refusal in report.refusals:
                module.warn(f"Signatures could not be looked for: {refusal}")
    except SeahubError as error:
        module.fail_json(msg=str(error), references=[], signatures=[], failures=[])
    result["failures"] = [_failure(item) for item in failures] + result["failures"]
    if module._diff:
        result["diff"] = _diff(before, result["references"] + result["signatures"])
    if result["failures"]:
        total = len(result["failures"]) + len(result["references"])
        lines = [f"- {item['reference']}: {item['error']}" for item in result["failures"]]
        module.fail_json(msg="\n".join([f"{len(lines)} of {total} could not be saved:", *lines]), **result)
    module.exit_json(**result)


def _secrets(registries: Any) -> set[str]:
    """Return the values below `registries` that must never be shown, whatever shape it has."""
    entries = (
        [entry for entry in registries.values() if isinstance(entry, dict)] if isinstance(registries, dict) else []
    )
    proxies = (urllib.parse.urlsplit(str(entry.get("proxy") or "")).password for entry in entries)
    secrets = {str(entry[name]) for entry in entries for name in _SECRETS if entry.get(name)}
    return secrets.union(filter(None, proxies))


def _label(entry: Any) -> str:
    if isinstance(entry, dict):
        return " ".join(str(entry[key]) for key in ("image", "chart", "repo", "name", "version") if entry.get(key))
    return str(entry)


def make_registries(params: Mapping[str, Any], retry: RetryPolicy) -> Registries:
    """Return the registries as the options describe them.

    :raises InvalidOption: if one of them makes no sense.
    """
    default = Settings(
        username=params["username"] or "",
        password=params["password"] or "",
        ca_cert=params["ca_cert"] or "",
        validate_certs=params["validate_certs"],
        plain_http=params["plain_http"],
    )
    return Registries(
        settings={_key(key): _settings(key, entry, default) for key, entry in (params["registries"] or {}).items()},
        default=default,
        logins=_credentials.of_user(),
        retry=retry,
        timeout=params["timeout"],
    )


def _key(key: str) -> str:
    """Return a key of `registries` as references have it; one that none can have would silently not count."""
    host, slash, path = str(key).partition("/")
    if not _reference.is_host(host) or (slash and not _reference.is_repository(path)):
        raise InvalidOption(f"registries: {key!r} is no registry: write its host, such as quay.io, or host/path")
    return f"{_reference.canonical_host(host)}{slash}{path}"


def _settings(key: str, entry: Any, default: Settings) -> Settings:
    if not isinstance(entry, dict):
        raise InvalidOption(f"registries: {key} has to be a dictionary, such as {{ca_cert: /path/of/ca.crt}}")
    unknown = sorted(set(entry) - set(_SETTINGS))
    if unknown:
        raise InvalidOption(f"registries: {key} has unknown keys: {', '.join(unknown)}; known: {', '.join(_SETTINGS)}")
    values = {name: _value(key, name, value) for name, value in entry.items() if value is not None}
    # Whom to trust holds for all registries unless one has its own; credentials never do.
    return dataclasses.replace(default, **{"username": "", "password": "", **values})


def _value(key: str, name: str, value: Any) -> Any:
    if name == "mirrors":
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise InvalidOption(f"registries: {key}: mirrors has to be a list of hosts")
        return tuple(value)
    if isinstance(_SETTINGS[name].default, bool):
        if not isinstance(value, bool):
            raise InvalidOption(f"registries: {key}: {name} has to be true or false, not {value!r}")
        return value
    return str(value)


def retry_policy(params: Mapping[str, Any]) -> RetryPolicy:
    """Return how often and how long things are tried, as the options say."""
    deadline = time.monotonic() + params["deadline"] if params["deadline"] else None
    return RetryPolicy(attempts=max(0, params["retries"]) + 1, deadline=deadline)


def _result(report: Report) -> dict[str, Any]:
    return {
        "changed": report.changed,
        "references": [_saved(item) for item in report.saved if not item.wish.companion],
        "signatures": [_saved(item) for item in report.saved if item.wish.companion],
        "failures": [_failure(item) for item in report.failures],
        "received_bytes": report.received,
    }


def _preview(preview: Preview) -> dict[str, Any]:
    return {
        "changed": preview.changed,
        "references": [_found(item) for item in preview.found],
        "signatures": [],
        "failures": [_failure(item) for item in preview.failures],
        "received_bytes": 0,
    }


def _saved(item: Saved) -> dict[str, Any]:
    return _described(item.wish, item.entry.digest, item.entry, item.present)


def _found(item: Found) -> dict[str, Any]:
    return _described(item.wish, item.digest, item.entry, item.entry is not None)


def _described(wish: Wish, digest: str, entry: Entry | None, present: bool) -> dict[str, Any]:
    return {
        "reference": wish.requested,
        "source": wish.source_name,
        "name": wish.name,
        "tag": wish.tag,
        "aliases": list(wish.names[1:]),
        "digest": digest,
        "kind": entry.kind if entry else None,
        "platforms": list(entry.platforms) if entry else [str(platform) for platform in wish.platforms],
        "bytes": entry.size if entry else None,
        "present": present,
    }


def _failure(item: Failure) -> dict[str, Any]:
    return {"reference": item.label, "error": str(item.error)}


def _diff(before: Lock, references: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what moves: one line a reference, `name:tag digest`."""

    def line(name: str, version: str, digest: str) -> str:
        return f"{name}:{version} {digest}\n" if version != digest else f"{name}@{digest}\n"

    old = [(item, before.find(item["name"], item["tag"] or item["digest"])) for item in references]
    return {
        "before_header": _lock.FILE,
        "after_header": _lock.FILE,
        "before": "".join(sorted(line(entry.name, entry.key[1], entry.digest) for _item, entry in old if entry)),
        "after": "".join(sorted(line(i["name"], i["tag"] or i["digest"], i["digest"]) for i in references)),
    }
