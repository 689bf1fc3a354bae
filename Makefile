# `make` lists the targets. The environment is made on first use and brought up to date when pyproject.toml changes.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check bench clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-7s %s\n", $$1, $$2 }'

run: .venv/installed ## install what is needed and start the server with the demonstration region
	@$(BIN)/xdsi serve --demo $(ARGS)

test: .venv/installed-dev ## run the tests
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/installed-dev ## style, types and the arrows between packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/installed-dev ## measure speed against its floors
	@$(BIN)/xdsi bench $(ARGS)

clean: ## remove the environment and caches; data stays
	@rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	@echo "Installing into .venv ..."
	@$(PIP) -e .
	@touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/python
	@echo "Installing into .venv, with what the tests need ..."
	@$(PIP) -e '.[dev]'
	@touch $@ .venv/installed
