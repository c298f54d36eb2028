# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the processor of this host can do by itself."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

# https://man7.org/linux/man-pages/man5/proc_cpuinfo.5.html
_CPUINFO = "/proc/cpuinfo"
# What the line of its abilities is called on x86 and on Arm.
_ABILITIES = ("flags", "Features")


def encrypts_aes(cpuinfo: str = _CPUINFO) -> bool:
    """Tell whether it has instructions for AES: then no other cipher is as fast.

    :param cpuinfo: where the kernel describes it.
    """
    try:
        with open(cpuinfo, encoding="ascii", errors="replace") as file:
            for line in file:
                name, _colon, value = line.partition(":")
                if name.strip() in _ABILITIES:
                    return "aes" in value.split()
    except OSError:
        pass
    return False
