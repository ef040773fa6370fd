use super::*;
use crate::fixture::Folder;
use crate::SourceOptions;
use gotong_scoring::Transformer;
use std::path::PathBuf;

const FLOWERS: &str = r#"kind = "table"

[label]
column = "species"
classes = ["iris", "rose"]

[[columns]]
name = "petal"
low = 1.0
high = 3.0
missing = 100

[[columns]]
name = "colour"
categories = ["red", "white"]
"#;

fn flowers() -> Recipe {
    Recipe::parse(FLOWERS).unwrap()
}

fn characters() -> Recipe {
    Recipe::parse("kind = \"text\"\ntokens = \"characters\"\nalphabet = \"abc\"\n").unwrap()
}

fn open(paths: &[PathBuf]) -> Source {
    Source::open(paths, SourceOptions::default()).unwrap()
}

#[test]
fn a_recipe_is_its_canonical_text() {
    assert_eq!(flowers().to_text().unwrap(), FLOWERS);
    let spaced = FLOWERS.replace(" = ", "=") + "# a remark\n";
    let recipe = Recipe::parse(&spaced).unwrap();
    assert_eq!(recipe, flowers());
    assert_eq!(recipe.hash().unwrap(), Recipe::hash_of(FLOWERS.as_bytes()));
    let text = characters().to_text().unwrap();
    assert_eq!(
        text,
        "kind = \"text\"\ntokens = \"characters\"\nalphabet = \"abc\"\n"
    );
}

#[test]
fn every_character_comes_back() {
    let alphabet: String = ('\0'..='\u{ff}').collect();
    for text in [&*alphabet, "'\r\n\"", "\n ", "\n\\"] {
        let recipe = Recipe::Text(TextRecipe {
            tokens: crate::TokenKind::Characters,
            unknown: Some('\n'),
            alphabet: text.into(),
            list: Vec::new(),
        });
        let written = recipe.to_text().unwrap();
        assert_eq!(Recipe::parse(&written), Ok(recipe), "{written}");
    }
}

#[test]
fn a_recipe_says_what_samples_are() {
    let recipe = flowers();
    assert_eq!(
        (recipe.inputs(), recipe.classes(), recipe.vocab()),
        (Some(3), 2, None)
    );
    assert_eq!(recipe.class_names(), ["iris", "rose"]);
    assert!(recipe.tokenizer().is_none());
    let recipe = characters();
    assert_eq!(
        (recipe.inputs(), recipe.classes(), recipe.vocab()),
        (None, 3, Some(3))
    );
    assert!(recipe.class_names().is_empty());
    assert_eq!(
        recipe.tokenizer(),
        Some(Tokenizer::characters("abc").unwrap())
    );
}

#[test]
fn a_model_must_fit() {
    assert!(flowers().check(&Graph::mlp(&[3, 2])).is_ok());
    let error = flowers().check(&Graph::mlp(&[4, 2])).unwrap_err();
    assert!(matches!(error, DataError::Misfit { .. }));
    assert_eq!(
        error.to_string(),
        "the recipe needs a model of 3 inputs and 2 classes, but this one has 4 inputs and 2 classes; \
         choose a model or a recipe that fits"
    );
    let transformer = |vocab| {
        Graph::transformer(&Transformer {
            vocab,
            tokens: 16,
            width: 8,
            heads: 2,
            hidden: 16,
            layers: 1,
            tied: false,
        })
    };
    assert!(characters().check(&transformer(3)).is_ok());
    assert!(characters().check(&transformer(4)).is_err());
    assert!(flowers().check(&transformer(3)).is_err());
}

