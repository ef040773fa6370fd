use super::*;
use crate::{By, Role, Use};
use std::{collections::HashSet, mem, path::Path};

const FILE: &str = "flowers.csv";
const ROW: &str = "flowers.csv, row 7";
const CELL: &str = "flowers.csv, row 7, column `petal`";
const COLUMN: &str = "flowers.csv, column `petal`";
/// How many variants there are.
const VARIANTS: usize = 47;

/// What the message of an error must contain: where it is, as precisely as is known, and what to do. A new variant has to be added
/// here and to [`all`].
fn needed(error: &DataError) -> [&'static str; 2] {
    use DataError as E;
    match error {
        // Errors that are not about a file.
        E::NoFile => ["no file", "name at least one"],
        E::NoLength => ["samples of text", "give one"],
        E::Misfit { .. } => ["the recipe", "choose a model or a recipe that fits"],

        E::Missing { .. } => [FILE, "check the path"],
        E::Folder { .. } => [FILE, "name the files in it"],
        E::NotAFolder { .. } => [FILE, "give a folder with one subfolder per class"],
        E::Unreadable { .. } => [FILE, "check the file and its permissions"],
        E::Unwritable { .. } => [FILE, "check the folder, its permissions and free space"],
        E::UnknownFormat { .. } => [FILE, "name the format: csv"],
        E::MixedFormats { .. } => [FILE, "use files of one format"],
        E::FilesDiffer { .. } => [FILE, "make them match"],
        E::Empty { .. } => [FILE, "check that it is the right file"],
        E::Truncated { .. } | E::Damaged { .. } => [FILE, "copy or download it again"],
        E::NotPacked { .. } => [FILE, "rename it or compress it"],
        E::PackedFormat { .. } => [FILE, "decompress it first"],
        E::PackedContent { .. } => [FILE, "decompress it, and name the file inside"],
        E::Malformed { .. } => [FILE, "check the file, or name another format"],
        E::SameColumn { .. } => [FILE, "two columns `petal`; rename one"],
        E::NoColumn { .. } => [FILE, "name one of them"],
        E::LabelNotNamed { .. } => [FILE, "name the column that holds the classes"],
        E::NoColumnLeft { .. } => [FILE, "keep at least one"],
        E::TooManyCharacters { .. } => [FILE, "use the tokens `bytes`"],
        E::WrongKind { .. } => [FILE, "use other files or another recipe"],
        E::AlreadyMade { .. } => [FILE, "name the files that they were made from"],
        E::OtherRecipe { .. } => [FILE, "make it again from your files"],
        E::TooLarge { .. } => [FILE, "use fewer"],
        E::TooShort { .. } => [FILE, "use longer texts"],

        E::OneClass { .. } => [COLUMN, "a model needs at least two"],
        E::NoValues { .. } => [COLUMN, "leave the column out with --drop"],

        E::BadRow { .. } | E::RowLength { .. } => [ROW, "correct or remove the row"],
        E::NotUtf8 { .. } => [ROW, "save the file as UTF-8"],
        E::UnknownCharacter { .. } => [ROW, "remove it, or set an `unknown` character"],
        E::WrongShape { .. } => [ROW, "correct or remove it"],

        E::UnsupportedType { .. } => [CELL, "leave the column out with --drop"],
        E::NotANumber { .. } => [CELL, "correct it, or leave the cell empty"],
        E::NotFinite { .. } => [CELL, "leave the cell empty"],
        E::NoLabel { .. } => [CELL, "fill it in or remove the row"],
        E::UnlistedLabel { .. } | E::LonelyLabel { .. } => {
            [CELL, "add rows of this class, combine classes"]
        }
        E::TooManyClasses { .. } => [CELL, "combine classes, or name another column"],
        E::TooManyCategories { .. } => [CELL, "leave the column out with --drop, or correct it"],

        E::Array(error) => needed_of_array(error),
        E::Image(error) => needed_of_image(error),
        E::Split(error) => needed_of_split(error),
        E::Recipe(error) => needed_of_recipe(error),
    }
}

fn needed_of_array(error: &ArrayError) -> [&'static str; 2] {
    use ArrayError as E;
    match error {
        E::NoArray { .. } => [FILE, "name the right one with --inputs"],
        E::Ambiguous { .. } => [FILE, "name the right one with --label"],
        E::NoLabels { .. } => [FILE, "put them beside it as labels.idx"],
        E::Type { .. } => [FILE, "save it as integers, floats or booleans"],
        E::FortranOrder { .. } => [FILE, "save `numpy.ascontiguousarray(petal)`"],
        E::Packing { .. } => [FILE, "save it with `numpy.savez`"],
        E::Shape { .. } => [FILE, "petal has the shape 2 x 3, but"],
        E::Lengths { .. } => [FILE, "each row needs one label"],
        E::Corrupt { .. } => [FILE, "write or download the file again"],
    }
}

fn needed_of_image(error: &ImageError) -> [&'static str; 2] {
    use ImageError as E;
    match error {
        E::NoClasses { .. } => [FILE, "put the images of each class into a folder"],
        E::EmptyClass { .. } => [FILE, "add images of the class, or remove its folder"],
        E::ClassName { .. } => [FILE, "rename the folder"],
        E::OtherFile { .. } => [FILE, "convert it, or move it out of the folder"],
        E::Undecodable { .. } => [FILE, "replace or remove it"],
        E::TooLarge { .. } => [FILE, "make it smaller"],
    }
}

fn needed_of_split(error: &SplitError) -> [&'static str; 2] {
    use SplitError as E;
    match error {
        E::NothingLeft { .. } => ["900 thousandths for exams", "must be below 1000"],
        E::EmptyPart { .. } => [FILE, "use more rows"],
        E::NoColumns { .. } => [FILE, "split it at random"],
        E::TooManyRows { .. } => [FILE, "use fewer rows"],
        E::Missing { .. } => [CELL, "fill it in or remove the row"],
        E::NotATime { .. } => [CELL, "use numbers in all rows, or dates in all"],
    }
}

fn needed_of_recipe(error: &RecipeError) -> [&'static str; 2] {
    use RecipeError as E;
    match error {
        E::Syntax(_) => ["not a recipe", "as `gotong data split` writes it: daisy"],
        E::TooLong { .. } => [
            "recipe has 70000 bytes",
            "drop columns with many categories",
        ],
        E::Classes(_) => ["1 classes", "combine or add some"],
        E::Twice(_) => ["`daisy` twice", "keep one"],
        E::Range { .. } => ["range of petal is from 1 to 0", "correct it"],
        E::Column(_) => [
            "column `petal`",
            "needs either `low`, `high` and `missing`, or",
        ],
        E::Categories(_) => ["column `petal`", "needs between 1 and 256 categories"],
        E::Inputs(_) => ["samples of 0 bytes", "change its columns, shape or size"],
        E::Channels(_) => ["2 channels", "correct it"],
        E::Tokens(_) => ["0 tokens", "use the tokens `bytes`, or correct it"],
        E::NotAPair(_) => [
            "token `daisy`",
            "list them in the order in which they were learned",
        ],
        E::Unknown(_) => ["`unknown` character, `?`", "name one that is"],
    }
}

