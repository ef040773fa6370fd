use super::{Assignment, By, Split, SplitError, Time, Use};
use crate::{DataError, LearnOptions, Source, SourceOptions, Values};
use std::{collections::HashSet, fs};

fn counts(uses: &[Use]) -> [usize; 3] {
    Use::ALL.map(|part| uses.iter().filter(|&&of| of == part).count())
}

fn source(name: &str, text: &str) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let source = Source::open(&[path], SourceOptions::default()).unwrap();
    (folder, source)
}

fn assign(split: &Split, name: &str, text: &str) -> Result<Assignment, DataError> {
    let (_folder, source) = source(name, text);
    split.assign(&source, &LearnOptions::default())
}

fn by(by: By) -> Split {
    Split {
        by,
        ..Split::default()
    }
}

fn split_error(split: &Split, text: &str) -> SplitError {
    match assign(split, "a.csv", text).unwrap_err() {
        DataError::Split(error) => error,
        error => panic!("{error}"),
    }
}

#[test]
fn random_parts_have_the_shares_that_were_asked_for() {
    let split = Split::default();
    assert_eq!(counts(&split.blocks(1_000).unwrap()), [800, 150, 50]);
    assert_eq!(counts(&split.blocks(7).unwrap()), [6, 1, 0]);
    assert_eq!(counts(&split.blocks(0).unwrap()), [0, 0, 0]);
    let none = Split {
        exam_permille: 0,
        report_permille: 0,
        ..split
    };
    assert_eq!(counts(&none.blocks(10).unwrap()), [10, 0, 0]);
}

#[test]
fn a_seed_always_gives_the_same_rows() {
    let split = |seed| Split {
        seed,
        ..Split::default()
    };
    assert_eq!(split(1).blocks(500).unwrap(), split(1).blocks(500).unwrap());
    assert_ne!(split(1).blocks(500).unwrap(), split(2).blocks(500).unwrap());
    // Golden: another version must not divide data in use differently.
    let exam: Vec<usize> = (0..40)
        .filter(|&row| split(7).blocks(40).unwrap()[row] == Use::Exam)
        .collect();
    assert_eq!(exam, [5, 10, 19, 24, 25, 37]);
}

/// A table of these inputs and labels, with `x` and `y` as columns, and what its rows are for.
fn divided(split: &Split, rows: &[(String, &str)]) -> Result<Vec<Use>, DataError> {
    let lines: String = rows.iter().map(|(x, y)| format!("{x},{y}\n")).collect();
    let folder = crate::fixture::Folder::new();
    let source = folder.labelled("a.csv", format!("id,x,y\n{lines}"), "y");
    let options = LearnOptions {
        drop: vec!["id".into()],
        ..LearnOptions::default()
    };
    match split.assign(&source, &options)? {
        Assignment::Rows(uses) => Ok(uses),
        Assignment::Blocks { .. } => panic!("blocks"),
    }
}

#[test]
fn rows_that_become_equal_samples_are_in_one_part() {
    // Rows differ in a column that is dropped and by less than a byte can tell apart, and some in their labels: 200 samples.
    let rows: Vec<(String, &str)> = (0..1_000)
        .map(|row| {
            let x = f64::from(row % 200) + f64::from(row / 200) * 1e-6;
            let label = if row % 3 == 0 { "a" } else { "b" };
            (format!("{row},{x}"), label)
        })
        .collect();
    let uses = divided(&Split::default(), &rows).unwrap();
    let parts: HashSet<(usize, Use)> = uses
        .iter()
        .enumerate()
        .map(|(row, &of)| (row % 200, of))
        .collect();
    assert_eq!(parts.len(), 200);
    let [training, exam, report] = counts(&uses);
    assert!((145..=155).contains(&exam), "{exam}");
    assert!((45..=55).contains(&report), "{report}");
    assert_eq!(training + exam + report, 1_000);
    // Golden: another version must not divide data in use differently.
    let first: Vec<usize> = (0..200).filter(|&row| uses[row] == Use::Report).collect();
    assert_eq!(first, [35, 48, 78, 100, 122, 123, 169, 172, 179, 191]);
}

