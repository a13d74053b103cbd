# The front door. `make help` lists what there is; CI calls the same targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The machine's certificates, as pip and apt use them: plants have proxies with a root of their own.
UV     := UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 .tools/uv
LOCKED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade --quiet
COMPILE = $(UV) pip compile pyproject.toml $(LOCKED)
JOBS   ?= 3

# In an environment of its own, and not in `check`: ruff's rules S are the same ones, ask in a second instead of twelve
# of processor time, and have each exception with its reason. Severity high only: what they may have missed.
BANDIT = $(UV) tool run --quiet --from bandit==1.9.4 bandit --quiet --recursive --severity-level high \
  palier models edge_agent ingest dashboards simulators benchmarks

# Modules are kept compiled: some hundred processes of the tests would each compile all that they import.
unexport PYTHONDONTWRITEBYTECODE
# Plants of processes side by side; each takes half a core.
FAULT_JOBS ?= 2
MINUTES ?= 60

.PHONY: help demo up backup restore audit resolve-arm64 edge-bundle test test-long faults soak compose-test bench notebooks shell check format services lock proto vendor screenshots clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(VENV)/.ready ## the whole platform on this machine, no Docker: Ctrl-C stops it all
	@PYTHONSAFEPATH=1 $(BIN)/palier demo $(DEMO)

up: ## the host of a plant in containers: secrets if there are none, then everything (docs/operator.md)
	@sh deploy/up.sh

backup: ## what the host in containers keeps, into a folder: make backup BACKUP=FOLDER
	@sh deploy/backup.sh $(BACKUP)

restore: ## put a backup back, in place of what is there: make restore BACKUP=FOLDER YES=1
	@sh deploy/restore.sh "$(BACKUP)" $(if $(YES),--yes)

test: $(VENV)/.ready ## the tests; those that need a server say how to get it
	@$(BIN)/pytest -n $(JOBS) --dist=loadfile -m "not long and not faults" $(TESTS)

test-long: $(VENV)/.ready ## the tests that take many seconds each: whole benchmarks, recorded lives, kill -9
	@$(BIN)/pytest -n $(JOBS) -m "long and not faults" $(TESTS)

# FAULTS=ci is the part that CI has time for: one fault of each kind, at 0.1 of the rate: 0.3, twice at once, is more than
# a machine of a quarter of the speed carries.
faults: $(VENV)/.ready ## each fault of link, processes and disks once, on real processes: a table of what was lost
	@$(if $(filter ci,$(FAULTS)),PALIER_FAULTS_SHARE=$${PALIER_FAULTS_SHARE:-0.1} )$(BIN)/pytest -n $(FAULT_JOBS) -raP -m "faults$(if $(filter ci,$(FAULTS)), and faults_ci)" $(or $(TESTS),tests/faults tests/edge)

soak: $(VENV)/.ready ## every fault five times and 200,000 frames, in pieces: make soak MINUTES=60; goes on where it was
	@PYTHONSAFEPATH=1 PYTHONPATH=. $(BIN)/python -m tests.faults.soak --minutes $(MINUTES)

compose-test: ## the containers, up, killed, backed up and restored; with stand-ins where no image can be pulled
	@$(PYTHON) deploy/compose-test/run.py

bench: $(VENV)/.ready ## what the features cost on this machine, beside a bare FFT
	@PYTHONSAFEPATH=1 $(BIN)/palier bench core $(BENCH)

notebooks: $(VENV)/.ready .tools/uv ## JupyterLab on the notebooks; jupyterlab is added to the environment the first time
	@$(BIN)/python -c 'import jupyterlab' 2>/dev/null || $(UV) pip install --python $(BIN)/python 'jupyterlab>=4.3'
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -P -m jupyterlab --notebook-dir notebooks

shell: $(VENV)/.ready ## a shell with `palier` on its PATH
	@PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONSAFEPATH=1 $${SHELL:-sh}

check: $(VENV)/.ready ## lint (with bandit's rules), format, types, and the rule of the house
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

audit: $(VENV)/.ready .tools/uv ## bandit, and known vulnerabilities of what the locks name (PyPI's advisories)
	@$(BANDIT)
	@sh deploy/audit.sh $(UV)

resolve-arm64: .tools/uv ## whether a gateway's packages are all there for 64-bit ARM, Python 3.11 and 3.13
	@sh deploy/edge/resolve.sh $(UV)

edge-bundle: ## one archive to install a gateway from without a network: dist/palier-edge-VERSION-aarch64.tar.gz
	@PYTHON=$(PYTHON) sh deploy/edge/bundle.sh

format: $(VENV)/.ready ## write the code as ruff would
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

services: ## mosquitto, InfluxDB and Chromium for the tests, from Debian's packages
	@sh deploy/services.sh

lock: .tools/uv ## make the hashed lock files anew
	@$(COMPILE) -o requirements/core.txt
	@$(COMPILE) --extra edge -o requirements/edge.txt
	@$(COMPILE) --extra edge --extra opcua -o requirements/edge-opcua.txt
	@$(COMPILE) --extra web --extra influx --extra provision --extra report --extra ml --extra zstd -o requirements/server.txt
	@$(COMPILE) --extra all --extra grafana --extra opcua --group dev -o requirements/dev.txt
	@echo 'hatchling>=1.27' | $(UV) pip compile - $(LOCKED) -o requirements/build.txt
	@echo uv | $(UV) pip compile - $(LOCKED) -o requirements/uv.txt

proto: $(VENV)/.ready ## write palier/wire/sparkplug_pb2.py from sparkplug.proto
	@$(UV) run --no-project --with 'grpcio-tools>=1.71,<1.72' \
	  python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. palier/wire/sparkplug.proto

vendor: ## fetch uPlot's two files from npm and check them against their hashes
	@sh dashboards/console/static/vendor/fetch.sh

screenshots: $(VENV)/.ready ## the pictures of README and docs, taken of the demo: three minutes, and Chromium
	@PYTHONSAFEPATH=1 $(BIN)/python docs/screenshots.py

clean: ## remove what make has made
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist

# The environment is ready when it holds exactly what the lock says, and Palier itself, editable, all of it
# compiled once here and not in every process at once later. urllib3-future, which grafana-client brings, is
# built so that it leaves urllib3 alone: its wheel would take its place.
$(VENV)/.ready: export URLLIB3_NO_OVERRIDE = 1
$(VENV)/.ready: requirements/dev.txt pyproject.toml | .tools/uv
	@$(UV) venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes --no-binary urllib3-future requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import models.features.stages.kernels'
	@touch $@

# uv, in the checkout: through venv, else through pip --target (Debian refuses a plain pip install).
.tools/uv: requirements/uv.txt
	@PYTHON="$(PYTHON)" sh deploy/bootstrap.sh