/// One error of each variant, all about the same file, row and column.
fn all() -> Vec<DataError> {
    let path = || PathBuf::from(FILE);
    let at = || Place {
        file: Path::new(FILE).into(),
        row: 7,
    };
    let column = || String::from("petal");
    let text = || String::from("daisy");
    let io = || io::Error::from(io::ErrorKind::PermissionDenied);
    vec![
        DataError::NoFile,
        DataError::Missing { path: path() },
        DataError::Folder { path: path() },
        DataError::NotAFolder { path: path() },
        DataError::Unreadable {
            path: path(),
            source: io(),
        },
        DataError::Unwritable {
            path: path(),
            source: io(),
        },
        DataError::UnknownFormat { path: path() },
        DataError::MixedFormats {
            path: path(),
            found: Format::Csv,
            first: Format::Npz,
        },
        DataError::FilesDiffer {
            path: path(),
            found: text(),
            first: text(),
        },
        DataError::Empty { path: path() },
        DataError::Truncated {
            path: path(),
            reason: text(),
        },
        DataError::Damaged {
            path: path(),
            reason: text(),
        },
        DataError::NotPacked {
            path: path(),
            packing: Packing::Gzip,
        },
        DataError::PackedFormat {
            path: path(),
            format: Format::Npz,
            packing: Packing::Gzip,
        },
        DataError::PackedContent {
            path: path(),
            packing: Packing::Gzip,
            found: "an archive",
        },
        DataError::Malformed {
            path: path(),
            format: Format::Csv,
            reason: text(),
        },
        DataError::BadRow {
            at: at(),
            reason: text(),
        },
        DataError::NotUtf8 { at: at() },
        DataError::RowLength {
            at: at(),
            found: 4,
            expected: 5,
        },
        DataError::SameColumn {
            path: path(),
            column: column(),
        },
        DataError::NoColumn {
            path: path(),
            column: text(),
            has: vec![column()],
        },
        DataError::LabelNotNamed {
            path: path(),
            has: vec![column()],
        },
        DataError::NoColumnLeft { path: path() },
        DataError::UnsupportedType {
            at: at(),
            column: column(),
            found: "list".into(),
        },
        DataError::NotANumber {
            at: at(),
            column: column(),
            found: text(),
        },
        DataError::NotFinite {
            at: at(),
            column: column(),
            found: f64::INFINITY,
        },
        DataError::NoLabel {
            at: at(),
            column: column(),
        },
        DataError::UnlistedLabel {
            at: at(),
            column: column(),
            found: text(),
            classes: vec!["rose".into()],
        },
        DataError::LonelyLabel {
            at: at(),
            column: column(),
            class: text(),
        },
        DataError::OneClass {
            path: path(),
            column: column(),
            class: text(),
        },
        DataError::TooManyClasses {
            at: at(),
            column: column(),
            class: text(),
        },
        DataError::TooManyCategories {
            at: at(),
            column: column(),
            found: text(),
        },
        DataError::NoValues {
            path: path(),
            column: column(),
        },
        DataError::UnknownCharacter {
            at: at(),
            character: '\u{e9}',
            around: "caf\u{e9}".into(),
        },
        DataError::TooManyCharacters { path: path() },
        DataError::WrongShape {
            at: at(),
            found: text(),
            expected: text(),
        },
        DataError::WrongKind {
            path: path(),
            found: Kind::Table,
            expected: Kind::Text,
        },
        DataError::AlreadyMade { path: path() },
        DataError::OtherRecipe {
            path: path(),
            found: text(),
            expected: text(),
        },
        DataError::Misfit {
            needs: text(),
            model: text(),
        },
        DataError::NoLength,
        DataError::TooLarge {
            path: path(),
            samples: 1,
            needs: 2,
            most: 1,
        },
        DataError::TooShort {
            path: path(),
            tokens: 8,
        },
        ArrayError::NoArray {
            file: path(),
            role: Role::Inputs,
            wanted: "x".into(),
            there: column(),
        }
        .into(),
        ArrayError::Ambiguous {
            file: path(),
            role: Role::Labels,
            found: column(),
        }
        .into(),
        ArrayError::NoLabels {
            file: path(),
            labels: "labels.idx".into(),
        }
        .into(),
        ArrayError::Type {
            file: path(),
            array: column(),
            found: text(),
        }
        .into(),
        ArrayError::FortranOrder {
            file: path(),
            array: column(),
        }
        .into(),
        ArrayError::Packing {
            file: path(),
            array: column(),
            found: "encrypted",
        }
        .into(),
        ArrayError::Shape {
            file: path(),
            array: column(),
            shape: vec![2, 3],
            needs: "a row needs one label",
        }
        .into(),
        ArrayError::Lengths {
            file: path(),
            inputs: "x".into(),
            inputs_rows: 2,
            labels: "y".into(),
            labels_rows: 3,
        }
        .into(),
        ArrayError::Corrupt {
            file: path(),
            array: column(),
            problem: "fails its checksum",
        }
        .into(),
        ImageError::NoClasses { folder: path() }.into(),
        ImageError::EmptyClass { folder: path() }.into(),
        ImageError::ClassName { folder: path() }.into(),
        ImageError::OtherFile { file: path() }.into(),
        ImageError::Undecodable {
            file: path(),
            source: image::ImageError::IoError(io()),
        }
        .into(),
        ImageError::TooLarge {
            file: path(),
            size: "20000 x 1".into(),
        }
        .into(),
        SplitError::NothingLeft {
            exam: 900,
            report: 100,
        }
        .into(),
        SplitError::EmptyPart {
            file: path(),
            part: Use::Exam,
            rows: 3,
            by: By::Random,
        }
        .into(),
        SplitError::NoColumns {
            file: path(),
            kind: Kind::Image,
        }
        .into(),
        SplitError::TooManyRows {
            file: path(),
            rows: 3,
            needs: 2,
            most: 1,
        }
        .into(),
        SplitError::Missing {
            at: at(),
            column: column(),
        }
        .into(),
        SplitError::NotATime {
            at: at(),
            column: column(),
            found: text(),
        }
        .into(),
        RecipeError::Syntax(text()).into(),
        RecipeError::TooLong { bytes: 70_000 }.into(),
        RecipeError::Classes(1).into(),
        RecipeError::Twice(text()).into(),
        RecipeError::Range {
            what: column(),
            low: "1".into(),
            high: "0".into(),
        }
        .into(),
        RecipeError::Column(column()).into(),
        RecipeError::Categories(column()).into(),
        RecipeError::Inputs(0).into(),
        RecipeError::Channels(2).into(),
        RecipeError::Tokens(0).into(),
        RecipeError::NotAPair(text()).into(),
        RecipeError::Unknown('?').into(),
    ]
}

#[test]
fn every_error_says_where_it_is_and_what_to_do() {
    for error in all() {
        let told = error.to_string();
        for part in needed(&error) {
            assert!(told.contains(part), "`{part}` is not in: {told}");
        }
    }
    // No variant is left out.
    let variants: HashSet<_> = all().iter().map(mem::discriminant).collect();
    assert_eq!(variants.len(), VARIANTS);
}
