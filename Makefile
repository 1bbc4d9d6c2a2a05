# `make` installs everything and runs the pipeline to a promoted model; `make help` tells the rest.
.DEFAULT_GOAL := all
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
PORT ?= 5000
N ?= 10
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1
export ORT_DISABLE_TELEMETRY := 1
# Compiled once at installation: else every start pays for it where writing bytecode is switched off.
INSTALL = uv pip install --quiet --python $(VENV) --require-hashes --compile-bytecode -r

.PHONY: all help install install-dask install-dev install-shap repro train serve ui test quick check format bench lock clean

all: install repro ## install, and run the pipeline to a promoted model
	@echo
	@echo "What to type next:"
	@echo "  make serve   answer /predict with the model in production, on http://127.0.0.1:8000"
	@echo "  make ui      compare runs and versions in MLflow, on http://127.0.0.1:5000"
	@echo "  make help    everything else"

LISTED = awk -F ':.*$(1) ' '/^[a-z-]+:.*$(1) / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

help: ## this list
	@echo "To use it:"
	@$(call LISTED,##)
	@echo
	@echo "To change the code:"
	@$(call LISTED,#-)
	@echo
	@echo "Settings, after the target:"
	@echo "  N=10               of train: the grid is N×N"
	@echo "  PORT=5000          of ui; the service's is SERVING_PORT=8000, before \`make serve\`"
	@echo "  PYTHON=python3     makes .venv: 3.11 or later"

install: $(VENV)/installed ## install what the pipeline and the service need, into .venv

install-dask: $(VENV)/installed-dask ## install what a search or a scoring on a Dask cluster needs as well

install-dev: $(VENV)/installed-dev #- install what tests need as well

install-shap: $(VENV)/installed-shap #- install the peer that `python -m bench.explain` measures beside

repro: install ## run what is out of date of the pipeline (dvc repro)
	@python -m pipeline.lineage.dvc_scm
	dvc repro

train: install ## search an N×N grid, as an experiment: make train N=4
	python -m pipeline train $(N)

serve: install ## start the service on the model in production
	python -m serving

ui: install ## compare runs in the MLflow UI; PORT=5001 for another port
	@case "$$MLFLOW_TRACKING_URI" in \
	  http*) python -m pipeline.tracking.views;; \
	  *) python -m pipeline.tracking.views http://127.0.0.1:$(PORT) && \
	     mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" --port $(PORT);; \
	esac

# Three at once also on two cores: much of what they do is to wait. Compiled tests are kept: else each of
# the three rewrites all assertions anew.
test: install-dev #- run the tests
	env -u PYTHONDONTWRITEBYTECODE python -m pytest -n 3 --dist worksteal

# Of plain functions, in this process: no store, no server, no `dvc repro`.
UNIT_TESTS = contracts pipeline/data pipeline/evaluation pipeline/export pipeline/health/test_advice.py \
  pipeline/profiling pipeline/promotion/test_compatibility.py pipeline/promotion/test_gates.py \
  pipeline/promotion/test_reencode.py pipeline/registry/test_ledger.py pipeline/training \
  serving/formats serving/model serving/server/test_connection.py serving/server/test_http_errors.py \
  serving/store serving/web

quick: install-dev #- run the unit tests only, in less than a minute: after each change
	python -m pytest -n 2 $(UNIT_TESTS:%=tests/%)

check: install-dev #- format, lint, type and import checks
	ruff format --check .
	ruff check .
	mypy
	lint-imports --no-logo
	hadolint Dockerfile
	check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
	check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	kubernetes-validate --strict --quiet deploy/kubernetes.yaml

format: install-dev #- put the code into shape
	ruff format .
	ruff check --fix .

bench: install-dev #- measure beside the peers (docs/performance.md)
	python -m bench.pipeline
	python -m bench.reading
	python -m bench.search
	python -m bench.tracked_search
	python -m bench.halving
	python -m bench.approximation
	python -m bench.plan
	python -m bench.calibration
	python -m bench.selection
	python -m bench.serving
	python -m bench.explain
	python -m bench.beside
	python -m bench.scoring

lock: #- resolve pyproject.toml anew into the lock files
	$(MAKE) $(VENV)/uv
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --extra dask -c requirements.lock -o requirements-dask.lock
	$(COMPILE) pyproject.toml --extra dask --group dev -c requirements-dask.lock -o requirements-dev.lock
	$(COMPILE) --group shap -c requirements-dev.lock -o requirements-shap.lock
	echo $(ON_A_WORKER) | tr ' ' '\n' | $(COMPILE) - -c requirements-dask.lock -o requirements-worker.lock
	echo uv | $(COMPILE) - -o requirements-uv.lock

# What a Dask worker needs of what is here, to search and to score.
ON_A_WORKER = distributed cloudpickle numpy scipy scikit-learn onnxruntime

COMPILE = uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

clean: ## remove .venv, caches and everything the pipeline wrote; not the tracking store
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache artifacts model_store

$(VENV)/uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; make PYTHON=... names another"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

$(VENV)/installed: requirements.lock $(VENV)/uv
	@echo "installing into $(VENV) ..."
	@$(INSTALL) requirements.lock
	@python -m compileall -q pipeline serving
	@touch $@

$(VENV)/installed-dask: requirements-dask.lock $(VENV)/installed
	@echo "installing what a Dask cluster needs ..."
	@$(INSTALL) requirements-dask.lock
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@echo "installing what tests need ..."
	@$(INSTALL) requirements-dev.lock
	@touch $@

$(VENV)/installed-shap: requirements-shap.lock $(VENV)/installed-dev
	@echo "installing shap ..."
	@$(INSTALL) requirements-shap.lock
	@touch $@
