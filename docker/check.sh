#!/bin/sh
# Checks what can be checked of the container files without a container engine: the steps of the Dockerfile are taken on
# this machine, and the worker runs in the folder that would be the image.
#
#   docker/check.sh [BINARY]     without BINARY, builds the one that the Dockerfile builds
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "check: $*" >&2
    exit 1
}

binary=${1:-}
if [ -z "$binary" ]; then
    cargo build --profile dist --locked --package lavka
    binary=${CARGO_TARGET_DIR:-target}/dist/lavka
fi
[ -x "$binary" ] || fail "$binary is not a program"

work=$(mktemp -d)
worker=
finish() {
    [ -z "$worker" ] || kill "$worker" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
root=$work/root

echo 'check: the image as a folder'
docker/stage.sh "$binary" "$root"
cp docker/worker.properties "$root/etc/lavka/"
( cd "$root" && find . -type f -exec ls -s {} + | sort -rn | head -n 8 )

# Root changes its root, others do so in a user namespace where the system lets them.
if [ "$(id -u)" = 0 ]; then
    enter() { chroot "$root" "$@"; }
elif unshare -r true 2>/dev/null; then
    enter() { unshare -r chroot "$root" "$@"; }
else
    fail 'run this as root, or allow user namespaces'
fi

echo 'check: the binary finds its libraries there, and its own pages'
enter /usr/bin/lavka --version
enter /usr/bin/lavka plugins >/dev/null

echo 'check: the worker starts, is well, and stops'
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed "s,^listeners=.*,listeners=http://127.0.0.1:$port," docker/worker.properties >"$root/etc/lavka/worker.properties"
chroot=chroot
[ "$(id -u)" = 0 ] || chroot='unshare -r chroot'
# Not through the function: the process to stop is the worker, not a shell around it.
$chroot "$root" /usr/bin/lavka standalone /etc/lavka/worker.properties >"$work/log" 2>&1 &
worker=$!
tries=0
until enter /usr/bin/lavka health "http://127.0.0.1:$port" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -ge 50 ] || ! kill -0 "$worker" 2>/dev/null; then
        fail "the worker is not well: $(cat "$work/log")"
    fi
    sleep 0.2
done
kill -TERM "$worker"
wait "$worker" || fail "the worker ended with $?: $(cat "$work/log")"
worker=
if grep -E ' WARN .*worker key' "$work/log"; then fail 'docker/worker.properties has keys that are not known'; fi

echo 'check: compose.yaml'
python3 - <<'PYTHON'
import os, re, sys

try:
    import yaml
except ImportError:
    sys.exit("check: install python3-yaml")

compose = yaml.safe_load(open("docker/compose.yaml"))
services, volumes = compose["services"], compose["volumes"]
assert {"kafka", "registry", "mosquitto", "postgres", "worker"} <= services.keys(), services.keys()
for name, service in services.items():
    assert "image" in service or "build" in service, name
    for other in service.get("depends_on", {}):
        condition = service["depends_on"][other]["condition"]
        assert other in services, f"{name} depends on {other}"
        assert condition != "service_healthy" or "healthcheck" in services[other], f"{other} has no health check"
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        found = os.path.exists(os.path.join("docker", source)) if source.startswith(".") else source in volumes
        assert found, f"{name}: {source} is not there"
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), f"{name}: {port} is open to the network"
build = services["worker"]["build"]
assert os.path.exists(os.path.join("docker", build["context"], build["dockerfile"]))
kafka = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
bootstrap = re.search(r"^bootstrap\.servers=(.*)$", open("docker/worker.properties").read(), re.M).group(1)
assert f"INTERNAL://{bootstrap}" in kafka, (bootstrap, kafka)

# Every file that the Dockerfile copies from the project is there, and is not left out of the build.
dockerfile = open("docker/Dockerfile").read()
ignored = [line.strip().lstrip("/") for line in open("docker/Dockerfile.dockerignore") if line[0] not in "#\n"]
for source in re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.M):
    assert os.path.exists(source), source
    assert source not in ignored, f"{source} is in Dockerfile.dockerignore"
assert "cargo build --profile dist --locked --package lavka" in dockerfile
PYTHON
if command -v docker >/dev/null && docker compose version >/dev/null 2>&1; then
    docker compose --file docker/compose.yaml config --quiet
else
    echo 'check: docker compose is not installed; the syntax was checked as YAML alone'
fi
echo 'check: all is well'