#[test]
fn every_class_has_its_share() {
    let label = |row: usize| match row {
        0..=2 => "rare",
        3..=12 => "seldom",
        13..=412 => "half",
        _ => "other",
    };
    let rows: Vec<(String, &str)> = (0..1_000)
        .map(|row| (format!("{row},{row}"), label(row)))
        .collect();
    let split = |seed| Split {
        exam_permille: 300,
        report_permille: 100,
        seed,
        by: By::Random,
        ..Split::default()
    };
    for seed in 0..8 {
        // Bytes tell 256 samples apart, so here the texts make each row a sample of its own.
        let folder = crate::fixture::Folder::new();
        let lines: String = rows.iter().map(|(x, y)| format!("{x},{y}\n")).collect();
        let source = folder.labelled("a.csv", format!("id,x,y\n{lines}"), "y");
        let options = LearnOptions {
            numeric: vec!["none".into()],
            ..LearnOptions::default()
        };
        let Assignment::Rows(uses) = split(seed).assign(&source, &options).unwrap() else {
            panic!("blocks");
        };
        assert_eq!(counts(&uses), [600, 300, 100]);
        let of = |name: &str| -> Vec<Use> {
            let rows = (0..1_000).filter(|&row| label(row) == name);
            rows.map(|row| uses[row]).collect()
        };
        assert_eq!(counts(&of("rare"))[0], 2, "two rows stay for training");
        assert_eq!(counts(&of("seldom")), [6, 3, 1]);
        assert_eq!(counts(&of("half"))[1..], [120, 40]);
    }
}

#[test]
fn a_table_of_few_different_rows_keeps_some_for_training() {
    let rows: Vec<(String, &str)> = (0..200)
        .map(|row| (format!("{row},{}", row % 20), ["a", "b"][row % 2]))
        .collect();
    let uses = divided(&Split::default(), &rows).unwrap();
    let of = |part| -> HashSet<usize> {
        let rows = (0..200).filter(|&row| uses[row] == part);
        rows.map(|row| row % 20).collect()
    };
    let parts = [Use::Training, Use::Exam, Use::Report].map(|part| of(part).len());
    assert_eq!(parts, [16, 3, 1]);
    // Two different rows cannot be divided among three parts.
    let two: Vec<(String, &str)> = (0..200)
        .map(|row| (format!("{row},{}", row % 2), ["a", "b"][row % 2]))
        .collect();
    let error = divided(&Split::default(), &two).unwrap_err();
    assert!(
        matches!(
            &error,
            DataError::Split(SplitError::EmptyPart {
                part: Use::Exam,
                ..
            })
        ),
        "{error}"
    );
    for remedy in ["exams", "--seed", "combine rare classes"] {
        assert!(error.to_string().contains(remedy), "{error}");
    }
}

#[test]
fn rows_that_there_is_no_memory_for_are_refused() {
    let row = |row: u32| format!("{row},{},2026-01-{:02}\n", row / 2, row % 28 + 1);
    let text = "a,who,day\n".to_owned() + &(0..100).map(row).collect::<String>();
    let ways = [By::Random, By::Group("who".into()), By::Time("day".into())];
    for way in ways {
        let each = way.row_bytes();
        let within = |most_bytes| Split {
            most_bytes,
            ..by(way.clone())
        };
        assign(&within(100 * each), "a.csv", &text).unwrap();
        // It is refused at the first row beyond the limit.
        let error = split_error(&within(40 * each), &text);
        let SplitError::TooManyRows {
            rows, needs, most, ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((rows, needs, most), (41, 41 * each, 40 * each));
    }
    // A file that states how many rows it has is not read.
    let recipe = "0".repeat(64);
    let header = format!(
        "{{\"gotong\":\"records\",\"version\":1,\"recipe\":\"{recipe}\",\"inputs\":null,\"count\":1000}}\n"
    );
    let split = Split {
        most_bytes: 31_999,
        ..Split::default()
    };
    let error = assign(&split, "a.records", &header).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::Split(SplitError::TooManyRows { rows: 1000, .. })
        ),
        "{error}"
    );
}

#[test]
fn a_false_count_of_rows_takes_no_memory() {
    let recipe = "0".repeat(64);
    let header = format!(
        "{{\"gotong\":\"records\",\"version\":1,\"recipe\":\"{recipe}\",\"inputs\":null,\"count\":{}}}\n",
        u64::MAX
    );
    let error = assign(&Split::default(), "a.records", &header).unwrap_err();
    assert!(matches!(error, DataError::Truncated { .. }), "{error}");
}

