use super::*;
use crate::fixture::{cells, Folder};
use std::{
    fs::{File, OpenOptions},
    io::Write,
};

#[test]
fn quotes_may_hold_separators_newlines_and_quotes() {
    let folder = Folder::new();
    let text = "name,note\r\n\"a, b\",\"one\ntwo \"\"three\"\"\"\r\n\r\nc,\n";
    let source = folder.open("a.csv", text).unwrap();
    let expected = [["a, b", "one\ntwo \"three\""], ["c", ""]];
    assert_eq!(cells(&source).unwrap(), expected);
}

#[test]
fn the_separator_is_found_in_the_header() {
    let folder = Folder::new();
    for text in [
        "a;\"b,b,b\"\n1;2\n",
        "a\t\"b,b,b\"\n1\t2\n",
        "\u{feff}a,\"b,b,b\"\n1,2\n",
    ] {
        let source = folder.open("a.csv", text).unwrap();
        assert_eq!(source.header(), ["a", "b,b,b"]);
        assert_eq!(cells(&source).unwrap(), [["1", "2"]]);
    }
    let source = folder.open("a.csv", "alone\n1\n").unwrap();
    assert_eq!(source.header(), ["alone"]);
}

#[test]
fn rows_of_another_length_are_named() {
    let folder = Folder::new();
    for (row, length) in [("3", 1), ("3,4,5", 3)] {
        let source = folder.open("a.csv", format!("a,b\n1,2\n{row}\n")).unwrap();
        let error = cells(&source).unwrap_err();
        let is_named = matches!(
            &error,
            DataError::RowLength { at, found, expected: 2 } if at.row == 2 && *found == length
        );
        assert!(is_named, "{error}");
    }
}

#[test]
fn what_is_no_utf_8_is_named() {
    let folder = Folder::new();
    let error = folder.open("a.csv", b"caf\xe9,b\n").unwrap_err();
    assert!(matches!(error, DataError::NotUtf8 { .. }), "{error}");
    let source = folder.open("a.csv", b"a,b\n1,2\ncaf\xe9,3\n").unwrap();
    let error = cells(&source).unwrap_err();
    assert!(
        matches!(&error, DataError::NotUtf8 { at } if at.row == 2),
        "{error}"
    );
    assert!(error.to_string().contains("row 2"), "{error}");
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let error = Folder::new().open("a.csv", "a,b,a \n").unwrap_err();
    assert!(
        matches!(&error, DataError::SameColumn { column, .. } if column == "a"),
        "{error}"
    );
}

/// 60 KB of gzip unpack to that many commas.
#[test]
fn a_header_of_nothing_but_commas_does_not_fill_the_memory() {
    let folder = Folder::new();
    let commas = |count: u64| ",".repeat(usize::try_from(count).unwrap());
    let error = folder
        .open("a.csv", commas(MAX_HEADER_BYTES + (1 << 20)))
        .unwrap_err();
    assert!(
        matches!(&error, DataError::BadRow { at, .. } if at.row == 0),
        "{error}"
    );
    assert!(error.to_string().contains("4 MiB"), "{error}");
    // A later row may be longer.
    let text = format!("a\n\"{}\"\n", commas(MAX_HEADER_BYTES + (1 << 20)));
    let source = folder.open("b.csv", text).unwrap();
    assert_eq!(cells(&source).unwrap().len(), 1);
}

#[test]
fn a_quote_that_is_never_closed_does_not_fill_the_memory() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "a,b\n1,2\n3,\"");
    // A hole in the file, which takes no disk.
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(MAX_ROW_BYTES + (1 << 20)).unwrap();
    let source = crate::Source::open(&[path], Default::default()).unwrap();
    let error = cells(&source).unwrap_err();
    assert!(
        matches!(&error, DataError::BadRow { at, .. } if at.row == 2),
        "{error}"
    );
    assert!(error.to_string().contains("quote"), "{error}");
}

#[test]
fn a_file_is_read_through_a_small_buffer() {
    let folder = Folder::new();
    let path: Arc<Path> = folder.path("a.csv").into();
    let mut file = File::create(&path).unwrap();
    file.write_all(b"a,b\n").unwrap();
    file.write_all("1,2\n".repeat(1 << 18).as_bytes()).unwrap();
    let mut reader = open(&path).unwrap();
    let mut record = StringRecord::new();
    assert!(reader.read_record(&mut record).unwrap());
    assert!(MAX_HEADER_BYTES - reader.get_ref().left <= 64 << 10);
}
