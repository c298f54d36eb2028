# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options and results that image_save and chart_save share."""

from __future__ import annotations


class ModuleDocFragment:
    """Read by C(ansible-doc) through C(extends_documentation_fragment: seahub.offline._save)."""

    DOCUMENTATION = r"""
options:
  dir:
    description:
      - The folder of the registry tree. It is created if it is missing; what it holds stays.
      - A C(registry) container serves it as it is, mounted at C(/var/lib/registry).
    type: path
    required: true
  naming:
    description:
      - What names look like in the tree. V(drop_host) leaves the source host out, so that C(quay.io/team/app:1) becomes
        C(team/app:1). V(keep_host) keeps it as the first part of the name.
      - Two different artifacts that would get one name are an error before anything is downloaded.
    type: str
    choices: [drop_host, keep_host]
    default: drop_host
  signatures:
    description:
      - Whether signatures, attestations and bills of materials are saved with what they belong to, both by cosign's
        tags and by OCI referrers. They are looked for when an artifact is saved or has moved, not when all of it is
        there.
      - On the far side, all of them are found by tags that begin with C(sha256-).
    type: bool
    default: true
  locked:
    description:
      - Save exactly the digests that the lock of the tree (C(seahub.lock.json)) has, and fail for those that are not in
        it or that their source no longer has.
    type: bool
    default: false
  wait:
    description:
      - Seconds to wait for another process that is writing the same tree; then the module fails.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
    details: Registries are asked for digests only. The size of what is not in the tree yet is not known then.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The tree is safe at any moment, also when the module is killed. A tag appears when all that it needs is in place,
    and the next run goes on where this one stopped.
"""
