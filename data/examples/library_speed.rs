//! How fast the library alone reads a table; `make bench` compares this crate with it.
//!
//!     library_speed csv|parquet|jsonl FILE PASSES
//!
//! Rows are read one by one, as the library gives them to a program that does not know the columns at compile time, and every field
//! is decoded. The last line is JSON: the rows, and the seconds of the fastest pass.
//!
//! It is an example of this package because it has to be as optimised as this crate is: generic code of a library is compiled
//! together with the crate that uses it.

use csv::{Reader, StringRecord};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{json, Map, Value};
use std::{
    env,
    error::Error,
    fs::File,
    hint::black_box,
    io::{BufRead, BufReader},
    path::Path,
    time::Instant,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [format, path, passes] = &arguments[..] else {
        return Err("usage: library_speed csv|parquet|jsonl FILE PASSES".into());
    };
    let pass: fn(&Path) -> Result<u64> = match format.as_str() {
        "csv" => csv_rows,
        "parquet" => parquet_rows,
        "jsonl" => jsonl_rows,
        other => return Err(format!("{other} is not csv, parquet or jsonl").into()),
    };
    let (mut rows, mut fastest) = (0, f64::INFINITY);
    for _ in 0..passes.parse::<u32>()? {
        let start = Instant::now();
        rows = pass(Path::new(path))?;
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    println!("{}", json!({ "rows": rows, "seconds": fastest }));
    Ok(())
}

/// Reads with `csv`: a number where the standard library finds one, else text.
fn csv_rows(path: &Path) -> Result<u64> {
    let mut reader = Reader::from_path(path)?;
    let mut record = StringRecord::new();
    let mut rows = 0;
    while reader.read_record(&mut record)? {
        for field in &record {
            let _decoded = black_box(field.parse::<f64>().map_err(|_| field));
        }
        rows += 1;
    }
    Ok(rows)
}

/// Reads the rows with `parquet`.
fn parquet_rows(path: &Path) -> Result<u64> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let mut rows = 0;
    for row in reader.get_row_iter(None)? {
        for (_, field) in row?.get_column_iter() {
            black_box(field);
        }
        rows += 1;
    }
    Ok(rows)
}

/// Reads with `serde_json`: one object per line.
fn jsonl_rows(path: &Path) -> Result<u64> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = String::new();
    let mut rows = 0;
    while reader.read_line(&mut line)? > 0 {
        let object: Map<String, Value> = serde_json::from_str(&line)?;
        black_box(object);
        line.clear();
        rows += 1;
    }
    Ok(rows)
}
