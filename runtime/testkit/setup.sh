#!/bin/sh
# Checks for the programs that a make target needs, and installs what is missing where it may.
#
#   setup.sh build    compile the workspace
#   setup.sh lint     that, and check its style
#   setup.sh tests    that (not the style), and run the tests against Apache Kafka, Mosquitto,
#                     PostgreSQL and MariaDB, natively and over ODBC
#
# Installing takes Debian's package manager and root, or sudo that asks for no password. Where it may not install it
# prints the one line to run, and fails.
set -eu

here=$(dirname "$0")
packages=
reasons=

say() {
    printf 'setup: %s\n' "$*" >&2
}

die() {
    say "$@"
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# Servers are kept where only root's search path leads.
have_server() {
    have "$1" || [ -x "/usr/sbin/$1" ] || [ -x "/usr/local/sbin/$1" ]
}

need() { # PACKAGE REASON
    packages="$packages $1"
    reasons="$reasons, $2"
}

check_build() {
    have cargo || die "Rust is not installed: get it with rustup, then run this again"
    { have c++ && have cc; } || need g++ 'a C and C++ compiler'
    have make || need make make
    have pkg-config || need pkg-config pkg-config
    header openssl openssl/ssl.h || need libssl-dev "OpenSSL's headers"
    header zlib zlib.h || need zlib1g-dev "zlib's headers"
}

# pkg-config may be missing too, on the way in; then the header's usual places tell.
header() { # LIBRARY FILE
    if have pkg-config; then
        pkg-config --exists "$1"
    else
        [ -e "/usr/include/$2" ]
    fi
}

check_tests() {
    have git || need git "git, which lists the project's files"
    have_server mosquitto || need mosquitto 'Mosquitto'
    { have mosquitto_pub && have mosquitto_sub; } || need mosquitto-clients "Mosquitto's clients"
    have node || need nodejs 'Node, which runs another MQTT broker and the emulator of Azure'
    { aedes_is_cached && azurite_is_cached && postgres17_is_cached; } || have npm ||
        need npm 'npm to fetch those, and PostgreSQL 17'
    have coap-client-notls || need libcoap3-bin "libcoap's clients"
    have_postgres || need postgresql 'PostgreSQL'
    { have_server mariadbd && have mariadb; } || need mariadb-server 'MariaDB'
    have_odbc || need 'libodbc2 odbcinst odbc-postgresql odbc-mariadb libsqliteodbc' 'unixODBC and three of its drivers'
    { [ "$(java_version)" -ge 17 ] && have_javac; } ||
        need "$(java_package)" 'a JDK 17 or newer for Apache Kafka, and for comparisons with its classes'
    have kinit || need krb5-user 'Kerberos, its library and kinit, for HDFS that asks for tickets'
    have kcat || need kcat "kcat, for the embedded broker's contract tests"
    { kafka_is_cached && registry_is_cached && hadoop_is_cached; } || have mvn ||
        need maven "Maven to fetch the jars of Apache Kafka, of a schema registry and of Hadoop"
    { python_is_cached python python-requirements.txt &&
        python_is_cached python-registry python-registry-requirements.txt &&
        python_is_cached python-coap python-coap-requirements.txt &&
        python_is_cached python-lake python-lake-requirements.txt; } ||
        python3 -c 'import ensurepip, venv' 2>/dev/null ||
        need python3-venv 'Python to call the REST API, a schema registry and CoAP sources as others do'
}

# Debian keeps the server's programs of each version apart, off the search path.
have_postgres() {
    have initdb && return 0
    for program in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$program" ] && return 0
    done
    return 1
}

# Debian's packages write their drivers into the driver manager's list.
have_odbc() {
    for driver in 'PostgreSQL Unicode' 'MariaDB Unicode' 'SQLite3'; do
        grep -qsF "[$driver]" /etc/odbcinst.ini || return 1
    done
    have ldconfig || PATH=$PATH:/sbin:/usr/sbin
    ldconfig -p 2>/dev/null | grep -q 'libodbc\.so\.2'
}

# The major version of the Java that the tests will find, 0 for none.
java_version() {
    java=${JAVA_HOME:-/nowhere}/bin/java
    [ -x "$java" ] || java=java
    version=$("$java" -version 2>&1 | sed -n 's/^[a-z]* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
    printf '%s' "${version:-0}"
}

have_javac() {
    [ -x "${JAVA_HOME:-/nowhere}/bin/javac" ] || have javac
}

# The distribution's default is older than 17 on these.
java_package() {
    # shellcheck disable=SC1091
    system=$(. /etc/os-release 2>/dev/null && printf '%s-%s' "${ID:-}" "${VERSION_ID:-}") || system=
    case $system in
        debian-11 | ubuntu-20.* | ubuntu-21.* | ubuntu-22.*) printf openjdk-17-jdk-headless ;;
        *) printf default-jdk-headless ;;
    esac
}

