# Two commands set Pronk up on a fresh machine: make run, make test. `make help` lists the rest.
PYTHON ?= python3
BOOTSTRAP = $(PYTHON) packaging/bootstrap
VENV_BIN = .venv/bin
# Tests open windows nowhere, and a native crash must not start a debugger.
export GGML_NO_BACKTRACE = 1
OFFSCREEN = QT_QPA_PLATFORM=offscreen
PYTEST = $(OFFSCREEN) $(VENV_BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help run test lint check bench soak screenshots clean prepare

help: ## list the commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 22

run: ## set up, then open the window (without a display: a terminal chat); ARGS="..." goes to pronk instead
	@$(BOOTSTRAP) run $(ARGS)

prepare:
	@$(BOOTSTRAP) prepare --tests

test: prepare ## set up, then run the tests; ARGS="tests/plan -k name" goes to pytest
	$(PYTEST) $(ARGS)

lint: prepare ## ruff, mypy and the rule of imports
	$(VENV_BIN)/ruff check .
	$(VENV_BIN)/ruff format --check .
	$(VENV_BIN)/mypy
	$(VENV_BIN)/mypy packaging/bootstrap/*.py
	$(VENV_BIN)/lint-imports

check: lint test ## everything that has to hold before a commit

bench: prepare ## measure start, speed and conversion; writes JSON beside the table
	$(OFFSCREEN) $(VENV_BIN)/python -m tests.bench $(ARGS)

soak: prepare ## the long counts, of which make test runs a tenth
	PRONK_SOAK=1 $(PYTEST) -m soak $(ARGS)

screenshots: prepare ## take the README's pictures of the real window again
	$(OFFSCREEN) $(VENV_BIN)/python -m tests.support.screenshots $(ARGS)

clean: ## remove .venv and what tools left behind; built engines in the user's cache stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info .cache/logs
	find app converters tests packaging -name __pycache__ -type d -prune -exec rm -rf {} +
