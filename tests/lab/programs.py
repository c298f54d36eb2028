# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that are built from their Go modules where there is a Go, each in the newest release that can be had."""

from __future__ import annotations

from .golang import Programs, Supplement
from .settings import FILES

REGISTRY_3 = Programs("registry-3", ("github.com/distribution/distribution/v3/cmd/registry",), "v3.0.0", (1, 23))

# Debian 12 has containerd 1.6; this one has version 3 of config.toml. It is built without what has nothing to do with
# pulling: https://github.com/containerd/containerd/blob/v2.1.9/BUILDING.md#build-containerd
CONTAINERD_2 = Programs(
    "containerd-2",
    ("github.com/containerd/containerd/v2/cmd/containerd", "github.com/containerd/containerd/v2/cmd/ctr"),
    "v2.1.9",
    (1, 24),
    tags=("no_btrfs", "no_devmapper", "no_rdt", "no_systemd", "no_tracing", "no_zfs"),
)

# Pulls as the kubelet does, from containerd and from CRI-O.
CRICTL = Programs("crictl", ("sigs.k8s.io/cri-tools/cmd/crictl",), "v1.36.0", (1, 26))

# Pulls as k3s and RKE2 do, with the library that reads their registries.yaml.
RANCHER_PULL = Programs(
    "rancher-pull", ("github.com/rancher/wharfie/pkg/registries",), "v0.7.1", (1, 24), own=FILES / "rancher-pull.go"
)

# Two of the modules that it asks for cannot be had in that state. The release of NRI that is nearest has no conversions
# from and to what the CRI calls resources; they are asked for when a container starts.
CRIO = Programs(
    "crio",
    ("github.com/cri-o/cri-o/cmd/crio",),
    "v1.34.0",
    (1, 24),
    tags=("containers_image_openpgp", "exclude_graphdriver_btrfs"),
    instead=("github.com/CloudNativeAI/model-spec=github.com/CloudNativeAI/model-spec@v0.0.3",),
    supplements=(Supplement("github.com/containerd/nri", "v0.10.0", "pkg/api", FILES / "nri-cri.go"),),
)

NERDCTL = Programs("nerdctl", ("github.com/containerd/nerdctl/v2/cmd/nerdctl",), "v2.1.2", (1, 23))
