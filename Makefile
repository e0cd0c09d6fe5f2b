# make demo   a month of a small company, from its files to the ledger, on SQLite
# make test   all tests, PostgreSQL included
# make lint   style and types
# make bench  the numbers that are watched
# make clean  removes all that the above made
#
# Each sets up what it needs: a Python of 3.11 or later is all that must be there. PYTHON=python3.12 chooses one.

PYTHON ?= python3
TESTS  ?=
VENV   := .venv
BIN    := $(VENV)/bin

# A file stands for a finished step, so that the next run does not repeat it.
RUN    := $(VENV)/installed
DEVEL  := $(VENV)/installed-for-development
MYPY   := build/typed/charter

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(RUN)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/portfolio/demo.sh

test: $(DEVEL)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

lint: $(DEVEL) $(MYPY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd build/typed && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../mypy \
	  -m charter -m charter.cli -p charter.engine

bench: $(DEVEL)
	$(BIN)/python bench/run.py --million

clean:
	rm -rf $(VENV) build dist charter.egg-info .hypothesis .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Charter needs Python 3.11 or later: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml | $(BIN)/python
	@echo "Installing charter into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEVEL): pyproject.toml | $(BIN)/python
	@echo "Installing charter and what its tests need into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[test,lint]'
	@touch $@ $(RUN)

# Types are checked by the package's name, which the folder of a checkout need not have.
$(MYPY):
	@mkdir -p $(@D)
	@ln -sfn ../.. $@
