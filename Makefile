# Every target works in a fresh clone: the environment is made when it is missing or older than what it is made from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 1

.PHONY: help install demo test test-all check audit format bench wandb-sync clean

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml requirements.lock
	@echo "Installing into $(VENV) (about two minutes, 2 GB) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
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

audit: $(READY)  ## ruff's security rules, and known vulnerabilities of what requirements.lock names
	$(BIN)/ruff check --select S --ignore S101 lattice_ml train.py sample.py sweep.py  # asserts only tell pyright a type
	$(BIN)/python tests/audit.py

format: $(READY)  ## put the code in form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## every benchmark; each prints a table and, as its last line, one JSON object
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

wandb-sync: $(READY)  ## upload the offline W&B runs below runs/ (log in first: .venv/bin/wandb login)
	@find runs -type d -path '*/wandb/offline-run-*' -prune -print0 | xargs -0 -r $(BIN)/wandb sync

clean:  ## the environment and the caches; runs/ and stores/ are yours and stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
