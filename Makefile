PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run setup dev test test-full check bench

setup: $(VENV)/.run-time

$(VENV)/.run-time: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

dev: $(VENV)/.development

$(VENV)/.development: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/.run-time

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