#[test]
fn texts_that_are_no_recipe_are_refused() {
    let changed = |from: &str, to: &str| {
        assert!(FLOWERS.contains(from), "{from}");
        Recipe::parse(&FLOWERS.replacen(from, to, 1)).unwrap_err()
    };
    let is_syntax = |error| matches!(error, RecipeError::Syntax(_));
    assert!(is_syntax(changed("\"table\"", "\"chair\"")));
    assert!(is_syntax(changed("missing = 100", "missing = 256")));
    assert!(is_syntax(changed(
        "missing = 100",
        "missing = 100\nmore = 1"
    )));
    assert!(is_syntax(changed("missing = 100\n", "")));
    assert!(is_syntax(changed("[label]", "[label]\nmore = 1")));
    let more = FLOWERS.replacen('\n', "\nmore = 1\n", 1);
    assert!(is_syntax(Recipe::parse(&more).unwrap_err()));
    assert!(is_syntax(Recipe::parse("petal,species\n").unwrap_err()));
    assert!(matches!(changed("3.0", "0.5"), RecipeError::Range { .. }));
    assert!(matches!(changed("3.0", "inf"), RecipeError::Range { .. }));
    assert!(matches!(changed("3.0", "nan"), RecipeError::Range { .. }));
    assert_eq!(changed(", \"rose\"", ""), RecipeError::Classes(1));
    assert_eq!(
        changed("\"rose\"", "\"iris\""),
        RecipeError::Twice("iris".into())
    );
    assert_eq!(
        changed("\"white\"", "\"red\""),
        RecipeError::Twice("red".into())
    );
    assert_eq!(
        changed("\"colour\"", "\"petal\""),
        RecipeError::Twice("petal".into())
    );
    assert_eq!(
        changed("\"colour\"", "\"species\""),
        RecipeError::Twice("species".into())
    );
    let long = "#".repeat(Recipe::MAX_BYTES + 1);
    assert_eq!(
        Recipe::parse(&long),
        Err(RecipeError::TooLong { bytes: long.len() })
    );
    let text = |more: &str| Recipe::parse(&format!("kind = \"text\"\n{more}\n")).unwrap_err();
    assert!(is_syntax(text("tokens = \"words\"")));
    assert!(is_syntax(text("tokens = \"bytes\"\nalphabet = \"ab\"")));
    assert!(is_syntax(text(
        "tokens = \"byte-pairs\"\nlist = [\"a\"]\nalphabet = \"a\""
    )));
    assert_eq!(text("tokens = \"characters\""), RecipeError::Tokens(0));
    let unknown = text("tokens = \"characters\"\nalphabet = \"ab\"\nunknown = \"c\"");
    assert_eq!(unknown, RecipeError::Unknown('c'));
}

#[test]
fn a_recipe_of_nothing_is_refused() {
    let start = FLOWERS.find("[[columns]]").unwrap();
    let text = format!("columns = []\n{}", &FLOWERS[..start]);
    let text = text.replacen(
        "columns = []\nkind = \"table\"",
        "kind = \"table\"\ncolumns = []",
        1,
    );
    assert_eq!(Recipe::parse(&text), Err(RecipeError::Inputs(0)));
}

#[test]
fn rows_become_samples_in_any_order_of_columns() {
    let folder = Folder::new();
    let csv =
        "colour,more,species,petal\nred,x,rose,2\nwhite,x,iris,\ngreen,x,iris,9\n,x,rose,-1\n";
    let parts = [
        (folder.write("a.csv", csv), SourceOptions::default()),
        (
            folder.write(
                "a.jsonl",
                "{\"petal\":2,\"species\":\"rose\",\"colour\":\"red\"}\n\
                 {\"colour\":\"white\",\"species\":\"iris\"}\n\
                 {\"petal\":9,\"species\":\"iris\",\"colour\":\"green\"}\n\
                 {\"petal\":-1,\"species\":\"rose\"}\n",
            ),
            SourceOptions::default(),
        ),
    ];
    for (path, options) in parts {
        let source = Source::open(&[path], options).unwrap();
        let samples = flowers().load(&source, None).unwrap();
        assert_eq!(samples.inputs, 3);
        assert_eq!(
            samples.pixels,
            [128, 255, 0, 100, 0, 255, 255, 0, 0, 0, 0, 0]
        );
        assert_eq!(samples.labels, [1, 0, 0, 1]);
        let recipe = flowers();
        let encoder = recipe.encoder(&source).unwrap();
        let row = source.rows().unwrap().next().unwrap().unwrap();
        let expected = Encoded::Sample {
            sample: vec![128, 255, 0],
            label: 1,
        };
        assert_eq!(encoder.encode(&row).unwrap(), expected);
    }
}

fn error_of(csv: &str) -> DataError {
    let folder = Folder::new();
    let source = folder.open("a.csv", csv).unwrap();
    flowers().load(&source, None).unwrap_err()
}

