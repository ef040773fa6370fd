//! A look at data before it is used: how many rows and classes, what the columns hold, and what is wrong with it.
//!
//! [`inspect()`] takes one pass and bounded memory: distinct values are counted up to 1,000 per column, classes are
//! listed up to 256, and duplicates are looked for among the first 2,097,152 rows.

mod tally;

use crate::{recipe::classes::MAX_CLASSES, Cell, DataError, Kind, Place, Row, Source, Values};
use gotong_scoring::blake2_256;
use serde::Serialize;
use std::{
    collections::{hash_map::Entry, BTreeMap, HashMap},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};
use tally::{Sum, Tally};

/// How many rows are searched for duplicates.
const MAX_COMPARED: usize = 1 << 21;

/// What a source holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The files' format.
    pub format: String,
    /// What the rows are: a table, text, arrays, images or records.
    pub kind: String,
    /// Number of files; for images, of folders.
    pub files: usize,
    /// Their size on disk.
    pub bytes: u64,
    /// Number of rows; for text, of documents or pieces of them.
    pub rows: u64,
    /// The shape of every array, else empty.
    pub shape: Vec<usize>,
    /// The first 256 classes that appear, in the order of their names.
    pub classes: Vec<Class>,
    /// Rows of classes that are not listed.
    pub unlisted: u64,
    /// Rows that have no label, though others do.
    pub unlabelled: u64,
    /// What the columns of a table hold, except the label's; for arrays, what all their numbers are.
    pub columns: Vec<Column>,
    /// How long texts are, in characters; for records of text, in tokens.
    pub lengths: Option<Range>,
    /// The height of images, in pixels.
    pub heights: Option<Range>,
    /// The width of images, in pixels.
    pub widths: Option<Range>,
    /// Images without colours.
    pub grey: u64,
    /// Rows whose inputs equal those of an earlier row.
    pub duplicates: Duplicates,
    /// What needs attention.
    pub remarks: Vec<Remark>,
}

/// A class, and how often it appears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Rows that have it.
    pub rows: u64,
}

/// The least, mean and greatest of some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    /// The least.
    pub min: f64,
    /// The mean.
    pub mean: f64,
    /// The greatest.
    pub max: f64,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub holds: Holds,
    /// Cells without a value.
    pub missing: u64,
    /// The range of its finite numbers.
    pub range: Option<Range>,
    /// How many different values there are.
    pub distinct: Distinct,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// None has a value.
    Nothing,
    /// All are numbers.
    Numbers,
    /// None is a number.
    Text,
    /// Some are numbers.
    Both,
    /// Some are lists, objects or of another type that no recipe takes.
    Unsupported,
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "nothing",
            Self::Numbers => "numbers",
            Self::Text => "text",
            Self::Both => "numbers and text",
            Self::Unsupported => "unsupported values",
        })
    }
}

/// How many different values there are, counted up to 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Distinct {
    /// How many.
    pub count: u64,
    /// Whether there are more.
    pub more: bool,
}

impl fmt::Display for Distinct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.more {
            true => f.pad(&format!("more than {}", self.count)),
            false => f.pad(&self.count.to_string()),
        }
    }
}

/// Rows whose inputs equal those of an earlier row, value by value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// How many there are.
    pub rows: u64,
    /// How many of them have a different label than the earlier row.
    pub other_label: u64,
    /// The first one.
    pub first: Option<String>,
    /// Rows that were compared.
    pub compared: u64,
}

