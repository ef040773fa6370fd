use super::*;
use crate::fixture::{cells, rows, Folder};
use parquet::{
    basic::{Compression, GzipLevel, ZstdLevel},
    data_type::{BoolType, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type},
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::parser::parse_message_type,
};
use std::fs;

/// Writes a file of `groups` row groups, each with what `fill` puts into column `index` of group `group`.
fn write(
    path: &Path,
    schema: &str,
    compression: Compression,
    groups: usize,
    fill: impl Fn(usize, usize, &mut SerializedColumnWriter<'_>),
) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression);
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, properties.build().into()).unwrap();
    for number in 0..groups {
        let mut group = writer.next_row_group().unwrap();
        let mut index = 0;
        while let Some(mut column) = group.next_column().unwrap() {
            fill(number, index, &mut column);
            column.close().unwrap();
            index += 1;
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn put<T: DataType>(column: &mut SerializedColumnWriter<'_>, values: &[T::T]) {
    column.typed::<T>().write_batch(values, None, None).unwrap();
}

const ALL: &str = "message table {
    required boolean flag; optional int32 small; required int64 large; required float half;
    required double mass; optional binary name (UTF8); required int32 price (DECIMAL(9, 2));
    required int32 day (DATE); required int64 count (UINT_64);
}";

fn fill_all(group: usize, index: usize, column: &mut SerializedColumnWriter<'_>) {
    match index {
        0 => put::<BoolType>(column, &[true, false]),
        1 => {
            let written = column
                .typed::<Int32Type>()
                .write_batch(&[-7], Some(&[0, 1]), None);
            written.unwrap();
        }
        2 => put::<Int64Type>(column, &[group as i64, (1 << 53) + 1]),
        3 => put::<FloatType>(column, &[0.5, f32::NAN]),
        4 => put::<DoubleType>(column, &[1e300, -0.1]),
        5 => {
            let name = ByteArray::from("caf\u{e9}");
            let written = column
                .typed::<ByteArrayType>()
                .write_batch(&[name], Some(&[1, 0]), None);
            written.unwrap();
        }
        6 => put::<Int32Type>(column, &[1999, -5]),
        7 => put::<Int32Type>(column, &[0, 20_000]),
        _ => put::<Int64Type>(column, &[1, -1]),
    }
}

#[test]
fn numbers_and_text_are_read_from_all_groups() {
    let folder = Folder::new();
    let gzip = Compression::GZIP(GzipLevel::default());
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, gzip, zstd] {
        let path = folder.path("a.parquet");
        write(&path, ALL, compression, 2, fill_all);
        let source = crate::Source::open(&[path], Default::default()).unwrap();
        assert_eq!(source.len_hint(), Some(4));
        let names = [
            "flag", "small", "large", "half", "mass", "name", "price", "day", "count",
        ];
        assert_eq!(source.header(), names);
        let found = cells(&source).unwrap();
        let large = 1e300.to_string();
        let first = [
            "true",
            "",
            "0",
            "0.5",
            &large,
            "caf\u{e9}",
            "19.99",
            "0",
            "1",
        ];
        let second = [
            "false",
            "-7",
            "9007199254740993",
            "NaN",
            "-0.1",
            "",
            "-0.05",
            "20000",
            "18446744073709551615",
        ];
        assert_eq!(found[0], first);
        assert_eq!(found[1], second);
        assert_eq!((found.len(), &*found[2][2]), (4, "1"));
        assert_eq!(rows(&source).unwrap()[3].at.row, 4);
    }
}

#[test]
fn types_that_no_recipe_takes_are_named() {
    let folder = Folder::new();
    let path = folder.path("a.parquet");
    let schemas = [
        ("required binary raw", "raw", "BYTE_ARRAY"),
        (
            "required fixed_len_byte_array(4) raw",
            "raw",
            "FIXED_LEN_BYTE_ARRAY",
        ),
        ("required int96 time", "time", "INT96"),
        ("repeated int32 list", "list", "list or struct"),
        (
            "required group point { required double x; }",
            "point",
            "list or struct",
        ),
        (
            "required binary sum (DECIMAL(20, 2))",
            "sum",
            "decimal in BYTE_ARRAY",
        ),
    ];
    for (schema, name, kind) in schemas {
        let end = if schema.ends_with('}') { "" } else { ";" };
        let schema = format!("message table {{ required int32 good; {schema}{end} }}");
        write(&path, &schema, Compression::UNCOMPRESSED, 0, |_, _, _| {});
        let file = open(&path).unwrap();
        let columns = columns(file.metadata().file_metadata().schema_descr());
        assert_eq!(columns.len(), 2);
        assert_eq!(columns[0].how, Ok(Stored::Plain));
        assert_eq!(columns[1].name, name);
        assert_eq!(columns[1].how, Err(kind.to_owned()));
    }
}

/// Three columns that no recipe takes, and one of numbers.
const SOME: &str = "message table {
    required binary raw; repeated group list { required int32 element; required int32 other; }
    required int32 good; required int64 y;
}";

