// Copyright (c) 2026, seahub.offline contributors
// SPDX-License-Identifier: GPL-3.0-or-later

package api

import cri "k8s.io/cri-api/pkg/apis/runtime/v1"

// FromCRILinuxResources is there for CRI-O, and knows nothing of resources: containers that use it are not started.
func FromCRILinuxResources(*cri.LinuxContainerResources) *LinuxResources { return nil }

// ToCRI is likewise.
func (*LinuxResources) ToCRI(int64) *cri.LinuxContainerResources { return nil }
