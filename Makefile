# `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
LOCK := $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command 'make lock'
ENGINES := $(BIN)/python -m dev.engines
MEASURED := mysql kafka elasticsearch

.PHONY: help run test check unit parity chaos bench engines engines-down lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run ## Start everything embedded: no server, files under ./data
	@$(BIN)/twofold up

test: .venv/test ## Every check and suite, on the embedded default and on real engines
	@$(MAKE) --no-print-directory check
	@$(ENGINES) up
	@$(BIN)/pytest -m alone
	@$(BIN)/pytest -m "not alone" -n 3 --dist loadgroup --durations 30 --durations-min 2

unit: .venv/test ## The suites that need no server
	@$(BIN)/pytest --ignore tests/acceptance -m "not engine and not alone"

check: .venv/test ## Lint, types, and which module may import which
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

parity: .venv/test ## Some 2,000 generated searches instead of 300, on each engine and a model of them
	@$(ENGINES) up
	@TWOFOLD_TEST_THOROUGH=1 $(BIN)/pytest -q tests/parity --timeout 900

chaos: .venv/test ## Kill, stop and pause roles and engines while clients move money; SECONDS=3600 SEED=7
	@TWOFOLD_CHAOS_SECONDS=$(SECONDS) TWOFOLD_CHAOS_SEED=$(SEED) $(BIN)/pytest -q tests/chaos

bench: .venv/test ## Measure on real engines and the embedded default; QUICK=1, SUITES="commands queries", SEED=folder
	@$(ENGINES) up $(MEASURED) >&2
	@eval "$$($(ENGINES) env $(MEASURED))" && PATH="$$($(BIN)/python -m dev.wrk):$$PATH" \
		$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(SUITES),--suites $(SUITES)) $(if $(SEED),--seed $(SEED))

engines: .venv/test ## Real Kafka, Elasticsearch, OpenSearch and MySQL as plain processes; prints the settings to use
	@$(ENGINES) up

engines-down: .venv/test ## Stop them
	@$(ENGINES) down

lock: .venv/run ## Write the lock files anew: the newest versions that pyproject.toml allows, with their hashes
	@$(PIP) uv
	@printf 'hatchling\neditables\n' | $(LOCK) --extra test pyproject.toml - -o requirements-test.lock
	@echo hatchling | $(LOCK) --extra all -c requirements-test.lock pyproject.toml - -o requirements.lock

clean: ## Remove the environment and the embedded data, not the engines
	rm -rf .venv data

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "twofold needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv

.venv/run: pyproject.toml | $(BIN)/python
	@echo "Installing what twofold needs into .venv: half a minute, once." >&2
	@$(PIP) -e .
	@touch $@

# What everybody tests with is the same to the byte.
.venv/test: pyproject.toml requirements-test.lock | $(BIN)/python
	@echo "Installing what tests need into .venv, as requirements-test.lock has it: a minute, once." >&2
	@$(PIP) --require-hashes -r requirements-test.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch .venv/run $@
