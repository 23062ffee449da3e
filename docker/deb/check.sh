#!/bin/sh
# Checks a Debian package without installing it: unpacks it, looks at what is in it, and runs the worker from there.
#
#   docker/deb/check.sh PACKAGE.deb
set -eu

fail() {
    echo "check: $*" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: $0 PACKAGE.deb"
work=$(mktemp -d)
worker=
finish() {
    [ -z "$worker" ] || kill "$worker" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
root=$work/root
dpkg-deb --extract "$1" "$root"
dpkg-deb --control "$1" "$work/control"

echo 'check: what it needs, and what stays when it is upgraded'
grep '^Depends:' "$work/control/control"
for library in $(ldd "$root/usr/bin/lavka" | sed -n 's,^.*=> \(/[^ ]*\) .*$,\1,p'); do
    package=$(dpkg --search "$(realpath "$library")" 2>/dev/null | head -n 1 | cut -d : -f 1)
    case $package in
        libgcc-s1 | libc6) ;; # libc6 brings the other along
        *) grep -q "^Depends:.*$package" "$work/control/control" || fail "$library is of $package, which is not depended on" ;;
    esac
done
for file in etc/lavka/worker.properties etc/default/lavka; do
    grep -qx "/$file" "$work/control/conffiles" || fail "/$file is not a configuration file of the package"
    [ -f "$root/$file" ] || fail "/$file is missing"
done

echo 'check: unit, manual pages, completions'
unit=$(find "$root" -name lavka.service)
[ -n "$unit" ] || fail 'there is no unit'
grep -q '^ExecStart=/usr/bin/lavka standalone /etc/lavka/worker.properties' "$unit" || fail 'the unit runs something else'
if command -v systemd-analyze >/dev/null; then
    # Its manual page is not installed here.
    sed -e "s,/usr/bin/lavka,$root/usr/bin/lavka," -e '/^Documentation=/d' "$unit" >"$work/lavka.service"
    systemd-analyze verify "$work/lavka.service" || fail 'systemd does not take the unit'
fi
for command in $("$root/usr/bin/lavka" help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p' | grep -v '^help$'); do
    [ -f "$root/usr/share/man/man1/lavka-$command.1.gz" ] || fail "lavka $command has no manual page"
done
gzip --test "$root"/usr/share/man/man1/*.gz
bash -n "$root/usr/share/bash-completion/completions/lavka"

echo 'check: the worker starts with the file of the package, is well, and stops'
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -e "s,^listeners=.*,listeners=http://127.0.0.1:$port," -e "s,/var/lib/lavka,$work," \
    "$root/etc/lavka/worker.properties" >"$work/worker.properties"
"$root/usr/bin/lavka" standalone "$work/worker.properties" >"$work/log" 2>&1 &
worker=$!
tries=0
until "$root/usr/bin/lavka" health "http://127.0.0.1:$port" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -ge 50 ] || ! kill -0 "$worker" 2>/dev/null; then
        fail "the worker is not well: $(cat "$work/log")"
    fi
    sleep 0.2
done
kill -TERM "$worker"
wait "$worker" || fail "the worker ended with $?: $(cat "$work/log")"
worker=
echo 'check: all is well'
