#!/usr/bin/env bash
# Checks the licences, versions, sources and advisories of dependencies against deny.toml. Installs cargo-deny if it is
# missing.
#
#   scripts/deny.sh FOLDER    cargo-deny is in FOLDER/bin
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'deny: %s\n' "$*" >&2; }

[ "$#" -eq 1 ] || { say "usage: scripts/deny.sh FOLDER"; exit 1; }
folder=$1
version=0.20.2
deny=$folder/bin/cargo-deny

if [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    say "installing cargo-deny $version into $folder"
    # Unoptimised, it is ready soonest. A separate target folder keeps ours clean.
    CARGO_PROFILE_DEV_DEBUG=false CARGO_INCREMENTAL=0 cargo install --quiet --locked --debug --force \
        --root "$folder" --target-dir "$folder/build" cargo-deny@$version
    rm -rf "$folder/build"
fi

"$deny" --locked --log-level error check --hide-inclusion-graph bans licenses sources

# Advisories are news from outside. They are shown, but must not fail what passed yesterday.
if timeout 120 "$deny" --locked fetch db 2>/dev/null; then
    "$deny" --locked --offline check --hide-inclusion-graph advisories ||
        say "see the advisories above: update the crates that they name, or say in deny.toml why you do not"
else
    say "advisories were NOT checked, because their database, https://github.com/RustSec/advisory-db, cannot be reached"
fi
