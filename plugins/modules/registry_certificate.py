#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the certificates of the offline registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_certificate
short_description: The CA and the server certificate of the offline registry
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Makes a CA and a server certificate for the registry's name, once, and keeps them over further runs.
  - The server certificate is made anew when its names change and before it ends; the CA stays, so that no host has to
    trust anything new.
  - The CA itself ends after ten years. O(ca_rotation) lets another one follow it in three steps, between which hosts
    trust both; there is a warning from a year before its end on. A CA that ends within O(renew_before) is replaced at
    once.
  - Runs on the controller. The CA's private key is never needed anywhere else, and should not be copied.
  - With O(ca_certificate) and O(ca_private_key) your own CA signs the server certificate.
  - With O(certificate), O(private_key) and O(ca_certificate) your own certificate is checked and used instead.
requirements:
  - cryptography, which ansible-core itself requires on the controller
extends_documentation_fragment:
  - seahub.offline._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows what the certificate says, before and after; never a key.
  idempotent:
    support: full
options:
  dir:
    description:
      - The folder of the files C(ca.crt), C(ca.key), C(<domain>.crt) and C(<domain>.key).
      - C(ca.crt) holds two certificates while one CA follows another. C(ca-next.key) is the key of the one that does
        not sign yet.
      - Made with mode V(0700) if it is not there. Private keys have mode V(0600).
    type: path
    required: true
  domain:
    description: The name, or the IP address, under which clients reach the registry.
    type: str
    default: sea.hub
  dns_names:
    description: Further DNS names for the server certificate; V(*.example.org) covers one level.
    type: list
    elements: str
    default: []
  ip_addresses:
    description: IP addresses for the server certificate.
    type: list
    elements: str
    default: []
  renew_before:
    description: Days before its end at which a certificate is replaced.
    type: int
    default: 60
  certificate:
    description:
      - File with your own server certificate in PEM form, followed by its intermediates.
      - It has to be valid now and for every name asked for, and to lead to O(ca_certificate).
    type: path
  private_key:
    description: File with the private key of O(certificate), in PEM form and not encrypted.
    type: path
  ca_certificate:
    description:
      - File with the CA certificate that clients shall trust for O(certificate), or for what O(ca_private_key) signs.
      - It may hold several, such as an intermediate CA and those above it, or your next CA. Clients trust them all.
    type: path
  ca_private_key:
    description:
      - File with the private key of a CA in O(ca_certificate), ECDSA or RSA, in PEM form and not encrypted.
      - It stays where it is, and signs the server certificate when that is made anew.
    type: path
  ca_rotation:
    description:
      - Takes a step in which another CA follows the one that was made here. A step already taken changes nothing.
      - V(begin) makes the next CA. C(ca.crt) then holds both, and hosts have to be told to trust both.
      - V(switch) lets the next CA sign, and makes a server certificate with it. The key of the one before it is gone
        then. Hosts that do not trust the next CA yet cannot reach the registry from then on.
      - V(finish) takes the one before it out of C(ca.crt).
      - Without it, things stay as they are, for as long as you like.
    type: str
    choices: [begin, switch, finish]
seealso:
  - module: seahub.offline.ca_trust
  - module: seahub.offline.registry_service
"""

EXAMPLES = r"""
---
- name: Make the registry's certificates on the controller
  seahub.offline.registry_certificate:
    dir: /srv/seahub/pki
    domain: sea.hub
    ip_addresses:
      - 10.0.0.5
  delegate_to: localhost
  run_once: true

- name: Let the company's own CA sign
  seahub.offline.registry_certificate:
    dir: /srv/seahub/pki
    domain: registry.example.org
    ca_certificate: /etc/pki/example-root.crt
    ca_private_key: /etc/pki/example-root.key
  delegate_to: localhost
  run_once: true

- name: Make a CA that will follow the present one
  seahub.offline.registry_certificate:
    dir: /srv/seahub/pki
    domain: sea.hub
    ca_rotation: begin
  delegate_to: localhost
  run_once: true

- name: Use a certificate of the company's own CA
  seahub.offline.registry_certificate:
    dir: /srv/seahub/pki
    domain: registry.example.org
    certificate: /etc/pki/registry.example.org.crt
    private_key: /etc/pki/registry.example.org.key
    ca_certificate: /etc/pki/example-root.crt
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
ca_certificate:
  description: The file with the CA certificate that clients have to trust, or two while one CA follows another.
  returned: success
  type: str
  sample: /srv/seahub/pki/ca.crt
certificate:
  description: The file with the server certificate.
  returned: success
  type: str
  sample: /srv/seahub/pki/sea.hub.crt
