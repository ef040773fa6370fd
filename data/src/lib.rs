//! Users' own data.
//!
//! A [`Source`] is one or more files of one format, read row by row in small buffers. A [`Recipe`] says
//! how a row becomes the bytes that a model takes: it is a short TOML text, [learned](learn()) from the
//! training rows, which a task carries so that everyone makes the same bytes. [`Recipe::load`] gives
//! them as [`Labelled`] samples.
//!
//! ```
//! use gotong_data::{learn, LearnOptions, Source, SourceOptions};
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("flowers.csv");
//! # std::fs::write(&path, "petal,species\n1.0,setosa\n1.5,setosa\n4.0,iris\n6.0,iris\n").unwrap();
//! let options = SourceOptions {
//!     label: Some("species".into()),
//!     ..SourceOptions::default()
//! };
//! let source = Source::open(&[path], options)?;
//! let recipe = learn(&source, |_| true, &LearnOptions::default())?;
//! let samples = recipe.load(&source, None)?;
//! assert_eq!(samples.pixels, [0, 26, 153, 255]);
//! assert_eq!(samples.labels, [1, 1, 0, 0]);
//! # Ok::<(), gotong_data::DataError>(())
//! ```

#![forbid(unsafe_code)]

pub mod built_in;
pub mod duplicates;
mod error;
#[cfg(test)]
mod fixture;
pub mod inspect;
mod labelled;
mod learn;
mod read;
mod recipe;
mod samples;
mod source;
pub mod split;
mod tokenizer;
mod whole_file;

pub use error::DataError;
pub use labelled::Labelled;
pub use learn::{learn, learn_text, LearnOptions};
pub use read::array::{ArrayError, Role};
pub use read::images::ImageError;
pub use read::packed::Packing;
pub use read::records::{RecordsHeader, RecordsWriter};
pub use recipe::array::ArrayRecipe;
pub use recipe::image::ImageRecipe;
pub use recipe::table::{Column, How, Label, TableRecipe};
pub use recipe::text::{TextRecipe, TokenKind};
pub use recipe::{Encoded, Encoder, Recipe, RecipeError};
pub use samples::MemoryLimit;
pub use source::{
    Cell, Cells, Format, Kind, ParseFormatError, Place, Row, Rows, Source, SourceOptions, Values,
};
pub use split::{Assignment, By, Split, SplitError, Use};
pub use tokenizer::{Tokenizer, UnknownCharacter};
pub use whole_file::write_whole;
