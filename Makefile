# Gotong: `make demo` and `make test` do everything, set-up included. `make help` lists the rest.

# Where cargo builds; set CARGO_TARGET_DIR to share one folder between checkouts.
TARGET = $(or $(CARGO_TARGET_DIR),target)
BIN = $(TARGET)/debug
# Where tests and benchmarks run scikit-learn, onnxruntime and PyTorch.
PYTHON = $(TARGET)/python
# Where tests run third-party clients: polkadot-js, PAPI, smoldot, Chopsticks and two in Python.
CLIENTS = $(TARGET)/clients

# The runtime's Wasm is built by rustup's wasm32v1-none, or, where rustup cannot fetch it, by the
# toolchain that scripts/setup.sh links as `wasm-web`. Expanded when a recipe runs, after set-up.
WASM_TARGET = $(shell rustup target list --installed 2>/dev/null | grep -x wasm32v1-none)
# Otherwise a crate of the node's network would compile OpenSSL. It still does where the system has none.
OPENSSL = $(if $(shell pkg-config --exists openssl && echo yes),OPENSSL_NO_VENDOR=1 )
# Clippy looks at our own crates as they are compiled, and a warning is an error.
CARGO = $(if $(WASM_TARGET),,WASM_BUILD_TOOLCHAIN=wasm-web )$(OPENSSL)cargo --config 'build.rustc-workspace-wrapper="scripts/rustc.sh"'
WASM_CARGO = $(if $(WASM_TARGET),cargo,rustup run wasm-web cargo)

# End-to-end tests that run at once. They mostly wait for blocks, so a core has room for two.
END_TO_END_TESTS = $(shell expr 2 '*' `getconf _NPROCESSORS_ONLN`)

# Where `make install` installs, and what it puts before every path.
PREFIX = /usr/local
DESTDIR =
# Where `make package` writes.
PACKAGES = $(TARGET)/package

# Software Vulkan needs it, and only desktops set it.
export XDG_RUNTIME_DIR ?= $(abspath $(TARGET))

.DEFAULT_GOAL := help
.PHONY: help setup python pytorch clients announce announce-for-demo announce-demo announce-demo-lm build build-for-demo install package test-package demo demo-lm test test-pytorch test-clients soak check bench attacks gpu weights metadata-hash release-listing doc book

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

setup: ## Install whatever is missing: system packages, the Wasm target, data sets
	@scripts/setup.sh

python: ## Install scikit-learn and onnxruntime in their own virtual environment
	@scripts/python.sh "$(PYTHON)"

pytorch: python ## Add PyTorch to that environment (downloads 2.4 GB)
	@scripts/python.sh "$(PYTHON)" torch

clients: ## Install third-party clients for tests, from npm and PyPI
	@scripts/clients.sh "$(CLIENTS)"

announce announce-for-demo: announce%:
	@scripts/announce.sh build$* "$(BIN)"

announce-demo:
	@scripts/announce.sh demo $(if $(DATA),own,mlp)

announce-demo-lm:
	@scripts/announce.sh demo lm

# The whole workspace is selected: `-p` would choose other features, and compile five of our crates twice.
BUILD = $(CARGO) build --locked --workspace --bin gotong --bin gotong-node

# What was built last, if Cargo was called from here: everything, or what a demo needs.
MARK_BUILT = @rm -f "$(BIN)/.built-for-demo" && touch "$(BIN)/.built"

build: announce setup ## Build the node and the worker
	$(BUILD)
	$(MARK_BUILT)

# The same without what compiles for GPUs, a quarter of all work. Our crates keep their other default features.
build-for-demo: announce-for-demo setup
	$(BUILD) --no-default-features \
		--features "$(patsubst %,%/default,gotong-protocol gotong-runtime-api gotong-runtime pallet-contribution pallet-referee)"
	@touch "$(BIN)/.built-for-demo"

install: ## Install what `make build` has built, with completions, manual pages and systemd units (PREFIX=/usr/local)
	scripts/install.sh "$(BIN)" "$(PREFIX)" "$(DESTDIR)"

package: build ## Build a Debian package, a tarball and their checksums in target/package
	scripts/package.sh "$(BIN)" "$(PACKAGES)"

test-package: package ## Install both packages in clean root folders, and run a node and `gotong doctor` there
	scripts/test-package.sh "$(PACKAGES)"

# Who runs a demo waits for no lints. `make check` lints what it compiled all the same: the tests compile every crate again.
demo demo-lm: export GOTONG_LINT = no

# It trains on the processor. Once `make build` has run, a demo keeps to what that builds.
BUILD_FOR_DEMO = $(if $(wildcard $(BIN)/.built),build,build-for-demo)

