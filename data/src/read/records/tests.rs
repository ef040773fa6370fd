use super::*;
use crate::fixture::{rows, Folder};
use crate::{Source, SourceOptions, TextRecipe, TokenKind};
use std::fs;

fn text_recipe() -> Recipe {
    Recipe::Text(TextRecipe {
        tokens: TokenKind::Bytes,
        unknown: None,
        alphabet: String::new(),
        list: Vec::new(),
    })
}

fn array_recipe(classes: [&str; 2]) -> Recipe {
    Recipe::Array(crate::ArrayRecipe {
        shape: vec![3],
        low: 0.0,
        high: 1.0,
        classes: classes.map(String::from).to_vec(),
    })
}

fn open(path: &Path) -> Result<Source, DataError> {
    Source::open(&[path.into()], SourceOptions::default())
}

fn write_samples(path: &Path) {
    let mut writer = RecordsWriter::create(path, &array_recipe(["a", "b"])).unwrap();
    writer.sample(&[1, 2, 3], 0).unwrap();
    writer.sample(&[4, 5, 6], 1).unwrap();
    assert_eq!(writer.finish().unwrap(), 2);
}

#[test]
fn samples_are_what_was_written() {
    let folder = Folder::new();
    let path = folder.path("a.records");
    write_samples(&path);
    let source = open(&path).unwrap();
    assert_eq!((source.kind(), source.len_hint()), (Kind::Records, Some(2)));
    let recipe = array_recipe(["a", "b"]);
    let samples = recipe.load(&source, None).unwrap();
    assert_eq!(samples.pixels, [1, 2, 3, 4, 5, 6]);
    assert_eq!(samples.labels, [0, 1]);

    let line = fs::read(&path).unwrap();
    let line = line.split(|byte| *byte == b'\n').next().unwrap();
    let header: RecordsHeader = serde_json::from_slice(line).unwrap();
    assert_eq!(header, RecordsHeader::of(&recipe, 2).unwrap());
    let bytes = fs::metadata(&path).unwrap().len() as usize;
    assert_eq!(bytes, line.len() + 1 + 2 * 4);
}

#[test]
fn documents_are_what_was_written() {
    let folder = Folder::new();
    let path = folder.path("a.records");
    let long = vec![7; PIECE_BYTES as usize + 5];
    let mut writer = RecordsWriter::create(&path, &text_recipe()).unwrap();
    for tokens in [&b"abcde"[..], b"", &long, b"xyz"] {
        writer.document(tokens).unwrap();
    }
    writer.finish().unwrap();
    let source = open(&path).unwrap();
    let rows = rows(&source).unwrap();
    let pieces = [&b"abcde"[..], b"", &long[5..], &long[..5], b"xyz"];
    let found = rows.iter().map(|row| (row.at.row, row.values.clone()));
    let expected = [1, 2, 3, 3, 4].into_iter().zip(pieces);
    let expected = expected.map(|(row, piece)| (row, Values::Tokens(piece.to_vec())));
    assert!(found.eq(expected));
    let samples = text_recipe().load(&source, Some(2)).unwrap();
    assert_eq!(samples.pixels[..4], *b"abcd");
    assert_eq!(samples.labels[..2], *b"ce");
    // No window spans two documents.
    let last = samples.len() - 1;
    assert_eq!(
        (&samples.pixels[2 * last..], samples.labels[last]),
        (&b"xy"[..], b'z')
    );
}

#[test]
fn nothing_half_written_is_left() {
    let folder = Folder::new();
    let path = folder.write("a.records", "before");
    let mut writer = RecordsWriter::create(&path, &text_recipe()).unwrap();
    writer.document(b"abc").unwrap();
    assert_eq!(folder.names().len(), 2);
    drop(writer);
    assert_eq!(folder.names(), ["a.records"]);
    assert_eq!(fs::read(&path).unwrap(), b"before");
    let error = RecordsWriter::create(&folder.path("none/a.records"), &text_recipe());
    assert!(matches!(error, Err(DataError::Unwritable { .. })));
}

#[test]
fn records_of_another_kind_are_not_written() {
    let folder = Folder::new();
    let mut writer = RecordsWriter::create(&folder.path("a.records"), &text_recipe()).unwrap();
    assert!(writer.sample(&[1, 2, 3], 0).is_err());
    let recipe = array_recipe(["a", "b"]);
    let mut writer = RecordsWriter::create(&folder.path("b.records"), &recipe).unwrap();
    assert!(writer.document(b"abc").is_err());
    assert!(writer.sample(&[1, 2], 0).is_err());
}

#[test]
fn files_that_are_cut_off_or_too_long_are_named() {
    let folder = Folder::new();
    let path = folder.path("a.records");
    write_samples(&path);
    let whole = fs::read(&path).unwrap();
    let error = folder
        .open("b.records", &whole[..whole.len() - 1])
        .unwrap_err();
    assert!(matches!(error, DataError::Truncated { .. }), "{error}");
    let error = folder
        .open("b.records", [&whole[..], b"x"].concat())
        .unwrap_err();
    assert!(matches!(error, DataError::Malformed { .. }), "{error}");
    for wrong in [
        &b"petal,species\n"[..],
        b"{\"gotong\":\"records\"}\n",
        &whole[..20],
    ] {
        let error = folder.open("b.records", wrong).unwrap_err();
        assert!(matches!(error, DataError::Malformed { .. }), "{error}");
    }
    let version = String::from_utf8(whole)
        .unwrap()
        .replacen("\"version\":1", "\"version\":2", 1);
    let error = folder.open("b.records", version).unwrap_err();
    assert!(matches!(error, DataError::Malformed { .. }), "{error}");

    let mut writer = RecordsWriter::create(&path, &text_recipe()).unwrap();
    writer.document(b"abcde").unwrap();
    writer.finish().unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [whole.len() - 1, whole.len() - 7] {
        let error = rows(&folder.open("b.records", &whole[..length]).unwrap()).unwrap_err();
        assert!(matches!(error, DataError::Truncated { .. }), "{error}");
    }
    let source = folder
        .open("b.records", [&whole[..], b"x"].concat())
        .unwrap();
    let error = rows(&source).unwrap_err();
    assert!(matches!(error, DataError::Malformed { .. }), "{error}");
}

#[test]
fn a_header_that_promises_too_much_takes_no_memory() {
    let folder = Folder::new();
    let header = |inputs, count| RecordsHeader {
        inputs,
        ..RecordsHeader::of(&text_recipe(), count).unwrap()
    };
    let line = header(Some(usize::MAX), u64::MAX).line().unwrap();
    let error = folder.open("a.records", line).unwrap_err();
    assert!(matches!(error, DataError::Truncated { .. }), "{error}");
    let document = [header(None, 1).line().unwrap(), vec![0xff; 4]].concat();
    let error = rows(&folder.open("a.records", document).unwrap()).unwrap_err();
    assert!(matches!(error, DataError::Truncated { .. }), "{error}");
    let none = header(None, 0).line().unwrap();
    let error = folder.open("a.records", none).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

#[test]
fn records_of_another_recipe_are_refused() {
    let folder = Folder::new();
    let path = folder.path("a.records");
    write_samples(&path);
    let source = open(&path).unwrap();
    let error = array_recipe(["a", "c"]).load(&source, None).unwrap_err();
    assert!(matches!(error, DataError::OtherRecipe { .. }), "{error}");
    let error = crate::learn(&source, |_| true, &Default::default()).unwrap_err();
    assert!(matches!(error, DataError::AlreadyMade { .. }), "{error}");
}
