# Every target works in a fresh clone: the environment is made when it is missing or older than pyproject.toml.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 1

.PHONY: help install demo test test-all check format bench clean

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml
	@echo "Installing into $(VENV) (about two minutes, 2 GB) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(READY)

install: $(READY)  ## the environment, with everything that developing needs

demo: $(READY)  ## the main job at reduced size: ends in runs/aim_quick/<number>/report.html
	env -u OMP_NUM_THREADS $(BIN)/python train.py experiment=aim_quick

test: $(READY)  ## the fast tests, under 8 minutes on two cores
	$(BIN)/python -m pytest -n 2 -m 'not slow and not cuda'

test-all: $(READY)  ## every test that needs no GPU
	$(BIN)/python -m pytest -n 2 -m 'not cuda'

check: $(READY)  ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(READY)  ## put the code in form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## every benchmark; each prints a table and, as its last line, one JSON object
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:  ## the environment and the caches; runs/ and stores/ are yours and stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
