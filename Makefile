# Nothing but Python 3.11+ is needed for `make demo`; `make test` also starts PostgreSQL and Apache Kafka by itself.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python
DEV := .venv/.installed-dev
DEMO := .venv/.installed-demo
PARTIAL ?=
SEEDS ?= 2000
JOBS ?= 2
ARGS ?=
export PARTIAL

.PHONY: help install demo test lint format generate bench simulate chaos soak prove up down

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(DEV) ## make .venv with everything that development needs

$(DEV): pyproject.toml constraints.txt
	@.ci/install dev

$(DEMO): pyproject.toml constraints.txt
	@.ci/install demo

demo: $(DEMO) ## see it work: embedded PostgreSQL and broker, a real worker, one generated month (no Docker, no Java)
	@.venv/bin/outlay demo $(ARGS)

test: lint ## linters, then all tests on real PostgreSQL and Kafka (PARTIAL=1: without what is missing)
	@exec $(PY) -m tests.stack run -- $(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

lint: $(DEV) ## ruff, mypy, import rules, no registry hosts
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check .
	@.venv/bin/mypy
	@report=$$(.venv/bin/lint-imports --cache-dir .cache/imports) || { echo "$$report"; exit 1; }
	@.ci/hosts

format: $(DEV) ## format, and mend what ruff can mend
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

generate: $(DEV) ## write what is generated: schemas, tables and examples of the docs
	@$(PY) -m tests.docs.generated

bench: $(DEV) ## measure: bare loop, in memory, durable end to end
	@exec $(PY) -m tests.stack run -- $(PY) -m bench $(ARGS)

simulate: $(DEV) ## deterministic simulation with faults: SEEDS=2000
	@exec $(PY) -m tests.simulation --seeds $(SEEDS) $(ARGS)

chaos: $(DEV) ## faults on real processes, about half an hour: ARGS="--minutes 30 --seed 1"
	@exec $(PY) -m tests.chaos $(ARGS)

soak: $(DEV) ## steady load on real processes, 20 minutes: ARGS="--minutes 20"
	@exec $(PY) -m tests.chaos.soak $(ARGS)

prove: $(DEV) ## break each promise of docs/guarantees.md, and see that a test notices
	@exec $(PY) -m tests.stack run -- $(PY) -m tests.guarantees $(ARGS)

up: $(DEV) ## start PostgreSQL and Kafka in .stack/ and leave them running
	@exec $(PY) -m tests.stack up

down: $(DEV) ## stop them
	@exec $(PY) -m tests.stack down
