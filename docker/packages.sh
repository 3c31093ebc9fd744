#!/bin/sh
# packages.sh NAMES: makes /opt/venv of the packages in NAMES, by the versions and hashes of requirements.lock.
# What installs them, uv of the same lock, stays in /opt/uv, so that it is in no image.
set -eu
awk '/^[^ #]/ {uv = /^uv==/} uv' requirements.lock > uv.lock
python3 -m venv /opt/uv
/opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r uv.lock
python3 -m venv --without-pip /opt/venv
/opt/uv/bin/uv pip install --quiet --no-cache --python /opt/venv/bin/python --compile-bytecode \
  --require-hashes --constraint requirements.lock --requirement "$1"
