//! Compiles the runtime to Wasm and embeds it in the native crate as `WASM_BINARY`.

fn main() {
    // The Wasm may be compiled by another compiler than Clippy belongs to: see scripts/rustc.sh.
    std::env::remove_var("RUSTC_WORKSPACE_WRAPPER");

    #[cfg(all(feature = "std", not(feature = "metadata-hash")))]
    substrate_wasm_builder::WasmBuilder::build_using_defaults();

    // Symbol and decimals are part of the hash: they repeat `TOKEN_SYMBOL` and `TOKEN_DECIMALS`.
    #[cfg(all(feature = "std", feature = "metadata-hash"))]
    substrate_wasm_builder::WasmBuilder::init_with_defaults()
        .enable_metadata_hash("GTG", 12)
        .build();
}
