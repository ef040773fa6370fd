use super::{inspect, Class, Distinct, Holds, Remark, Report};
use crate::{DataError, Source, SourceOptions};
use image::{GrayImage, Luma};
use std::fs;

fn look(name: &str, text: &str, label: Option<&str>) -> Result<Report, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let options = SourceOptions {
        label: label.map(String::from),
        ..SourceOptions::default()
    };
    let source = Source::open(&[path], options)?;
    inspect(&source, &mut |_| {})
}

fn table(text: &str) -> Report {
    look("flowers.csv", text, Some("species")).unwrap()
}

fn class(name: &str, rows: u64) -> Class {
    let name = name.to_owned();
    Class { name, rows }
}

#[test]
fn a_table_is_counted() {
    let report = table("petal,colour,species\n1,red,rose\n2.5,,iris\n,blue,rose\n4,red,iris\n");
    assert_eq!((report.rows, report.files, report.bytes), (4, 1, 64));
    assert_eq!(
        (report.kind.as_str(), report.format.as_str()),
        ("a table", "csv")
    );
    assert_eq!(report.classes, [class("iris", 2), class("rose", 2)]);
    let [petal, colour] = &report.columns[..] else {
        panic!("{:?}", report.columns);
    };
    assert_eq!(
        (petal.name.as_str(), petal.holds, petal.missing),
        ("petal", Holds::Numbers, 1)
    );
    let range = petal.range.unwrap();
    assert_eq!((range.min, range.mean, range.max), (1.0, 2.5, 4.0));
    assert_eq!(
        petal.distinct,
        Distinct {
            count: 3,
            more: false
        }
    );
    assert_eq!(
        (colour.holds, colour.missing, colour.range),
        (Holds::Text, 1, None)
    );
    assert_eq!(colour.distinct.count, 2);
    assert_eq!(report.remarks, []);
    assert_eq!((report.duplicates.rows, report.duplicates.compared), (0, 4));
}

#[test]
fn progress_is_told_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(&path, "x\n1\n2\n3\n").unwrap();
    let source = Source::open(&[path], SourceOptions::default()).unwrap();
    let mut told = Vec::new();
    inspect(&source, &mut |rows| told.push(rows)).unwrap();
    assert_eq!(told, [1, 2, 3]);
}

#[test]
fn equal_rows_are_found() {
    let report = table("a,b,species\n1,x,rose\n2,x,iris\n1,x,rose\n1,x,iris\n2,y,iris\n");
    assert_eq!(
        (report.duplicates.rows, report.duplicates.other_label),
        (2, 1)
    );
    let first = report.duplicates.first.unwrap();
    assert!(
        first.ends_with("flowers.csv, row 3, has the inputs of row 1 of the source"),
        "{first}"
    );
    assert_eq!(report.remarks, [Remark::Contradictions { rows: 1 }]);
    // The end of one cell is not mixed up with the start of the next.
    let report = table("a,b,species\nab,c,rose\na,bc,rose\n,z,iris\nz,,iris\n");
    assert_eq!(report.duplicates.rows, 0);
}

#[test]
fn what_needs_attention_is_said() {
    let report = table("x,species\n1,rose\n2,iris\n3,rose\n4,\n5,rose\n");
    let [Remark::Unlabelled { rows: 1, first }, Remark::LonelyClass { class, at }] =
        &report.remarks[..]
    else {
        panic!("{:?}", report.remarks);
    };
    assert!(first.ends_with("row 4") && at.ends_with("row 2") && class == "iris");
    assert_eq!(report.unlabelled, 1);

    let report = table("x,y,z,species\n1,inf,7,rose\n2,3,7,rose\nmany,4,7,rose\n");
    let said: Vec<String> = report.remarks.iter().map(Remark::to_string).collect();
    assert!(
        said[0].contains("all rows have the class `rose`"),
        "{said:?}"
    );
    assert!(
        said[1].contains("`x` has 2 numbers and 1 texts") && said[1].contains("row 3"),
        "{said:?}"
    );
    assert!(
        said[2].contains("`y` has 1 values that are infinite or NaN"),
        "{said:?}"
    );
    assert!(said[3].contains("--drop z"), "{said:?}");
    assert_eq!(said.len(), 4);

    let report = look("a.csv", "x\n1\n2\n", None).unwrap();
    assert_eq!(report.remarks, [Remark::NoLabel]);
}

#[test]
fn counts_are_bounded() {
    let rows: String = (0..1_500)
        .map(|row| format!("text{row},{row},c{}\n", row % 300))
        .collect();
    let report = table(&format!("name,number,species\n{rows}"));
    assert_eq!(report.columns[0].distinct.to_string(), "more than 1000");
    assert_eq!(
        report.columns[1].distinct,
        Distinct {
            count: 1_000,
            more: true
        }
    );
    assert_eq!(report.classes.len(), 256);
    assert_eq!(report.unlisted, 44 * 5);
    let [Remark::TooManyClasses { first }, Remark::TooManyTexts { column, .. }] =
        &report.remarks[..]
    else {
        panic!("{:?}", report.remarks);
    };
    assert!(first.ends_with("row 257") && column == "name");
}

#[test]
fn texts_are_measured() {
    let report = look("a.txt", "häuser\nb\n", None).unwrap();
    assert_eq!((report.rows, report.remarks.len()), (1, 0));
    assert_eq!(report.lengths.unwrap().max, 9.0);
    assert!(report.columns.is_empty() && report.classes.is_empty());
}

#[test]
fn images_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    for (class, side) in [("iris", 2), ("iris", 4), ("rose", 6), ("rose", 8)] {
        fs::create_dir_all(folder.path().join(class)).unwrap();
        let image = GrayImage::from_pixel(3, side, Luma([7]));
        image
            .save(folder.path().join(class).join(format!("{side}.png")))
            .unwrap();
    }
    let source = Source::open(&[folder.path().to_owned()], SourceOptions::default()).unwrap();
    let report = inspect(&source, &mut |_| {}).unwrap();
    let (heights, widths) = (report.heights.unwrap(), report.widths.unwrap());
    assert_eq!((heights.min, heights.mean, heights.max), (2.0, 5.0, 8.0));
    assert_eq!((widths.min, widths.max, report.grey), (3.0, 3.0, 4));
    assert_eq!(report.classes, [class("iris", 2), class("rose", 2)]);
    assert_eq!(report.remarks, []);
}

#[test]
fn a_report_is_json() {
    let report = table("x,species\n1,rose\n2,rose\n3,iris\n");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["columns"][0]["holds"], "numbers");
    assert_eq!(json["columns"][0]["range"]["mean"], 2.0);
    assert_eq!(json["remarks"][0]["remark"], "lonely-class");
}

#[test]
fn a_table_without_rows_is_refused() {
    let error = look("a.csv", "x,species\n", Some("species")).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }));
}

#[test]
fn values_that_no_recipe_takes_are_told() {
    let text = "{\"x\":1,\"y\":[1]}\n{\"x\":2,\"y\":3}\n{\"x\":3,\"y\":{}}\n";
    let report = look("a.jsonl", text, None).unwrap();
    assert_eq!(report.columns[1].holds, Holds::Unsupported);
    let told = report.remarks.iter().find_map(|remark| match remark {
        Remark::Unsupported { column, rows, .. } => Some((column.as_str(), *rows)),
        _ => None,
    });
    assert_eq!(told, Some(("y", 2)));
}
