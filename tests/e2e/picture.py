# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is on a host, as lines: two pictures are equal if nothing that deploy.yml could touch has changed."""

from __future__ import annotations

# What is not compared, and why:
# - /root/.ansible: Ansible itself makes it, to bring its modules there
# - /var/lib/seahub/tree: stays unless told; what is there is sent once only
# - ports from 32768 on: containerd listens on another one after each start
# - what is in engines but images, containers, volumes, networks and mirrors: a layer cache shows in none of these
PICTURE = r"""
cd /
folders="etc usr/local root opt srv var/lib var/cache run/systemd/system"
skip="( -path root/.ansible -o -path var/lib/docker -o -path var/lib/containerd -o -path var/lib/containers
        -o -path var/lib/seahub/tree -o -path var/lib/systemd -o -path var/cache/private ) -prune -o"
find $folders -xdev $skip -type d -printf 'folder %p %m %u:%g\n' | grep -v ' var/lib/seahub '
find $folders -xdev $skip -type l -printf 'link %p %l\n'
find etc usr/local root opt srv -xdev $skip -type f -printf 'file %p %m %u:%g\n' -exec sha256sum {} +
docker image ls --all --format 'image {{.ID}} {{.Repository}}:{{.Tag}}'
docker container ls --all --format 'container {{.Names}}'
docker volume ls --format 'volume {{.Name}}' | sed -E 's, [0-9a-f]{64}$, without a name,'
docker network ls --format 'network {{.Name}}'
docker info --format 'mirrors {{json .RegistryConfig.Mirrors}}'
podman image ls --format 'podman image {{.Names}}'
systemctl list-unit-files --no-legend | awk '{print "unit", $1, $2}'
ss -Hlntu | awk '{split($5, parts, ":"); if (parts[length(parts)] < 32768) print "port", $1, $5}'
"""
