//! What `substrate-wasm-builder` asks of the crate `wasm-opt`, without Binaryen.
//!
//! It never optimises (`new_opt_level_0`). It checks that a module has no instruction beyond WebAssembly 1.0, removes debug
//! information, and would lower instructions that extend a sign. A compiler for `wasm32v1-none` emits none of them, so
//! here they are an error.

use std::path::Path;

use parity_wasm::{elements::{Module, Section}, SerializationError};

/// What Binaryen can do to a module; of its passes, those that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Remove DWARF: the custom sections `.debug_*`.
    StripDwarf,
    /// Replace instructions that extend a sign. There are none.
    SignextLowering,
}

/// What to do to a module.
#[derive(Clone, Debug)]
pub struct OptimizationOptions {
    passes: Vec<Pass>,
}

impl OptimizationOptions {
    /// Optimise nothing.
    pub fn new_opt_level_0() -> Self {
        Self { passes: Vec::new() }
    }

    /// Accept nothing beyond WebAssembly 1.0, as is always so here.
    pub fn mvp_features_only(&mut self) -> &mut Self {
        self
    }

    /// Keep the names of functions, as is always so here.
    pub fn debug_info(&mut self, _keep: bool) -> &mut Self {
        self
    }

    /// Adds a pass.
    pub fn add_pass(&mut self, pass: Pass) -> &mut Self {
        self.passes.push(pass);
        self
    }

    /// Reads the module `from`, and writes what becomes of it `to` a file, which may be the same.
    ///
    /// # Errors
    /// Files that cannot be read or written; instructions beyond WebAssembly 1.0.
    pub fn run(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), SerializationError> {
        let file = |error: std::io::Error| SerializationError::HeapOther(error.to_string());
        let bytes = std::fs::read(from).map_err(file)?;
        let mut module: Module = parity_wasm::deserialize_buffer(&bytes)?;
        if self.passes.contains(&Pass::StripDwarf) {
            module.sections_mut().retain(|section| !is_dwarf(section));
        }
        std::fs::write(to, parity_wasm::serialize(module)?).map_err(file)
    }
}

fn is_dwarf(section: &Section) -> bool {
    matches!(section, Section::Custom(custom) if custom.name().starts_with(".debug_"))
}
