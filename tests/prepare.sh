#!/usr/bin/env bash
# Copyright (c) 2026, seahub.offline contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes the virtual environment $1 with all that the checks and the lab need. Installs, on Debian and as root, the
# system packages that are missing for that; anywhere else it says which they are.
set -euo pipefail

venv=$1
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
command -v git >/dev/null || missing+=(git)
command -v python3 >/dev/null || missing+=(python3)
command -v ssh >/dev/null || missing+=(openssh-client)
command -v shellcheck >/dev/null || missing+=(shellcheck)
# Another reader and another writer of images than the collection's own.
command -v mksquashfs >/dev/null || missing+=(squashfs-tools)
# What keeps the trust store of the RHEL family.
command -v trust >/dev/null || missing+=(p11-kit p11-kit-modules)
# Debian keeps a part of Python's standard library, without which venv cannot put pip into an environment, in a package of its own.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)

if ((${#missing[@]})); then
  if ! command -v apt-get >/dev/null || ((EUID != 0)); then
    echo "These are missing (named as Debian packages): ${missing[*]}. Install them, or run this as root on Debian." >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet --quiet
  apt-get install --quiet --quiet --yes --no-install-recommends "${missing[@]}"
fi

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "$(command -v python3) is $(python3 --version); ansible-core needs 3.11 or newer on the controller." >&2
  exit 1
fi

python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
