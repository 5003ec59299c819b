# Each target sets up what it needs: a virtual environment in .venv, packages, and (by the tests themselves) servers.
PYTHON ?= python3
MINUTES ?= 30
CASES ?= tests/acceptance/cases
VENV := .venv
RUN := $(VENV)/bin
INSTALL := $(RUN)/python -m pip install --quiet
export PYTHONPATH := .
# Tests start hundreds of processes. Without bytecode, each of them compiles the package and its libraries again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-unit test-all test-matrix test-ends lint bench bench-kinds chaos fuzz acceptance nightly docs clean

demo: $(VENV)/demo-installed
	$(RUN)/kafka2parquet demo

# tests/conftest.py orders the files: those that wait for servers run while others compute.
test: $(VENV)/installed
	$(RUN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-unit: $(VENV)/installed
	$(RUN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/unit

test-all: $(VENV)/heavy-installed
	$(RUN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "heavy or not heavy"

test-matrix:
	tests/matrix.sh

# Unit tests on the oldest and the newest Python that are installed, without the slowest file.
test-ends:
	tests/matrix.sh ends

lint: $(VENV)/installed
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

bench: $(VENV)/installed
	$(RUN)/python -m tests.bench.run
	$(RUN)/python -m tests.bench.status

bench-kinds: $(VENV)/installed
	$(RUN)/python -m tests.bench.kinds

chaos: $(VENV)/installed
	$(RUN)/python -m tests.chaos.run --minutes $(MINUTES)

fuzz: $(VENV)/installed
	$(RUN)/python -m tests.laws.fuzz --minutes $(MINUTES)

acceptance: $(VENV)/installed
	@$(RUN)/python -m tests.acceptance $(abspath $(CASES))

nightly: $(VENV)/installed
	HYPOTHESIS_PROFILE=nightly $(RUN)/python -m pytest -n 2 --timeout 0 tests/model

docs: $(VENV)/docs-installed
	$(RUN)/sphinx-build -W --keep-going --fresh-env -q -b html docs docs/_build/html

# The demo is for users: only what they would install.
$(VENV)/demo-installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade "pip>=25.1"
	$(INSTALL) --editable ".[demo]"
	touch $@

$(VENV)/installed: $(VENV)/demo-installed
	$(INSTALL) --editable ".[demo,locale,cli,prometheus,otel]" --group dev
	touch $@

$(VENV)/heavy-installed: $(VENV)/installed
	$(INSTALL) --group heavy
	touch $@

$(VENV)/docs-installed: $(VENV)/installed
	$(INSTALL) --group docs
	touch $@

clean:
	rm -rf $(VENV) .venv-* build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
