# Every target is a name that others rely on: run, run ONCE=1, check, test, prove, simulate, mutants, bench, lint, supply-chain, install, schema, pins, extras, containers, manifests.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: run check test prove simulate mutants bench lint supply-chain install schema pins extras containers manifests clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

install: .venv/.installed ## the environment, in .venv

.venv/.installed: requirements.txt requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here; install Python 3.11 or later, or say PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $$($(PYTHON) --version 2>&1) is too old; Python 3.11 or later is needed (PYTHON=/path/to/python)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "make: $(PYTHON) has no venv module; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Setting up the environment in .venv (once, about half a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/uv --version 2>/dev/null | grep -q " $(UV_VERSION)" || $(BIN)/pip install --quiet uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

run: install ## one whole cycle in a running Airflow; ONCE=1 ends after it
	@$(BIN)/python -m ifms_standalone $(if $(ONCE),--once)

PYTEST = $(BIN)/pytest -n auto --dist loadgroup $(if $(TIMINGS),--renew-timings)

check: install ## the quick loop: ruff, mypy, the tests that need no server
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) --tier check

test: install ## what every change must pass: all tests but those of prove; TIMINGS=1 renews tests/timings.json
	$(PYTEST) --tier check,test

prove: install ## the long tests: IFMS_SEEDS=n cycles under faults (12), crashes, planted faults, whole systems
	$(PYTEST) --tier prove

simulate: install ## cycles under faults: SEEDS=n of them on all cores, or SEED=k with all that happens; PAYMENTS=m of each
	@PYTHONPATH=tests $(BIN)/python -m faults.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),100)) \
	  $(if $(PAYMENTS),--payments $(PAYMENTS))

mutants: install ## faults planted one by one in the money code: what do the tests let pass? MODULE=funds, CHANGED=1, AGAIN=1, JOBS=2
	@PYTHONPATH=tests $(BIN)/python -m mutants $(MODULE) $(if $(CHANGED),--changed) $(if $(AGAIN),--again) $(if $(JOBS),--jobs $(JOBS))

bench: install ## the figures, against their limits; PART=sweeps (or many, workers, doorbell, startup, import, audit, plans, growth, reading, reports), PIS=n, QUICK=1
	$(BIN)/python -m bench $(addprefix --,$(PART)) $(if $(PIS),--pis $(PIS)) $(if $(QUICK),--quick)

lint: install ## ruff, mypy, and the arrows between rooms
	$(BIN)/ruff check .
	$(BIN)/ruff check --preview --select AIR .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

supply-chain: install ## what is shipped (dist/sbom.cdx.json), its licences, and advisories where a source of them is in reach
	@$(BIN)/python deploy/supply_chain.py

schema: install ## docs/schema.sql and docs/data-dictionary.md, all of the ledger's schema, from the migrations
	@PYTHONPATH=tests $(BIN)/python -m support.schema

pins: install ## renew requirements*.txt from the .in files
	$(BIN)/uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes --upgrade --quiet -o requirements.txt
	$(BIN)/uv pip compile requirements-dev.in --universal --python-version 3.11 --generate-hashes --upgrade --quiet -o requirements-dev.txt

extras: install ## our pins beside the extras of Airflow's official image, in .venv-extras (2 GB): do they fit, and hold
	@PYTHONPATH=tests $(BIN)/python -m support.official_image

containers: install ## docker-compose.yaml run in a Docker engine of its own, on stand-in images (root, Debian, some 5 GB)
	@PYTHONPATH=tests $(BIN)/python -m containers

manifests: install ## deploy/kubernetes against Kubernetes' own schemas, which a package brings (needs kubectl)
	@command -v kubectl >/dev/null || { echo "make: no kubectl here, whose kustomize puts the manifests together"; exit 1; }
	@set -e; for each in deploy/kubernetes deploy/kubernetes/init; do kubectl kustomize $$each; echo ---; done \
	  | cat - deploy/kubernetes/task-pod.yaml \
	  | $(BIN)/uv tool run --quiet --from kubernetes-validate==1.37.0 kubernetes-validate --strict --kubernetes-version 1.37 -
