//! Somebody's own data: from a file to a paid round.

use crate::ROUND_LIMIT;
use anyhow::{ensure, Context, Result};
use gotong::process::sibling;
use gotong_protocol::TaskId;
use gotong_tests::{assert_settled, python::python, table, Network};
use image::{GrayImage, Luma};
use rand::{rngs::StdRng, Rng, SeedableRng};
use serde_json::Value;
use std::{fmt::Write, fs, path::Path, process::Command};

const MAKEFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Makefile");

/// A flower: the length and width of its leaves, and its species.
pub struct Flower {
    pub leaves: [f64; 4],
    pub species: &'static str,
}

/// Flowers of three kinds, which differ on average.
pub fn flowers(count: usize) -> Vec<Flower> {
    let mut random = StdRng::seed_from_u64(7);
    let flower = |number: usize| {
        let kind = number % 3;
        let mut leaf = |mean: f64| mean + random.random_range(-0.8..0.8);
        let grown = kind as f64;
        Flower {
            leaves: [
                leaf(5.0 + grown),
                leaf(3.0 - grown / 2.0),
                leaf(1.0 + 2.0 * grown),
                leaf(0.5 + grown),
            ],
            species: ["iris", "rose", "tulip"][kind],
        }
    };
    (0..count).map(flower).collect()
}

/// Flowers as a table with commas. Some of them lack a value.
pub fn csv(flowers: &[Flower]) -> String {
    let mut text = "sepal length,sepal width,petal length,petal width,species\n".to_owned();
    for (number, flower) in flowers.iter().enumerate() {
        let [a, b, c, d] = flower.leaves;
        let width = if number % 50 == 7 {
            String::new()
        } else {
            format!("{d:.3}")
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{a:.3},{b:.3},{c:.3},{width},{}", flower.species);
    }
    text
}

fn write_parquet(path: &Path, flowers: &[Flower]) -> Result<()> {
    let column = |number: usize| flowers.iter().map(move |flower| flower.leaves[number]);
    let columns: Vec<(&str, Vec<f64>)> = ["a", "b", "c", "d"]
        .into_iter()
        .enumerate()
        .map(|(number, name)| (name, column(number).collect()))
        .collect();
    let species: Vec<&str> = flowers.iter().map(|flower| flower.species).collect();
    table::write_parquet(path, &columns, ("species", &species))
}

/// A network in which one account contributes and another attests.
async fn network() -> Result<Network> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    network.register(&["One"], &["Judith"]).await?;
    Ok(network)
}

/// Makes a task from `data`, which says what to read and how; checks it; opens it; and waits until its first round has paid the
/// contributor. The contributor trains on `train` or, if there is none, on the data that the task was made from.
async fn paid(network: &Network, data: &str, train: Option<&str>, steps: u32) -> Result<()> {
    let folder = network.folder().join("task");
    let out = folder.display();
    let made = network
        .run("Sponsor", &format!("task new {data} --out={out}"))
        .await?;
    let checked = network
        .run("Sponsor", &format!("task check {out}/task.toml"))
        .await?;
    let checks = checked.as_array().context("a list of checks")?;
    ensure!(checks.iter().all(|check| check["ok"] == true), "{checked}");

    let open = format!("task open {out}/task.toml --seats=1 --challenge-blocks=6 --init-seed=1");
    let opened = network.run("Sponsor", &open).await?;
    ensure!(
        opened["parameters"] == made["parameters"],
        "{opened} of {made}"
    );
    let id = opened["task"]
        .as_u64()
        .context("`task open` names the task")?;
    let task = TaskId(u32::try_from(id)?);
    let recipe = fs::read_to_string(folder.join("recipe.toml"))?;
    network
        .task(task)
        .await?
        .terms
        .check_recipe(recipe.as_bytes())?;

    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={id}"))?;
    let _attester = network.daemon("Judith", "attest")?;
    let own = format!("--train {out}/train.records");
    let train = train.unwrap_or(&own);
    let contribute = format!("contribute --task={id} --steps={steps} {train}");
    let _contributor = network.daemon("One", &contribute)?;
    first_round_is_paid(network, task).await
}

