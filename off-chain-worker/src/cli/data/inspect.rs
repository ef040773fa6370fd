//! `gotong data inspect`.

use crate::cli::{data_options::ReadingArgs, output::table, progress, Globals};
use gotong_data::inspect::{inspect, Range, Report};
use std::{fmt::Write, path::PathBuf};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong data inspect flowers.csv --label species\n  \
                  gotong data inspect reviews.jsonl --field text --output json\n  gotong data inspect images"
)]
pub struct Inspect {
    /// Files of one format or, for images, a folder with one subfolder per class
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
}

pub async fn run(args: Inspect, globals: &Globals) -> anyhow::Result<()> {
    let output = globals.output;
    let report = tokio::task::spawn_blocking(move || {
        let source = args.reading.open(&args.files)?;
        let bar = progress::rows(output, "reading", &source);
        anyhow::Ok(inspect(&source, &mut |rows| bar.set_position(rows))?)
    })
    .await??;
    let json = serde_json::to_value(&report)?;
    output.print(json, || described(&report));
    Ok(())
}

/// The report, for people.
fn described(report: &Report) -> String {
    let mut text = format!(
        "{} rows of {} in {}, {} bytes\n",
        report.rows, report.kind, report.format, report.bytes
    );
    // Writing to a string cannot fail.
    if !report.shape.is_empty() {
        let _ = writeln!(text, "shape     {:?}", report.shape);
    }
    for (name, range) in [
        ("lengths", &report.lengths),
        ("heights", &report.heights),
        ("widths", &report.widths),
    ] {
        if let Some(range) = range {
            let _ = writeln!(text, "{name:9} {}", spanned(range));
        }
    }
    let found = &report.duplicates;
    let _ = writeln!(
        text,
        "repeated  {} rows repeat the inputs of an earlier row, {} of them with another label",
        found.rows, found.other_label
    );
    if !report.classes.is_empty() {
        let row =
            |class: &gotong_data::inspect::Class| vec![class.name.clone(), class.rows.to_string()];
        let rows: Vec<_> = report.classes.iter().map(row).collect();
        text += "\n";
        text += &table(&["class", "rows"], &rows);
    }
    if !report.columns.is_empty() {
        let row = |column: &gotong_data::inspect::Column| {
            vec![
                column.name.clone(),
                column.holds.to_string(),
                column.missing.to_string(),
                column.distinct.to_string(),
                column.range.as_ref().map_or_else(String::new, spanned),
            ]
        };
        let rows: Vec<_> = report.columns.iter().map(row).collect();
        let head = [
            "column",
            "holds",
            "missing",
            "distinct",
            "minimum, mean, maximum",
        ];
        text += "\n";
        text += &table(&head, &rows);
    }
    for remark in &report.remarks {
        let _ = write!(text, "\nnote: {remark}");
    }
    text
}

fn spanned(range: &Range) -> String {
    format!("{}, {:.4}, {}", range.min, range.mean, range.max)
}
