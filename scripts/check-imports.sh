#!/usr/bin/env bash
# Checks which crate may import which (ARCHITECTURE.md), by the real dependency graph and the sources.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

# forbid CRATE PATTERN WHY [OPTION...]: no dependency of CRATE matches PATTERN (dev-dependencies do not count); the options go to
# cargo.
forbid() {
    local tree found
    tree=$(cargo tree --locked -p "$1" "${@:4}" -e normal --prefix none --format '{p}')
    found=$(awk '{print $1}' <<<"$tree" | sort -u | grep -xE "$2" | grep -vx "$1" || true)
    if [ -n "$found" ]; then
        printf 'check-imports: %s must not depend on %s: %s\n' "$1" "$(echo $found)" "$3" >&2
        failed=1
    fi
}

# forbid_use FOLDER PATTERN WHY: no source below FOLDER matches PATTERN.
forbid_use() {
    if grep -rnE "$2" "$1" --include='*.rs' >&2; then
        printf 'check-imports: in %s: %s\n' "$1" "$3" >&2
        failed=1
    fi
}

forbid gotong-scoring 'frame-.*|sp-.*|sc-.*|pallet-.*|gotong-.*' 'the exact machine stands alone'
forbid gotong-protocol 'frame-.*|sp-.*|sc-.*|pallet-.*|gotong-(runtime|node)' 'shared types know no FRAME'
forbid gotong-runtime-api 'frame-(support|system|executive)|sc-.*|pallet-.*|gotong|gotong-(runtime|node)' 'the runtime APIs know no pallets'
forbid gotong-data 'burn.*|tokio|subxt.*|frame-.*|sp-.*|sc-.*|pallet-.*|gotong|gotong-(protocol|runtime|node)' 'files are read without a chain or a trainer'
forbid gotong-panics '.*' 'it catches panics, and nothing else'
forbid gotong-evaluation 'tokio|subxt.*|frame-.*|sp-.*|sc-.*|pallet-.*|gotong|gotong-(data|training|runtime|node)' 'the exact machine runs without a chain, files or a trainer'
forbid gotong-training 'tokio|subxt.*|frame-.*|sp-.*|sc-.*|pallet-.*|gotong|gotong-(evaluation|protocol|runtime|node)' 'training knows no chain and no score'
forbid pallet-contribution 'pallet-.*' 'pallets never import siblings'
forbid pallet-referee 'pallet-.*' 'pallets never import siblings'
forbid gotong-runtime 'burn.*|tokio|subxt.*|gotong|gotong-node' 'nothing that runs in Wasm trains or does I/O' --no-default-features --target wasm32v1-none
forbid gotong 'frame-(support|system|executive)|pallet-.*|sc-.*|gotong-(runtime|node)' 'the worker knows the chain through its metadata'
forbid gotong-node 'burn.*|subxt|gotong' 'the node trains nothing'

if grep -l gotong-tests --include=Cargo.toml -r primitives data panics evaluation training pallets runtime node off-chain-worker >&2; then
    echo 'check-imports: the manifests above name gotong-tests, which no other crate may import' >&2
    failed=1
fi

if grep -nE '"(gotong-runtime/)?next"' --include=Cargo.toml -r primitives data panics evaluation training pallets runtime node off-chain-worker tests >&2; then
    echo 'check-imports: only tests/build.rs turns on `next` of the runtime, for a Wasm of its own' >&2
    failed=1
fi

rooms='chain engine'
for room in $rooms; do
    for other in $rooms; do
        [ "$room" = "$other" ] || forbid_use "off-chain-worker/src/$room" "crate::$other\b" "room $room must not import room $other"
    done
    forbid_use "off-chain-worker/src/$room" 'crate::(cli|run|lab)\b' "room $room must not import what stands above it"
    forbid_use "off-chain-worker/src/$room" 'crate::\{' "write crate::ROOM::..., which this check can read"
done
forbid_use off-chain-worker/src/engine '\b(tokio|subxt|std::fs)::' 'the engine does no I/O'

[ "$failed" -eq 0 ] && echo 'check-imports: ok'
exit "$failed"