#[test]
fn texts_are_divided_by_another_column_of_their_file() {
    let folder = crate::fixture::Folder::new();
    let open = |name: &str, text: &str| {
        let options = SourceOptions {
            field: Some("text".into()),
            ..SourceOptions::default()
        };
        Source::open(&[folder.write(name, text)], options).unwrap()
    };
    let object = |row: u32| {
        format!(
            "{{\"text\":\"story {row}\",\"who\":\"{}\",\"when\":{row}}}\n",
            row % 10
        )
    };
    let jsonl = open("a.jsonl", &(0..200).map(object).collect::<String>());
    let line = |row: u32| format!("story {row},{},{row}\n", row % 10);
    let csv = "text,who,when\n".to_owned() + &(0..200).map(line).collect::<String>();
    let csv = open("a.csv", &csv);
    for source in [jsonl, csv] {
        let options = LearnOptions::default();
        let groups = by(By::Group("who".into()))
            .assign(&source, &options)
            .unwrap();
        let rows: Vec<(Use, String)> = groups
            .rows(&source)
            .unwrap()
            .map(|row| {
                let (part, row) = row.unwrap();
                match row.values {
                    Values::Text(text) => (part, text),
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        assert_eq!((rows.len(), rows[7].1.as_str()), (200, "story 7"));
        let parts: HashSet<(usize, Use)> = rows
            .iter()
            .enumerate()
            .map(|(row, (part, _))| (row % 10, *part))
            .collect();
        assert_eq!(parts.len(), 10);
        let times = by(By::Time("when".into()))
            .assign(&source, &options)
            .unwrap();
        assert_eq!(
            [159, 160, 189, 190].map(|row| times.is_training(row)),
            [true, false, false, false]
        );
        let missing = by(By::Group("whom".into())).assign(&source, &options);
        assert!(matches!(missing, Err(DataError::NoColumn { .. })));
    }
}

#[test]
fn a_group_is_in_one_part() {
    let rows: String = (0..300)
        .map(|row| format!("{row},patient {}\n", row % 40))
        .collect();
    let split = by(By::Group("who".into()));
    let Assignment::Rows(uses) = assign(&split, "a.csv", &format!("x,who\n{rows}")).unwrap() else {
        panic!("blocks");
    };
    let parts: HashSet<(usize, Use)> = uses
        .iter()
        .enumerate()
        .map(|(row, &part)| (row % 40, part))
        .collect();
    assert_eq!(parts.len(), 40);
    let [training, exam, report] = counts(&uses);
    assert!(
        (45..60).contains(&exam) && (15..30).contains(&report),
        "{exam} {report}"
    );
    assert_eq!(training + exam + report, 300);
}

#[test]
fn the_latest_rows_are_for_reports() {
    let split = Split {
        exam_permille: 300,
        report_permille: 200,
        by: By::Time("when".into()),
        ..Split::default()
    };
    let times: Vec<Time> = [5, 1, 9, 3, 7, 2, 8, 4, 6, 0]
        .map(|time| Time::Number(time.into()))
        .to_vec();
    let uses = split.times(&times);
    let of = |part| {
        (0..10)
            .filter(|&row| uses[row] == part)
            .map(|row| times[row].clone())
            .collect::<Vec<_>>()
    };
    let number = |numbers: &[u8]| {
        numbers
            .iter()
            .map(|&number| Time::Number(number.into()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Use::Report), number(&[9, 8]));
    assert_eq!(of(Use::Exam), number(&[5, 7, 6]));

    let rows =
        "x,when\n1,2026-03-01\n2,2025-12-31\n3,2026-01-15\n4,2026-02-01T10:00:00\n5,2024-01-01\n";
    let Assignment::Rows(uses) = assign(&split, "a.csv", rows).unwrap() else {
        panic!("blocks");
    };
    assert_eq!(
        uses,
        [
            Use::Report,
            Use::Training,
            Use::Exam,
            Use::Exam,
            Use::Training
        ]
    );
}

#[test]
fn rows_of_one_time_stay_together() {
    let split = Split {
        exam_permille: 250,
        report_permille: 250,
        by: By::Time("when".into()),
        ..Split::default()
    };
    let times = [1, 1, 2, 2, 2, 2, 3, 3].map(|time| Time::Number(time.into()));
    assert_eq!(counts(&split.times(&times)), [2, 4, 2]);
    let error = split_error(&split, "when\n1\n1\n1\n1\n");
    assert!(matches!(
        error,
        SplitError::EmptyPart {
            part: Use::Training,
            ..
        }
    ));
}

#[test]
fn parts_that_come_out_empty_are_refused() {
    let error = split_error(&Split::default(), "x\n1\n2\n");
    assert!(
        error
            .to_string()
            .contains("2 rows, which leaves none for exams"),
        "{error}"
    );
    let error = split_error(
        &by(By::Group("x".into())),
        "x\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n",
    );
    assert!(
        error
            .to_string()
            .contains("a column with more groups than `x`"),
        "{error}"
    );
    assert!(matches!(error, SplitError::EmptyPart { .. }));
    let all = Split {
        exam_permille: 900,
        report_permille: 100,
        ..Split::default()
    };
    assert!(matches!(
        split_error(&all, "x\n1\n"),
        SplitError::NothingLeft {
            exam: 900,
            report: 100
        }
    ));
}

#[test]
fn columns_that_do_not_do_are_named() {
    let time = by(By::Time("when".into()));
    let error = split_error(&time, "when\n1\n2026-01-01\n");
    assert!(
        error.to_string().contains("row 2, column `when`"),
        "{error}"
    );
    assert!(matches!(error, SplitError::NotATime { .. }));
    assert!(matches!(
        split_error(&time, "when\n1/2/2026\n"),
        SplitError::NotATime { .. }
    ));
    let error = split_error(&time, "when,x\n1,1\n,2\n");
    assert!(matches!(error, SplitError::Missing { at, .. } if at.row == 2));
    let error = assign(&time, "a.csv", "when\ninf\n").unwrap_err();
    assert!(matches!(error, DataError::NotFinite { .. }));
    let error = assign(&by(By::Group("who".into())), "a.csv", "x\n1\n").unwrap_err();
    assert!(matches!(error, DataError::NoColumn { column, .. } if column == "who"));
    let error = assign(&time, "a.txt", "text").unwrap_err();
    assert!(matches!(
        error,
        DataError::Split(SplitError::NoColumns { .. })
    ));
}

#[test]
fn text_of_few_documents_is_divided_in_blocks() {
    let text: String = (0..1_000)
        .map(|number| format!("zeile {number:03}: ä\n"))
        .collect();
    let (_folder, source) = source("a.txt", &text);
    let assignment = Split::default()
        .assign(&source, &LearnOptions::default())
        .unwrap();
    assert_eq!(Use::ALL.map(|part| assignment.count(part)), [80, 15, 5]);
    assert!(assignment.is_training(0));
    let mut all = String::new();
    let mut lengths = HashSet::new();
    for row in assignment.rows(&source).unwrap() {
        let (_, row) = row.unwrap();
        assert_eq!(row.at.row, 1);
        let Values::Text(text) = row.values else {
            panic!("no text");
        };
        lengths.insert(text.chars().count());
        all.push_str(&text);
    }
    assert!(all == text);
    assert_eq!(lengths, HashSet::from([130]));
}

#[test]
fn blocks_go_on_across_documents() {
    let blocks = Assignment::Blocks {
        characters: 4,
        uses: vec![Use::Training, Use::Exam, Use::Report],
    };
    let expected = [
        (Use::Training, "de"),
        (Use::Exam, "fghi"),
        (Use::Report, "j"),
    ];
    assert_eq!(blocks.cut(2, "defghij"), expected);
    assert_eq!(blocks.cut(0, "äöüß"), [(Use::Training, "äöüß")]);
    assert_eq!(
        blocks.cut(11, "ab"),
        [(Use::Report, "a"), (Use::Training, "b")]
    );
    assert!(blocks.cut(0, "").is_empty());
}

#[test]
fn rows_come_with_their_use() {
    let text: String = (0..20).map(|number| format!("{number}\n")).collect();
    let (_folder, source) = source("a.csv", &format!("x\n{text}"));
    let assignment = Split::default()
        .assign(&source, &LearnOptions::default())
        .unwrap();
    let rows: Vec<Use> = assignment
        .rows(&source)
        .unwrap()
        .map(|row| row.unwrap().0)
        .collect();
    assert_eq!(Assignment::Rows(rows.clone()), assignment);
    let training = (0..21).filter(|&row| assignment.is_training(row)).count();
    assert_eq!(training, counts(&rows)[0]);
}
