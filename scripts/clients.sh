#!/usr/bin/env bash
# Installs the third-party clients with which tests/tests/end_to_end/clients.rs runs the scripts of tests/clients.
# Idempotent: it does nothing while the pinned versions are installed; otherwise it installs everything again.
#
#   scripts/clients.sh FOLDER    npm's packages are in FOLDER/node_modules; each Python client has a virtual environment of its own
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'clients: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

[ "$#" -eq 1 ] || die "usage: scripts/clients.sh FOLDER"
folder=$1
pinned=tests/clients
python_clients=(substrate_interface aio_substrate_interface)
sources=("$pinned"/package.json "$pinned"/package-lock.json)
for client in "${python_clients[@]}"; do sources+=("$pinned/$client.requirements.txt"); done
made_from=$folder/made-from

cmp --silent <(cat "${sources[@]}") "$made_from" && exit

node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null && command -v npm >/dev/null \
    || die "please install Node.js 20 or newer, with npm"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || die "please install Python 3.11 or newer, as python3"
say "installing polkadot-js, PAPI, smoldot, Chopsticks and two clients in Python into $folder (460 MB on disk)"
# This script removes only a folder that it made itself.
if [ -e "$folder" ] && [ ! -e "$folder/package-lock.json" ]; then
    rmdir "$folder" 2>/dev/null || die "$folder contains other files: remove it, or name another folder"
fi
rm -rf "$folder"
mkdir -p "$folder"
cp "$pinned/package.json" "$pinned/package-lock.json" "$folder"
(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null) \
    || die "npm could not install what $pinned/package-lock.json pins: make sure that it can reach npm's registry, then run this again"
for client in "${python_clients[@]}"; do
    python3 -m venv "$folder/$client" || die "python3 cannot create virtual environments: on Debian, run 'apt-get install python3-venv'"
    "$folder/$client/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps \
        --requirement="$pinned/$client.requirements.txt" || die "pip could not install $pinned/$client.requirements.txt: make sure that it can reach PyPI, then run this again"
done
"$folder/substrate_interface/bin/python" -c 'import substrateinterface' || die "substrate-interface does not start"
"$folder/aio_substrate_interface/bin/python" -c 'import async_substrate_interface, bittensor_wallet' \
    || die "aio-substrate-interface does not start"
cat "${sources[@]}" > "$made_from"
say "ready"
