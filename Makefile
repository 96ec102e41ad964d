# Runs needs Python 3.11 or later and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SAMPLE_RUNS ?= 500000
COMPILE := $(BIN)/python -m compileall -q
# Where PYTHONDONTWRITEBYTECODE is set, every worker would compile the tests, and rewrite their assertions, again.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
# Where memory has 8 GB to spare for files, tests keep theirs there: a kill loses nothing of them, and none cuts the power.
IN_MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 8000000 {print "TMPDIR=/dev/shm"}')

.PHONY: run setup dev compiled browser test test-full check bench bench-accuracy

run: setup compiled  ## serve on http://127.0.0.1:8501, with a sample workspace when there is nothing yet
	$(BIN)/python -m runs_analytics serve --sample-runs $(SAMPLE_RUNS)

setup: $(VENV)/.run-time  ## the environment only

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-time: requirements.txt | $(VENV)/bin/python
	$(PIP) -r requirements.txt
	$(COMPILE) -j 0 $(VENV)/lib
	touch $@

dev: $(VENV)/.development

$(VENV)/.development: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(PIP) -r requirements-dev.txt
	$(COMPILE) -j 0 $(VENV)/lib
	touch $@ $(VENV)/.run-time

# Where PYTHONDONTWRITEBYTECODE is set nothing else would do so, and every start would compile 1,700 modules for 3 s.
compiled: | $(VENV)/bin/python
	$(COMPILE) runs_analytics pages app.py

browser: dev  ## a real Chromium for the page tests; fails when none can be had
	$(BIN)/python -m tests.browser

check: dev  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: dev compiled browser  ## every test, with reduced counts where the full ones take long
	$(IN_MEMORY) $(PYTEST) -n 4 --dist loadfile --no-loadscope-reorder -m "not alone"
	$(IN_MEMORY) $(PYTEST) -n 2 --dist loadfile -m alone $$(grep -l "mark\.alone" tests/test_*.py)

test-full: dev compiled browser  ## every test with the full counts
	RUNS_TEST_KILLS=200 RUNS_TEST_LEDGERS=500 RUNS_TEST_LIMITS=400 \
		RUNS_TEST_AUTHORIZATIONS=1000000 RUNS_TEST_SCHEMATHESIS=20000 \
		RUNS_TEST_TENANTS=both RUNS_TEST_LAKE=40 RUNS_TEST_THREADS=0 $(PYTEST)

bench: dev compiled  ## every figure of speed and size beside the naive way and the limit
	$(BIN)/python -m benchmarks

bench-accuracy: dev compiled  ## how right forecasts and bands are on public data, beside other tools on the same series
	$(PIP) -r requirements-bench.txt
	$(BIN)/python -m benchmarks.accuracy --peers
	$(BIN)/python -m benchmarks.breach
	$(BIN)/python -m benchmarks.nab
	$(BIN)/python -m benchmarks.planted --seed 1 2 3 4 5
	$(BIN)/python -m benchmarks.forecast_speed