demo: announce-demo $(BUILD_FOR_DEMO) ## Run a whole network on this machine for ten rounds on Fashion-MNIST (DATA=FILE LABEL=COLUMN: on your own table; FIELD=KEY: on your own text)
	"$(BIN)/gotong" demo $(if $(DATA),--data-file "$(DATA)" --folder demo-own) $(if $(LABEL),--label "$(LABEL)") $(if $(FIELD),--field "$(FIELD)")

demo-lm: announce-demo-lm $(BUILD_FOR_DEMO) ## Run the same with a language model on Shakespeare's plays
	"$(BIN)/gotong" demo --model lm --folder demo-lm

test: check python ## Run `check`, then unit, property and end-to-end tests, and test the packages in clean root folders
	$(CARGO) test --locked --workspace
	$(CARGO) test --locked --workspace --test end_to_end -- --test-threads $(END_TO_END_TESTS)
	$(CARGO) test --locked --workspace --test end_to_end -- --test-threads 1 --ignored alone::
	scripts/package.sh "$(BIN)" "$(PACKAGES)"
	scripts/test-package.sh "$(PACKAGES)"

test-pytorch: build pytorch ## Run the tests that need PyTorch
	$(CARGO) test --locked --workspace --test end_to_end -- --ignored pytorch::

test-clients: build clients ## Run the tests with third-party clients (needs Node.js 20)
	$(CARGO) test --locked --workspace --test end_to_end -- --test-threads $(END_TO_END_TESTS) --ignored clients::

soak: build ## Kill the processes of four authorities at random for ten minutes, and check that the money adds up (SECONDS=600 SEED=1); the last line is JSON
	$(CARGO) build --locked --workspace --example soak
	"$(BIN)/examples/soak" --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

check: setup ## Check the format, links in the docs, imports between crates, portability, no_std, Wasm, dependencies (licences, versions) and lints
	cargo fmt --all --check
	scripts/check-links.py --self-test
	scripts/check-links.py
	scripts/demo-picture.py --check
	scripts/check-imports.sh
	scripts/check-portable.py --self-test
	scripts/check-portable.py
	$(WASM_CARGO) build --locked -p gotong-protocol --no-default-features --target wasm32v1-none
	scripts/deny.sh "$(TARGET)/tools"
	$(CARGO) build --locked --workspace
	$(MARK_BUILT)
	$(CARGO) test --locked --workspace --lib --bins --examples --benches --test '*' --no-run

bench: build pytorch ## Measure speed and sizes, and write target/bench/report.json (PART=large: only that part)
	$(CARGO) build --locked --workspace --example library_speed
	$(CARGO) bench --locked --workspace --bench report --profile dev -- $(if $(PART),--only $(PART)) --out target/bench/$(or $(firstword $(PART)),report).json

attacks: setup ## Run the attacks on pay, and print a table and, as the last line, one JSON object (ONLY=split: only these attacks; ONLY=gradient: only that check)
	$(CARGO) build --locked --workspace --example attacks
	"$(BIN)/examples/attacks" $(if $(ONLY),--only $(ONLY))

gpu: build ## Test whether this machine's GPU is exact, and how fast it is (FEATURES=gotong/vulkan or gotong/cuda adds a backend)
	$(CARGO) test --locked --workspace --features "$(FEATURES)" --test equality -- --nocapture
	$(CARGO) bench --locked --workspace --features "$(FEATURES)" --bench report --profile dev -- --only gpu --out target/bench/gpu.json

weights: setup ## Measure the pallets' weights (builds a node with benchmarks)
	SKIP_FRAME_STORAGE_ACCESS_TEST_RUNTIME_WASM_BUILD=1 $(CARGO) build --locked --workspace --bin gotong-node --features gotong-node/runtime-benchmarks
	for pallet in pallet_contribution pallet_referee authorities governance; do \
		"$(BIN)/gotong-node" benchmark pallet --chain dev --pallet $$pallet --extrinsic '*' --steps 10 --repeat 5 \
			--output runtime/src/weights/$$pallet.rs --template scripts/weights.hbs || exit 1; \
	done

metadata-hash: setup ## Write the hashes of the metadata, which go into the Wasm (run it after any change of calls, views, types or versions)
	GOTONG_WRITE=hash.txt $(CARGO) test --locked --workspace --lib both_wasm_have_the_hash_of_this_metadata

release-listing: setup ## List what this release's runtime is made of, so that the next release can be compared with it
	GOTONG_WRITE=release.txt $(CARGO) test --locked --workspace --lib versions_rise_with_what_changes

doc: ## Build the API documentation
	$(CARGO) doc --locked --no-deps --workspace

book: ## Build a book of the README, the docs and all other pages (target/book/html/index.html)
	scripts/book.sh $(TARGET)/tools $(TARGET)/book
