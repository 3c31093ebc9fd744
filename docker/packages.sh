#!/bin/sh
# packages.sh NAMES: installs the packages in the file NAMES into /opt/venv, with the versions and hashes of
# requirements.lock. The installer, uv from the same lock, stays in /opt/uv, which is copied to no image.
set -eu
awk '/^[^ #]/ {uv = /^uv==/} uv' requirements.lock > uv.lock
python3 -m venv /opt/uv
/opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r uv.lock
python3 -m venv --without-pip /opt/venv
/opt/uv/bin/uv pip install --quiet --no-cache --python /opt/venv/bin/python --compile-bytecode \
  --require-hashes --constraint requirements.lock --requirement "$1"
