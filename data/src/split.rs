//! Divides the rows of a source into those for training, for exams and for reports.
//!
//! At random, every class has its share in each part, and rows that become equal samples are in one part: a model trained on one
//! knows the other. The same seed gives the same parts everywhere. What is for exams must be kept secret, and nothing like it may
//! be in the training part: rows that belong together, such as pictures of one patient, are kept in one part by [`By::Group`], and
//! what is to be predicted is kept in the future by [`By::Time`].

mod columns;
mod draw;

pub use columns::Time;

use crate::{learn, Cell, DataError, Kind, LearnOptions, Place, Row, Source, Values};
use draw::Draw;
use gotong_scoring::blake2_256;
use std::{
    borrow::Cow,
    collections::{HashMap, TryReserveError},
    fmt,
    path::{Path, PathBuf},
};

/// Number of pieces that a text of few documents is cut into.
pub const BLOCKS: u64 = 100;

/// What a part of the data is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// Contributors train on it.
    Training,
    /// Sponsors score rounds on it.
    Exam,
    /// It never scores a round, and shows how good a model is.
    Report,
}

impl Use {
    /// All uses.
    pub const ALL: [Self; 3] = [Self::Training, Self::Exam, Self::Report];
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Training => "training",
            Self::Exam => "exams",
            Self::Report => "reports",
        })
    }
}

/// How rows are chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// At random, each class by its share, and rows that become equal samples together.
    #[default]
    Random,
    /// At random, keeping together all rows that have the same value in this column.
    Group(String),
    /// By the numbers or dates in this column: the latest rows are for reports, those before them for exams.
    Time(String),
}

/// How a source is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Thousandths of the rows that are for exams.
    pub exam_permille: u32,
    /// Thousandths of the rows that are for reports.
    pub report_permille: u32,
    /// Seed of the choice of rows.
    pub seed: u64,
    /// How rows are chosen.
    pub by: By,
    /// Bytes of memory that dividing may take.
    pub most_bytes: u64,
}

impl By {
    /// Bytes of memory that a row takes while it is divided, at most: its numbers in vectors, which double when they grow, and in
    /// maps of groups; and dates as texts.
    fn row_bytes(&self) -> u64 {
        match self {
            Self::Random => 32,
            Self::Group(_) | Self::Time(_) => 160,
        }
    }
}

impl Default for Split {
    /// 15 % for exams and 5 % for reports, at random, with as much memory as there is.
    fn default() -> Self {
        Self {
            exam_permille: 150,
            report_permille: 50,
            seed: 0,
            by: By::Random,
            most_bytes: u64::MAX,
        }
    }
}

/// Why a source cannot be divided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Exams and reports take all rows.
    #[error("{exam} thousandths for exams and {report} for reports leave nothing for training; together they must be below 1000")]
    NothingLeft {
        /// Thousandths for exams.
        exam: u32,
        /// Thousandths for reports.
        report: u32,
    },
    /// A part has no row.
    #[error("{} has {rows} rows, which leaves none for {part}; use more rows, a larger share{}", .file.display(), remedy(.by))]
    EmptyPart {
        /// The first file.
        file: PathBuf,
        /// The part.
        part: Use,
        /// Rows of the source.
        rows: u64,
        /// How rows were chosen.
        by: By,
    },
    /// Only tables, and texts in a column of one, have columns to divide by.
    #[error("{} is {kind}, and has no columns to split by; split it at random", .file.display())]
    NoColumns {
        /// The first file.
        file: PathBuf,
        /// What it holds.
        kind: Kind,
    },
    /// There is no memory for a few numbers of each row.
    #[error("{} has {rows} rows or more: splitting them takes {needs} bytes of memory, but only {most} bytes are free for \
        that; use fewer rows, or a machine with more memory", .file.display())]
    TooManyRows {
        /// The first file.
        file: PathBuf,
        /// Rows that there are, or that have been read so far.
        rows: u64,
        /// Bytes that they take.
        needs: u64,
        /// Bytes that they may take.
        most: u64,
    },
    /// A row has no value in the column that it is chosen by.
    #[error("{at}, column `{column}`: the value that decides the split is missing; fill it in or remove the row")]
    Missing {
        /// The row.
        at: Place,
        /// The column.
        column: String,
    },
    /// A value is not a time, or is not written like the first row's.
    #[error("{at}, column `{column}`: `{found}` cannot be compared with the other times; use numbers in all rows, or dates in \
        all rows, such as 2026-01-31 or 2026-01-31T12:00:00")]
    NotATime {
        /// The row.
        at: Place,
        /// The column.
        column: String,
        /// The value.
        found: String,
    },
}