fn fill_some(_: usize, index: usize, column: &mut SerializedColumnWriter<'_>) {
    match index {
        0 => put::<ByteArrayType>(column, &[ByteArray::from("\u{1}"), ByteArray::from("")]),
        1 | 2 => {
            let levels = (Some(&[1i16, 1, 1][..]), Some(&[0i16, 1, 0][..]));
            let written = column
                .typed::<Int32Type>()
                .write_batch(&[1, 2, 3], levels.0, levels.1);
            written.unwrap();
        }
        3 => put::<Int32Type>(column, &[7, 8]),
        _ => put::<Int64Type>(column, &[1, 2]),
    }
}

#[test]
fn columns_that_no_recipe_takes_fail_only_where_they_are_used() {
    let folder = Folder::new();
    let path = folder.path("a.parquet");
    write(&path, SOME, Compression::SNAPPY, 2, fill_some);
    let options = crate::SourceOptions {
        label: Some("y".into()),
        ..Default::default()
    };
    let source = crate::Source::open(std::slice::from_ref(&path), options).unwrap();
    assert_eq!(source.header(), ["raw", "list", "good", "y"]);
    let expected = ["BYTE_ARRAY", "list or struct", "7", "1"];
    assert_eq!(cells(&source).unwrap()[2], expected);
    let learned = |drop: &[&str]| {
        let options = crate::LearnOptions {
            drop: drop.iter().map(|name| name.to_string()).collect(),
            ..Default::default()
        };
        crate::learn(&source, |_| true, &options)
    };
    let recipe = learned(&["raw", "list"]).unwrap();
    assert_eq!(recipe.load(&source, None).unwrap().pixels, [0, 255, 0, 255]);
    let error = learned(&["raw"]).unwrap_err();
    let is_named = matches!(
        &error,
        DataError::UnsupportedType { at, column, .. } if at.row == 1 && column == "list"
    );
    assert!(is_named, "{error}");

    write(
        &path,
        "message table { required binary raw; }",
        Compression::SNAPPY,
        1,
        fill_some,
    );
    let error = header(&path).unwrap_err();
    assert!(
        matches!(error, DataError::UnsupportedType { .. }),
        "{error}"
    );
}

#[test]
fn files_that_are_cut_off_or_no_parquet_are_named() {
    let folder = Folder::new();
    let path = folder.path("a.parquet");
    write(&path, ALL, Compression::SNAPPY, 1, fill_all);
    let whole = fs::read(&path).unwrap();
    for length in [8, 100, whole.len() - 1] {
        let error = folder.open("b.parquet", &whole[..length]).unwrap_err();
        assert!(
            matches!(error, DataError::Truncated { .. }),
            "{length}: {error}"
        );
    }
    for wrong in [
        &b"a,b\n1,2\n3,4\n"[..],
        b"PAR1",
        b"PAR1\xff\xff\xff\x7fPAR1",
    ] {
        let error = folder.open("b.parquet", wrong).unwrap_err();
        let is_named = matches!(
            error,
            DataError::Malformed { .. } | DataError::Truncated { .. }
        );
        assert!(is_named, "{error}");
    }
    write(&path, ALL, Compression::SNAPPY, 0, fill_all);
    let error = header(&path).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

#[test]
fn what_is_no_utf_8_is_named() {
    let folder = Folder::new();
    let path = folder.path("a.parquet");
    let schema = "message table { required binary name (UTF8); }";
    write(
        &path,
        schema,
        Compression::UNCOMPRESSED,
        1,
        |_, _, column| {
            put::<ByteArrayType>(column, &[b"ok".to_vec().into(), b"caf\xe9".to_vec().into()]);
        },
    );
    let source = crate::Source::open(&[path], Default::default()).unwrap();
    let error = cells(&source).unwrap_err();
    assert!(
        matches!(&error, DataError::NotUtf8 { at } if at.row == 2),
        "{error}"
    );
}

#[test]
fn a_group_is_read_in_batches() {
    let folder = Folder::new();
    let path: Arc<Path> = folder.path("a.parquet").into();
    let schema = "message table { required int32 number; }";
    let many: Vec<i32> = (0..5000).collect();
    write(
        &path,
        schema,
        Compression::UNCOMPRESSED,
        1,
        |_, _, column| {
            put::<Int32Type>(column, &many);
        },
    );
    let file = open(&path).unwrap();
    let mut reader = Rows {
        file,
        names: ["number".to_owned()].into(),
        columns: Vec::new(),
        next_group: 0,
        batch: 0,
        at_in_batch: 0,
        at: Place {
            file: path.clone(),
            row: 0,
        },
    };
    let mut row = Row::new(path);
    for number in 0..5000 {
        assert!(reader.read(&mut row).unwrap());
        let Values::Cells(cells) = &row.values else {
            panic!("{row:?}");
        };
        assert_eq!(cells.get(0), Cell::Number(number.into()));
        let Column::Values(column) = &reader.columns[0] else {
            panic!("unsupported");
        };
        let Batch::Int32(values) = &column.values else {
            panic!("integers");
        };
        assert!(values.len() <= BATCH);
    }
    assert!(!reader.read(&mut row).unwrap());
}
