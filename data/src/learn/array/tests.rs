use crate::{learn, ArrayRecipe, DataError, LearnOptions, Recipe, Source, SourceOptions};
use safetensors::{tensor::TensorView, Dtype};
use std::fs;

/// Learns from those rows of two floats that `training` chooses.
fn learned(
    rows: &[[f32; 2]],
    labels: &[u8],
    training: impl Fn(u64) -> bool,
) -> Result<ArrayRecipe, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let data = rows
        .concat()
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect::<Vec<u8>>();
    let x = TensorView::new(Dtype::F32, vec![rows.len(), 2], &data).unwrap();
    let y = TensorView::new(Dtype::U8, vec![labels.len()], labels).unwrap();
    fs::write(
        &path,
        safetensors::serialize([("x", x), ("y", y)], None).unwrap(),
    )
    .unwrap();
    let source = Source::open(&[path], SourceOptions::default()).unwrap();
    match learn(&source, training, &LearnOptions::default())? {
        Recipe::Array(recipe) => Ok(recipe),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_range_is_that_of_the_training_rows() {
    let rows = [[0.5, -1.5], [9.0, 0.0], [1.5, 0.0], [0.0, 0.0], [0.0, 0.0]];
    let recipe = learned(&rows, &[10, 7, 10, 2, 2], |row| row != 1).unwrap();
    assert_eq!(
        (&recipe.shape[..], recipe.low, recipe.high),
        (&[2][..], -1.5, 1.5)
    );
    assert_eq!(recipe.classes, ["2", "10"]);
}

#[test]
fn bytes_stay_as_they_are() {
    let range = |rows: &[[f32; 2]]| {
        let recipe = learned(rows, &[0, 1, 0, 1], |_| true).unwrap();
        (recipe.low, recipe.high)
    };
    assert_eq!(
        range(&[[1.0, 128.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]),
        (0.0, 255.0)
    );
    assert_eq!(
        range(&[[1.0, 127.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]),
        (1.0, 127.0)
    );
    assert_eq!(
        range(&[[1.0, 256.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]),
        (1.0, 256.0)
    );
    assert_eq!(
        range(&[[1.0, 200.5], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]),
        (1.0, 200.5)
    );
    assert_eq!(
        range(&[[-1.0, 200.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]),
        (-1.0, 200.0)
    );
}

#[test]
fn classes_that_nothing_can_be_learned_of_are_refused() {
    let rows = [[0.0; 2]; 3];
    let error = learned(&rows, &[4, 5, 4], |_| true).unwrap_err();
    assert!(
        matches!(error, DataError::LonelyLabel { at, class, .. } if (at.row, class.as_str()) == (2, "5"))
    );
    let error = learned(&rows, &[4, 4, 4], |_| true).unwrap_err();
    assert!(matches!(error, DataError::OneClass { class, .. } if class == "4"));
    assert!(matches!(
        learned(&rows, &[4, 4, 4], |_| false),
        Err(DataError::Empty { .. })
    ));
}

#[test]
fn a_257th_class_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let data = [0; 257];
    let labels: Vec<u8> = (0..257u16).flat_map(u16::to_le_bytes).collect();
    let x = TensorView::new(Dtype::U8, vec![257, 1], &data).unwrap();
    let y = TensorView::new(Dtype::U16, vec![257], &labels).unwrap();
    fs::write(
        &path,
        safetensors::serialize([("x", x), ("y", y)], None).unwrap(),
    )
    .unwrap();
    let source = Source::open(&[path], SourceOptions::default()).unwrap();
    let error = learn(&source, |_| true, &LearnOptions::default()).unwrap_err();
    assert!(
        matches!(error, DataError::TooManyClasses { at, class, .. } if (at.row, class.as_str()) == (257, "256"))
    );
}
