#!/bin/sh
# Copyright (c) 2026, seahub.offline contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Answers to the same arguments as the entrypoint of Docker Hub's registry:2: a configuration file alone is served.
set -e
case "$1" in
  *.yaml | *.yml) set -- registry serve "$@" ;;
  serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