/// Waits until the first round has settled, gained something, and paid its contributor.
async fn first_round_is_paid(network: &Network, task: TaskId) -> Result<()> {
    let round = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_settled(&round)?;
    let merged = round.claim.as_ref().context("settled on a claim")?.merged;
    ensure!(merged.is_some_and(|merged| merged.gain > 0), "{round:?}");
    let submissions = network.all_claimed(&round, ROUND_LIMIT).await?;
    let claimed = submissions[0].claimed.context("it was claimed")?;
    ensure!(claimed.paid > 0, "{claimed:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_commas_is_paid_and_so_are_files_of_a_contributors_own() -> Result<()> {
    let network = network().await?;
    let all = flowers(1_800);
    let (sponsors, own) = all.split_at(1_200);
    let (one, other) = own.split_at(300);
    let file = |name: &str| network.folder().join(name).display().to_string();
    for (name, flowers) in [
        ("flowers.csv", sponsors),
        ("one.csv", one),
        ("other.csv", other),
    ] {
        fs::write(file(name), csv(flowers))?;
    }
    let data = format!("{} --label=species", file("flowers.csv"));
    let inspected = network
        .run("Sponsor", &format!("data inspect {data}"))
        .await?;
    assert_eq!(inspected["rows"], 1_200);
    assert_eq!(inspected["kind"], "a table");
    let train = format!(
        "--label=species --train {} {}",
        file("one.csv"),
        file("other.csv")
    );
    paid(&network, &data, Some(&train), 200).await?;

    // A file that the recipe does not fit is refused, with row and column, before anything is trained.
    let wrong = csv(one).replace(",rose", ",daisy");
    fs::write(file("wrong.csv"), wrong)?;
    let command = format!(
        "contribute --task=0 --label=species --train {}",
        file("wrong.csv")
    );
    let refused = network.refused("One", &command).await?;
    for part in ["wrong.csv, row 2", "species", "daisy"] {
        assert!(refused.contains(part), "{refused}");
    }
    // So is a published data set, because the task is not about it.
    let refused = network.refused("One", "contribute --task=0").await?;
    assert!(refused.contains("--train FILE"), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_that_were_sealed_before_are_paid_and_are_opened_only_once() -> Result<()> {
    let network = network().await?;
    let file = network.folder().join("flowers.csv");
    fs::write(&file, csv(&flowers(1_200)))?;
    let folder = network.folder().join("flowers");
    let (file, out) = (file.display(), folder.display());
    let split = format!("data split {file} --label=species --out={out}");
    let split = network.run("Sponsor", &split).await?;
    assert_eq!(split["exam"], 360);
    let inputs = &split["inputs"];

    let recipe = format!("--recipe={out}/recipe.toml");
    let seal = format!("data seal {out}/exam.records {recipe} --shards=2 --samples=160");
    let sealed = network.run("Sponsor", &seal).await?;
    let root = sealed["root"]
        .as_str()
        .context("`data seal` names the root")?;
    let terms = "--name=flowers --price=0.1 --cap=300 --budget=1000 --seats=1 --challenge-blocks=6 --init-seed=1";
    let open = |sealed: &str| {
        format!("task open {terms} --model=mlp:{inputs},16,3 {recipe} --sealed={sealed}")
    };
    let opened = network.run("Sponsor", &open(root)).await?;
    assert_eq!(opened["task"], 0);
    assert_eq!(opened["hold_out_root"], root);
    let hold_out = network.task(TaskId(0)).await?.terms.hold_out;
    assert_eq!((hold_out.rounds(), hold_out.samples()), (2, 160));

    let _sponsor = network.daemon("Sponsor", "sponsor --task=0")?;
    let _attester = network.daemon("Judith", "attest")?;
    let contribute = format!("contribute --task=0 --steps=200 --train {out}/train.records");
    let _contributor = network.daemon("One", &contribute)?;
    first_round_is_paid(&network, TaskId(0)).await?;

    // What was published is known: neither these shards nor the same samples under another key are accepted.
    let refused = network.refused("Sponsor", &open(root)).await?;
    assert!(refused.contains("by heart"), "{refused}");
    let again = format!("{} --again", open(root));
    let refused = network.refused("Sponsor", &again).await?;
    assert!(refused.contains("task 0 has these shards"), "{refused}");
    let sealed = network.run("Sponsor", &seal).await?;
    let other = sealed["root"]
        .as_str()
        .context("`data seal` names the root")?;
    assert_ne!(other, root);
    let refused = network.refused("Sponsor", &open(other)).await?;
    assert!(refused.contains("by heart"), "{refused}");
    Ok(())
}

/// What `make demo DATA=FILE LABEL=COLUMN` finally runs once everything is built: the last line of its recipe, as make prints it
/// for these programs.
fn line_of_make_demo(file: &str, label: &str) -> Result<String> {
    let gotong = sibling("gotong")?;
    let programs = gotong.parent().context("a folder of programs")?;
    let output = Command::new("make")
        .args(["--dry-run", "--no-print-directory", "-f", MAKEFILE, "demo"])
        .arg(format!("BIN={}", programs.display()))
        .arg(format!("DATA={file}"))
        .arg(format!("LABEL={label}"))
        // `make test` passes its own options and variables on.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .context("make")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "make --dry-run failed: {said}");
    let lines = String::from_utf8(output.stdout)?;
    for first in ["scripts/setup.sh", " build --locked --workspace "] {
        ensure!(lines.contains(first), "{first} comes first: {lines}");
    }
    let last = lines.lines().last().context("make runs something")?;
    Ok(last.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn make_demo_takes_a_file_of_ones_own() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // There is enough for one round, but not for two.
    fs::write(folder.path().join("flowers.csv"), csv(&flowers(1_050)))?;
    let line = line_of_make_demo("flowers.csv", "species")?;
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(folder.path());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{line} failed: {said}");
    let out = String::from_utf8(output.stdout)?;
    let last = out.lines().last().context("the last line is JSON")?;
    let told: Value = serde_json::from_str(last)?;
    assert_eq!(told["rounds"], 1, "{told}");
    ensure!(told["convicted"].as_u64() > Some(0), "{told}");
    let gain = told["gain_units"].as_str().context("a number")?;
    ensure!(gain.parse::<i64>()? > 0, "{told}");
    let accounts = told["paid_planck_by_account"].as_object();
    ensure!(
        accounts.is_some_and(|accounts| !accounts.is_empty()),
        "{told}"
    );
    // It is in the folder in which make was called.
    assert!(folder.path().join("demo-own/loss.svg").is_file());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_parquet_is_paid() -> Result<()> {
    let network = network().await?;
    let file = network.folder().join("flowers.parquet");
    write_parquet(&file, &flowers(1_200))?;
    paid(
        &network,
        &format!("{} --label=species", file.display()),
        None,
        200,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digits_of_scikit_learn_are_paid() -> Result<()> {
    let network = network().await?;
    let file = network.folder().join("digits.npz");
    let script = network.folder().join("digits.py");
    fs::write(
        &script,
        "import sys, numpy\nfrom sklearn.datasets import load_digits\n\
         digits = load_digits()\nnumpy.savez(sys.argv[1], x=digits.images, y=digits.target)\n",
    )?;
    let mut python = python(&script)?;
    python.arg(&file);
    let status = tokio::task::spawn_blocking(move || python.status()).await??;
    ensure!(status.success(), "digits.py ended with {status}");
    paid(&network, &file.display().to_string(), None, 300).await
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_text_are_paid() -> Result<()> {
    let network = network().await?;
    let file = network.folder().join("lines.jsonl");
    let mut random = StdRng::seed_from_u64(7);
    let words = "model round delta table block stake seat proof shard pool pays doubts draws trains scores gains merges \
                 claims reveals waits every whole small exact honest sealed public late first large";
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut lines = String::new();
    for row in 0..3_000 {
        let line = (0..9).map(|_| words[random.random_range(0..words.len())]);
        let line: Vec<&str> = line.collect();
        writeln!(lines, "{{\"id\": {row}, \"text\": \"{}\"}}", line.join(" "))?;
    }
    fs::write(&file, lines)?;
    let data = format!(
        "{} --field=text --tokens=characters --unknown=e",
        file.display()
    );
    paid(&network, &data, None, 60).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_images_is_paid() -> Result<()> {
    let network = network().await?;
    let folder = network.folder().join("images");
    let mut random = StdRng::seed_from_u64(7);
    for class in ["left", "right"] {
        let folder = folder.join(class);
        fs::create_dir_all(&folder)?;
        for number in 0..300 {
            let image = GrayImage::from_fn(16, 16, |x, _| {
                let is_bright = (x < 8) == (class == "left");
                let noise = random.random_range(0..100);
                Luma([if is_bright { 155 + noise } else { noise }])
            });
            image.save(folder.join(format!("{number}.png")))?;
        }
    }
    paid(&network, &folder.display().to_string(), None, 25).await
}