fn remedy(by: &By) -> String {
    match by {
        By::Random => ", or another --seed, or combine rare classes: equal rows stay together, and two rows of each class \
             stay for training"
            .into(),
        By::Group(column) => format!(", or a column with more groups than `{column}`"),
        By::Time(column) => format!(", or a column with more times than `{column}`"),
    }
}

/// What each row of a source is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// A use per row, in the source's order.
    Rows(Vec<Use>),
    /// Text of few documents: uses of consecutive blocks of the whole text.
    Blocks {
        /// Characters of a block; the last one may be shorter.
        characters: u64,
        /// A use per block.
        uses: Vec<Use>,
    },
}

impl Split {
    /// Decides what each row of `source` is for. Text of fewer than 100 documents is divided into 100 blocks with equally many
    /// characters, across documents.
    ///
    /// At random, the parts have exactly the shares that were asked for, rounded to nearest, and so has every class, except for two
    /// rows that each class keeps for training. Rows that become equal samples, by a recipe that is learned with `options`, are not
    /// separated, nor are groups and rows of the same time: the parts may then be larger or smaller.
    ///
    /// # Errors
    /// [`SplitError`], and a row that cannot be read.
    pub fn assign(&self, source: &Source, options: &LearnOptions) -> Result<Assignment, DataError> {
        if self.exam_permille.saturating_add(self.report_permille) >= 1000 {
            let (exam, report) = (self.exam_permille, self.report_permille);
            return Err(SplitError::NothingLeft { exam, report }.into());
        }
        if let Some(rows) = source.len_hint() {
            self.check_rows(source, rows)?;
        }
        let assignment = match &self.by {
            By::Random if source.kind() == Kind::Text => self.text(source, options)?,
            By::Random => Assignment::Rows(self.rows(source, options)?),
            By::Group(name) => Assignment::Rows(self.groups(&columns::groups(self, source, name)?)),
            By::Time(name) => Assignment::Rows(self.times(&columns::times(self, source, name)?)),
        };
        self.check(source.first_path(), &assignment)?;
        Ok(assignment)
    }

    /// Whether there is enough memory to divide this many rows.
    fn check_rows(&self, source: &Source, rows: u64) -> Result<(), SplitError> {
        match self.needs(rows) <= self.most_bytes {
            true => Ok(()),
            false => Err(self.too_many_rows(source, rows)),
        }
    }

    /// Bytes of memory that dividing this many rows takes.
    fn needs(&self, rows: u64) -> u64 {
        rows.saturating_mul(self.by.row_bytes())
    }

    fn too_many_rows(&self, source: &Source, rows: u64) -> SplitError {
        SplitError::TooManyRows {
            file: source.first_path().to_owned(),
            rows,
            needs: self.needs(rows),
            most: self.most_bytes,
        }
    }

    /// How many of `rows` rows are for exams and for reports, rounded to nearest.
    fn counts(&self, rows: u64) -> (u64, u64) {
        let share = |permille: u32| ((u128::from(rows) * u128::from(permille) + 500) / 1000) as u64;
        (share(self.exam_permille), share(self.report_permille))
    }

    /// The place of `key` in a random order.
    fn chance(&self, key: &[u8]) -> u64 {
        let hash = blake2_256(&[b"gotong split", &self.seed.to_le_bytes(), key]);
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        u64::from_le_bytes(first)
    }

