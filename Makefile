# Two commands do everything: `make demo` and `make test`. Both set up what they need.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := abuse cli collector decoders demo enrichment intake ledger query retention rollups schema settings sources storage tenants
DEBIAN := snmpd softflowd pmacct nfdump nfdump-sflow tshark prometheus docker-compose systemd

.PHONY: setup demo test check bench fuzz fuzz-reports test-faults soak lock docs programs clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Flowkeep needs Python 3.11 or later; set PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || { checks/programs python3-venv && $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@$(BIN)/python -m compileall -q $(PACKAGES)  # every command starts a quarter sooner, also where it may not write
	@touch $@

demo: setup
	@$(BIN)/flowkeep demo

programs:
	@checks/programs $(DEBIAN)

test: setup programs
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m checks.sizes
	$(BIN)/python -m checks.documents

# Some minutes; `make bench RATES=600k,1M SECONDS=60 WORKERS=2 BENCH=end_to_end` for one of them at length;
# `make bench BENCH=questions FLOWS=100M` for what questions take on a week of 100 million flows.
RATES ?= 200k,300k,600k,1M
SECONDS ?= 20
WORKERS ?= 1
BENCH ?=
FLOWS ?= 20M

bench: setup programs
	@$(BIN)/python -m benchmarks $(BENCH) --rate $(RATES) --seconds $(SECONDS) --workers $(WORKERS) \
	  --flows $(FLOWS)

# Millions of broken datagrams: `make fuzz INPUTS=10000000 SEED=1`; what is found lies in build/fuzzing.
# sFlow alone: `make fuzz AMONG=sflow REPORT=docs/fuzzing_sflow.md`.
INPUTS ?= 200000
SEED ?= 1
AMONG ?=
REPORT ?= docs/fuzzing.md

fuzz: setup
	@$(BIN)/python -m fuzzing --inputs $(INPUTS) --seed $(SEED) --among '$(AMONG)' --report $(REPORT) \
	  --commit "$$(git describe --always --dirty)"

# Broken abuse reports, for so many seconds.
fuzz-reports: setup
	@$(BIN)/python -m tests.intake.campaign --seconds $(SECONDS) --seed $(SEED) --report docs/fuzzing_reports.md \
	  --commit "$$(git describe --always --dirty)"

# Kills at random moments under load, ClickHouse away, a full journal, a moved clock; a directory is kept for a finding.
ROUNDS ?= 50
RATE ?= 200k

test-faults: setup
	@$(BIN)/python -m faults --rounds $(ROUNDS) --rate $(RATE) --seed $(SEED) --workers $(WORKERS) \
	  --report docs/fault_suite.md --commit "$$(git describe --always --dirty)"

MINUTES ?= 30

soak: setup
	@$(BIN)/python -m faults.soak --minutes $(MINUTES) --rate $(RATE) --workers $(WORKERS) \
	  --report docs/soak.md --commit "$$(git describe --always --dirty)"

# Pins every dependency with its hashes; run after a change of pyproject.toml.
lock: setup
	$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --no-emit-index-url --no-emit-trusted-host \
	  --no-emit-find-links --no-header --output-file requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-trusted-host \
	  --no-emit-find-links --no-header --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

docs: setup
	$(BIN)/python -m checks.documents --write

clean:
	rm -rf $(VENV) *.egg-info demo-data .pytest_cache .mypy_cache .ruff_cache
