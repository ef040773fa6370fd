#!/usr/bin/env bash
# Says on stderr what is about to happen, and about how long it takes.
#
#   scripts/announce.sh build FOLDER             before cargo builds into FOLDER; says nothing if there is nothing to build
#   scripts/announce.sh build-for-demo FOLDER    the same without the parts for GPUs
#   scripts/announce.sh demo NAME                before a demo and what has to be built for it: mlp, lm or own
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$@" >&2; }

# A first build: minutes of work for all cores together, and minutes in which only one core has work.
core_minutes=38
serial_minutes=1
# The part of that for GPUs, which demos do not need.
gpu_core_minutes=10
# What has to be compiled again after a build for a demo, to get that part.
again_core_minutes=9

build() { announce "$1" .built "$core_minutes" ''; }

build-for-demo() {
    announce "$1" .built-for-demo $((core_minutes - gpu_core_minutes)) " It leaves out what GPUs need; 'make build' adds that later."
}

# announce FOLDER MARK CORE_MINUTES NOTE: the Makefile leaves a mark after every build, because some changes rebuild neither program.
announce() {
    local cores since=(-newer "$1/gotong" -newer "$1/gotong-node")
    cores=$(getconf _NPROCESSORS_ONLN)
    if [ ! -x "$1/gotong" ] || [ ! -x "$1/gotong-node" ]; then
        say "Gotong has not been built here yet. This first installs whatever is missing: system packages (sudo may ask for your" \
            "password), the Wasm target and two data sets. Then it compiles the node and the worker with over 1,000 crates.$4" \
            "That takes about $(($3 / cores + serial_minutes)) minutes on $cores cores. If you stop it, the next run continues from there."
        return
    fi
    if [ "$2" = .built ] && [ -e "$1/.built-for-demo" ]; then
        say "So far only the demo has been built here. Adding what GPUs need takes about" \
            "$(((gpu_core_minutes + again_core_minutes) / cores + 1)) minutes on $cores cores."
        return
    fi
    [ ! -e "$1/$2" ] || since+=(-newer "$1/$2")
    if [ -n "$(find Cargo.lock data evaluation node off-chain-worker pallets panics patches primitives runtime training -type f "${since[@]}" -print -quit)" ]; then
        say "The sources have changed since the last build. Compiling the changes takes a few minutes on $cores cores."
    fi
}

demo() {
    case $1 in
        mlp) say "The demo runs a network on this machine: one node, a sponsor, five contributors (one submits noise) and four" \
            "attesters (one lies). They improve a classifier of pictures of clothes for ten rounds, in about 5 minutes." ;;
        lm) say "The demo runs a network on this machine: one node, a sponsor, three contributors and two attesters. They improve" \
            "a language model on Shakespeare's plays for ten rounds, in about 11 minutes on two cores." ;;
        own) say "The demo runs a network on this machine that improves a model on your data. It takes a few" \
            "minutes for a table, and longer for text." ;;
    esac
}

"$@"
