use super::*;
use crate::fixture::{cells, rows, Folder};
use std::io::{Seek, Write};

#[test]
fn objects_are_rows_whatever_the_order_of_their_keys() {
    let folder = Folder::new();
    let text = "{\"a\":1.5,\"b\":\"x\",\"c\":true}\n\n{\"c\":null,\"b\":\"caf\\u00e9\",\"a\":-2}\r\n{\"b\":\"\"}";
    let source = folder.open("a.jsonl", text).unwrap();
    assert_eq!(source.header(), ["a", "b", "c"]);
    let expected = [["1.5", "x", "true"], ["-2", "caf\u{e9}", ""], ["", "", ""]];
    assert_eq!(cells(&source).unwrap(), expected);
    let Values::Cells(first) = &rows(&source).unwrap()[0].values else {
        panic!("a table");
    };
    assert_eq!(first.get(0), Cell::Number(1.5));
}

#[test]
fn integers_that_are_too_large_for_a_number_stay_text() {
    let folder = Folder::new();
    let text = "{\"a\":9007199254740992}\n{\"a\":9007199254740993}\n{\"a\":-9223372036854775808}\n";
    let source = folder.open("a.jsonl", text).unwrap();
    let expected = [
        ["9007199254740992"],
        ["9007199254740993"],
        ["-9223372036854775808"],
    ];
    assert_eq!(cells(&source).unwrap(), expected);
}

fn error_of(second_line: &[u8]) -> DataError {
    let text = [b"{\"a\":1,\"b\":2}\n", second_line].concat();
    cells(&Folder::new().open("a.jsonl", text).unwrap()).unwrap_err()
}

#[test]
fn wrong_rows_are_named() {
    for line in [
        "{\"a\":1,",
        "[1,2]",
        "{\"a\":1}{\"b\":2}",
        "{\"a\":NaN}",
        "{\"a\":1e999}",
        "17",
    ] {
        let error = error_of(line.as_bytes());
        assert!(
            matches!(&error, DataError::BadRow { at, .. } if at.row == 2),
            "{line}: {error}"
        );
    }
    let error = error_of(b"{\"a\":1,\"z\":2}");
    let is_named =
        matches!(&error, DataError::UnknownKey { at, column } if at.row == 2 && column == "z");
    assert!(is_named, "{error}");
    for line in ["{\"b\":[1]}", "{\"b\":{\"c\":1}}"] {
        let error = error_of(line.as_bytes());
        let is_named = matches!(&error, DataError::UnsupportedType { column, .. } if column == "b");
        assert!(is_named && error.to_string().contains("row 2"), "{error}");
    }
    let error = error_of(b"{\"a\":\"caf\xe9\"}");
    assert!(
        matches!(&error, DataError::NotUtf8 { at } if at.row == 2),
        "{error}"
    );
}

#[test]
fn the_first_row_must_be_an_object() {
    let folder = Folder::new();
    for text in ["[1]\n", "a,b\n1,2\n", "{\"a\":1"] {
        let error = folder.open("a.jsonl", text).unwrap_err();
        assert!(
            matches!(&error, DataError::BadRow { at, .. } if at.row == 1),
            "{error}"
        );
    }
    let error = folder.open("a.jsonl", "\n \n").unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
    let error = folder.open("a.jsonl", "{\"a\":1,\"a\":2}").unwrap_err();
    assert!(matches!(error, DataError::SameColumn { .. }), "{error}");
}

#[test]
fn a_file_is_read_through_a_small_buffer() {
    let folder = Folder::new();
    let path: Arc<Path> = folder.path("a.jsonl").into();
    let mut file = File::create(&path).unwrap();
    file.write_all("{\"a\":1}\n".repeat(1 << 17).as_bytes())
        .unwrap();
    let mut lines = Lines::open(&path).unwrap();
    assert!(lines.next().unwrap());
    assert!(lines.file.get_mut().stream_position().unwrap() <= 64 << 10);
}

#[test]
fn a_line_without_end_does_not_fill_the_memory() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "{\"a\":1}\n{\"a\":\"");
    // A hole in the file, which takes no disk.
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(MAX_LINE_BYTES + (1 << 20)).unwrap();
    let source = crate::Source::open(&[path], Default::default()).unwrap();
    let error = cells(&source).unwrap_err();
    assert!(error.to_string().contains("64 MiB"), "{error}");
}
