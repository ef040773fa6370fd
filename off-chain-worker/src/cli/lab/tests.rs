//! Runs of a lab: kept, resumed, and of a task's file.

use super::*;
use crate::cli::{
    data::{split::REPORT_RECORDS, LearningArgs},
    data_options::ReadingArgs,
    task::new::{New, TASK},
    Cli, Command,
};
use clap::Parser;
use std::path::Path;

fn play(folder: &Path, more: &[&str]) -> Result<bool> {
    play_until(folder, more, &AtomicBool::new(false))
}

fn play_until(folder: &Path, more: &[&str], stop: &AtomicBool) -> Result<bool> {
    let folder = folder.to_str().unwrap();
    let line = [
        "gotong",
        "lab",
        "--model",
        "mlp:784,4,10",
        "--hands",
        "1,2,1",
        "--rounds",
        "2",
        "--batch",
        "8",
        "--exam",
        "64",
        "--report",
        "20",
        "--folder",
        folder,
    ];
    let parsed = Cli::try_parse_from(line.iter().chain(more))?;
    let Command::Lab(lab) = parsed.command else {
        anyhow::bail!("another command")
    };
    lab.play(Format::Json, stop)
}

#[test]
fn a_run_is_told_kept_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let stopped = AtomicBool::new(true);
    assert!(!play_until(folder.path(), &["--steps", "3"], &stopped).unwrap());
    assert!(!folder.path().join("lab.json").exists());
    assert!(play(folder.path(), &["--steps", "3"]).unwrap());
    let told = || fs::read_to_string(folder.path().join("lab.json")).unwrap();
    let first = told();
    let json: Value = serde_json::from_str(&first).unwrap();
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for (run, hands) in runs.iter().zip(["1", "2"]) {
        let bits = run["bits"].as_array().unwrap();
        assert_eq!(bits.len(), 3);
        assert_eq!(json["bits_by_hands"][hands], bits[2]);
    }
    let picture = fs::read_to_string(folder.path().join("lab.svg")).unwrap();
    assert!(picture.contains("2 hands"));
    let picture = fs::read_to_string(folder.path().join("lab-seconds.svg")).unwrap();
    assert!(picture.contains("seconds of a hand"));
    let of_hand = runs[0]["hand_seconds"].as_array().unwrap();
    assert!(of_hand.len() == 2 && of_hand.iter().all(|one| one.as_f64().unwrap() > 0.0));
    // All rounds are already there, with the seconds that they took.
    assert!(play(folder.path(), &["--steps", "3", "--seeds", "1,1"]).unwrap());
    assert_eq!(told(), first);
    let other = play(folder.path(), &["--steps", "4"]).unwrap_err();
    assert!(other.to_string().contains("other settings"), "{other}");
    assert_eq!(told(), first);
}

/// The folder of a task that `gotong task new` makes of a table.
fn task(folder: &Path) -> PathBuf {
    let rows = (0..1_200).map(|row| format!("{row},{},{}\n", row * 7 % 101, row % 2));
    let table = folder.join("table.csv");
    fs::write(&table, format!("a,b,kind\n{}", rows.collect::<String>())).unwrap();
    let reading = ReadingArgs::labelled("kind");
    let made = folder.join("task");
    let new = New::of(vec![table], reading, LearningArgs::default(), made.clone());
    new.make(Format::Json).unwrap();
    made.join(TASK)
}

#[test]
fn a_task_is_tried_before_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (file, lab) = (task(folder.path()), folder.path().join("lab"));
    let lab = lab.to_str().unwrap();
    let line = [
        "gotong",
        "lab",
        "--hands=2",
        "--rounds=1",
        "--steps=5",
        "--report=20",
        "--folder",
        lab,
    ];
    let played = |more: &[&str]| {
        let parsed = Cli::try_parse_from(line.iter().chain(more))?;
        match parsed.command {
            Command::Lab(lab) => lab.play(Format::Json, &AtomicBool::new(false)),
            _ => anyhow::bail!("another command"),
        }
    };
    let path = file.to_str().unwrap();
    assert!(played(&[path]).unwrap());
    let told = fs::read_to_string(folder.path().join("lab/lab.json")).unwrap();
    let json: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(json["runs"][0]["bits"].as_array().unwrap().len(), 2);
    // Another exam is another setting; without samples for reports, some of the exam are taken.
    fs::remove_file(file.with_file_name(REPORT_RECORDS)).unwrap();
    let other = played(&[path]).unwrap_err();
    assert!(other.to_string().contains("other settings"), "{other}");
    assert!(played(&[path, "--model=mlp:2,2"]).is_err(), "which model?");
    // What it is to learn from and to be examined in has to be there.
    let text = fs::read_to_string(&file).unwrap();
    let root = "0".repeat(64);
    let sealed = text.replace("[exam]", &format!("[exam]\nsealed = \"{root}\""));
    fs::write(&file, sealed).unwrap();
    let refused = played(&[path]).unwrap_err().to_string();
    assert!(refused.contains("is sealed: name its records"), "{refused}");
    let without: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("train"))
        .collect();
    fs::write(&file, without.join("\n")).unwrap();
    let missing = played(&[path]).unwrap_err();
    assert!(
        missing.to_string().contains("samples to train on"),
        "{missing}"
    );
}
