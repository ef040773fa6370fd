//! Recipes: how a row becomes the bytes that a model takes.

pub(crate) mod array;
pub(crate) mod classes;
pub(crate) mod image;
pub(crate) mod table;
pub(crate) mod text;

use self::image::ImageRecipe;
use crate::{
    read::{array::check_labels, images::check_classes},
    Cell, DataError, Kind, Place, Row, Source, Tokenizer, Values,
};
use array::ArrayRecipe;
use classes::ClassIndex;
use gotong_scoring::{blake2_256, Graph};
use serde::{Deserialize, Serialize};
use std::path::Path;
use table::{TablePlan, TableRecipe};
use text::TextRecipe;

/// Bytes of one sample, its label's byte not counted, that a recipe may ask for.
const MAX_INPUTS: usize = 1 << 24;

/// How the rows of a source become samples: a TOML text of at most [`Recipe::MAX_BYTES`], which a
/// task carries, so that everyone who takes part makes the same bytes from the same row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Recipe {
    /// A recipe for the rows of a table.
    Table(TableRecipe),
    /// A recipe for text.
    Text(TextRecipe),
    /// A recipe for arrays of numbers.
    Array(ArrayRecipe),
    /// A recipe for images.
    Image(ImageRecipe),
}

/// What a row becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// A sample and its class.
    Sample {
        /// The sample's bytes.
        sample: Vec<u8>,
        /// Its class.
        label: u8,
    },
    /// The tokens of a document, or of a piece of one.
    Tokens(Vec<u8>),
}

/// Why a recipe cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// The text is not a recipe's.
    #[error("this is not a recipe, as `gotong data split` writes it: {0}")]
    Syntax(String),
    /// A text that is too long for the chain.
    #[error(
        "the recipe has {bytes} bytes, but may have at most {}; drop columns with many categories",
        Recipe::MAX_BYTES
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Fewer than one or more than 256 classes.
    #[error("the recipe has {0} classes, but needs between 2 and 256; combine or add some")]
    Classes(usize),
    /// Two classes, categories or tokens that are the same.
    #[error("the recipe lists `{0}` twice; keep one")]
    Twice(String),
    /// A range of numbers whose end is not above its start, or that is not finite.
    #[error("the recipe's range of {what} is from {low} to {high}; it must be finite, and must not end below its start: correct it")]
    Range {
        /// The column, or whatever has this range.
        what: String,
        /// The start.
        low: String,
        /// The end.
        high: String,
    },
    /// A column that is neither numeric nor has categories, or both.
    #[error("the recipe's column `{0}` needs either `low`, `high` and `missing`, or `categories`")]
    Column(String),
    /// A column with no category, or more than 256.
    #[error("the recipe's column `{0}` needs between 1 and 256 categories")]
    Categories(String),
    /// A sample of no byte, or of too many.
    #[error("the recipe makes samples of {0} bytes, but they must have between 1 and {max}; change its columns, shape or size", max = MAX_INPUTS)]
    Inputs(usize),
    /// A number of channels that images cannot have.
    #[error("the recipe's images have {0} channels, but need 1 or 3; correct it")]
    Channels(u8),
    /// A vocabulary that is empty or has more than 256 tokens.
    #[error("the recipe has {0} tokens, but needs between 1 and 256; use the tokens `bytes`, or correct it")]
    Tokens(usize),
    /// A token that is not made of two earlier ones.
    #[error("the recipe's token `{}` is not a pair of earlier tokens; list them in the order in which they were learned", .0.escape_debug())]
    NotAPair(String),
    /// A character that stands for unknown ones and is itself unknown.
    #[error("the recipe's `unknown` character, `{}`, is not in its vocabulary; name one that is", .0.escape_debug())]
    Unknown(char),
}

impl Recipe {
    /// Most bytes that a recipe's text has.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Parses the text of a recipe.
    ///
    /// # Errors
    /// A text that is too long, or not a recipe.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let bytes = text.len();
        if bytes > Self::MAX_BYTES {
            return Err(RecipeError::TooLong { bytes });
        }
        let recipe: Self =
            toml::from_str(text).map_err(|error| RecipeError::Syntax(error.to_string()))?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// The recipe's one canonical text.
    ///
    /// # Errors
    /// A text that is too long.
    pub fn to_text(&self) -> Result<String, RecipeError> {
        let text = toml::to_string(self).map_err(|error| RecipeError::Syntax(error.to_string()))?;
        match text.len() {
            0..=Self::MAX_BYTES => Ok(text),
            bytes => Err(RecipeError::TooLong { bytes }),
        }
    }

    /// The hash by which a task names a recipe with this text: its blake2b-256.
    pub fn hash_of(bytes: &[u8]) -> [u8; 32] {
        blake2_256(&[bytes])
    }

