# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options about how registries are reached, and how hard it is tried."""

from __future__ import annotations


class ModuleDocFragment:
    """Read by C(ansible-doc) through C(extends_documentation_fragment: seahub.offline._registries)."""

    DOCUMENTATION = r"""
options:
  registries:
    description:
      - How registries are reached, by C(host[:port]), or by C(host[:port]/path) for repositories below that path;
        of several that fit the longest counts. Docker Hub is C(docker.io).
      - Each entry is a dictionary. C(username) and C(password), or C(token), are the credentials.
        C(ca_cert) is the path of a file with authorities to trust beside those of the system.
        C(client_cert) and C(client_key) are the paths of a certificate and key to show.
        C(validate_certs) set to V(false) leaves the certificate unverified.
        C(plain_http) set to V(true) speaks http instead of https.
        C(proxy) is the URL of a proxy, in place of those of the environment.
        C(mirrors) is a list of hosts, with port and path where they need one, that are asked first, in this order;
        they have entries of their own where they need credentials or authorities.
      - Where an entry gives no credentials, those of C(docker login) (C(~/.docker/config.json), credential helpers
        included) and C(podman login) are used.
    type: dict
    default: {}
  username:
    description:
      - User name for the registry, if all references come from one and it has no entry in O(registries).
    type: str
  password:
    description:
      - Password for O(username).
    type: str
  ca_cert:
    description:
      - Path of a file with authorities (PEM) that are trusted beside those of the system, for every registry whose
        entry in O(registries) names no other.
    type: path
  validate_certs:
    description:
      - Whether the certificates of registries are verified.
    type: bool
    default: true
  plain_http:
    description:
      - Whether registries are spoken to without encryption. There is never a fall-back to that.
    type: bool
    default: false
  parallel:
    description:
      - How many requests and downloads are under way at once.
    type: int
    default: 16
  retries:
    description:
      - How often something that fails for the moment is tried again without any progress in between, with growing
        waits; C(Retry-After) is honoured.
    type: int
    default: 5
  timeout:
    description:
      - Seconds without any byte after which a connection counts as dead.
    type: int
    default: 60
  deadline:
    description:
      - Seconds after which nothing is tried again. Without it, every failure has its O(retries).
    type: int
"""
