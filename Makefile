# Copyright (c) 2026, seahub.offline contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Each target does its own set-up: it needs make, Python 3.11 or newer and, for what is missing, Debian's packages and PyPI.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
STAMP := $(VENV)/requirements.stamp
EXTRA_ARGS ?=
# Two at a time: the tests that have the lab and its hosts, and beside them those that need none of that.
E2E := $(MAKE) --jobs=2 e2e-in-lab e2e-beside
# The lab takes a while to come up: once for all that follows, and down again unless it was there before.
IN_LAB := python -m tests.lab status && was=up || was=down; \
	trap '[ $$was = up ] || python -m tests.lab down' EXIT; \
	python -m tests.lab up;

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Ansible refuses to start under a locale that is not UTF-8, and a bare environment has none.
export LC_ALL := C.UTF-8
# In a world-writable folder Ansible ignores an ansible.cfg that it is not told to read.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.PHONY: help
help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

$(STAMP): requirements.txt requirements-dev.txt
	tests/prepare.sh $(VENV)
	touch $@

.PHONY: venv
venv: $(STAMP)  ## Make the Python environment of all the other targets

.PHONY: demo
demo: lab  ## Bring the lab up, build, deploy, and show who can pull what
	ansible-playbook build.yml -e @.lab/vars.yml $(EXTRA_ARGS)
	ansible-playbook deploy.yml -i .lab/inventory.yml -e @.lab/vars.yml $(EXTRA_ARGS)

.PHONY: lab
lab: $(STAMP)  ## Bring the lab up: an upstream registry, and hosts without a route out
	python -m tests.lab up

.PHONY: lab-down
lab-down: $(STAMP)  ## Take the lab down
	python -m tests.lab down

.PHONY: test
test: lint sanity unit lab-tests  ## Run every check

.PHONY: lab-tests
lab-tests: $(STAMP)  ## Run the end-to-end tests and molecule in one lab
	$(IN_LAB) $(E2E); molecule test --all

.PHONY: lint
lint: $(STAMP)  ## Check style, types, documentation and changelog
	ruff check
	ruff format --check
	mypy
	yamllint --strict .
	shellcheck .ci/run $$(git ls-files '*.sh')
	ansible-lint
	antsibull-changelog lint
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=self .

.PHONY: sanity
sanity: $(STAMP)  ## Run ansible-test sanity on the built collection
	python -m tests.sanity

.PHONY: unit
unit: $(STAMP)  ## Run the unit tests
	pytest --numprocesses auto --dist loadfile tests/unit

.PHONY: e2e
e2e: $(STAMP)  ## Run the end-to-end tests in the lab
	$(IN_LAB) $(E2E)

.PHONY: e2e-in-lab
e2e-in-lab: $(STAMP)
	pytest -m lab tests/e2e

.PHONY: e2e-beside
e2e-beside: $(STAMP)
	pytest -m "not lab" tests/e2e

.PHONY: molecule
molecule: $(STAMP)  ## Drive the roles on the hosts of the lab
	molecule test --all

.PHONY: bench
bench: $(STAMP)  ## Measure the collection beside its peers: takes a while, and wants a quiet machine
	PYTHONPATH=collections python -m tests.bench

.PHONY: changelog
changelog: $(STAMP)  ## Fold the changelog's fragments into a release of the version in galaxy.yml
	antsibull-changelog release --reload-plugins --update-existing --refresh-plugins

.PHONY: clean
clean:  ## Take the lab down, and remove what the other targets have made
	if [ -d .lab ] && [ -e $(STAMP) ]; then $(MAKE) lab-down; fi
	rm -rf $(VENV) .lab .ansible .cache .mypy_cache .pytest_cache .ruff_cache seahub-offline-*.tar.gz
	find plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +
