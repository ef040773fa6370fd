//! The options that name a data set and the folder of all of them.

use crate::training::data::{self, DataError, DataSet, Labelled, Use, DATA_VARIABLE};
use gotong_protocol::Graph;
use std::path::PathBuf;

/// Which samples to take, and where they are.
#[derive(Clone, Debug, clap::Args)]
pub struct Data {
    /// The data set [default: the one that the model is made for]
    #[arg(long, value_enum)]
    pub data: Option<DataSet>,
    #[command(flatten)]
    pub folder: DataFolder,
}

/// Where data sets are.
#[derive(Clone, Debug, clap::Args)]
pub struct DataFolder {
    /// The folder of data sets [default: ~/.cache/gotong/data]
    #[arg(long, value_name = "DIR", env = DATA_VARIABLE)]
    data_dir: Option<PathBuf>,
}

impl DataFolder {
    pub fn path(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(data::folder)
    }
}

impl Data {
    /// The part for one use, as samples that `graph` takes.
    pub fn load(&self, part: Use, graph: &Graph) -> Result<Labelled, DataError> {
        DataSet::choose(self.data, graph)?.load(&self.folder.path(), part, graph)
    }
}
