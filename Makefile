# Everything a contributor runs. Needs git, make and Python 3.11; `setup` brings the rest.

# The Python that builds .venv, when there is none yet: make PYTHON=/usr/bin/python3.12 setup
PYTHON ?= python3
# How many the simulation plays
SEEDS ?= 5000
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-docker check fmt proto dashboards collector lock bench sim chaos clean
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## Install the locked tools and packages into .venv (a no-op when nothing changed)
	@$(PYTHON) tools/bootstrap.py

demo: setup  ## One signal through the whole path, explained, on this machine
	@$(BIN)/argos demo

up: setup  ## Run the whole fleet here, with a simulated venue
	@$(BIN)/argos up

test: setup  ## Run every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-docker: setup  ## Run the tests that need Docker: the fleet of docker-compose.yml under faults
	@ARGOS_TEST_DOCKER=1 $(BIN)/python -m pytest -m docker

check: setup  ## Everything a change must pass besides the tests
	@$(BIN)/python tools/gate.py

fmt: setup  ## Format and repair what can be repaired
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

proto: setup  ## Generate the protobuf modules again
	@$(BIN)/python tools/proto.py

dashboards: setup  ## Write the Grafana dashboards and the table of metrics again
	@$(BIN)/python tools/observability.py

collector: setup  ## Build an OpenTelemetry collector, for the test of its configuration (needs Go, minutes)
	@$(BIN)/python tools/collector.py

lock:  ## Resolve the dependencies again after a change in a pyproject.toml
	@$(PYTHON) tools/bootstrap.py --lock

bench: setup  ## Measure the order path on this machine
	@$(BIN)/argos bench

sim: setup  ## Simulate the fleet under faults, seed by seed: make sim SEEDS=5000
	@$(BIN)/argos simulate --seeds $(SEEDS)

chaos: setup  ## Attack a fleet of real processes, from a printed seed
	@$(BIN)/argos chaos

clean:  ## Remove what setup and the tools made (not run-time data)
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
