# The workflow in one place. `make` alone lists it. Every target installs what it needs first.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: help install demo up test test-fast chaos lint types imports schemas fresh format lock browser compose clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(READY) ## make .venv from the lock file

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Racewire needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv)"; exit 1; }
	@rm -f $(READY)
	@$(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV) ..."
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## the whole pipeline on real servers, fed by a small press on loopback
	@$(BIN)/racewire demo

up: $(READY) ## the whole pipeline on real servers and the real feeds of feeds.yaml
	@$(BIN)/racewire up

test: lint types imports fresh browser ## everything that CI checks
	@$(BIN)/python -m pytest tests -n 2 --dist loadgroup

test-fast: $(READY) ## the tests that need no server
	@$(BIN)/python -m pytest tests/unit tests/contract tests/docs/test_pages.py -n 2

KILLS ?= 20
SEED ?= 1
chaos: $(READY) ## kill everything at random under load and look for what is lost: KILLS=20 SEED=1
	@$(BIN)/python -m tests.chaos --kills $(KILLS) --seed $(SEED) --report build/chaos.json

lint: $(READY) ## style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY) ## strict types
	@$(BIN)/mypy

imports: $(READY) ## which room may import which
	@$(BIN)/lint-imports --no-logo | grep -vE 'KEPT|^-*$$' ; test $${PIPESTATUS[0]} -eq 0

fresh: $(READY) ## the generated contract is what the code says
	@$(BIN)/python -m schemas.generate --check

schemas: $(READY) ## write the generated contract
	@$(BIN)/python -m schemas.generate

format: $(READY) ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: ## resolve the dependencies anew (needs uv)
	@uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--quiet --custom-compile-command 'make lock' --output-file requirements.lock

browser: $(READY) ## Chromium for the browser tests, where it is missing and root may install it
	@command -v chromium chromium-browser google-chrome >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null \
		|| { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null; } \
		|| echo "no Chromium: the browser tests will be skipped"

compose: $(READY) ## validate docker-compose.yml
	@$(BIN)/python -m pytest tests/unit/test_compose.py

clean: ## remove what was built here
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
