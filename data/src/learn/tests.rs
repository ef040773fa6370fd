use super::*;
use crate::fixture::Folder;

fn classes(csv: &str, training: impl Fn(u64) -> bool) -> Result<Vec<String>, DataError> {
    let folder = Folder::new();
    let source = folder.labelled("a.csv", csv, "y");
    let recipe = learn(&source, training, &LearnOptions::default())?;
    Ok(recipe.class_names().to_vec())
}

/// A table with these labels.
fn table(labels: &[&str]) -> String {
    let rows = labels.iter().map(|label| format!("1,{label}\n"));
    ["x,y\n".to_owned()].into_iter().chain(rows).collect()
}

#[test]
fn classes_are_sorted_as_numbers_or_as_texts() {
    let learned = |labels: &[&str]| classes(&table(&[labels, labels].concat()), |_| true).unwrap();
    assert_eq!(learned(&["10", "9", "-1.5"]), ["-1.5", "9", "10"]);
    assert_eq!(learned(&["10", "9", "b", "a "]), ["10", "9", "a", "b"]);
}

#[test]
fn labels_that_do_not_do_are_named() {
    let lonely = classes(&table(&["a", "b", "a", "c", "c"]), |_| true).unwrap_err();
    let is_named = matches!(
        &lonely,
        DataError::LonelyLabel { at, column, class } if at.row == 2 && column == "y" && class == "b"
    );
    assert!(is_named, "{lonely}");
    for remedy in ["training part", "--seed", "combine classes"] {
        assert!(lonely.to_string().contains(remedy), "{lonely}");
    }
    let error = classes(&table(&["a", "a"]), |_| true).unwrap_err();
    assert!(
        matches!(&error, DataError::OneClass { class, .. } if class == "a"),
        "{error}"
    );
    let error = classes(&table(&["a", ""]), |_| true).unwrap_err();
    assert!(
        matches!(&error, DataError::NoLabel { at, .. } if at.row == 2),
        "{error}"
    );
    let error = classes(&table(&["1", "NaN"]), |_| true).unwrap_err();
    assert!(
        matches!(&error, DataError::NotFinite { at, .. } if at.row == 2),
        "{error}"
    );
    let error = classes(&table(&[]), |_| true).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
    let error = classes(&table(&["a", "b"]), |_| false).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

#[test]
fn more_than_256_classes_are_too_many() {
    let labels: Vec<String> = (0..257).map(|label| format!("c{label}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let twice = |count: usize| table(&[&labels[..count], &labels[..count]].concat());
    assert_eq!(classes(&twice(256), |_| true).unwrap().len(), 256);
    let error = classes(&twice(257), |_| true).unwrap_err();
    let is_named = matches!(
        &error,
        DataError::TooManyClasses { at, class, .. } if at.row == 257 && class == "c256"
    );
    assert!(is_named, "{error}");
}

#[test]
fn rows_that_are_not_for_training_leave_no_trace() {
    let csv = table(&["a", "a", "secret", "b", "b"]);
    assert_eq!(classes(&csv, |row| row != 2).unwrap(), ["a", "b"]);
}

#[test]
fn a_table_without_a_label_is_refused() {
    let source = Folder::new().open("a.csv", "x,y\n1,2\n").unwrap();
    let error = learn(&source, |_| true, &LearnOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::LabelNotNamed { .. }), "{error}");
    assert!(error.to_string().contains("x, y"), "{error}");
}
