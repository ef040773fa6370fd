use crate::{
    learn, ArrayError, DataError, Format, LearnOptions, Role, Row, Source, SourceOptions, Values,
};
use flate2::{write::DeflateEncoder, Compression, Crc};
use std::{fs, io::Write, path::PathBuf};

/// An array as NumPy writes it.
fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16 + 1).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.push(b'\n');
    bytes.extend(data);
    bytes
}

/// A member of an archive, whose header a test may falsify.
struct Member {
    name: &'static str,
    bytes: Vec<u8>,
    method: u16,
    flags: u16,
    crc: Option<u32>,
}

fn member(name: &'static str, bytes: Vec<u8>) -> Member {
    Member {
        name,
        bytes,
        method: 0,
        flags: 0,
        crc: None,
    }
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(members: &[Member]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let mut crc = Crc::new();
        crc.update(&member.bytes);
        let packed = match member.method {
            8 => deflate(&member.bytes),
            _ => member.bytes.clone(),
        };
        let mut common = 20u16.to_le_bytes().to_vec();
        common.extend(member.flags.to_le_bytes());
        common.extend(member.method.to_le_bytes());
        common.extend([0, 0, 0x21, 0]);
        common.extend(member.crc.unwrap_or(crc.sum()).to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((member.bytes.len() as u32).to_le_bytes());
        common.extend((member.name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        let start = archive.len() as u32;
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(member.name.as_bytes());
        archive.extend(packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(member.name.as_bytes());
    }
    let start = archive.len() as u32;
    let count = members.len() as u16;
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

/// A file in a folder of its own.
struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn file(bytes: &[u8]) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    fs::write(&path, bytes).unwrap();
    File {
        _folder: folder,
        path,
    }
}

fn open(file: &File, options: SourceOptions) -> Result<Source, DataError> {
    Source::open(std::slice::from_ref(&file.path), options)
}

/// The rows' numbers and labels, or the first error.
fn read(bytes: &[u8]) -> Result<Vec<(Vec<f64>, String)>, DataError> {
    let file = file(bytes);
    let source = open(&file, SourceOptions::default())?;
    let values = |row: Row| match row.values {
        Values::Array { values, label } => (values, label),
        _ => panic!("no array"),
    };
    source.rows()?.map(|row| row.map(values)).collect()
}

fn labels(count: u8) -> Member {
    let data: Vec<u8> = (0..count).collect();
    member(
        "y.npy",
        npy("'|u1'", "False", &format!("({count},)"), &data),
    )
}

fn inputs(descr: &str, shape: &str, data: &[u8]) -> Member {
    member("x.npy", npy(descr, "False", shape, data))
}

#[test]
fn what_numpy_writes_is_read() {
    let rows = read(include_bytes!("numpy.npz")).unwrap();
    let labels: Vec<&str> = rows.iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(labels, ["3", "1", "3", "1"]);
    assert_eq!(rows[1].0, [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]);

    let file = file(include_bytes!("numpy-plain.npz"));
    let source = open(&file, SourceOptions::default()).unwrap();
    assert_eq!(source.format(), Format::Npz);
    assert_eq!((source.shape(), source.len_hint()), (&[3, 2][..], Some(4)));
    let rows = read(include_bytes!("numpy-plain.npz")).unwrap();
    assert_eq!(rows[3].0, [3.0, 3.0, 4.0, 4.0, 4.0, 4.0]);
    assert_eq!(rows[3].1, "1");
}

#[test]
fn every_type_is_read() {
    let cases: [(&str, Vec<u8>, f64); 18] = [
        ("'|b1'", vec![0, 1], 1.0),
        ("'|u1'", vec![0, 200], 200.0),
        ("'|i1'", vec![0, 200], -56.0),
        ("'<u2'", vec![0, 0, 1, 2], 513.0),
        ("'>u2'", vec![0, 0, 1, 2], 258.0),
        ("'<i2'", [0i16, -2].map(i16::to_le_bytes).concat(), -2.0),
        (
            "'<u4'",
            [0u32, 1 << 31].map(u32::to_le_bytes).concat(),
            2147483648.0,
        ),
        ("'>i4'", [0i32, -7].map(i32::to_be_bytes).concat(), -7.0),
        (
            "'<u8'",
            [0u64, 1 << 40].map(u64::to_le_bytes).concat(),
            1099511627776.0,
        ),
        ("'<i8'", [0i64, -9].map(i64::to_le_bytes).concat(), -9.0),
        ("'<f2'", vec![0, 0, 0x00, 0x3c], 1.0),
        ("'<f2'", vec![0, 0, 0xff, 0xfb], -65504.0),
        ("'<f2'", vec![0, 0, 0x01, 0x00], 1.0 / 16777216.0),
        ("'>f2'", vec![0, 0, 0x35, 0x55], 0.333251953125),
        (
            "'<f4'",
            [0f32, 0.1].map(f32::to_le_bytes).concat(),
            f64::from(0.1f32),
        ),
        ("'>f4'", [0f32, -0.5].map(f32::to_be_bytes).concat(), -0.5),
        ("'<f8'", [0f64, 0.1].map(f64::to_le_bytes).concat(), 0.1),
        (
            "\"=f8\"",
            [0f64, 1e300].map(f64::to_le_bytes).concat(),
            1e300,
        ),
    ];
    for (descr, data, wanted) in cases {
        let archive = zip(&[inputs(descr, "(2,)", &data), labels(2)]);
        let rows = read(&archive).unwrap();
        assert_eq!(
            rows,
            [(vec![0.0], "0".into()), (vec![wanted], "1".into())],
            "{descr}"
        );
    }
}

#[test]
fn packed_members_are_unpacked_as_they_are_read() {
    let data: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut x = inputs("'|u1'", "(10, 100, 100)", &data);
    x.method = 8;
    let rows = read(&zip(&[labels(10), x])).unwrap();
    assert_eq!(rows.len(), 10);
    let all: Vec<u8> = rows
        .iter()
        .flat_map(|(values, _)| values.iter().map(|&value| value as u8))
        .collect();
    assert!(all == data);
}

#[test]
fn arrays_are_chosen_by_name() {
    let names = |names: &[&'static str]| {
        let named = |name: &&'static str| member(name, npy("'|u1'", "False", "(2,)", &[1, 2]));
        zip(&names.iter().map(named).collect::<Vec<_>>())
    };
    let options = |inputs: Option<&str>, label: Option<&str>| SourceOptions {
        inputs: inputs.map(String::from),
        label: label.map(String::from),
        ..SourceOptions::default()
    };
    let odd = file(&names(&["arr_0.npy", "arr_1.npy", "readme.txt"]));
    let error = open(&odd, options(None, None)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it has arr_0, arr_1: name the right one with --inputs"),
        "{error}"
    );
    assert!(matches!(
        error,
        DataError::Array(ArrayError::NoArray {
            role: Role::Inputs,
            ..
        })
    ));
    open(&odd, options(Some("arr_0"), Some("arr_1"))).unwrap();
    let error = open(&odd, options(Some("arr_0"), Some("y"))).unwrap_err();
    assert!(matches!(
        error,
        DataError::Array(ArrayError::NoArray {
            role: Role::Labels,
            ..
        })
    ));

    let both = file(&names(&["x.npy", "y.npy", "target.npy"]));
    let error = open(&both, options(None, None)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("target, y; name the right one with --label"),
        "{error}"
    );
    assert!(matches!(
        error,
        DataError::Array(ArrayError::Ambiguous {
            role: Role::Labels,
            ..
        })
    ));
    open(&both, options(None, Some("y"))).unwrap();

    // Without labels it can be read, but not learned from.
    let bare = file(&names(&["x.npy", "classes.npy"]));
    let source = open(&bare, options(None, None)).unwrap();
    assert_eq!(source.rows().unwrap().count(), 2);
    let error = learn(&source, |_| true, &LearnOptions::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it has classes, x: name the right one with --label"),
        "{error}"
    );
    assert!(matches!(
        error,
        DataError::Array(ArrayError::NoArray {
            role: Role::Labels,
            ..
        })
    ));
}

#[test]
fn arrays_of_other_types_orders_and_shapes_are_refused() {
    let refuse = |descr: &str, fortran: &str, shape: &str| {
        let x = member("x.npy", npy(descr, fortran, shape, &[0; 64]));
        let error = read(&zip(&[x, labels(2)])).unwrap_err();
        match error {
            DataError::Array(error) => error,
            error => panic!("{error}"),
        }
    };
    let is_type = |error: &ArrayError| matches!(error, ArrayError::Type { .. });
    for descr in [
        "'<U3'",
        "'|O'",
        "'<c8'",
        "'<M8[ns]'",
        "'<f16'",
        "[('a', '<f4'), ('b', '|u1')]",
    ] {
        let error = refuse(descr, "False", "(2, 2)");
        assert!(is_type(&error), "{descr}: {error}");
    }
    let error = refuse("'<f4'", "True", "(2, 2)");
    assert!(
        error.to_string().contains("numpy.ascontiguousarray(x)"),
        "{error}"
    );
    assert!(matches!(error, ArrayError::FortranOrder { .. }));
    let shapes = [
        "()",
        "(2, 0)",
        "(2, 99999999)",
        "(2, 9999999999999, 9999999999999)",
    ];
    for shape in shapes {
        let error = refuse("'<f4'", "False", shape);
        assert!(
            matches!(error, ArrayError::Shape { .. }),
            "{shape}: {error}"
        );
    }
    let error = refuse("'|u1'", "False", "(3, 2)");
    assert!(
        error.to_string().contains("x has 3 rows and y has 2"),
        "{error}"
    );
    assert!(matches!(
        error,
        ArrayError::Lengths {
            inputs_rows: 3,
            labels_rows: 2,
            ..
        }
    ));
}

#[test]
fn labels_are_one_number_a_row() {
    let with = |shape: &str| {
        let y = member("y.npy", npy("'|u1'", "False", shape, &[7; 6]));
        read(&zip(&[inputs("'|u1'", "(6,)", &[0; 6]), y]))
    };
    assert_eq!(with("(6, 1)").unwrap()[5].1, "7");
    let y = member(
        "y.npy",
        npy("'|u1'", "False", "(2, 3)", &[0, 1, 0, 1, 0, 0]),
    );
    let error = read(&zip(&[inputs("'|u1'", "(2,)", &[0; 2]), y])).unwrap_err();
    assert!(error.to_string().contains("argmax"), "{error}");
    assert!(matches!(error, DataError::Array(ArrayError::Shape { .. })));
}

#[test]
fn numbers_that_are_none_are_named_by_row() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let data = [1.0, 2.0, 3.0, value].map(f32::to_le_bytes).concat();
        let error = read(&zip(&[inputs("'<f4'", "(2, 2)", &data), labels(2)])).unwrap_err();
        let DataError::NotFinite { at, column, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((at.row, column.as_str()), (2, "x[1]"));
    }
    let y = member(
        "y.npy",
        npy("'<f4'", "False", "(1,)", &f32::NAN.to_le_bytes()),
    );
    let error = read(&zip(&[inputs("'|u1'", "(1,)", &[0]), y])).unwrap_err();
    assert!(matches!(error, DataError::NotFinite { column, .. } if column == "y[0]"));
}

#[test]
fn damaged_files_are_refused() {
    assert!(matches!(read(b"").unwrap_err(), DataError::Empty { .. }));
    let no_zip = read(b"hello, world; this is not an archive").unwrap_err();
    assert!(matches!(
        no_zip,
        DataError::Malformed {
            format: Format::Npz,
            ..
        }
    ));
    let sound = zip(&[inputs("'|u1'", "(2, 2)", &[1, 2, 3, 4]), labels(2)]);
    read(&sound).unwrap();
    for end in [10, sound.len() / 2, sound.len() - 30, sound.len() - 1] {
        assert!(read(&sound[..end]).is_err(), "cut at {end}");
    }
    let no_rows = zip(&[inputs("'|u1'", "(0, 2)", &[]), labels(0)]);
    assert!(matches!(
        read(&no_rows).unwrap_err(),
        DataError::Empty { .. }
    ));

    let error = read(&zip(&[inputs("'|u1'", "(2, 2)", &[1, 2, 3]), labels(2)])).unwrap_err();
    assert!(
        error.to_string().contains("x ends within row 2 of 2"),
        "{error}"
    );
    assert!(matches!(error, DataError::Truncated { .. }));
    let error = read(&zip(&[inputs("'|u1'", "(2, 2)", &[1; 5]), labels(2)])).unwrap_err();
    assert!(
        error.to_string().contains("longer than its header says"),
        "{error}"
    );
    let mut wrong = inputs("'|u1'", "(2, 2)", &[1; 4]);
    wrong.crc = Some(1);
    let error = read(&zip(&[wrong, labels(2)])).unwrap_err();
    assert!(error.to_string().contains("fails its checksum"), "{error}");
    assert!(matches!(
        error,
        DataError::Array(ArrayError::Corrupt { .. })
    ));
}

#[test]
fn foreign_packing_is_refused() {
    let mut encrypted = inputs("'|u1'", "(2,)", &[1, 2]);
    encrypted.flags = 1;
    let mut bzip2 = inputs("'|u1'", "(2,)", &[1, 2]);
    bzip2.method = 12;
    for x in [encrypted, bzip2] {
        let error = read(&zip(&[x, labels(2)])).unwrap_err();
        assert!(
            matches!(error, DataError::Array(ArrayError::Packing { .. })),
            "{error}"
        );
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let refuse = |bytes: Vec<u8>| {
        let error = read(&zip(&[member("x.npy", bytes), labels(2)])).unwrap_err();
        assert!(matches!(error, DataError::Malformed { .. }), "{error}");
        error.to_string()
    };
    refuse(b"no array".to_vec());
    refuse(b"\x93NUMPY".to_vec());
    // A header of 4 GiB, of version 2.
    let huge = b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'".to_vec();
    assert!(refuse(huge).contains("4294967295 bytes"));
    refuse(npy("'|u1'", "Maybe", "(2,)", &[1, 2]));
    refuse(npy("'|u1'", "False", "2", &[1, 2]));
    refuse(npy("'|u1'", "False", "(-2,)", &[1, 2]));
    refuse(npy("'|u1'", "False", "(99999999999999999999,)", &[1, 2]));
    refuse(npy("'|u1", "False", "(2", &[1, 2]));
    refuse(npy("", "", "", &[]));
}

#[test]
fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = SourceOptions {
        format: Some(Format::Npz),
        ..SourceOptions::default()
    };
    let error = Source::open(&[folder.path().to_owned()], options).unwrap_err();
    assert!(matches!(error, DataError::Folder { .. }));
}

#[test]
fn files_of_other_shapes_are_no_one_source() {
    let one = file(&zip(&[inputs("'|u1'", "(2, 2)", &[1; 4]), labels(2)]));
    let other = file(&zip(&[inputs("'|u1'", "(2, 3)", &[1; 6]), labels(2)]));
    let paths = [one.path.clone(), other.path.clone()];
    let error = Source::open(&paths, SourceOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::FilesDiffer { .. }));
    let twice = Source::open(
        &[one.path.clone(), one.path.clone()],
        SourceOptions::default(),
    )
    .unwrap();
    assert_eq!(twice.len_hint(), Some(4));
    assert_eq!(twice.rows().unwrap().count(), 4);
}
