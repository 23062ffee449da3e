#!/bin/sh
# Puts a binary and everything it loads into a folder that can be the root of a container.
#
#   docker/stage.sh BINARY ROOT
set -eu

[ $# -eq 2 ] || {
    echo "usage: $0 BINARY ROOT" >&2
    exit 2
}
binary=$1
root=$2
certificates=/etc/ssl/certs/ca-certificates.crt

install -D -m 755 "$binary" "$root/usr/bin/lavka"

# `name => /path (address)` of libraries, `/path (address)` of the loader. Both keep the paths they are looked up by.
libraries=$(ldd "$binary" | sed -n 's,^.*[[:space:]]\(/[^ ]*\) (0x.*$,\1,p')
if ldd "$binary" | grep -q 'not found'; then
    echo "stage: libraries are missing on this machine:" >&2
    ldd "$binary" | grep 'not found' >&2
    exit 1
fi
for library in $libraries; do
    install -D -m 755 "$library" "$root$library"
done

# Authorities that servers are checked against. OpenSSL (librdkafka) looks where its build says, rustls in /etc.
[ -f "$certificates" ] || {
    echo "stage: $certificates is missing: install ca-certificates" >&2
    exit 1
}
install -D -m 644 "$certificates" "$root$certificates"
mkdir -p "$root/usr/lib/ssl"
ln -sf "$certificates" "$root/usr/lib/ssl/cert.pem"
ln -sfn /etc/ssl/certs "$root/usr/lib/ssl/certs"

printf 'root:x:0:0:root:/:/nonexistent\nlavka:x:65532:65532:lavka:/var/lib/lavka:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\nlavka:x:65532:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
mkdir -p "$root/var/lib/lavka" "$root/etc/lavka"
install -d -m 1777 "$root/tmp"
