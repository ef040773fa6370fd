//! Compiles the runtime to Wasm, once for each pace, and embeds both in the native crate: see src/pace.rs.
//!
//! Each is compiled with the hash of the metadata with which offline signers, such as hardware wallets, check what they sign.
//! `substrate-wasm-builder` would compile everything twice to compute it. Here it is in a file, and a test checks that it is
//! right.

/// The file with the hash of the usual runtime, in hexadecimal. `make metadata-hash` writes it.
#[cfg(feature = "std")]
const METADATA_HASH: &str = "metadata/hash.txt";
/// The file with the hash of the fast one. It differs because the hash covers the runtime's name.
#[cfg(feature = "std")]
const METADATA_HASH_FAST: &str = "metadata/hash-fast.txt";

#[cfg(feature = "std")]
fn main() -> std::io::Result<()> {
    use substrate_wasm_builder::WasmBuilder;

    // The Wasm may be compiled by a different compiler than the one Clippy belongs to: see scripts/rustc.sh.
    std::env::remove_var("RUSTC_WORKSPACE_WRAPPER");

    compile_with(METADATA_HASH)?;
    WasmBuilder::init_with_defaults().build();
    compile_with(METADATA_HASH_FAST)?;
    WasmBuilder::init_with_defaults()
        .set_file_name("fast_runtime.rs")
        .enable_feature("fast")
        .build();
    Ok(())
}

/// Has `CheckMetadataHash` compiled with the hash in this file, until the next file is named.
#[cfg(feature = "std")]
fn compile_with(file: &str) -> std::io::Result<()> {
    println!("cargo:rerun-if-changed={file}");
    let hash = std::fs::read_to_string(file)?;
    std::env::set_var("RUNTIME_METADATA_HASH", hash.trim());
    Ok(())
}

// Used when the Wasm itself is compiled.
#[cfg(not(feature = "std"))]
fn main() {}
