#!/bin/sh
# `make images`: builds every image without Docker, as root, and runs the health check of each.
# The base image is the local debian:bookworm-slim; if there is none, debootstrap makes one.
set -eu
cd "$(dirname "$0")/.."
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs BUILDAH_FORMAT=docker
BASE=docker.io/library/debian:bookworm-slim
TRUSTED=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

main() {
  [ "$(id -u)" = 0 ] || { echo "nightshelf: make images must run as root: use sudo" >&2; exit 1; }
  buildah inspect --type image "$BASE" >/dev/null 2>&1 || make_base
  for name in serving mlflow pipelines; do build "$name"; done
  check serving NIGHTSHELF_HOST=127.0.0.1 NIGHTSHELF_CUSTOMER_KEY=any-key-will-do
  check mlflow
  check pipelines BEFORE="airflow db migrate"
  buildah images --filter 'reference=nightshelf/*'
}

make_base() {
  echo "nightshelf: making $BASE"
  root=$(mktemp -d)
  debootstrap --variant=minbase bookworm "$root" >/dev/null
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$root" / >/dev/null
  buildah commit --quiet --rm "$container" "$BASE" >/dev/null
  rm -rf "$root"
}

# The certificates that this machine trusts are mounted during the build, so that no image contains them. The mount
# point is a folder that exists anyway, so that no empty folder stays in the image.
build() {
  inside=/mnt/$(basename "$TRUSTED")
  echo "nightshelf: building nightshelf/$1"
  buildah build --quiet --pull-never --file "docker/$1.Dockerfile" --tag "nightshelf/$1:$VERSION" \
    --volume "$(dirname "$TRUSTED"):/mnt:ro" \
    --build-arg "PIP_CERT=$inside" --build-arg "SSL_CERT_FILE=$inside" . >/dev/null
}

# check NAME VARIABLE...: runs the image's command until its own health check succeeds.
check() {
  name=$1; shift
  container=$(buildah from --pull-never "nightshelf/$name:$VERSION")
  printf 'nightshelf: nightshelf/%s is ' "$name"
  env -i $(inspect '{{range .Docker.Config.Env}}{{.}} {{end}}') "$@" \
    ROOT="$(buildah mount "$container")" ID="$(inspect '{{.Docker.Config.User}}')" \
    COMMAND="$(inspect '{{range .Docker.Config.Cmd}}{{.}} {{end}}')" \
    HEALTHY="$(inspect '{{index .Docker.Config.Healthcheck.Test 1}}')" UP="$UP" \
    /usr/bin/unshare --mount --net --pid --fork --kill-child /bin/sh -euc "$CONTAINED"
  buildah rm "$container" >/dev/null
}

inspect() { buildah inspect --format "$1" "$container"; }

# The restrictions of compose.yaml: a read-only root, an ordinary user without capabilities, and no network.
CONTAINED='
  PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
  ip link set lo up
  echo "127.0.0.1 localhost" >"$ROOT/etc/hosts"
  mount --bind "$ROOT" "$ROOT"
  mount -o remount,bind,ro "$ROOT"
  mount -t proc proc "$ROOT/proc"
  mount --rbind /dev "$ROOT/dev"
  for folder in tmp data; do mount -t tmpfs -o mode=1777 tmpfs "$ROOT/$folder"; done
  exec chroot "$ROOT" setpriv --reuid="$ID" --regid="$ID" --clear-groups --bounding-set=-all --no-new-privs \
    sh -euc "$UP"'

UP='
  cd /data
  ${BEFORE:-} >/tmp/log 2>&1
  $COMMAND >>/tmp/log 2>&1 &
  for second in $(seq 1800); do
    sleep 1
    if sh -c "$HEALTHY" 2>/tmp/health; then echo "healthy after $second s"; exit; fi
    kill -0 $! || break
  done
  echo "not healthy"
  tail -n 20 /tmp/log /tmp/health
  exit 1'

main
