use super::*;
use crate::fixture::{cells, rows, Folder};
use std::{fs::File, io::Write};

#[test]
fn objects_are_rows_whatever_the_order_of_their_keys() {
    let folder = Folder::new();
    let text = "\u{feff}{\"a\":1.5,\"b\":\"x\",\"c\":true}\n\n{\"c\":null,\"b\":\"caf\\u00e9\",\"a\":-2}\r\n{\"b\":\"\"}";
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

#[test]
fn numbers_are_read_however_they_are_written() {
    let folder = Folder::new();
    let text = "{\"a\":1e3}\n{\"a\":-0.5}\n{\"a\":12.0}\n{\"a\":-0}\n{\"a\":2E-1}\n{\"a\":0.30000000000000004}\n";
    let source = folder.open("a.jsonl", text).unwrap();
    let expected = [
        ["1000"],
        ["-0.5"],
        ["12"],
        ["0"],
        ["0.2"],
        ["0.30000000000000004"],
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
    // Also in a value that belongs to no column.
    let lines: [&[u8]; 2] = [b"{\"a\":\"caf\xe9\"}", b"{\"a\":1,\"z\":\"caf\xe9\"}"];
    for line in lines {
        let error = error_of(line);
        assert!(
            matches!(&error, DataError::NotUtf8 { at } if at.row == 2),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_cell_fails_only_where_it_is_used() {
    let folder = Folder::new();
    let text = "{\"tags\":[\"x\",[1]],\"a\":1,\"y\":\"p\"}\n{\"a\":2,\"z\":{\"b\":[3]},\"tags\":{\"b\":{}},\"y\":\"q\"}\n\
                {\"a\":3,\"y\":\"p\"}\n{\"a\":4,\"y\":\"q\"}\n";
    let source = folder.labelled("a.jsonl", text, "y");
    assert_eq!(source.header(), ["tags", "a", "y"]);
    let Values::Cells(second) = &rows(&source).unwrap()[1].values else {
        panic!("a table");
    };
    assert_eq!(second.get(0), Cell::Unsupported("object"));
    assert_eq!(second.get(1), Cell::Number(2.0));
    let mut options = crate::LearnOptions::default();
    let error = crate::learn(&source, |_| true, &options).unwrap_err();
    let is_named = matches!(
        &error,
        DataError::UnsupportedType { at, column, found } if at.row == 1 && column == "tags" && found == "list"
    );
    assert!(is_named, "{error}");
    options.drop.push("tags".into());
    let recipe = crate::learn(&source, |_| true, &options).unwrap();
    assert_eq!(recipe.load(&source, None).unwrap().labels, [0, 1, 0, 1]);

    // A recipe learned from another file uses the column: as a label, a category, a number or a
    // text.
    let training = "tags,a,y\nu,1,p\nv,2,q\nu,3,p\nv,4,q\n";
    let encoded = |training: &str, label: &str| {
        let training = folder.labelled("b.csv", training, label);
        let recipe = crate::learn(&training, |_| true, &Default::default()).unwrap();
        recipe.load(&source, None).unwrap_err()
    };
    for error in [
        encoded(training, "y"),
        encoded(&training.replace('u', "5").replace('v', "6"), "y"),
        encoded(training, "tags"),
    ] {
        assert!(
            matches!(&error, DataError::UnsupportedType { column, .. } if column == "tags"),
            "{error}"
        );
    }
    let options = crate::SourceOptions {
        field: Some("tags".into()),
        ..Default::default()
    };
    let text = crate::Source::open(&[folder.path("a.jsonl")], options).unwrap();
    let error = rows(&text).unwrap_err();
    assert!(
        matches!(&error, DataError::UnsupportedType { column, .. } if column == "tags"),
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
    assert!(lines.file.capacity() <= 64 << 10);
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

#[test]
fn an_object_of_nothing_but_keys_does_not_fill_the_memory() {
    let keys = "\"\":0,".repeat(MAX_KEYS + 1);
    let text = format!("{{{keys}\"a\":0}}\n");
    let error = Folder::new().open("a.jsonl", text).unwrap_err();
    assert!(
        matches!(&error, DataError::BadRow { at, .. } if at.row == 1),
        "{error}"
    );
    assert!(error.to_string().contains("keys"), "{error}");
}
