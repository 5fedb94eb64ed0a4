# Everything a developer or a build machine runs. Needs Python 3.11 or newer and make (3.81 will do), nothing else.

.DEFAULT_GOAL := help
.PHONY: help run demo test test-containers images images-offline check proto charts lock clean demo-reset bench
# Compiled bytecode is what makes a dozen processes start quickly: nobody's environment may switch it off.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
HELM := helm
PY := $(VENV)/bin/python
SERVICES := customer identity import notify pool
PACKAGES := libs/contracts libs/chassis libs/directory libs/batch $(addprefix services/,$(SERVICES)) deploy/local
PROTOS := $(sort $(shell find proto -name '*.proto'))
CONTRACTS := libs/contracts/src

# The first Python that is new enough; `make run PYTHON=/path/to/python3.13` chooses another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
# uv reads no pip configuration, so a mirror that is set for pip is passed on.
INDEX := UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(PY) -m pip config get global.index-url 2>/dev/null)}}"
UV := $(INDEX) $(VENV)/bin/uv
INSTALL := $(UV) pip install --quiet --python $(PY)
EXPORT := $(UV) export --quiet --no-emit-workspace --no-header --no-annotate --frozen

help: ## Print every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Start all of Highsea on this machine; Ctrl-C stops it
	@$(PY) -m highsea_local run

demo: $(VENV)/.run ## Play the demo story against a running Highsea and print what happens
	@$(PY) -m highsea_local.demo.story

test: $(VENV)/.dev ## Run every test this machine can run, and say which did not run and why
	@$(INDEX) $(PY) tests/run_legs.py $(LEGS)

test-containers: $(VENV)/.dev ## Run the tests that need Docker, on images built for them; fails where there is none
	@$(INDEX) $(PY) tests/run_legs.py containers

images: $(VENV)/.run ## Build the images of the services, on HIGHSEA_BASE_IMAGE
	@$(INDEX) $(PY) -m deploy.images services

images-offline: $(VENV)/.run ## Build them where nothing can be pulled, with a base and servers from packages (Debian, root)
	@$(INDEX) $(PY) -m deploy.images offline
	@$(PY) -m deploy.images variables

check: $(VENV)/.dev ## Lint, types, import directions, contracts, generated code, locks
	@$(PY) tests/run_checks.py

bench: $(VENV)/.dev ## Measure, each number beside its limit in the same run
	@$(PY) -m bench

# Generated beside the old code and then swapped, so that programs running meanwhile never see half of it.
proto: $(VENV)/.dev ## Regenerate libs/contracts from proto/
	@mkdir -p $(CONTRACTS) && rm -rf $(CONTRACTS)/.new && mkdir $(CONTRACTS)/.new
	@$(PY) -m grpc_tools.protoc -Iproto --python_out=$(CONTRACTS)/.new --grpc_python_out=$(CONTRACTS)/.new \
	  --plugin=protoc-gen-mypy=$(VENV)/bin/protoc-gen-mypy --mypy_out=quiet:$(CONTRACTS)/.new \
	  --plugin=protoc-gen-mypy_grpc=$(VENV)/bin/protoc-gen-mypy_grpc --mypy_grpc_out=quiet:$(CONTRACTS)/.new $(PROTOS)
	@touch $(CONTRACTS)/.new/crm/py.typed
	@rm -rf $(CONTRACTS)/crm && mv $(CONTRACTS)/.new/crm $(CONTRACTS)/crm && rmdir $(CONTRACTS)/.new

charts: $(VENV)/.dev ## Write what is generated in deploy/helm, then build the charts (HELM=/path/to/helm)
	@$(PY) -m deploy.helm.generate
	@for chart in $(SERVICES) trial highsea; do $(HELM) dependency build deploy/helm/$$chart >/dev/null || exit 1; done

lock: $(VENV)/.uv ## Resolve dependencies anew and write requirements/*.lock
	@printf 'uv==0.13.8\n' | $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --python-version 3.11 -o requirements/uv.lock -
	@$(UV) lock
	@for name in $(SERVICES); do $(EXPORT) --no-dev --package crm-$$name -o requirements/$$name.lock || exit 1; done
	@$(EXPORT) --no-dev -o requirements/run.lock
	@$(EXPORT) -o requirements/dev.lock

clean: ## Delete the environment, caches and everything built; keeps .highsea
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

demo-reset: $(VENV)/.run ## Delete the data of make run (.highsea); refused while it runs
	@$(PY) -m highsea_local.reset

# The environment, in steps; each step's stamp lies in it, so a second call costs nothing and a changed lock installs.
$(VENV)/.made:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo \
	  "Highsea needs Python 3.11 or newer, but $(or $(PYTHON),python3) is $$($(or $(PYTHON),python3) --version 2>&1). Install one, or name it: make run PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
	  "$(PYTHON) comes without venv. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Making $(VENV) with $(PYTHON) …"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.uv: requirements/uv.lock $(VENV)/.made
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@touch $@

$(VENV)/.run: requirements/run.lock $(VENV)/.uv $(addsuffix /pyproject.toml,$(PACKAGES))
	@echo "Installing what requirements/run.lock names …"
	@$(INSTALL) --compile-bytecode --require-hashes -r requirements/run.lock
	@$(INSTALL) --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	@echo "Installing what requirements/dev.lock names …"
	@$(INSTALL) --compile-bytecode --require-hashes -r requirements/dev.lock
	@touch $@
