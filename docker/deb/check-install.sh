#!/bin/sh
# Checks a Debian package as a user meets it: installs it on a fresh Debian, starts the worker, upgrades, removes and purges
# it. The Debian is a folder that debootstrap fills (a minute, from a mirror). Needs root.
#
#   docker/deb/check-install.sh PACKAGE.deb [SUITE]     bookworm unless given
set -eu

fail() {
    echo "check: $*" >&2
    exit 1
}

[ $# -ge 1 ] && [ -f "$1" ] || fail "usage: $0 PACKAGE.deb [SUITE]"
[ "$(id -u)" = 0 ] || fail 'run this as root'
command -v debootstrap >/dev/null || fail 'install debootstrap'

package=$1
suite=${2:-bookworm}
work=$(mktemp -d)
finish() {
    if grep -q " $work/" /proc/mounts; then
        echo "check: something is mounted below $work; it is left as it is" >&2
    else
        rm -rf --one-file-system "$work"
    fi
}
trap finish EXIT

echo "check: a fresh Debian ($suite)"
# What is mounted on the way is seen by these processes alone, and gone with the last of them.
unshare --mount --propagation private \
    debootstrap --variant=minbase --include=ca-certificates,libssl3,zlib1g "$suite" "$work/debian" >"$work/log" 2>&1 ||
    fail "no Debian: $(tail -n 5 "$work/log")"
cp "$package" "$work/debian/lavka.deb"
cat >"$work/debian/check" <<'INSIDE'
set -eu
mount -t proc proc /proc
echo 'check: it installs, and every file is as packaged'
dpkg --install /lavka.deb
[ -z "$(dpkg --verify lavka)" ]
lavka --version
echo 'check: the worker starts, is well, and stops'
mkdir -p /var/lib/lavka
lavka standalone /etc/lavka/worker.properties >/log 2>&1 &
worker=$!
tries=0
until lavka health http://127.0.0.1:8083 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] && kill -0 "$worker" || { cat /log; exit 1; }
    sleep 0.2
done
kill -TERM "$worker"
wait "$worker"
echo 'check: an upgrade keeps the worker file, removing too, purging does not'
echo '# changed by hand' >>/etc/lavka/worker.properties
dpkg --install /lavka.deb
grep -q '^# changed by hand' /etc/lavka/worker.properties
dpkg --remove lavka
[ ! -e /usr/bin/lavka ] && [ -f /etc/lavka/worker.properties ]
dpkg --purge lavka
[ ! -e /etc/lavka ]
INSIDE
# A network of its own: the port of the worker file is free there.
unshare --mount --net --propagation private \
    sh -c 'ip link set lo up && exec chroot "$1" sh /check' check "$work/debian" || fail 'see above'
echo 'check: all is well'
