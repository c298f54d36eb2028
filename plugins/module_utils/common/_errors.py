# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of the library.

Each message says what happened, where, and what to do about it; edges (modules, action plugins) show it as it is.

    SeahubError
    ├── InvalidReference      a name that is no reference
    ├── InvalidDigest         text that is no digest
    ├── InvalidPlatform       text that is no platform
    ├── InvalidManifest       bytes that are no manifest this collection can carry
    ├── InvalidChart          an archive that is no Helm chart
    ├── InvalidLock           a lock file that cannot be read
    ├── InvalidReceipt        a receipt that cannot be read
    ├── DigestMismatch        bytes that are not those their digest names
    ├── PlatformMissing       an image that does not have a wanted platform
    ├── NotSigned             something that nobody who may has signed, or a key that cannot sign
    ├── ToolsUnavailable      what a bundle is to carry for a controller cannot be had
    ├── NameCollision         two sources that fall on one name in the tree
    ├── TreeError             a tree that cannot be read or written
    │   ├── NotInTree         something looked for is not there
    │   ├── TreeNotWritable   its disk is full, or does not take what is written
    │   └── TreeBusy          another process is writing the tree
    └── RegistryError         a registry that does not give what was asked
        ├── NotFound          it says that there is no such thing (404)
        ├── AccessDenied      it refuses the credentials, or wants some (401, 403)
        ├── UntrustedCertificate  its certificate cannot be verified
        └── Unavailable       it cannot be reached, or fails for now; trying again may help
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations


class SeahubError(Exception):
    """Base of all errors that this collection raises on purpose."""


class InvalidReference(SeahubError):
    """A name that is no image or chart reference."""


class InvalidDigest(SeahubError):
    """Text that is no content digest."""


class InvalidPlatform(SeahubError):
    """Text that is no platform."""


class InvalidManifest(SeahubError):
    """Bytes that are no manifest, or one that cannot be carried."""


class InvalidChart(SeahubError):
    """An archive that is no Helm chart."""


class InvalidLock(SeahubError):
    """A lock file that cannot be read."""


class InvalidReceipt(SeahubError):
    """A receipt that cannot be read."""


class DigestMismatch(SeahubError):
    """Bytes that are not those which their digest names."""


class PlatformMissing(SeahubError):
    """An image without a platform that was asked for."""


class NotSigned(SeahubError):
    """Something that nobody who may has signed, or a key that cannot sign."""


class ToolsUnavailable(SeahubError):
    """What a bundle is to carry for a controller cannot be had."""


class NameCollision(SeahubError):
    """Two sources with different content that would get the same name in the tree."""


class TreeError(SeahubError):
    """A tree that cannot be read or written."""


class NotInTree(TreeError):
    """A blob, manifest, tag or reference that the tree does not hold."""


class TreeNotWritable(TreeError):
    """The disk of a tree is full, or does not take what is written: nothing more can be done."""


class TreeBusy(TreeError):
    """Another process is writing the tree."""


class RegistryError(SeahubError):
    """A registry that does not give what was asked of it.

    `status` is that of its answer in HTTP, 0 if there was none.
    """

    status: int = 0


class NotFound(RegistryError):
    """The registry says that there is no such thing."""


class AccessDenied(RegistryError):
    """The registry refuses the credentials, or wants some."""


class UntrustedCertificate(RegistryError):
    """The registry's certificate cannot be verified."""


class Unavailable(RegistryError):
    """The registry cannot be reached or fails for the moment: another attempt may succeed.

    `retry_after` is how many seconds it asked to be left alone.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
