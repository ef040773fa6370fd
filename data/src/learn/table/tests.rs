use super::*;
use crate::fixture::Folder;
use crate::learn;
use crate::Recipe;

fn learned(csv: &str, options: &LearnOptions) -> Result<Vec<Column>, DataError> {
    let folder = Folder::new();
    let source = folder.labelled("a.csv", csv, "y");
    match learn::learn(&source, |_| true, options)? {
        Recipe::Table(recipe) => Ok(recipe.columns),
        other => panic!("{other:?}"),
    }
}

/// A table of one column, with valid labels.
fn column(cells: &[&str]) -> String {
    let rows = cells.iter().zip(["a", "b"].into_iter().cycle());
    let rows = rows.map(|(cell, label)| format!("{cell},{label}\n"));
    let enough = [",a\n", ",b\n", ",a\n", ",b\n"].map(String::from);
    let rows = rows.chain(enough);
    ["x,y\n".to_owned()].into_iter().chain(rows).collect()
}

fn how(cells: &[&str], options: &LearnOptions) -> Result<How, DataError> {
    Ok(learned(&column(cells), options)?.remove(0).how)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|text| format!("t{text}")).collect()
}

#[test]
fn numbers_are_from_the_least_to_the_greatest() {
    let how = how(&["3", "-1", "", " 1 ", "1e0"], &LearnOptions::default()).unwrap();
    let expected = How::Numeric {
        low: -1.0,
        high: 3.0,
        missing: 128,
    };
    assert_eq!(how, expected);
}

#[test]
fn texts_are_categories_in_order() {
    let options = LearnOptions::default();
    let categories =
        |names: &[&str]| How::Categories(names.iter().map(|name| name.to_string()).collect());
    assert_eq!(
        how(&["b", "a", "", "b"], &options).unwrap(),
        categories(&["a", "b"])
    );
    assert_eq!(
        how(&["1", "a", "2"], &options).unwrap(),
        categories(&["1", "2", "a"])
    );
    assert_eq!(
        how(&["nan", "a"], &options).unwrap(),
        categories(&["a", "nan"])
    );
    let codes = LearnOptions {
        categorical: vec!["x".into()],
        ..LearnOptions::default()
    };
    assert_eq!(
        how(&["10", "9", "10"], &codes).unwrap(),
        categories(&["9", "10"])
    );
}

#[test]
fn infinite_numbers_are_named() {
    for cell in ["NaN", "inf", "-inf"] {
        let error = how(&["1", cell, "2"], &LearnOptions::default()).unwrap_err();
        let is_named = matches!(
            &error,
            DataError::NotFinite { at, column, .. } if at.row == 2 && column == "x"
        );
        assert!(is_named, "{error}");
    }
    let error = how(&["NaN", "NaN"], &LearnOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::NotFinite { .. }), "{error}");
}

#[test]
fn too_many_texts_are_named() {
    let texts = texts(257);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let options = LearnOptions::default();
    let How::Categories(categories) = how(&texts[..256], &options).unwrap() else {
        panic!("categories");
    };
    assert_eq!(categories.len(), 256);
    let error = how(&texts, &options).unwrap_err();
    let is_named = matches!(
        &error,
        DataError::TooManyCategories { at, column, found } if at.row == 257 && column == "x" && found == "t256"
    );
    assert!(is_named, "{error}");
}

#[test]
fn a_text_among_many_numbers_is_named() {
    let mut numbers: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    numbers[40] = "n/a".into();
    let cells: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let error = how(&cells, &LearnOptions::default()).unwrap_err();
    let is_named = matches!(
        &error,
        DataError::NotANumber { at, column, found } if at.row == 41 && column == "x" && found == "n/a"
    );
    assert!(is_named, "{error}");
    let numeric = LearnOptions {
        numeric: vec!["x".into()],
        ..LearnOptions::default()
    };
    let error = how(&["1", "n/a"], &numeric).unwrap_err();
    assert!(
        matches!(&error, DataError::NotANumber { at, .. } if at.row == 2),
        "{error}"
    );
}

#[test]
fn columns_are_dropped_by_name() {
    let csv = "id,x,y\n1,5,a\n2,6,b\n3,7,a\n4,8,b\n";
    let drop = |names: &[&str]| LearnOptions {
        drop: names.iter().map(|name| name.to_string()).collect(),
        ..LearnOptions::default()
    };
    let names: Vec<String> = learned(csv, &drop(&["id"]))
        .unwrap()
        .into_iter()
        .map(|column| column.name)
        .collect();
    assert_eq!(names, ["x"]);
    let error = learned(csv, &drop(&["ix"])).unwrap_err();
    assert!(
        matches!(&error, DataError::NoColumn { column, .. } if column == "ix"),
        "{error}"
    );
    let error = learned(csv, &drop(&["id", "x"])).unwrap_err();
    assert!(matches!(error, DataError::NoColumnLeft { .. }), "{error}");
}

#[test]
fn a_column_without_values_is_named() {
    let error = how(&["", " ", ""], &LearnOptions::default()).unwrap_err();
    assert!(
        matches!(&error, DataError::NoValues { column, .. } if column == "x"),
        "{error}"
    );
}

#[test]
fn numbers_too_far_apart_are_refused() {
    let error = how(&["-1e308", "1e308"], &LearnOptions::default()).unwrap_err();
    assert!(
        matches!(error, DataError::Recipe(crate::RecipeError::Range { .. })),
        "{error}"
    );
}
