use super::*;
use crate::fixture::{rows, Folder};

/// A reader that records how much was read from it.
struct Counting<'a> {
    bytes: &'a [u8],
    most: usize,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.most = self.most.max(read);
        Ok(read)
    }
}

fn pieces(bytes: &[u8], piece_bytes: usize) -> Result<Vec<String>, DataError> {
    let mut pieces = Pieces {
        input: Counting { bytes, most: 0 },
        buffer: Vec::new(),
        lines: 0,
        is_first: true,
        piece_bytes,
        at: Place {
            file: Path::new("a.txt").into(),
            row: 1,
        },
    };
    let mut row = Row::new(pieces.at.file.clone());
    let mut texts = Vec::new();
    while pieces.read(&mut row)? {
        assert!(pieces.input.most <= piece_bytes);
        assert_eq!(row.at, pieces.at);
        let Values::Text(text) = &row.values else {
            panic!("{row:?}");
        };
        assert!(!text.is_empty() && text.len() <= piece_bytes);
        texts.push(text.clone());
    }
    Ok(texts)
}

#[test]
fn pieces_end_with_lines_where_they_can() {
    assert_eq!(
        pieces(b"one\ntwo\nthree\n", 9).unwrap(),
        ["one\ntwo\n", "three\n"]
    );
    assert_eq!(pieces(b"one\ntwo", 7).unwrap(), ["one\n", "two"]);
    assert_eq!(pieces(b"abcdefgh", 3).unwrap(), ["abc", "def", "gh"]);
    assert_eq!(pieces("\u{feff}a\n".as_bytes(), 99).unwrap(), ["a\n"]);
}

#[test]
fn nothing_is_lost_and_no_character_is_cut() {
    let text = "caf\u{e9} \u{2014} na\u{ef}ve \u{1f600}\n".repeat(50) + &"\u{2014}".repeat(100);
    for piece_bytes in 4..80 {
        assert_eq!(pieces(text.as_bytes(), piece_bytes).unwrap().concat(), text);
    }
}

#[test]
fn what_is_no_utf_8_is_named_by_its_line() {
    for piece_bytes in [5, 8, 100] {
        let error = pieces(b"one\ntwo\ncaf\xe9 x\n", piece_bytes).unwrap_err();
        assert!(
            matches!(&error, DataError::NotUtf8 { at } if at.row == 3),
            "{error}"
        );
    }
    // A file that is cut off within a character.
    let error = pieces(b"one\ncaf\xc3", 100).unwrap_err();
    assert!(
        matches!(&error, DataError::NotUtf8 { at } if at.row == 2),
        "{error}"
    );
}

#[test]
fn a_file_is_one_document() {
    let folder = Folder::new();
    let source = folder.open("a.txt", "one line\n".repeat(200_000)).unwrap();
    let rows = rows(&source).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].at, rows[1].at);
}
