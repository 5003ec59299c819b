# Each target sets up what it needs: a virtual environment in .venv, packages, and (by the tests themselves) servers.
PYTHON ?= python3
MINUTES ?= 30
CASES ?= tests/cases
VENV := .venv
RUN := $(VENV)/bin
export PYTHONPATH := .

.PHONY: demo test test-matrix lint bench chaos nightly docs clean

demo: $(VENV)/installed
	$(RUN)/kafka2parquet demo

test: $(VENV)/installed
	$(RUN)/python -m pytest -n 2 --dist loadfile

test-matrix:
	tests/matrix.sh

lint: $(VENV)/installed
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

bench: $(VENV)/installed
	$(RUN)/python -m tests.bench.run

chaos: $(VENV)/installed
	$(RUN)/python -m tests.chaos.run --minutes $(MINUTES)

nightly: $(VENV)/installed
	HYPOTHESIS_PROFILE=nightly $(RUN)/python -m pytest -n 2 --timeout 0 tests/model

docs: $(VENV)/docs-installed
	$(RUN)/sphinx-build -W --keep-going -b html docs docs/_build/html

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(RUN)/python -m pip install --quiet --editable ".[demo,locale]" --group dev
	touch $@

$(VENV)/docs-installed: $(VENV)/installed
	$(RUN)/python -m pip install --quiet --group docs
	touch $@

clean:
	rm -rf $(VENV) .venv-* build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
