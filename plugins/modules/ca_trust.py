#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the operating system trust a CA."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ca_trust
short_description: A CA in the trust store of the operating system
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Adds a CA certificate to those that the operating system trusts, or takes it away, by the system's own means.
  - Knows the Debian and RHEL families, SUSE, Arch and Alpine, by what is on the host.
  - Several CAs can be trusted under one name, as while one follows another. Those that are not given any more are taken
    away.
  - Afterwards the system's bundle is read. The task fails if a certificate is not in it, or still in it.
  - On a host without any trust store, nothing has to be done with O(state=absent), and O(state=present) fails.
  - Needs nothing but Python and the system's own package C(ca-certificates) on the host.
extends_documentation_fragment:
  - seahub.offline._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - What the certificate is called in the trust store; the name of its file, without the ending.
      - Further certificates have C(+2), C(+3) and so on after it.
    type: str
    default: seahub
  content:
    description: The CA certificate in PEM form, or several, one after the other.
    type: str
  path:
    description: The file on the host with the CA certificate, instead of O(content).
    type: path
  state:
    description: Whether the CA is trusted.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Programs that are running have read the trust store when they started. Docker reads
    C(/etc/docker/certs.d/<host:port>/ca.crt) at once, and the system's trust store only after a restart.
"""

EXAMPLES = r"""
---
- name: Trust the registry's CA
  seahub.offline.ca_trust:
    name: sea.hub
    content: "{{ lookup('ansible.builtin.file', '/srv/seahub/pki/ca.crt') }}"

- name: Trust it no longer
  seahub.offline.ca_trust:
    name: sea.hub
    state: absent
"""

RETURN = r"""
file:
  description: The file of the first certificate in the trust store. Empty, as RV(bundle) and RV(family), without one.
  returned: success
  type: str
  sample: /usr/local/share/ca-certificates/sea.hub.crt
files:
  description: The files of all certificates in the trust store. Empty when there are none any more.
  returned: success
  type: list
  elements: str
  sample: [/usr/local/share/ca-certificates/sea.hub.crt, /usr/local/share/ca-certificates/sea.hub+2.crt]
bundle:
  description: The system's bundle, which has the certificates now, or has them no longer.
  returned: success
  type: str
  sample: /etc/ssl/certs/ca-certificates.crt
family:
  description: The family of systems whose trust store was found.
  returned: success
  type: str
  sample: RHEL
reason:
  description: Why the store was changed, as a sentence. Empty when it was not.
  returned: success
  type: str
  sample: /usr/local/share/ca-certificates/sea.hub.crt is not there
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.clients import _ca_trust
from ansible_collections.seahub.offline.plugins.module_utils.clients._ca_trust import Anchor, NoStore, Store
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError


def given(params: dict[str, Any]) -> list[bytes]:
    """Return the certificates that are to be trusted.

    :raises SeahubError: if there are none where some should be.
    """
    if params["state"] == "absent":
        return []
    if not params["path"]:
        return _ca_trust.certificates(params["content"], "the option content")
    with open(params["path"], encoding="utf-8", errors="replace") as file:
        return _ca_trust.certificates(file.read(), params["path"])


def store_of(params: dict[str, Any]) -> Store | None:
    """Return how this host keeps the CAs it trusts, or None if it does not and need not.

    :raises SeahubError: if it does not and should, or something that it trusted is still there.
    """
    try:
        return _ca_trust.detect()
    except NoStore:
        if params["state"] == "present":
            raise
    _ca_trust.require_nothing(params["name"])
    return None


def run(module: AnsibleModule) -> dict[str, Any]:
    """Do what the options say, and return the result."""
    params = module.params
    certificates = given(params)
    store = store_of(params)
    if store is None:
        return {"changed": False, "file": "", "files": [], "bundle": "", "family": "", "reason": "", "diff": []}
    anchor = Anchor(store, params["name"])
    before, after = anchor.files(), anchor.wanted(certificates)
    reason = anchor.reason_to_set(certificates)
    if reason and not module.check_mode:
        anchor.set(certificates)
    return {
        "changed": reason is not None,
        "file": anchor.path,
        "files": list(after),
        "bundle": anchor.bundle,
        "family": store.family,
        "reason": reason or "",
        "diff": [
            {
                "before_header": path,
                "after_header": path,
                "before": before.get(path, ""),
                "after": after.get(path, ""),
            }
            for path in {**before, **after}
        ],
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "seahub"},
            "content": {"type": "str"},
            "path": {"type": "path"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        mutually_exclusive=[("content", "path")],
        required_if=[("state", "present", ("content", "path"), True)],
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (SeahubError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
