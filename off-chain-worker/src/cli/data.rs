//! The options that name a data set and the folder of all of them.

use crate::training::data::{self, DataSet, Labelled, Use, DATA_VARIABLE};
use anyhow::Context;
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
    /// The chosen data set, else the one that `graph` is made for.
    pub fn set(&self, graph: &Graph) -> anyhow::Result<DataSet> {
        set(self.data, graph)
    }

    /// The part for one use, as samples that `graph` takes.
    pub fn load(&self, part: Use, graph: &Graph) -> anyhow::Result<Labelled> {
        Ok(self.set(graph)?.load(&self.folder.path(), part, graph)?)
    }
}

/// The chosen data set, else the one that `graph` is made for.
pub fn set(chosen: Option<DataSet>, graph: &Graph) -> anyhow::Result<DataSet> {
    chosen.or_else(|| DataSet::of(graph)).with_context(|| {
        let misfits = DataSet::ALL.iter().filter_map(|set| set.check(graph).err());
        let misfits: Vec<String> = misfits.map(|misfit| misfit.to_string()).collect();
        format!(
            "no data set that Gotong knows fits the model: {}",
            misfits.join("; ")
        )
    })
}
