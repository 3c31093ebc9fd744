#!/bin/sh
# Runs both commands of the README where nothing but python3 and make is installed: a Debian that debootstrap makes.
# `make soak` calls it, as root. It needs debootstrap, and the ports of `make run` free on loopback.
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "nightshelf: $0 must run as root: use sudo" >&2; exit 1; }

ROOT=$(mktemp -d)
trap 'rm -rf --one-file-system "$ROOT"' EXIT

echo "nightshelf: making a bare Debian"
debootstrap --variant=minbase --include=python3,make,ca-certificates bookworm "$ROOT" >/dev/null
mkdir "$ROOT/nightshelf"
git archive HEAD | tar --extract --directory "$ROOT/nightshelf"
cp /etc/resolv.conf /etc/hosts "$ROOT/etc/"

# Only what reaches the package registries comes from this machine: certificates, and variables that name them.
registries() { env | grep -E '^(PIP_|UV_|SSL_|REQUESTS_|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)' || true; }

export ROOT
export INSIDE='
  cd /nightshelf
  make run >/tmp/run.log 2>&1 &
  run=$!
  echo "nightshelf: make run"
  python3 - "$run" <<END
import os, sys, time, urllib.request
deadline = time.monotonic() + 3 * 3600
while time.monotonic() < deadline:
    if "Ctrl-C stops everything" in open("/tmp/run.log").read():
        urllib.request.urlopen("http://127.0.0.1:3000/v1/popular?n=5", timeout=30)
        time.sleep(5)
        sys.exit(0)
    time.sleep(5)
    try:
        os.kill(int(sys.argv[1]), 0)
    except ProcessLookupError:
        sys.exit("make run ended by itself")
sys.exit("no nightly run after three hours")
END
  pkill -INT -f "nightshelf up" 2>/dev/null || python3 -c "
import os, pathlib, signal
for entry in pathlib.Path(\"/proc\").iterdir():
    if entry.name.isdigit() and b\"nightshelf\0up\" in (entry / \"cmdline\").read_bytes():
        os.kill(int(entry.name), signal.SIGINT)"
  wait "$run" || true
  tail -n 20 /tmp/run.log
  echo "nightshelf: make test"
  make test
'
unshare --mount --pid --fork --kill-child /bin/sh -euc '
  mount -t proc proc "$ROOT/proc"
  mount --rbind /dev "$ROOT/dev"
  mount --rbind /sys "$ROOT/sys"
  mount --rbind /etc/ssl/certs "$ROOT/etc/ssl/certs"
  exec chroot "$ROOT" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@" \
    /bin/sh -euc "$INSIDE"
' sh $(registries)
