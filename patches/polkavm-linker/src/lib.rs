//! What `substrate-wasm-builder` asks of the crate `polkavm-linker`, without a linker: whoever sets
//! `SUBSTRATE_RUNTIME_TARGET=riscv` gets an error.

use std::path::PathBuf;

/// Why nothing is linked.
const NOT_HERE: &str = "Gotong's runtime is WebAssembly only: see patches/polkavm-linker";

/// The target for which the compiler is asked to describe itself.
#[derive(Clone, Debug, Default)]
pub struct TargetJsonArgs {
    /// Whether words have 64 bits.
    pub is_64_bit: bool,
}

/// Where that target is described for the compiler.
///
/// # Errors
/// Always.
pub fn target_json_path(_args: TargetJsonArgs) -> Result<PathBuf, String> {
    Err(NOT_HERE.into())
}

/// The instructions that a program may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetInstructionSet {
    /// Those of the first version of JAM.
    JamV1,
}

/// How to link.
#[derive(Clone, Debug, Default)]
pub struct Config {}

impl Config {
    /// Removes debug information, if something were linked.
    pub fn set_strip(&mut self, _strip: bool) -> &mut Self {
        self
    }
}

/// Links a program.
///
/// # Errors
/// Always.
pub fn program_from_elf(_config: Config, _instructions: TargetInstructionSet, _elf: &[u8]) -> Result<Vec<u8>, String> {
    Err(NOT_HERE.into())
}