    /// What each row is for, at random.
    fn rows(&self, source: &Source, options: &LearnOptions) -> Result<Vec<Use>, DataError> {
        // It only tells which rows become equal samples. If none can be learned, rows are equal if their values are; the published
        // recipe is learned from the training part alone.
        let recipe = match source.kind() {
            Kind::Table => learn(source, |_| true, options).ok(),
            _ => None,
        };
        let encoder = recipe.as_ref();
        let encoder = encoder
            .map(|recipe| recipe.encoder_of_inputs(source))
            .transpose()?;
        let label = source.label_index();
        let (mut draw, mut bytes) = (Draw::default(), Vec::new());
        let mut rows = source.rows()?;
        let mut row = Row::new(source.first_path().into());
        while rows.read(&mut row)? {
            bytes.clear();
            match &encoder {
                Some(encoder) => encoder.inputs_into(&row, &mut bytes)?,
                None => row.values.inputs_into(label, &mut bytes),
            }
            let class = class(&row.values, label);
            let place = self.chance(&bytes);
            let pushed = draw.push(place, class.as_deref().map(str::trim));
            pushed.map_err(|_| self.too_many_rows(source, draw.len()))?;
            self.check_rows(source, draw.len())?;
        }
        let rows = draw.len();
        draw.uses(self)
            .map_err(|_| self.too_many_rows(source, rows).into())
    }

    /// What each of `blocks` blocks of text is for, at random.
    fn blocks(&self, blocks: u64) -> Result<Vec<Use>, TryReserveError> {
        let mut draw = Draw::default();
        for block in 0..blocks {
            draw.push(self.chance(&block.to_le_bytes()), None)?;
        }
        draw.uses(self)
    }

    /// What each row is for, given its group: in random order, groups go to exams until these have enough rows, then to reports.
    pub fn groups(&self, groups: &[u64]) -> Vec<Use> {
        let (exam, report) = self.counts(groups.len() as u64);
        let mut rows: HashMap<u64, u64> = HashMap::new();
        for &group in groups {
            *rows.entry(group).or_default() += 1;
        }
        let mut order: Vec<(u64, u64, u64)> = Vec::with_capacity(rows.len());
        order.extend(
            rows.into_iter()
                .map(|(group, rows)| (self.chance(&group.to_le_bytes()), group, rows)),
        );
        order.sort_unstable();
        let (mut exams, mut reports) = (0, 0);
        let mut uses: HashMap<u64, Use> = HashMap::new();
        for (_, group, rows) in order {
            if exams < exam {
                exams += rows;
                uses.insert(group, Use::Exam);
            } else if reports < report {
                reports += rows;
                uses.insert(group, Use::Report);
            }
        }
        groups
            .iter()
            .map(|group| uses.get(group).copied().unwrap_or(Use::Training))
            .collect()
    }

    /// What each row is for, given its time. Rows of the same time are in the same part, the later one.
    pub fn times(&self, times: &[Time]) -> Vec<Use> {
        let rows = times.len();
        let (exam, report) = self.counts(rows as u64);
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by(|&one, &other| times[one].order(&times[other]));
        // The place in the order at which a part with `later` rows in it and after it begins.
        let start = |later: u64| {
            let mut start = rows.saturating_sub(later as usize);
            while start > 0 && start < rows && times[order[start - 1]] == times[order[start]] {
                start -= 1;
            }
            start
        };
        let (exams, reports) = (start(exam + report), start(report));
        let mut uses = vec![Use::Training; rows];
        for (place, &row) in order.iter().enumerate().skip(exams) {
            uses[row] = if place < reports {
                Use::Exam
            } else {
                Use::Report
            };
        }
        uses
    }

    fn text(&self, source: &Source, options: &LearnOptions) -> Result<Assignment, DataError> {
        let (mut documents, mut characters) = (0u64, 0u64);
        for row in source.rows()? {
            if let Values::Text(text) = row?.values {
                documents += 1;
                characters += text.chars().count() as u64;
            }
        }
        if documents >= BLOCKS {
            return Ok(Assignment::Rows(self.rows(source, options)?));
        }
        let block = characters.div_ceil(BLOCKS).max(1);
        let blocks = characters.div_ceil(block);
        let uses = self.blocks(blocks);
        let uses = uses.map_err(|_| self.too_many_rows(source, blocks))?;
        Ok(Assignment::Blocks {
            characters: block,
            uses,
        })
    }