/// Something about the data that needs attention, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "remark", rename_all = "kebab-case")]
pub enum Remark {
    /// No label was named, or the files have none.
    #[error("the label is not known: name its column or array with --label")]
    NoLabel,
    /// Some rows have no label.
    #[error(
        "{rows} rows have no label, the first at {first}: fill the labels in or remove the rows"
    )]
    Unlabelled {
        /// How many.
        rows: u64,
        /// Where the first one is.
        first: String,
    },
    /// All rows have the same class.
    #[error("all rows have the class `{class}`: a model needs at least two classes")]
    OneClass {
        /// The class.
        class: String,
    },
    /// A class has one row, which cannot be for training and for exams.
    #[error(
        "the class `{class}` appears only once, at {at}: add rows of this class or remove this row"
    )]
    LonelyClass {
        /// The class.
        class: String,
        /// Where it is.
        at: String,
    },
    /// There are more classes than a label's byte tells apart.
    #[error("there are more than {} classes, the first of the extra ones at {first}: combine classes, or name another label", MAX_CLASSES)]
    TooManyClasses {
        /// Where the first one too many is.
        first: String,
    },
    /// A column has numbers that are infinite or NaN.
    #[error("column `{column}` has {rows} values that are infinite or NaN, the first at {first}: leave them empty")]
    NotFinite {
        /// The column.
        column: String,
        /// How many.
        rows: u64,
        /// Where the first one is.
        first: String,
    },
    /// A column has numbers and text.
    #[error("column `{column}` has {numbers} numbers and {texts} texts, the first text at {first}: correct it, or the whole \
        column is treated as text")]
    NumbersAndText {
        /// The column.
        column: String,
        /// Cells that are numbers.
        numbers: u64,
        /// Cells that are text.
        texts: u64,
        /// Where the first text is.
        first: String,
    },
    /// A column has values of a type that no recipe takes.
    #[error("column `{column}` has {rows} values of type {found}, which is not supported, the first at {first}: leave it out with --drop {column}")]
    Unsupported {
        /// The column.
        column: String,
        /// How many.
        rows: u64,
        /// The type of the first one.
        found: String,
        /// Where the first one is.
        first: String,
    },
    /// A column of text has too many different values to be categories.
    #[error("column `{column}` has {distinct} different texts: leave it out with --drop {column}")]
    TooManyTexts {
        /// The column.
        column: String,
        /// How many.
        distinct: Distinct,
    },
    /// A column has at most one value.
    #[error(
        "column `{column}` has the same value in every row: leave it out with --drop {column}"
    )]
    Constant {
        /// The column.
        column: String,
    },
    /// Equal inputs have different labels.
    #[error("{rows} rows repeat the inputs of an earlier row with a different label: a model cannot get both right")]
    Contradictions {
        /// How many.
        rows: u64,
    },
}

/// Looks at all rows of `source`. `progress` is told after each row how many there have been.
///
/// # Errors
/// A row cannot be read, or there is none. What can be counted is a [`Remark`] instead.
pub fn inspect(source: &Source, progress: &mut dyn FnMut(u64)) -> Result<Report, DataError> {
    let mut look = Look::new(source);
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    while rows.read(&mut row)? {
        look.add(&row);
        progress(look.rows);
    }
    if look.rows == 0 {
        let path = source.first_path().to_owned();
        return Err(DataError::Empty { path });
    }
    Ok(look.report(source))
}

/// What was seen so far.
struct Look {
    rows: u64,
    /// The index of a table's label.
    label: Option<usize>,
    columns: Vec<Tally>,
    classes: Classes,
    lengths: Sum,
    heights: Sum,
    widths: Sum,
    grey: u64,
    /// For each hash of inputs: the first row that has it, and the hash of that row's label.
    inputs: HashMap<u128, (u64, u64)>,
    duplicates: Duplicates,
    /// The inputs of the current row.
    bytes: Vec<u8>,
}

impl Look {
    fn new(source: &Source) -> Self {
        let array = ["all numbers".to_owned()];
        let names = match source.kind() {
            Kind::Table => source.header(),
            Kind::Array => &array,
            _ => &[],
        };
        Self {
            rows: 0,
            label: source.label_index(),
            columns: names.iter().map(|name| Tally::new(name)).collect(),
            classes: Classes::default(),
            lengths: Sum::default(),
            heights: Sum::default(),
            widths: Sum::default(),
            grey: 0,
            inputs: HashMap::new(),
            duplicates: Duplicates::default(),
            bytes: Vec::new(),
        }
    }

    fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.bytes.clear();
        row.values.inputs_into(self.label, &mut self.bytes);
        match &row.values {
            Values::Cells(cells) => {
                for (index, cell) in cells.iter().enumerate() {
                    if Some(index) == self.label {
                        continue;
                    }
                    if let Some(column) = self.columns.get_mut(index) {
                        column.add(&row.at, cell);
                    }
                }
                let label = self.label.map(|label| cells.get(label));
                self.end(&row.at, label);
            }
            Values::Text(text) => {
                self.lengths.add(text.chars().count() as f64);
                self.end(&row.at, None);
            }
            Values::Array { values, label } => {
                for &value in values {
                    for column in &mut self.columns {
                        column.add(&row.at, Cell::Number(value));
                    }
                }
                self.end(&row.at, Some(Cell::Text(label)));
            }
            Values::Image {
                height,
                width,
                channels,
                label,
                ..
            } => {
                self.heights.add((*height).into());
                self.widths.add((*width).into());
                self.grey += u64::from(*channels == 1);
                self.end(&row.at, Some(Cell::Text(label)));
            }
            Values::Record { label, .. } => {
                self.end(&row.at, Some(Cell::Number((*label).into())));
            }
            Values::Tokens(tokens) => {
                self.lengths.add(tokens.len() as f64);
                self.end(&row.at, None);
            }
        }
    }

    /// Counts the row's label, and looks for an earlier row with its inputs.
    fn end(&mut self, at: &Place, label: Option<Cell<'_>>) {
        let label = label.map(|cell| cell.to_string().trim().to_owned());
        if let Some(label) = &label {
            self.classes.add(at, label);
        }
        if self.inputs.len() == MAX_COMPARED {
            return;
        }
        self.duplicates.compared += 1;
        let label = hash_of(&label);
        match self.inputs.entry(short_hash(&self.bytes)) {
            Entry::Vacant(entry) => {
                entry.insert((self.rows, label));
            }
            Entry::Occupied(entry) => {
                let (earlier, its_label) = entry.get();
                self.duplicates.rows += 1;
                self.duplicates.other_label += u64::from(*its_label != label);
                let first = || format!("{at}, has the inputs of row {earlier} of the source");
                self.duplicates.first.get_or_insert_with(first);
            }
        }
    }

    fn report(self, source: &Source) -> Report {
        let labelled = !matches!(source.kind(), Kind::Text) && self.lengths.count == 0;
        let mut remarks = self.classes.remarks(labelled);
        let label = self.label;
        let tallies = self.columns.iter().enumerate();
        let tallies = tallies
            .filter(|(index, _)| Some(*index) != label)
            .map(|(_, tally)| tally);
        let columns: Vec<Column> = tallies.clone().map(Tally::column).collect();
        for tally in tallies {
            remarks.extend(tally.remarks(self.rows));
        }
        if self.duplicates.other_label > 0 {
            let rows = self.duplicates.other_label;
            remarks.push(Remark::Contradictions { rows });
        }
        let class = |(name, (rows, _)): (String, (u64, Place))| Class { name, rows };
        Report {
            format: source.format().to_string(),
            kind: source.kind().to_string(),
            files: source.paths().count(),
            bytes: source.bytes(),
            rows: self.rows,
            shape: source.shape().to_vec(),
            unlisted: self.classes.unlisted,
            unlabelled: self
                .classes
                .unlabelled
                .as_ref()
                .map_or(0, |(rows, _)| *rows),
            classes: self.classes.listed.into_iter().map(class).collect(),
            columns,
            lengths: self.lengths.range(),
            heights: self.heights.range(),
            widths: self.widths.range(),
            grey: self.grey,
            duplicates: self.duplicates,
            remarks,
        }
    }
}

/// The first 128 bits of the hash of `bytes`.
pub(crate) fn short_hash(bytes: &[u8]) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&blake2_256(&[bytes])[..16]);
    u128::from_le_bytes(first)
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Labels that were seen.
#[derive(Default)]
struct Classes {
    /// For each class: its rows, and where the first one is.
    listed: BTreeMap<String, (u64, Place)>,
    unlisted: u64,
    first_unlisted: Option<Place>,
    unlabelled: Option<(u64, Place)>,
}

impl Classes {
    fn add(&mut self, at: &Place, label: &str) {
        if label.is_empty() {
            self.unlabelled.get_or_insert_with(|| (0, at.clone())).0 += 1;
        } else if let Some((rows, _)) = self.listed.get_mut(label) {
            *rows += 1;
        } else if self.listed.len() < MAX_CLASSES {
            self.listed.insert(label.to_owned(), (1, at.clone()));
        } else {
            self.unlisted += 1;
            self.first_unlisted.get_or_insert_with(|| at.clone());
        }
    }

    /// What needs attention, if rows should have labels.
    fn remarks(&self, labelled: bool) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if labelled && self.listed.is_empty() {
            remarks.push(Remark::NoLabel);
            return remarks;
        }
        if let Some((rows, first)) = &self.unlabelled {
            let (rows, first) = (*rows, first.to_string());
            remarks.push(Remark::Unlabelled { rows, first });
        }
        if let Some(first) = &self.first_unlisted {
            let first = first.to_string();
            remarks.push(Remark::TooManyClasses { first });
            return remarks;
        }
        if let (1, Some(class)) = (self.listed.len(), self.listed.keys().next()) {
            let class = class.clone();
            remarks.push(Remark::OneClass { class });
        }
        for (class, (rows, at)) in &self.listed {
            if *rows == 1 {
                let (class, at) = (class.clone(), at.to_string());
                remarks.push(Remark::LonelyClass { class, at });
            }
        }
        remarks
    }
}

#[cfg(test)]
mod tests;
