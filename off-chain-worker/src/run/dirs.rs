//! The folders of a worker.

use super::Pools;
use crate::state::{Folder, StateError};
use std::path::PathBuf;

/// Where a worker keeps its state, and the public pools that it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerDirs {
    /// The folder of state.
    pub folder: Folder,
    /// The pools that are kept there or were given.
    pub pools: Pools,
}

impl WorkerDirs {
    /// `offered` are files that may be pools of tasks. A file that is one is copied here.
    pub fn open(folder: Folder, offered: Vec<PathBuf>) -> Result<Self, StateError> {
        let pools = Pools::new(folder.sub("pools")?, offered);
        Ok(Self { folder, pools })
    }
}
