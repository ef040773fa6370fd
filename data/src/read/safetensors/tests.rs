use crate::{ArrayError, DataError, Format, Source, SourceOptions, Values};
use safetensors::{tensor::TensorView, Dtype};
use std::fs;

/// A file of inputs and labels.
fn tensors(dtype: Dtype, shape: &[usize], data: &[u8], labels: &[u8]) -> Vec<u8> {
    let x = TensorView::new(dtype, shape.to_vec(), data).unwrap();
    let y = TensorView::new(Dtype::U8, vec![labels.len()], labels).unwrap();
    safetensors::serialize([("x", x), ("y", y)], None).unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<(Vec<f64>, String)>, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    fs::write(&path, bytes).unwrap();
    let source = Source::open(&[path], SourceOptions::default())?;
    let values = |row: crate::Row| match row.values {
        Values::Array { values, label } => (values, label),
        _ => panic!("no array"),
    };
    source.rows()?.map(|row| row.map(values)).collect()
}

#[test]
fn every_type_is_read() {
    let cases: [(Dtype, Vec<u8>, f64); 9] = [
        (Dtype::U8, vec![0, 9], 9.0),
        (Dtype::I8, vec![0, 255], -1.0),
        (
            Dtype::I16,
            [0i16, -300].map(i16::to_le_bytes).concat(),
            -300.0,
        ),
        (
            Dtype::I32,
            [0i32, -70_000].map(i32::to_le_bytes).concat(),
            -70_000.0,
        ),
        (
            Dtype::I64,
            [0i64, 1 << 40].map(i64::to_le_bytes).concat(),
            1099511627776.0,
        ),
        (Dtype::F16, vec![0, 0, 0x00, 0xc0], -2.0),
        (Dtype::BF16, vec![0, 0, 0xc0, 0x3f], 1.5),
        (
            Dtype::F32,
            [0f32, 0.25].map(f32::to_le_bytes).concat(),
            0.25,
        ),
        (Dtype::F64, [0f64, 0.1].map(f64::to_le_bytes).concat(), 0.1),
    ];
    for (dtype, data, wanted) in cases {
        let rows = read(&tensors(dtype, &[2, 1], &data, &[3, 4])).unwrap();
        assert_eq!(
            rows,
            [(vec![0.0], "3".into()), (vec![wanted], "4".into())],
            "{dtype:?}"
        );
    }
}

#[test]
fn rows_are_read_by_offset() {
    let data: Vec<u8> = (0..12).collect();
    let rows = read(&tensors(Dtype::U8, &[3, 2, 2], &data, &[0, 1, 2])).unwrap();
    assert_eq!(rows[2], (vec![8.0, 9.0, 10.0, 11.0], "2".into()));
}

#[test]
fn damaged_files_are_refused() {
    let sound = tensors(Dtype::U8, &[2, 1], &[1, 2], &[0, 1]);
    assert!(matches!(read(b"").unwrap_err(), DataError::Empty { .. }));
    let mut huge = sound.clone();
    huge[7] = 0x7f;
    let mut overflow = sound.clone();
    let at = sound
        .windows(5)
        .position(|bytes| bytes == b"[2,1]")
        .unwrap();
    overflow[at..at + 5].copy_from_slice(b"[9,9]");
    let cut = &sound[..sound.len() - 1];
    let cases: [&[u8]; 6] = [
        &sound[..4],
        &sound[..20],
        cut,
        b"not safetensors",
        &huge,
        &overflow,
    ];
    for wrong in cases {
        let error = read(wrong).unwrap_err();
        assert!(
            matches!(
                error,
                DataError::Malformed {
                    format: Format::Safetensors,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn other_arrays_are_refused() {
    let error = read(&tensors(Dtype::F8_E4M3, &[2, 1], &[1, 2], &[0, 1])).unwrap_err();
    assert!(error.to_string().contains("F8_E4M3"), "{error}");
    assert!(matches!(error, DataError::Array(ArrayError::Type { .. })));
    let error = read(&tensors(Dtype::U8, &[3, 1], &[1, 2, 3], &[0, 1])).unwrap_err();
    assert!(matches!(
        error,
        DataError::Array(ArrayError::Lengths { .. })
    ));
    let data = [1.0, f32::INFINITY].map(f32::to_le_bytes).concat();
    let error = read(&tensors(Dtype::F32, &[2, 1], &data, &[0, 1])).unwrap_err();
    assert!(matches!(error, DataError::NotFinite { at, .. } if at.row == 2));
    let bytes = [0; 2];
    let other = TensorView::new(Dtype::U8, vec![2], &bytes).unwrap();
    let error = read(&safetensors::serialize([("weights", other)], None).unwrap()).unwrap_err();
    assert!(error.to_string().contains("it has weights"), "{error}");
    assert!(matches!(
        error,
        DataError::Array(ArrayError::NoArray { .. })
    ));
}
