//! Why data cannot be used, and what to do about it.

use crate::{ArrayError, Format, ImageError, Kind, Packing, Place, RecipeError, SplitError};
use std::{io, path::PathBuf};

/// Why data cannot be read, learned from, or made into samples.
///
/// Every message names the file, the row (from 1, without the header) and the column where there is
/// one, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No file was named.
    #[error("no file given; name at least one")]
    NoFile,
    /// A file is not there.
    #[error("{} does not exist; check the path", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A path is a folder, but its format has files.
    #[error("{} is a folder; name the files in it or, for images, a folder with one subfolder per class", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// A path is a file, but its format has folders.
    #[error("{} is a file where a class folder is expected; for images, give a folder with one subfolder per class or, to \
        predict them, a folder that holds only images", .path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refuses to read a file.
    #[error("cannot read {} ({source}); check the file and its permissions", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The operating system refuses to write a file.
    #[error("cannot write {} ({source}); check the folder, its permissions and free space", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file's name does not tell its format.
    #[error("the name of {} does not show its format; name the format: {}", .path.display(), Format::names())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// Files of two formats.
    #[error("{} is {found}, but the first file is {first}; use files of one format", .path.display())]
    MixedFormats {
        /// The file that differs.
        path: PathBuf,
        /// Its format.
        found: Format,
        /// The first file's.
        first: Format,
    },
    /// Files with different columns, shapes or kinds.
    #[error("{} has {found}, but the first file has {first}; make them match", .path.display())]
    FilesDiffer {
        /// The file that differs.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What the first file has.
        first: String,
    },
    /// A file, or all of them, hold no row.
    #[error("{} has no rows; check that it is the right file", .path.display())]
    Empty {
        /// The file, or the first one.
        path: PathBuf,
    },
    /// A file ends before what it promises.
    #[error("{} is cut off ({reason}); copy or download it again", .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The bytes of a packed file are not those that were packed.
    #[error("{} is damaged ({reason}); copy or download it again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is not packed, though its name says so.
    #[error("{} is not compressed with {packing}, although its name says so; rename it or compress it", .path.display())]
    NotPacked {
        /// The file.
        path: PathBuf,
        /// What its name says.
        packing: Packing,
    },
    /// A packed file of a format that is only read unpacked.
    #[error("{} is {format} compressed with {packing}, but only csv, jsonl and text can be read compressed; decompress it first", .path.display())]
    PackedFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: Format,
        /// How it is packed.
        packing: Packing,
    },
    /// A packed file contains something other than rows or text.
    #[error("{} holds {found}, compressed with {packing}; decompress it, and name the file inside", .path.display())]
    PackedContent {
        /// The file.
        path: PathBuf,
        /// How it is packed.
        packing: Packing,
        /// What is inside.
        found: &'static str,
    },
    /// A file does not have the format it is read as.
    #[error("{} is not a valid {format} file ({reason}); check the file, or name another format", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format that it is read as.
        format: Format,
        /// What is wrong.
        reason: String,
    },
    /// A row does not have the format it is read as.
    #[error("{at} cannot be read ({reason}); correct or remove the row")]
    BadRow {
        /// The row.
        at: Place,
        /// What is wrong.
        reason: String,
    },
    /// A row is not valid UTF-8.
    #[error("{at} is not valid UTF-8; save the file as UTF-8")]
    NotUtf8 {
        /// The row; for a text, the line.
        at: Place,
    },
    /// A row has more or fewer cells than the header.
    #[error("{at} has {found} cells, but the header has {expected}; correct or remove the row")]
    RowLength {
        /// The row.
        at: Place,
        /// Its cells.
        found: usize,
        /// The header's.
        expected: usize,
    },
    /// Two columns have the same name.
    #[error("{} has two columns `{column}`; rename one", .path.display())]
    SameColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// A column that the file does not have.
    #[error("{} has no column `{column}`; its columns are {}: name one of them, or use a file that has it", .path.display(), .has.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column that is needed.
        column: String,
        /// The columns there are.
        has: Vec<String>,
    },
    /// Nothing says which column has the labels.
    #[error("{} needs a label: name the column that holds the classes; its columns are {}", .path.display(), .has.join(", "))]
    LabelNotNamed {
        /// The file.
        path: PathBuf,
        /// The columns there are.
        has: Vec<String>,
    },
    /// No column is left to learn from.
    #[error("{} has no column to learn from besides the label; keep at least one", .path.display())]
    NoColumnLeft {
        /// The file.
        path: PathBuf,
    },
    /// A value of a type that no recipe takes, in a column that is used.
    #[error("{at}, column `{column}`: a value of type {found} is not supported; store numbers or text, or leave the column out with --drop")]
    UnsupportedType {
        /// The row.
        at: Place,
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A cell should be a number.
    #[error("{at}, column `{column}`: `{found}` is not a number; correct it, or leave the cell empty where a value is missing")]
    NotANumber {
        /// The row.
        at: Place,
        /// The column.
        column: String,
        /// The cell's text.
        found: String,
    },
    /// A number is infinite or NaN.
    #[error("{at}, column `{column}`: {found} is not a finite number; leave the cell empty where a value is missing")]
    NotFinite {
        /// The row.
        at: Place,
        /// The column, or what stands for it in an array.
        column: String,
        /// The number.
        found: f64,
    },
    /// A row has no label.
    #[error("{at}, column `{column}`: the label is missing; fill it in or remove the row")]
    NoLabel {
        /// The row.
        at: Place,
        /// The label's column.
        column: String,
    },
    /// A row's label is not one of the recipe's classes.
    #[error("{at}, column `{column}`: `{found}` is not a class of the recipe, which was learned from the training part; add \
        rows of this class, combine classes, or split the rows with another --seed; the classes are {}", .classes.join(", "))]
    UnlistedLabel {
        /// The row.
        at: Place,
        /// The label's column.
        column: String,
        /// The label.
        found: String,
        /// The recipe's classes.
        classes: Vec<String>,
    },
    /// A class has only one row in training.
    #[error("{at}, column `{column}`: the class `{class}` has no other row in the training part; add rows of this class, \
        combine classes, or split the rows with another --seed")]
    LonelyLabel {
        /// The row.
        at: Place,
        /// The label's column.
        column: String,
        /// The class.
        class: String,
    },
    /// Every training row has the same class.
    #[error("{}, column `{column}`: every training row has the class `{class}`; a model needs at least two classes", .path.display())]
    OneClass {
        /// The first file.
        path: PathBuf,
        /// The label's column.
        column: String,
        /// The class.
        class: String,
    },
    /// More classes than a label's byte can tell apart.
    #[error("{at}, column `{column}`: `{class}` is the 257th class; a model can tell at most 256 apart: combine classes, or \
        name another column as the label")]
    TooManyClasses {
        /// The row with the first class too many.
        at: Place,
        /// The label's column.
        column: String,
        /// That class.
        class: String,
    },
    /// A column of text with too many distinct values.
    #[error("{at}, column `{column}`: `{found}` is the 257th distinct text; leave the column out with --drop, or correct it if it should hold numbers")]
    TooManyCategories {
        /// The row with the first text too many.
        at: Place,
        /// The column.
        column: String,
        /// That text.
        found: String,
    },
    /// A column has no value in any training row.
    #[error("{}, column `{column}`: no training row has a value; leave the column out with --drop", .path.display())]
    NoValues {
        /// The first file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// A text has a character that the recipe lacks.
    #[error("{at} has the character `{}`, which the recipe lacks, in `{}`; remove it, or set an `unknown` character in the \
        recipe to stand for it", .character.escape_debug(), .around.escape_debug())]
    UnknownCharacter {
        /// The document.
        at: Place,
        /// The character.
        character: char,
        /// The text around it.
        around: String,
    },
    /// Too many different characters for one-byte tokens.
    #[error("{} has more than 256 different characters; use the tokens `bytes`", .path.display())]
    TooManyCharacters {
        /// The first file.
        path: PathBuf,
    },
    /// A row has a different shape than the recipe or the other rows.
    #[error("{at} has {found}, but {expected} are needed; correct or remove it")]
    WrongShape {
        /// The row.
        at: Place,
        /// What it has.
        found: String,
        /// What is needed.
        expected: String,
    },
    /// The recipe or an option is for data of another kind.
    #[error("{} is {found}, but {expected} is needed; use other files or another recipe", .path.display())]
    WrongKind {
        /// The first file.
        path: PathBuf,
        /// What the files hold.
        found: Kind,
        /// What is needed.
        expected: Kind,
    },
    /// Samples that were already made are not learned from.
    #[error("{} holds samples that a recipe has already made; name the files that they were made from", .path.display())]
    AlreadyMade {
        /// The records file.
        path: PathBuf,
    },
    /// Samples that another recipe made.
    #[error("{} was made by another recipe (its hash is {found}, and this one's is {expected}); make it again from your files", .path.display())]
    OtherRecipe {
        /// The records file.
        path: PathBuf,
        /// The hash of the recipe that made it, in hex.
        found: String,
        /// This recipe's.
        expected: String,
    },
    /// The model takes other samples.
    #[error("the recipe needs a model of {needs}, but this one has {model}; choose a model or a recipe that fits")]
    Misfit {
        /// The models that take the recipe's samples.
        needs: String,
        /// What this model is instead.
        model: String,
    },
    /// Samples of text are cut to a length that was not named.
    #[error("samples of text need a length in tokens; give one")]
    NoLength,
    /// More samples than there is memory for.
    #[error("the {samples} samples of {} take {needs} bytes of memory, but only {most} bytes are free for them; use fewer \
        samples (for an exam, split the data again with a smaller --exam), or a machine with more memory", .path.display())]
    TooLarge {
        /// The first file.
        path: PathBuf,
        /// How many samples there are, or were read so far.
        samples: u64,
        /// Bytes that they take, together with what is computed from them.
        needs: u64,
        /// Bytes that they may take.
        most: u64,
    },
    /// The files gave no sample.
    #[error("{} gives no samples: every text is shorter than {tokens} tokens plus the one that follows; use longer texts", .path.display())]
    TooShort {
        /// The first file.
        path: PathBuf,
        /// Tokens of a sample.
        tokens: usize,
    },
    /// A file of arrays cannot be used.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// Images cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The rows cannot be divided.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
}

impl DataError {
    /// Why the operating system refuses to read `path`.
    pub(crate) fn reading(path: &std::path::Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::IsADirectory => Self::Folder { path },
            // Only the unpacker returns this.
            io::ErrorKind::UnexpectedEof => Self::Truncated {
                path,
                reason: "its compressed data ends early".into(),
            },
            io::ErrorKind::InvalidData => Self::Damaged {
                path,
                reason: source.to_string(),
            },
            _ => Self::Unreadable { path, source },
        }
    }

    /// Why the operating system refuses to write `path`.
    pub(crate) fn writing(path: &std::path::Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Unwritable { path, source }
    }
}

#[cfg(test)]
mod tests;
