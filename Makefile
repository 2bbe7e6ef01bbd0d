# Everything a user needs, each on a bare machine (Debian or Ubuntu with python3, venv and make).
#   make table1                          Table 1 on the data sets found under data/, on drawn faces where there is none
#   make table1 DATA=/my/data JOBS=4     elsewhere, four runs at once
#   make table1 ARGS="--seeds 5"         any flag of `bench.py run`

PYTHON ?= python3
DATA   ?= data
RUNS   ?= runs
OUT    ?= reports/out
JOBS   ?= auto
RECIPE ?=
ARGS   ?=

VENV := .venv
PY   := $(VENV)/bin/python
RUN  := $(PY) bench.py run --data "$(DATA)" --runs "$(RUNS)" --jobs $(JOBS) $(if $(RECIPE),--recipe $(RECIPE)) $(ARGS)
REPORT := $(PY) bench.py report --runs "$(RUNS)" --out "$(OUT)" $(if $(RECIPE),--recipe $(RECIPE))
TABLES := table1 table2 table3 table4 table5 table6

.DEFAULT_GOAL := help
.PHONY: help setup test lint format $(TABLES) figures report reproduction clean

help: ## this help
	@echo "targets:"
	@grep -hE '^[a-z0-9 -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16 | sed 's/^/  /'
	@echo "  table1 ... table6  run what a table needs (finished runs are skipped) and write it to $(OUT)"
	@echo "variables: DATA=$(DATA) RUNS=$(RUNS) OUT=$(OUT) JOBS=$(JOBS) RECIPE=quick|compact|paper ARGS=\"flags of bench.py run\""

setup: $(VENV)/.ready ## the virtual environment, from requirements.txt

# The stamp holds the requirements it was made from: a changed pin sets up anew, a touched file does not.
$(VENV)/.ready: requirements.txt
	@if cmp -s requirements.txt $@; then touch $@; else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv && \
	  $(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(PY) -r requirements.txt && \
	  cp requirements.txt $@; fi

test: setup ## all tests
	$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## ruff (lint and format), the floors (who may import whom) and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy

format: setup ## let ruff mend what it can
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

$(TABLES): setup
	$(RUN) --suite $@ --out "$(OUT)"

figures: setup ## figures from the finished runs
	$(REPORT) figures

report: setup ## every table and figure from the finished runs and the released records
	$(REPORT)

reproduction: setup ## docs/reproduction.md anew, from the released records alone
	$(PY) bench.py report reproduction --from reports/released --out "$(OUT)/reproduction" >/dev/null
	cp "$(OUT)/reproduction/reproduction.md" docs/reproduction.md
	if [ -f "$(OUT)/reproduction/figures/forest.png" ]; then mkdir -p docs/figures && cp "$(OUT)/reproduction/figures/forest.png" docs/figures/; fi

clean: ## remove the environment, caches and reports; data and runs stay
	rm -rf $(VENV) $(OUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
