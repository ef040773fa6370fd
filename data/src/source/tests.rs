use super::*;
use crate::fixture::{cells, rows, Folder};

fn open(paths: &[PathBuf]) -> Result<Source, DataError> {
    Source::open(paths, SourceOptions::default())
}

#[test]
fn names_tell_formats() {
    let folder = Folder::new();
    let of = |name: &str| Format::of(&folder.write(name, "x"));
    let found =
        ["a.CSV", "a.tsv", "a.parquet", "a.jsonl", "a.txt", "a.npz"].map(|name| of(name).unwrap());
    let expected = [
        Format::Csv,
        Format::Csv,
        Format::Parquet,
        Format::Jsonl,
        Format::Text,
        Format::Npz,
    ];
    assert_eq!(found, expected);
    assert_eq!(of("a.safetensors").unwrap(), Format::Safetensors);
    assert_eq!(of("train-images-idx3-ubyte.gz").unwrap(), Format::Idx);
    assert_eq!(of("a.records").unwrap(), Format::Records);
    assert_eq!(
        Format::of(folder.path("").as_path()).unwrap(),
        Format::Images
    );
    let error = of("a.xlsx").unwrap_err();
    assert!(matches!(error, DataError::UnknownFormat { .. }));
    assert!(error.to_string().contains("csv, parquet"), "{error}");
}

#[test]
fn formats_are_parsed_as_they_are_shown() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    let error = "xml".parse::<Format>().unwrap_err();
    assert_eq!(error, ParseFormatError("xml".into()));
}

#[test]
fn files_that_are_not_there_or_not_files_are_named() {
    let folder = Folder::new();
    assert!(matches!(open(&[]), Err(DataError::NoFile)));
    let missing = open(&[folder.path("none.csv")]).unwrap_err();
    assert!(matches!(missing, DataError::Missing { .. }));
    assert!(missing.to_string().contains("none.csv"), "{missing}");
    let as_format = |path, format| {
        let options = SourceOptions {
            format: Some(format),
            ..SourceOptions::default()
        };
        Source::open(&[path], options).unwrap_err()
    };
    let of_files = Format::ALL.into_iter();
    for format in of_files.filter(|format| *format != Format::Images) {
        let error = as_format(folder.path(""), format);
        assert!(
            matches!(error, DataError::Folder { .. }),
            "{format}: {error}"
        );
        // Also if the folder's name implies the format; without `format`, a folder means images.
        let named = folder.path(&format!("a.{format}"));
        fs::create_dir(&named).unwrap();
        let error = as_format(named.clone(), format);
        assert!(
            matches!(&error, DataError::Folder { path } if *path == named),
            "{format}: {error}"
        );
        let error = as_format(folder.write("empty", ""), format);
        assert!(
            matches!(error, DataError::Empty { .. }),
            "{format}: {error}"
        );
    }
    let error = as_format(folder.write("b.csv", "a\n"), Format::Images);
    assert!(matches!(error, DataError::NotAFolder { .. }));
}

#[test]
fn several_files_are_one_source() {
    let folder = Folder::new();
    let one = folder.write("one.csv", "a,b\n1,2\n");
    let two = folder.write("two.csv", "a,b\n3,4\n5,6\n");
    let source = open(&[one, two.clone()]).unwrap();
    assert_eq!(source.header(), ["a", "b"]);
    assert_eq!(source.bytes(), 8 + 12);
    assert_eq!(
        cells(&source).unwrap(),
        [["1", "2"], ["3", "4"], ["5", "6"]]
    );
    let last = rows(&source).unwrap().pop().unwrap();
    assert_eq!(last.at.to_string(), format!("{}, row 2", two.display()));

    let other = folder.write("other.csv", "a,c\n");
    let error = open(&[two.clone(), other]).unwrap_err();
    assert!(matches!(error, DataError::FilesDiffer { .. }), "{error}");
    let text = folder.write("other.txt", "a");
    let error = open(&[two, text]).unwrap_err();
    assert!(matches!(error, DataError::MixedFormats { .. }), "{error}");
}

#[test]
fn a_label_must_be_a_column() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "a,b\n");
    for (label, field) in [(Some("c"), None), (None, Some("c"))] {
        let options = SourceOptions {
            label: label.map(String::from),
            field: field.map(String::from),
            ..SourceOptions::default()
        };
        let error = Source::open(std::slice::from_ref(&path), options).unwrap_err();
        assert!(matches!(error, DataError::NoColumn { .. }));
        assert!(
            error.to_string().contains("its columns are a, b"),
            "{error}"
        );
    }
}

#[test]
fn a_field_makes_documents_of_a_table() {
    let folder = Folder::new();
    let options = || SourceOptions {
        field: Some("text".into()),
        ..SourceOptions::default()
    };
    let csv = folder.write("a.csv", "id,text\n1,\"one\ntwo\"\n2,\n");
    let jsonl = folder.write(
        "a.jsonl",
        "{\"text\":\"one\\ntwo\",\"id\":1}\n{\"id\":2,\"text\":null}\n",
    );
    for path in [csv, jsonl] {
        let source = Source::open(&[path], options()).unwrap();
        assert_eq!(source.kind(), Kind::Text);
        let texts: Vec<Values> = rows(&source)
            .unwrap()
            .into_iter()
            .map(|row| row.values)
            .collect();
        assert_eq!(
            texts,
            [Values::Text("one\ntwo".into()), Values::Text("".into())]
        );
    }
}

#[test]
fn a_pass_ends_after_the_first_error() {
    let folder = Folder::new();
    let source = folder.open("a.csv", "a,b\n1,2\n3\n4,5\n").unwrap();
    let mut rows = source.rows().unwrap();
    assert!(rows.next().unwrap().is_ok());
    assert!(rows.next().unwrap().is_err());
    assert!(rows.next().is_none());
}

#[test]
fn cells_are_what_was_put_in() {
    let names: Arc<[String]> = ["a", "b", "c"].map(String::from).into();
    let mut cells = Cells::new(names);
    assert!(cells.is_empty());
    cells.push(Cell::Text("x"));
    cells.push(Cell::Number(0.5));
    cells.push(Cell::Missing);
    let found: Vec<Cell> = cells.iter().collect();
    assert_eq!(found, [Cell::Text("x"), Cell::Number(0.5), Cell::Missing]);
    assert_eq!(found[1].to_string(), "0.5");
    assert_eq!((cells.len(), cells.get(9)), (3, Cell::Missing));
    cells.reset();
    cells.set(1, Cell::Text("yz"));
    cells.set(0, Cell::Text("1"));
    assert_eq!(cells.get(1), Cell::Text("yz"));
    assert_eq!(cells.get(0).number(), Some(1.0));
    assert_eq!(cells.get(2), Cell::Missing);
}
