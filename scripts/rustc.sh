#!/usr/bin/env bash
# Lints a crate of this workspace with Clippy, then compiles it. The Makefile makes this Cargo's
# `rustc-workspace-wrapper`: Cargo calls `rustc.sh RUSTC ARGUMENT...`.
#
# Why not `cargo clippy`? It cannot use what `cargo build` compiled, and checks a thousand
# dependencies again. Why two passes? Clippy turns off some of rustc's optimisations, so it must not
# compile what we run. A change to clippy.toml alone does not lint anything again.
set -euo pipefail

# Cargo also asks the compiler for its version and the like. A demo is not linted (GOTONG_LINT=no).
[[ " $* " == *" --emit="* && ${GOTONG_LINT:-yes} = yes ]] || exec "$@"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The same compilation, except that it stops at metadata, which nobody reads. Cargo must not hear of
# that file, because it would take the crate for ready.
lint=()
previous=
for argument; do
    case $argument in
        --emit=*) argument=--emit=metadata ;;
        --json=*) argument=${argument/,artifacts/} ;;
        incremental=*) argument=incremental=$scratch ;;
    esac
    [ "$previous" = --out-dir ] && argument=$scratch
    previous=$argument
    lint+=("$argument")
done
clippy-driver "${lint[@]}" -D warnings
"$@"