    /// Whether its values make sense.
    pub(crate) fn validate(&self) -> Result<(), RecipeError> {
        match self {
            Self::Table(recipe) => recipe.validate(),
            Self::Text(recipe) => recipe.validate(),
            Self::Array(recipe) => recipe.validate(),
            Self::Image(recipe) => recipe.validate(),
        }?;
        if let Some(inputs) = self.inputs() {
            if inputs == 0 || inputs > MAX_INPUTS {
                return Err(RecipeError::Inputs(inputs));
            }
            classes::validate(self.class_names())?;
        }
        Ok(())
    }

    /// Bytes of a sample; none for text, where the model determines it.
    pub fn inputs(&self) -> Option<usize> {
        match self {
            Self::Table(recipe) => Some(recipe.inputs()),
            Self::Text(_) => None,
            Self::Array(recipe) => Some(recipe.inputs()),
            Self::Image(recipe) => Some(recipe.inputs()),
        }
    }

    /// Number of classes; for text, of tokens.
    pub fn classes(&self) -> usize {
        match self {
            Self::Text(recipe) => recipe.vocab(),
            _ => self.class_names().len(),
        }
    }

    /// Number of tokens, for text.
    pub fn vocab(&self) -> Option<u32> {
        match self {
            Self::Text(recipe) => u32::try_from(recipe.vocab()).ok(),
            _ => None,
        }
    }

    /// The names of the classes; empty for text.
    pub fn class_names(&self) -> &[String] {
        match self {
            Self::Table(recipe) => &recipe.label.classes,
            Self::Text(_) => &[],
            Self::Array(recipe) => &recipe.classes,
            Self::Image(recipe) => &recipe.classes,
        }
    }

    /// What its samples are made of.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Table(_) => Kind::Table,
            Self::Text(_) => Kind::Text,
            Self::Array(_) => Kind::Array,
            Self::Image(_) => Kind::Image,
        }
    }

    /// Whether `graph` takes its samples.
    ///
    /// # Errors
    /// [`DataError::Misfit`] says what the recipe needs.
    pub fn check(&self, graph: &Graph) -> Result<(), DataError> {
        let has = (
            graph.vocab(),
            graph.inputs as usize,
            graph.classes() as usize,
        );
        let fits = match self.inputs() {
            None => graph.vocab() == self.vocab(),
            Some(inputs) => has == (None, inputs, self.classes()),
        };
        if fits {
            return Ok(());
        }
        Err(DataError::Misfit {
            needs: shape(
                self.vocab(),
                self.inputs().unwrap_or_default(),
                self.classes(),
            ),
            model: shape(has.0, has.1, has.2),
        })
    }

    /// The tokenizer for text; none if the samples are not text.
    pub fn tokenizer(&self) -> Option<Tokenizer> {
        match self {
            Self::Text(recipe) => recipe.tokenizer().ok(),
            _ => None,
        }
    }

    /// The recipe's hash, by which records name it: that of its canonical text.
    ///
    /// # Errors
    /// A text that is too long.
    pub fn hash(&self) -> Result<[u8; 32], RecipeError> {
        Ok(Self::hash_of(self.to_text()?.as_bytes()))
    }

    /// The encoder that makes samples, with labels, from the rows of `source`.
    ///
    /// # Errors
    /// A source of another kind, without a column that the recipe needs, or made by another recipe.
    pub fn encoder(&self, source: &Source) -> Result<Encoder<'_>, DataError> {
        Encoder::new(self, source, true)
    }

    /// The encoder that makes samples from the rows of `source`, which need no labels.
    ///
    /// # Errors
    /// See [`Recipe::encoder`].
    pub fn encoder_of_inputs(&self, source: &Source) -> Result<Encoder<'_>, DataError> {
        Encoder::new(self, source, false)
    }
}

/// A description of a model's samples.
fn shape(vocab: Option<u32>, inputs: usize, classes: usize) -> String {
    match vocab {
        Some(vocab) => format!("a vocabulary of {vocab} tokens"),
        None => format!("{inputs} inputs and {classes} classes"),
    }
}

/// Makes samples from the rows of one source by a recipe.
pub struct Encoder<'a> {
    recipe: &'a Recipe,
    classes: ClassIndex,
    plan: Plan,
}

/// What is looked up once for all rows.
enum Plan {
    Table(TablePlan),
    Text(Box<Tokenizer>),
    Array,
    Image,
    Records,
}