private_key:
  description: The file with the server's private key.
  returned: success
  type: str
  sample: /srv/seahub/pki/sea.hub.key
authorities:
  description: The CA certificates in it. In check mode, those that are there.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: The name of the CA.
      type: str
      sample: CN=sea.hub registry CA 2026-11-21T08:00:00Z
    not_after:
      description: When it ends.
      type: str
      sample: "2036-11-20T08:00:00Z"
    fingerprint:
      description: The SHA-256 digest of its binary form.
      type: str
      sample: sha256:8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4
    signs:
      description: Whether it is the one that signs server certificates here.
      type: bool
      sample: true
reasons:
  description: Why something was made or changed, as sentences. Empty when nothing was.
  returned: success
  type: list
  elements: str
  sample:
    - the names change from sea.hub to sea.hub, 10.0.0.5
server:
  description: What the server certificate says. In check mode and after a failure, what the one that is there says.
  returned: when there is a server certificate
  type: dict
  contains:
    dns_names:
      description: The DNS names it is valid for.
      type: list
      elements: str
      sample: [sea.hub]
    ip_addresses:
      description: The IP addresses it is valid for.
      type: list
      elements: str
      sample: [10.0.0.5]
    not_before:
      description: When it begins to be valid.
      type: str
      sample: "2026-11-20T08:00:00Z"
    not_after:
      description: When it ends.
      type: str
      sample: "2029-02-22T08:00:00Z"
    fingerprint:
      description: The SHA-256 digest of its binary form.
      type: str
      sample: sha256:8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4
    issuer:
      description: The name of the CA that signed it.
      type: str
      sample: CN=sea.hub registry CA 2026-11-21T08:00:00Z
"""

import datetime
import os
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.serving import _certificate, _x509
from ansible_collections.seahub.offline.plugins.module_utils.serving._certificate import Authority, CaStep, Files
from ansible_collections.seahub.offline.plugins.module_utils.serving._x509 import Names, Server

# A year before its end there is time for three runs.
LAST_DAYS_OF_A_CA = 365


@dataclass(frozen=True)
class Kept:
    """What was (or would be) done, as sentences; the server certificate there was; when the one there will be ends."""

    reasons: list[str]
    before: Server | None
    end: datetime.datetime | None


def keep_made(module: AnsibleModule, where: Files, wanted: Names, now: datetime.datetime) -> Kept:
    """Keep certificates of our own making in order."""
    rotation = CaStep(module.params["ca_rotation"]) if module.params["ca_rotation"] else None
    steps = _certificate.plan(where, wanted, module.params["renew_before"], now, rotation)
    end = _certificate.server_end(steps, where, now)
    if not module.check_mode and steps.reasons:
        _certificate.carry_out(steps, where, wanted, now)
    return Kept(steps.reasons, steps.found, end)


def keep_signed(module: AnsibleModule, where: Files, wanted: Names, now: datetime.datetime) -> Kept:
    """Keep a server certificate in order that the user's own CA signs."""
    params = module.params
    own = Files(params["ca_certificate"], params["ca_private_key"], where.certificate, where.private_key)
    _certificate.check_own_ca(own, wanted, now)
    given = Files(params["ca_certificate"], "", "", "")
    differing = _certificate.differing(given, where)
    steps = _certificate.plan_below(own, wanted, params["renew_before"], now)
    end = _certificate.server_end(steps, own, now)
    if not module.check_mode:
        if differing:
            _certificate.install_own(given, where)
        _certificate.carry_out(steps, own, wanted, now)
    return Kept(not_as_given(differing) + steps.reasons, steps.found, end)


def keep_own(module: AnsibleModule, where: Files, wanted: Names, now: datetime.datetime) -> Kept:
    """Bring the user's own certificate to where it is used."""
    params = module.params
    own = Files(params["ca_certificate"], "", params["certificate"], params["private_key"])
    _certificate.check_own(own, wanted)
    differing = _certificate.differing(own, where)
    found = _x509.read(where.certificate) if os.path.exists(where.certificate) else None
    if differing and not module.check_mode:
        _certificate.install_own(own, where)
    return Kept(not_as_given(differing), found, _x509.read(own.certificate).not_after)


def not_as_given(paths: list[str]) -> list[str]:
    """Return sentences about files that hold something else than what the user has given."""
    return [f"{path} does not hold what was given" for path in paths]


def close_keys(module: AnsibleModule, where: Files) -> list[str]:
    """Take private keys away from others; return what was (or would be) done."""
    found = _certificate.open_keys(where)
    if not module.check_mode:
        for path in found:
            _certificate.close_key(path)
    return [f"others could read {path}" for path in found]


