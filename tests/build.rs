//! Compiles the runtime of a release to come (runtime/src/migrations/next.rs) to Wasm: tests upgrade chains to it.
//!
//! `substrate-wasm-builder` compiles in a folder that is named after the crate, here the one in which runtime/build.rs compiles
//! what is shipped. So one crate more is compiled rather than all; but the two must not run at once. The runtime `links`, and we
//! depend on it, so that Cargo runs that script first.
//!
//! The Wasm is without the hash of its metadata: no test signs for it as hardware wallets do.

use std::{env, error::Error, path::Path};
use substrate_wasm_builder::WasmBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    // The Wasm may be compiled by another compiler than Clippy belongs to: see scripts/rustc.sh.
    env::remove_var("RUSTC_WORKSPACE_WRAPPER");

    // The builder compares it with what Cargo calls it: no path with dots.
    let own = env::var("CARGO_MANIFEST_DIR")?;
    let workspace = Path::new(&own).parent().ok_or("no workspace")?;
    let runtime = workspace.join("runtime").join("Cargo.toml");
    WasmBuilder::new()
        .with_project(runtime)?
        .import_memory()
        .export_heap_base()
        .set_file_name("next_runtime.rs")
        .enable_feature("fast")
        .enable_feature("next")
        .build();
    Ok(())
}