impl<'a> Encoder<'a> {
    fn new(recipe: &'a Recipe, source: &Source, labelled: bool) -> Result<Self, DataError> {
        let plan = match (recipe, source.kind()) {
            (_, Kind::Records) => check_records(recipe, source).map(|()| Plan::Records)?,
            (Recipe::Table(table), Kind::Table) => {
                Plan::Table(TablePlan::new(table, source, labelled)?)
            }
            (Recipe::Text(text), Kind::Text) => Plan::Text(Box::new(text.tokenizer()?)),
            (Recipe::Array(_), Kind::Array) => {
                if labelled {
                    check_labels(source)?;
                }
                Plan::Array
            }
            (Recipe::Image(_), Kind::Image) => {
                if labelled {
                    check_classes(source)?;
                }
                Plan::Image
            }
            (_, found) => return Err(wrong_kind(recipe, source.first_path(), found)),
        };
        Ok(Self {
            recipe,
            classes: ClassIndex::new(recipe.class_names()),
            plan,
        })
    }

    /// What a row becomes.
    ///
    /// # Errors
    /// A row that does not fit the recipe.
    pub fn encode(&self, row: &Row) -> Result<Encoded, DataError> {
        let mut bytes = Vec::with_capacity(self.recipe.inputs().unwrap_or_default());
        self.inputs_into(row, &mut bytes)?;
        Ok(match self.label_of(row)? {
            Some(label) => Encoded::Sample {
                sample: bytes,
                label,
            },
            None => Encoded::Tokens(bytes),
        })
    }

    /// Appends a row's sample without its label to `bytes`, or its tokens if it is text.
    ///
    /// # Errors
    /// A row that does not fit the recipe. Some of its bytes may have been appended.
    pub fn inputs_into(&self, row: &Row, bytes: &mut Vec<u8>) -> Result<(), DataError> {
        match (&self.plan, self.recipe, &row.values) {
            (Plan::Table(plan), _, Values::Cells(cells)) => plan.encode(&row.at, cells, bytes),
            (Plan::Text(tokenizer), _, Values::Text(text)) => {
                text::encode(tokenizer, &row.at, text, bytes)
            }
            (Plan::Array, Recipe::Array(recipe), Values::Array { values, .. }) => {
                recipe.encode(&row.at, values, bytes)
            }
            (
                Plan::Image,
                Recipe::Image(recipe),
                Values::Image {
                    height,
                    width,
                    channels,
                    bytes: pixels,
                    ..
                },
            ) => recipe.encode(&row.at, (*height, *width), *channels, pixels, bytes),
            (Plan::Records, _, Values::Record { sample, .. } | Values::Tokens(sample)) => {
                bytes.extend_from_slice(sample);
                Ok(())
            }
            _ => Err(self.wrong_row(row)),
        }
    }

    /// A row's class; none for text.
    ///
    /// # Errors
    /// A row without a label, or with one that the recipe does not list.
    pub fn label_of(&self, row: &Row) -> Result<Option<u8>, DataError> {
        let (column, cell) = match (&self.plan, &row.values) {
            (Plan::Text(_), _) | (_, Values::Tokens(_)) => return Ok(None),
            (Plan::Records, Values::Record { label, .. }) => return Ok(Some(*label)),
            (Plan::Table(plan), Values::Cells(cells)) => (plan.label_name(), plan.label(cells)),
            (_, Values::Array { label, .. } | Values::Image { label, .. }) => {
                ("label", Cell::Text(label))
            }
            _ => return Err(self.wrong_row(row)),
        };
        self.class(&row.at, column, cell).map(Some)
    }

    fn class(&self, at: &Place, column: &str, cell: Cell<'_>) -> Result<u8, DataError> {
        if let Some(class) = self.classes.find(cell) {
            return Ok(class);
        }
        let found = cell.usable(at, column)?.to_string();
        let (at, column) = (at.clone(), column.to_owned());
        if found.trim().is_empty() {
            return Err(DataError::NoLabel { at, column });
        }
        let classes = self.recipe.class_names().to_vec();
        Err(DataError::UnlistedLabel {
            at,
            column,
            found,
            classes,
        })
    }

    /// The error for a row of another kind than the source's.
    fn wrong_row(&self, row: &Row) -> DataError {
        let found = match row.values {
            Values::Cells(_) => Kind::Table,
            Values::Text(_) => Kind::Text,
            Values::Array { .. } => Kind::Array,
            Values::Image { .. } => Kind::Image,
            Values::Record { .. } | Values::Tokens(_) => Kind::Records,
        };
        wrong_kind(self.recipe, &row.at.file, found)
    }
}

fn wrong_kind(recipe: &Recipe, path: &Path, found: Kind) -> DataError {
    DataError::WrongKind {
        path: path.to_owned(),
        found,
        expected: recipe.kind(),
    }
}

/// Checks that `source` has records that `recipe` made.
fn check_records(recipe: &Recipe, source: &Source) -> Result<(), DataError> {
    let hex = |hash: [u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = recipe.hash()?;
    let found = source.made_by().unwrap_or_default();
    if found == expected && source.sample_bytes() == recipe.inputs() {
        return Ok(());
    }
    Err(DataError::OtherRecipe {
        path: source.first_path().into(),
        found: hex(found),
        expected: hex(expected),
    })
}

#[cfg(test)]
mod tests;
