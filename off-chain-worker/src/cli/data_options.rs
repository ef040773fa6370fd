//! The options that name a data set, the folder of all of them, and how to read the user's own files.

use gotong_data::{Format, Source, SourceOptions};
use gotong_protocol::Graph;
use gotong_training::data::{self, DataError, DataSet, Labelled, Use, DATA_VARIABLE};
use std::path::PathBuf;

/// Which samples to take, and where they are.
#[derive(Clone, Debug, clap::Args)]
pub struct Data {
    /// The data set [default: the one that fits the model]
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

/// How to read the user's own files.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReadingArgs {
    /// The column (of a table) or the array (of an array file) that holds the labels
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The column (of a table) or the key (of JSON lines) that holds the text
    #[arg(long, value_name = "COLUMN")]
    field: Option<String>,
    /// The array (of an array file) that holds the inputs [default: the one with a usual name, such as x]
    #[arg(long, value_name = "ARRAY")]
    inputs: Option<String>,
    /// What the files are: csv, parquet, jsonl, text, npz, safetensors, idx, images or records [default: judged by their names]
    #[arg(long)]
    format: Option<Format>,
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

impl ReadingArgs {
    /// Files with their labels in this column.
    #[cfg(test)]
    pub fn labelled(column: &str) -> Self {
        Self {
            label: Some(column.to_owned()),
            ..Self::default()
        }
    }

    /// The same options, as the readers take them.
    pub fn options(&self) -> SourceOptions {
        SourceOptions {
            format: self.format,
            field: self.field.clone(),
            label: self.label.clone(),
            inputs: self.inputs.clone(),
        }
    }

    /// Opens files of one format as one source.
    pub fn open(&self, files: &[PathBuf]) -> Result<Source, gotong_data::DataError> {
        Source::open(files, self.options())
    }
}