    /// Checks that every part that was asked for has rows.
    fn check(&self, file: &Path, assignment: &Assignment) -> Result<(), SplitError> {
        let uses = assignment.uses();
        let asked = [
            (Use::Training, 1),
            (Use::Exam, self.exam_permille),
            (Use::Report, self.report_permille),
        ];
        for (part, permille) in asked {
            if permille > 0 && !uses.contains(&part) {
                return Err(SplitError::EmptyPart {
                    file: file.to_owned(),
                    part,
                    rows: uses.len() as u64,
                    by: self.by.clone(),
                });
            }
        }
        Ok(())
    }
}

impl Assignment {
    /// The uses of all rows or blocks.
    fn uses(&self) -> &[Use] {
        match self {
            Self::Rows(uses) | Self::Blocks { uses, .. } => uses,
        }
    }

    /// How many rows or blocks are for `part`.
    pub fn count(&self, part: Use) -> u64 {
        self.uses().iter().filter(|&&of| of == part).count() as u64
    }

    /// Whether a recipe may be learned from a row, counted from 0. For text in blocks, it may be learned from all rows: no document
    /// is for training alone, and a recipe for text keeps no more of it than its most frequent characters.
    pub fn is_training(&self, row: u64) -> bool {
        match self {
            Self::Rows(uses) => uses.get(row as usize) == Some(&Use::Training),
            Self::Blocks { .. } => true,
        }
    }

    /// A pass over the rows of `source`, each with its use. Text in blocks is cut where a block ends, so that one row
    /// may give several, at the same place.
    ///
    /// # Errors
    /// A file that cannot be opened any more.
    pub fn rows<'a>(
        &'a self,
        source: &Source,
    ) -> Result<impl Iterator<Item = Result<(Use, Row), DataError>> + 'a, DataError> {
        let (mut number, mut characters) = (0usize, 0u64);
        Ok(source.rows()?.flat_map(move |row| {
            let row = match row {
                Ok(row) => row,
                Err(error) => return vec![Err(error)],
            };
            let row_number = number;
            number += 1;
            match (self, &row.values) {
                (Self::Blocks { .. }, Values::Text(text)) => {
                    let pieces = self.cut(characters, text);
                    characters += text.chars().count() as u64;
                    let piece = |(part, text): (Use, &str)| {
                        let (at, values) = (row.at.clone(), Values::Text(text.to_owned()));
                        Ok((part, Row { at, values }))
                    };
                    pieces.into_iter().map(piece).collect()
                }
                _ => {
                    // The file has grown since: these rows were never divided.
                    let part = self
                        .uses()
                        .get(row_number)
                        .copied()
                        .unwrap_or(Use::Training);
                    vec![Ok((part, row))]
                }
            }
        }))
    }

    /// The pieces of `text`, which begins `before` characters after the start of all text, and what each is for.
    /// Without blocks, there is one.
    fn cut<'a>(&self, before: u64, text: &'a str) -> Vec<(Use, &'a str)> {
        let Self::Blocks { characters, uses } = self else {
            return vec![(Use::Training, text)];
        };
        let block = (*characters).max(1);
        let mut pieces = Vec::new();
        let (mut at, mut rest) = (before, text);
        while !rest.is_empty() {
            let part = uses
                .get((at / block) as usize)
                .copied()
                .unwrap_or(Use::Training);
            let left = block - at % block;
            let end = rest
                .char_indices()
                .nth(left as usize)
                .map_or(rest.len(), |(end, _)| end);
            let (piece, after) = rest.split_at(end);
            pieces.push((part, piece));
            (at, rest) = (at + left, after);
        }
        pieces
    }
}

/// A row's label; for a table, the cell of column `label`.
fn class(values: &Values, label: Option<usize>) -> Option<Cow<'_, str>> {
    match values {
        Values::Cells(cells) => match cells.get(label?) {
            Cell::Text(text) => Some(text.into()),
            cell => Some(cell.to_string().into()),
        },
        Values::Array { label, .. } | Values::Image { label, .. } => Some(label.into()),
        Values::Record { label, .. } => Some(label.to_string().into()),
        Values::Text(_) | Values::Tokens(_) => None,
    }
}

#[cfg(test)]
mod tests;