# The same place as in the testkit's own code.
cache=${LAVKA_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/lavka}

kafka_is_cached() {
    [ -d "$cache/kafka-$(cat "$here/kafka-version")" ]
}

aedes_is_cached() {
    [ -d "$cache/aedes-$(cat "$here/aedes-version")" ]
}

azurite_is_cached() {
    [ -d "$cache/azurite-$(cat "$here/azurite-version")" ]
}

postgres17_is_cached() {
    [ -d "$cache/postgres17-$(cat "$here/postgres17-version")" ]
}

hadoop_is_cached() {
    [ -d "$cache/hadoop-$(cat "$here/hadoop-version")" ]
}

registry_is_cached() {
    [ -d "$cache/registry-$(cat "$here/registry-version")" ]
}

python_is_cached() { # FOLDER LIST
    [ -x "$cache/$1/bin/python" ] && cmp -s "$here/$2" "$cache/$1/$2"
}

check_lint() {
    missing=
    cargo fmt --version >/dev/null 2>&1 || missing=rustfmt
    cargo clippy --version >/dev/null 2>&1 || missing="$missing clippy"
    [ -n "$missing" ] || return 0
    have rustup || die "these parts of Rust are missing:$missing"
    say "adding to Rust: $missing"
    # shellcheck disable=SC2086
    rustup component add $missing
}

check() {
    packages=
    reasons=
    check_build
    case $1 in
        build) ;;
        lint) check_lint ;;
        tests) check_tests ;;
    esac
}

install() {
    command="apt-get update && apt-get install -y --no-install-recommends$packages"
    have apt-get || die "missing: ${reasons#, }. Install what Debian calls$packages, then run this again"
    if [ "$(id -u)" -eq 0 ]; then
        root=
    elif sudo -n true 2>/dev/null; then
        root='sudo -n'
    else
        say "missing: ${reasons#, }. Run this, then try again:"
        printf 'sudo sh -c "%s"\n' "$command" >&2
        exit 1
    fi
    say "installing$packages (${reasons#, }); this can take some minutes"
    hold_service
    # shellcheck disable=SC2086
    $root env DEBIAN_FRONTEND=noninteractive sh -ec '
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >/dev/null
    ' install $packages </dev/null || failed=yes
    release_service
    [ -z "${failed:-}" ] || die "apt-get failed; what it said is above"
}

# The tests want these servers' programs and start them themselves. The packages also start a server for the whole
# machine: not here. One that was there before is left alone, for then nothing is installed.
hold_service() {
    held=
    for service in mosquitto postgresql mariadb; do
        case "$packages " in
            *" $service "* | *" $service-server "*) ;;
            *) continue ;;
        esac
        held="$held $service"
        [ ! -d /run/systemd/system ] || $root systemctl --quiet --runtime mask "$service.service" || true
    done
}

release_service() {
    for service in ${held:-}; do
        if [ -d /run/systemd/system ]; then
            $root systemctl --quiet --runtime unmask "$service.service" || true
            $root systemctl --quiet disable "$service.service" || true
        elif [ -x "/etc/init.d/$service" ]; then
            $root "/etc/init.d/$service" stop >/dev/null 2>&1 || true
        fi
        say "the service $service of this machine was left switched off"
    done
}

case ${1:-} in
    build | lint | tests) ;;
    *) die "usage: $0 build|lint|tests" ;;
esac
check "$1"
if [ -n "$packages" ]; then
    install
    check "$1"
    [ -z "$packages" ] || die "still missing after installing: ${reasons#, }"
    say "done"
fi