#[test]
fn rows_that_do_not_fit_are_named() {
    let error = error_of("petal,species\n1,iris\n");
    assert!(
        matches!(&error, DataError::NoColumn { column, .. } if column == "colour"),
        "{error}"
    );
    let error = error_of("petal,colour\n1,red\n");
    assert!(
        matches!(&error, DataError::NoColumn { column, .. } if column == "species"),
        "{error}"
    );
    let error_of = |row: &str| error_of(&format!("petal,colour,species\n1,red,iris\n{row}\n"));
    let error = error_of("2,red,tulip");
    let is_named = matches!(
        &error,
        DataError::UnlistedLabel { at, column, found, .. }
            if at.row == 2 && column == "species" && found == "tulip"
    );
    assert!(
        is_named && error.to_string().contains("iris, rose"),
        "{error}"
    );
    let error = error_of("2,red, ");
    assert!(
        matches!(&error, DataError::NoLabel { at, .. } if at.row == 2),
        "{error}"
    );
    let error = error_of("two,red,iris");
    let is_named = matches!(
        &error,
        DataError::NotANumber { at, column, found } if at.row == 2 && column == "petal" && found == "two"
    );
    assert!(is_named, "{error}");
    for infinite in ["NaN", "inf", "-inf", "1e999"] {
        let error = error_of(&format!("{infinite},red,iris"));
        let is_named = matches!(&error, DataError::NotFinite { at, column, .. } if at.row == 2 && column == "petal");
        assert!(is_named, "{error}");
    }
}

#[test]
fn inputs_need_no_label() {
    let folder = Folder::new();
    let source = folder.open("a.csv", "petal,colour\n3,white\n").unwrap();
    let recipe = flowers();
    let encoder = recipe.encoder_of_inputs(&source).unwrap();
    let row = source.rows().unwrap().next().unwrap().unwrap();
    let mut sample = Vec::new();
    encoder.inputs_into(&row, &mut sample).unwrap();
    assert_eq!(sample, [255, 0, 255]);
    assert!(matches!(
        encoder.label_of(&row),
        Err(DataError::NoLabel { .. })
    ));
}

#[test]
fn sources_that_do_not_fit_are_named() {
    let folder = Folder::new();
    let empty = folder.open("a.csv", "petal,colour,species\n").unwrap();
    assert!(matches!(
        flowers().load(&empty, None),
        Err(DataError::Empty { .. })
    ));
    let error = characters().load(&empty, Some(2)).unwrap_err();
    let is_named = matches!(
        error,
        DataError::WrongKind {
            found: Kind::Table,
            expected: Kind::Text,
            ..
        }
    );
    assert!(is_named, "{error}");
    let text = folder.open("a.txt", "abc").unwrap();
    assert!(matches!(
        flowers().load(&text, None),
        Err(DataError::WrongKind { .. })
    ));
    assert!(matches!(
        characters().load(&text, None),
        Err(DataError::NoLength)
    ));
    let error = characters().load(&text, Some(3)).unwrap_err();
    assert!(
        matches!(error, DataError::TooShort { tokens: 3, .. }),
        "{error}"
    );
}

#[test]
fn documents_are_cut_into_windows_that_do_not_span_two() {
    let folder = Folder::new();
    let paths = [folder.write("a.txt", "abcab"), folder.write("b.txt", "cba")];
    let samples = characters().load(&open(&paths), Some(2)).unwrap();
    assert_eq!(samples.inputs, 2);
    assert_eq!(samples.pixels, [0, 1, 2, 0, 2, 1]);
    assert_eq!(samples.labels, [2, 1, 0]);
}

#[test]
fn pieces_of_a_document_are_one() {
    let folder = Folder::new();
    let text = "abcab\n".repeat(300_000);
    let path = folder.write("a.txt", &text);
    let recipe = Recipe::parse("kind = \"text\"\ntokens = \"bytes\"\n").unwrap();
    let samples = recipe.load(&open(&[path]), Some(7)).unwrap();
    assert_eq!(samples.len(), (text.len() - 1) / 7);
    assert!(samples.pixels == text.as_bytes()[..samples.len() * 7]);
}

#[test]
fn unknown_characters_are_named_with_what_is_around() {
    let folder = Folder::new();
    let path = folder.write("a.txt", "abcabcabcabcabcabcabcabc\u{e9}cba");
    let error = characters().load(&open(&[path]), Some(2)).unwrap_err();
    let DataError::UnknownCharacter {
        character, around, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(*character, '\u{e9}');
    assert_eq!(around, "bcabcabcabcabcabcabc\u{e9}cba");
}