def expected(params: dict[str, Any], wanted: Names, kept: Kept) -> dict[str, Any]:
    """Return what the diff shows as the state after the run, when it cannot be read yet."""
    if params["certificate"]:
        return _x509.read(params["certificate"]).as_dict()
    if kept.before is not None and not kept.reasons:
        return kept.before.as_dict()
    end = kept.end.strftime("%Y-%m-%dT%H:%M:%SZ") if kept.end else ""
    return {"dns_names": list(wanted.dns), "ip_addresses": list(wanted.ips), "not_after": end}


def trusted(where: Files, params: dict[str, Any]) -> list[Authority]:
    """Return what clients have to trust by now."""
    if not os.path.exists(where.ca_certificate):
        return []
    return _certificate.authorities(where.ca_certificate, params["ca_private_key"] or where.ca_key)


def last_year(authorities: list[Authority], now: datetime.datetime) -> list[str]:
    """Return a warning for each CA that signs and comes to its end, unless another one is there to follow it."""
    limit = now + datetime.timedelta(days=LAST_DAYS_OF_A_CA)
    if any(authority.not_after > limit for authority in authorities):
        return []
    return [
        f"the CA {authority.subject} ends on {authority.not_after:%Y-%m-%d}: let another one follow it in time"
        for authority in authorities
    ]


def what_is_there(params: dict[str, Any]) -> dict[str, Any]:
    """Return what the server certificate says, for who wants to know it though it cannot be kept."""
    try:
        where = _certificate.files(params["dir"], params["domain"])
        return {"server": _x509.read(where.certificate).as_dict()}
    except (SeahubError, OSError):
        return {}


def as_shown(server: dict[str, Any], authorities: list[Authority]) -> dict[str, Any]:
    """Return one side of the diff."""
    return dict(server, trusted=[authority.subject for authority in authorities])


def run(module: AnsibleModule) -> dict[str, Any]:
    """Do what the options say, and return the result."""
    params = module.params
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    where = _certificate.files(os.path.abspath(params["dir"]), params["domain"])
    wanted = _x509.names(params["domain"], params["dns_names"], params["ip_addresses"])
    keep = keep_own if params["certificate"] else keep_signed if params["ca_private_key"] else keep_made
    trusted_before = trusted(where, params)
    kept = keep(module, where, wanted, now)
    after = None if module.check_mode else _x509.read(where.certificate)
    authorities = trusted(where, params)
    for warning in last_year(authorities, now):
        module.warn(warning)
    result: dict[str, Any] = {
        "ca_certificate": where.ca_certificate,
        "authorities": [authority.as_dict() for authority in authorities],
        "certificate": where.certificate,
        "private_key": where.private_key,
        "diff": {
            "before": as_shown(kept.before.as_dict() if kept.before else {}, trusted_before),
            "after": as_shown(after.as_dict() if after else expected(params, wanted, kept), authorities),
        },
    }
    result["reasons"] = kept.reasons + close_keys(module, where)
    result["changed"] = bool(result["reasons"])
    server = after or kept.before
    return dict(result, server=server.as_dict()) if server else result


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "dir": {"type": "path", "required": True},
            "domain": {"type": "str", "default": "sea.hub"},
            "dns_names": {"type": "list", "elements": "str", "default": []},
            "ip_addresses": {"type": "list", "elements": "str", "default": []},
            "renew_before": {"type": "int", "default": 60},
            "certificate": {"type": "path"},
            "private_key": {"type": "path", "no_log": False},
            "ca_certificate": {"type": "path"},
            "ca_private_key": {"type": "path", "no_log": False},
            "ca_rotation": {"type": "str", "choices": ["begin", "switch", "finish"]},
        },
        required_together=[("certificate", "private_key")],
        required_by={"certificate": "ca_certificate", "ca_private_key": "ca_certificate"},
        mutually_exclusive=[
            ("certificate", "ca_private_key"),
            ("certificate", "ca_rotation"),
            ("ca_private_key", "ca_rotation"),
        ],
        supports_check_mode=True,
    )
    if _x509.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=_x509.IMPORT_ERROR)
    if module.params["ca_certificate"] and not (module.params["certificate"] or module.params["ca_private_key"]):
        module.fail_json(msg="ca_certificate goes with certificate and private_key, or with ca_private_key")
    try:
        result = run(module)
    except (SeahubError, OSError) as error:
        module.fail_json(msg=str(error), **what_is_there(module.params))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
