# Two commands: `make run` and `make test`. `make help` lists the others.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
RUN := $(VENV)/bin/

# Without its bytecode each of Airflow's short-lived processes compiles its imports anew.
unexport PYTHONDONTWRITEBYTECODE

# $(call debian,COMMAND THAT TELLS WHETHER IT IS THERE,PACKAGE,WHAT IT IS): installs it where it may, else names it.
define debian
@$(1) >/dev/null 2>&1 || { \
  as=""; [ "$$(id -u)" = 0 ] || as="sudo -n"; \
  if command -v apt-get >/dev/null 2>&1 && $$as true 2>/dev/null; then \
    echo "nightshelf: installing $(3) ($(2))"; \
    $$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as apt-get install -yqq --no-install-recommends $(2) >/dev/null; \
  else \
    echo "nightshelf: $(3) is missing; install it with: sudo apt-get install $(2)" >&2; exit 1; \
  fi; }
endef

chromium = $(call debian,command -v chromium,chromium fonts-liberation,a browser to look at the pages with)

# $(call image,NAME,OF WHAT): what of requirements.lock, which has the hashes, an image has.
image = $(RUN)uv pip compile --universal --no-emit-index-url --quiet --no-annotate --no-header \
  --constraint requirements.lock $(2) -o docker/$(1).txt

.PHONY: help run cluster setup test soak bench pictures images lock
help:  ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

run: setup  ## everything on this machine: shop, Airflow, MLflow, service, a first night
	@exec $(RUN)nightshelf up

cluster: setup  ## the same with the servers of a cluster: PostgreSQL, Spark's master and workers, two replicas
	$(call debian,ls /usr/lib/postgresql/*/bin/postgres,postgresql,PostgreSQL)
	$(call debian,PATH="$$PATH:/usr/sbin" haproxy -v,haproxy,HAProxy)
	@exec $(RUN)nightshelf cluster

setup: $(INSTALLED)  ## the environment alone; afterwards .venv/bin/nightshelf is the command

test: setup  ## all that CI runs
	$(chromium)
	$(call debian,ls /usr/lib/postgresql/*/bin/initdb,postgresql,a database server to test with)
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)lint-imports
	$(RUN)pytest -n 2 --dist loadfile --no-loadscope-reorder

soak: setup  ## every bad, good, poisoned and ordinary night of both gates, more faults, a loaded service, a cluster: an hour
	NIGHTSHELF_TEST_SOAK=1 $(RUN)pytest -s tests/e2e/test_bad_nights.py tests/e2e/test_gate_nights.py \
	  tests/e2e/test_registry_faults.py tests/extract/test_killed.py tests/extract/test_faulty_shop.py \
	  tests/e2e/test_bucket_night.py tests/serving/test_soak.py tests/serving/test_replicas.py tests/cluster

bench: setup  ## the figures in benchmarks/
	$(RUN)python -m benchmarks

pictures: setup  ## the README's pictures, taken of two nights of the demo shop
	$(chromium)
	$(RUN)python -m docs.pictures

images:  ## builds the container images without Docker, and runs the health check of each
	$(call debian,buildah --version,buildah,what builds images)
	$(call debian,debootstrap --version,debootstrap,what makes a base image)
	@docker/images.sh

lock:  ## resolves requirements.lock anew from pyproject.toml
	$(RUN)uv pip compile --universal --generate-hashes --no-emit-index-url --all-extras --upgrade --quiet \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	$(call image,mlflow,--group mlflow)
	$(call image,pipelines,pyproject.toml --extra airflow --extra executors --extra pipelines --extra s3 --group pipelines)
	$(call image,serving,pyproject.toml)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "nightshelf: python3 >= 3.11 is needed" >&2; exit 1; }
	$(call debian,$(PYTHON) -c "import ensurepip",python3-venv,Python's venv)
	$(call debian,$${JAVA_HOME:+$$JAVA_HOME/bin/}java -version 2>&1 | grep -E 'version \"(1[7-9]|[2-9][0-9])',default-jre-headless,Java 17 or newer)
	$(call debian,ldconfig -p | grep libgomp.so.1,libgomp1,the OpenMP runtime)
	@echo "nightshelf: installing the packages of requirements.lock"
	@test -x $(RUN)python || $(PYTHON) -m venv $(VENV)
	@awk '/^[^ #]/ {uv = /^uv==/} uv' requirements.lock > $(VENV)/uv.lock
	@$(RUN)python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(RUN)uv pip sync --quiet --python $(RUN)python --require-hashes --compile-bytecode requirements.lock
	@$(RUN)uv pip install --quiet --python $(RUN)python --no-deps --no-build-isolation --editable .
	@touch $@
