# The two main commands are `make run` and `make test`; `make help` lists all.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
RUN := $(VENV)/bin/

# Without bytecode each of Airflow's short-lived processes compiles its imports again.
unexport PYTHONDONTWRITEBYTECODE

# $(call debian,COMMAND THAT SUCCEEDS IF IT IS INSTALLED,PACKAGE,WHAT IT IS): installs it as root, otherwise names it.
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

# Playwright's own program needs libatomic.
chromium = $(call debian,command -v chromium && PATH="$$PATH:/sbin" ldconfig -p | grep libatomic.so.1,chromium fonts-liberation libatomic1,a browser for the tests of the pages)

# $(call image,NAME,SOURCES): writes the packages of an image; their hashes are in requirements.lock.
image = $(RUN)uv pip compile --universal --no-emit-index-url --quiet --no-annotate --no-header \
  --constraint requirements.lock $(2) -o docker/$(1).txt

java = $(call debian,$${JAVA_HOME:+$$JAVA_HOME/bin/}java -version 2>&1 | grep -E 'version \"(1[7-9]|[2-9][0-9])',default-jre-headless,Java 17 or newer)
haproxy = $(call debian,PATH="$$PATH:/usr/sbin" haproxy -v,haproxy,HAProxy)
postgresql = $(call debian,ls /usr/lib/postgresql/*/bin/postgres,postgresql,PostgreSQL)
curl = $(call debian,command -v curl,curl,curl)
mariadb = $(call debian,PATH="$$PATH:/usr/sbin" mariadbd --version,mariadb-server,MariaDB)

.PHONY: help run cluster setup lint check test tests soak docs bench pictures images audit lock
help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

run: setup  ## everything on this machine: demo shop, Airflow, MLflow, the service, a first nightly run
	@exec $(RUN)nightshelf up

cluster: setup  ## the same with a cluster's servers: PostgreSQL, Spark master and workers, two replicas, HAProxy
	$(java)
	$(postgresql)
	$(haproxy)
	@exec $(RUN)nightshelf cluster

setup: $(INSTALLED)  ## the environment alone; afterwards .venv/bin/nightshelf is the command

lint: setup  ## formatting, lint, import contracts, types
	$(RUN)ruff format --check --quiet .
	$(RUN)ruff check --quiet .
	$(RUN)lint-imports --no-logo
	$(RUN)mypy

check: setup  ## after each change, in 90 s: lint and the fast tests
	@$(MAKE) --no-print-directory -j 2 lint tests TESTS="-q -m fast -n 2"

test: setup  ## everything that CI runs
	$(java)
	$(chromium)
	$(postgresql)
	$(mariadb)
	$(haproxy)
	$(curl)
	@$(MAKE) --no-print-directory -j 2 lint tests TESTS="-n 3 --no-loadscope-reorder --durations 40"

tests: setup  # threads of several processes that share two cores would wait for each other
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(RUN)pytest --dist loadfile $(TESTS)

soak: setup  ## every bad, good and poisoned nightly run, faults, a loaded service, a cluster, a bare Debian; takes hours
	$(java)
	$(chromium)
	$(postgresql)
	$(mariadb)
	$(haproxy)
	$(call debian,debootstrap --version,debootstrap,debootstrap)
	NIGHTSHELF_TEST_SOAK=1 $(RUN)pytest -s tests/e2e/test_bad_nights.py tests/e2e/test_gate_nights.py \
	  tests/e2e/test_registry_faults.py tests/extract/test_killed.py tests/extract/test_faulty_shop.py \
	  tests/extract/servers \
	  tests/e2e/test_bucket_night.py tests/serving/test_soak.py tests/security tests/serving/test_replicas.py tests/cluster
	tests/e2e/bare_debian.sh

docs: setup  ## the documentation as a searchable site, docs/_build/index.html
	$(RUN)sphinx-build -q -E -n -W --keep-going docs docs/_build
	@echo "nightshelf: the documentation is in docs/_build/index.html"

bench: setup  ## the figures in benchmarks/
	$(java)
	$(RUN)python -m benchmarks

pictures: setup  ## the README's pictures, taken from two nightly runs of the demo shop
	$(chromium)
	$(RUN)python -m docs.pictures

images:  ## builds the container images without Docker, and runs the health check of each
	$(call debian,buildah --version,buildah,buildah)
	$(call debian,debootstrap --version,debootstrap,debootstrap)
	@docker/images.sh

audit: setup  ## known vulnerabilities of the locked packages, and when each version was published
	$(RUN)python -m docs.lock_dates
	$(RUN)uv tool run pip-audit@2.10.1 --disable-pip --require-hashes --progress-spinner off -r requirements.lock

lock:  ## updates requirements.lock from pyproject.toml
	$(RUN)uv pip compile --universal --generate-hashes --no-emit-index-url --all-extras --upgrade --quiet \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	$(call image,mlflow,--group mlflow)
	$(call image,pipelines,pyproject.toml --extra airflow --extra executors --extra pipelines --extra s3 --group pipelines)
	$(call image,serving,pyproject.toml)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "nightshelf: $(PYTHON) is not Python 3.11 to 3.13: name one with make PYTHON=python3.12 ..." >&2; exit 1; }
	$(call debian,$(PYTHON) -c "import ensurepip",python3-venv,Python's venv)
	$(call debian,PATH="$$PATH:/sbin" ldconfig -p | grep libgomp.so.1,libgomp1,the OpenMP runtime)
	@echo "nightshelf: installing the packages of requirements.lock, about 1.5 GB"
	@test -x $(RUN)python || $(PYTHON) -m venv $(VENV)
	@awk '/^[^ #]/ {uv = /^uv==/} uv' requirements.lock > $(VENV)/uv.lock
	@$(RUN)python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(RUN)uv pip sync --python $(RUN)python --require-hashes requirements.lock
	@$(RUN)uv pip install --quiet --python $(RUN)python --no-deps --no-build-isolation --editable .
	@touch $@
