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
    trust anything new. The CA itself is replaced before it ends, after ten years.
  - Runs on the controller. The CA's private key is never needed anywhere else, and should not be copied.
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
    description: File with the CA certificate that clients shall trust for O(certificate).
    type: path
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
  description: The file with the CA certificate that clients have to trust.
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
reasons:
  description: Why something was made or changed, as sentences. Empty when nothing was.
  returned: success
  type: list
  elements: str
  sample:
    - the names change from sea.hub to sea.hub, 10.0.0.5
server:
  description: What the server certificate says. In check mode, what the one that is there says.
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
      sample: CN=sea.hub registry CA 2026-11-21
"""

import datetime
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.seahub.offline.plugins.module_utils import _certificate
from ansible_collections.seahub.offline.plugins.module_utils._certificate import Files, Names, Server
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError


def keep_made(module: AnsibleModule, where: Files, wanted: Names) -> tuple[list[str], Server | None]:
    """Keep certificates of our own making in order; return what was (or would be) done, and what there was."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    steps = _certificate.plan(where, wanted, module.params["renew_before"], now)
    if not module.check_mode and steps.reasons:
        _certificate.carry_out(steps, where, wanted, now)
    return steps.reasons, steps.found


def keep_own(module: AnsibleModule, where: Files, wanted: Names) -> tuple[list[str], Server | None]:
    """Bring the user's own certificate to where it is used; return what was (or would be) done, and what there was."""
    params = module.params
    own = Files(params["ca_certificate"], "", params["certificate"], params["private_key"])
    _certificate.check_own(own, wanted)
    differing = _certificate.differing(own, where)
    found = _certificate.read(where.certificate) if os.path.exists(where.certificate) else None
    if differing and not module.check_mode:
        _certificate.install_own(own, where)
    return [f"{path} does not hold what was given" for path in differing], found


def close_keys(module: AnsibleModule, where: Files) -> list[str]:
    """Take private keys away from others; return what was (or would be) done."""
    found = _certificate.open_keys(where)
    if not module.check_mode:
        for path in found:
            _certificate.close_key(path)
    return [f"others could read {path}" for path in found]


def expected(params: dict[str, Any], wanted: Names, found: Server | None, made_anew: bool) -> dict[str, Any]:
    """Return what the diff shows as the state after the run, when it cannot be read yet."""
    if params["certificate"]:
        return _certificate.read(params["certificate"]).as_dict()
    if found is not None and not made_anew:
        return found.as_dict()
    return {"dns_names": list(wanted.dns), "ip_addresses": list(wanted.ips), "not_after": "(new)"}


def run(module: AnsibleModule) -> dict[str, Any]:
    """Do what the options say, and return the result."""
    params = module.params
    where = _certificate.files(os.path.abspath(params["dir"]), params["domain"])
    wanted = _certificate.names(params["domain"], params["dns_names"], params["ip_addresses"])
    reasons, before = (keep_own if params["certificate"] else keep_made)(module, where, wanted)
    after = None if module.check_mode else _certificate.read(where.certificate)
    result: dict[str, Any] = {
        "ca_certificate": where.ca_certificate,
        "certificate": where.certificate,
        "private_key": where.private_key,
        "diff": {
            "before": before.as_dict() if before else {},
            "after": after.as_dict() if after else expected(params, wanted, before, bool(reasons)),
        },
    }
    result["reasons"] = reasons + close_keys(module, where)
    result["changed"] = bool(result["reasons"])
    server = after or before
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
        },
        required_together=[("certificate", "private_key", "ca_certificate")],
        supports_check_mode=True,
    )
    if _certificate.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=_certificate.IMPORT_ERROR)
    try:
        result = run(module)
    except (SeahubError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
