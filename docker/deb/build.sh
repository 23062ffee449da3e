#!/bin/sh
# Builds the Debian package into target/debian. Needs cargo-deb: cargo install cargo-deb --locked
#
#   docker/deb/build.sh [PROFILE]     dist unless given
set -eu
cd "$(dirname "$0")/../.."

profile=${1:-dist}
target=${CARGO_TARGET_DIR:-target}
command -v cargo-deb >/dev/null || {
    echo 'cargo-deb is not installed: cargo install cargo-deb --locked' >&2
    exit 1
}

cargo build --profile "$profile" --locked --package lavka
lavka=$target/$profile/lavka

# What the binary writes about itself; the manifest of the package (runtime/server/Cargo.toml) takes it from here.
generated=target/package
rm -rf "$generated"
mkdir -p "$generated/completions"
"$lavka" man "$generated/man"
gzip --best --no-name "$generated"/man/*.1
"$lavka" completions bash >"$generated/completions/lavka"
"$lavka" completions zsh >"$generated/completions/_lavka"
"$lavka" completions fish >"$generated/completions/lavka.fish"

cargo deb --no-build --profile "$profile" --package lavka --locked --output target/debian/
