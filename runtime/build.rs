//! Compiles the runtime to Wasm, once for each pace, and embeds both in the native crate: see src/pace.rs.
//!
//! Each is compiled with the hash of the metadata with which offline signers, such as hardware wallets, check what they sign.
//! `substrate-wasm-builder` would compile everything twice to compute it. Here it is in a file, and a test checks that it is
//! right.

/// The file with the hash, in hexadecimal. `make metadata-hash` writes it.
#[cfg(feature = "std")]
const METADATA_HASH: &str = "metadata/hash.txt";

#[cfg(feature = "std")]
fn main() -> std::io::Result<()> {
    use substrate_wasm_builder::WasmBuilder;

    // The Wasm may be compiled by another compiler than Clippy belongs to: see scripts/rustc.sh.
    std::env::remove_var("RUSTC_WORKSPACE_WRAPPER");

    println!("cargo:rerun-if-changed={METADATA_HASH}");
    let hash = std::fs::read_to_string(METADATA_HASH)?;
    // `CheckMetadataHash` is compiled with it.
    std::env::set_var("RUNTIME_METADATA_HASH", hash.trim());

    WasmBuilder::init_with_defaults().build();
    WasmBuilder::init_with_defaults()
        .set_file_name("fast_runtime.rs")
        .enable_feature("fast")
        .build();
    Ok(())
}

// When the Wasm itself is compiled.
#[cfg(not(feature = "std"))]
fn main() {}
