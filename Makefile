# One command a task; `make help` lists them. The first one installs, which is the only step that needs the network.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv --quiet --quiet
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	--no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: demo serve test soak check bench bench-peers docs lock looks-approve clean help

demo: $(VENV)/.runtime ## issue and verify 195 sample certificates, in a folder of their own
	@$(BIN)/yinzheng demo

serve: $(VENV)/.runtime ## the service on http://127.0.0.1:8000, with the demo's data unless ./data holds your own
	@test -e data/installation.json || $(BIN)/yinzheng demo
	@$(BIN)/yinzheng serve $(ARGS)

test: $(VENV)/.dev ## run every test (YINZHENG_TEST_ALL=1: a skipped test is a failure)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

soak: $(VENV)/.dev ## the tests that take minutes: every byte of a certificate flipped
	@$(BIN)/python -m pytest -n $(WORKERS) -m soak $(ARGS)

check: $(VENV)/.dev ## formatting, lint, types and the rules of the house
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/test_architecture.py

bench: $(VENV)/.dev ## measure issuing and verifying (ARGS="--quick")
	@$(BIN)/python -m bench.issue $(ARGS)
	@$(BIN)/python -m bench.verify $(ARGS)

bench-peers: $(VENV)/.dev ## measure what others make of the same certificate, beside our press (ARGS="--quick")
	@$(BIN)/python -m bench.peers.installing
	@$(BIN)/python -m bench.peers $(ARGS)

docs: $(VENV)/.dev ## write the lists of files, settings and rules, check the links and the commands that the docs name
	@$(BIN)/python docs/tree.py
	@$(BIN)/python -m docs.settings
	@$(BIN)/python -m docs.rules
	@$(BIN)/python -m pytest tests/test_docs.py

lock: $(VENV)/.dev ## pin what requirements/*.in ask for, with hashes
	@$(COMPILE) $(ARGS) requirements/runtime.in --output-file requirements/runtime.txt
	@$(COMPILE) $(ARGS) requirements/dev.in --output-file requirements/dev.txt
	@$(COMPILE) $(ARGS) requirements/peers.in --output-file requirements/peers.txt
	@$(BIN)/python -m pytest tests/test_architecture.py -k registry_host

looks-approve: $(VENV)/.dev ## draw the pictures anew that certificates must look like; look at them before committing
	@$(BIN)/python -m tests.looks.approve

clean: ## remove what was installed and built; data and keys stay
	rm -rf $(VENV) .peers build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

# A stamp file says what is installed; it is older than the requirements when they have changed.

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, and this is "\
		+ sys.version.split()[0] + "; name another one, as: make PYTHON=python3.12")'
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing the program and what it needs (once; a minute or two)"
	@$(PIP) install --require-hashes --requirement requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@echo "Installing what the tests need (once)"
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@
