//! Compiles the runtime of a future release (runtime/src/migrations/next.rs) to Wasm, so that tests can upgrade chains to it.
//!
//! `substrate-wasm-builder` compiles in a folder that is named after the crate; here this is the one in which runtime/build.rs
//! compiles what is shipped. So only one more crate is compiled rather than all of them, but the two must not run at the same time.
//! The runtime `links`, and this crate depends on it, so that Cargo runs that script first.
//!
//! The Wasm does not contain the hash of its metadata, because no test signs for it as hardware wallets do.

use std::{env, error::Error, path::Path};
use substrate_wasm_builder::WasmBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    // The compiler for the Wasm may be another one than Clippy belongs to: see scripts/rustc.sh.
    env::remove_var("RUSTC_WORKSPACE_WRAPPER");

    // The builder compares the path with the one that Cargo uses, which contains no dots.
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
