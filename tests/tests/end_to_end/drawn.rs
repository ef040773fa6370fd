//! A task whose samples are drawn from a public pool, which everybody has as a file: a convolutional
//! network of images.

use crate::{contribute, ROUND_LIMIT};
use anyhow::{Context, Result};
use gotong_protocol::{HoldOutTerms, TaskState};
use gotong_tests::{assert_settled, Network, UNIT};
use gotong_training::data::DataSet;
use std::fs;

const MODEL: &str = r#"
kind = "cnn"
image = { height = 28, width = 28, channels = 1 }
classes = 10

[[convolutions]]
channels = 8
size = 4
stride = 2
padding = 1
max-pool = 2
"#;

#[tokio::test(flavor = "multi_thread")]
async fn rounds_are_scored_on_what_chance_draws() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Two", "Judith", "Judas", "Eve"]).await?;
    let pool = network.folder().join("clothes.pool").display().to_string();
    let model = network.folder().join("model.toml");
    fs::write(&model, MODEL)?;
    let size = format!(
        "--model={} --hold-out=drawn --rounds=2 --samples=200 --pool-out={pool}",
        model.display()
    );
    let contributors = ["One", "Two"];
    let task = network
        .open_task(&size, &contributors, &["Judith", "Judas"])
        .await?;
    let opened = network.task(task).await?;
    let HoldOutTerms::Drawn { records, .. } = opened.terms.hold_out else {
        panic!("{:?}", opened.terms.hold_out);
    };
    assert_eq!(fs::metadata(&pool)?.len(), 785 * u64::from(records));
    assert_eq!(opened.bond, 100 * UNIT);

    // Anybody can find the recipe in the block that opened the task, without the pool.
    let copy = network.folder().join("copy.toml");
    let found = format!("task recipe --task={} --out={}", task.0, copy.display());
    let found = network.run("Eve", &found).await?;
    // It is the recipe of the data set.
    let recipe = DataSet::FashionMnist.recipe()?.to_text()?;
    assert_eq!(found["recipe"], recipe);
    assert_eq!(opened.terms.check_recipe(recipe.as_bytes()), Ok(()));
    assert_eq!(fs::read_to_string(&copy)?, recipe);

    // Nobody can compute a round without the pool, and everybody is told what to do.
    let out = network.folder().join("base.safetensors");
    let weights = format!("weights --task={} --out={}", task.0, out.display());
    let refused = network.run("Eve", &weights).await.unwrap_err().to_string();
    assert!(refused.contains("--pool-file FILE"), "{refused}");

    // No sponsor is running.
    let given = format!("--pool-file={pool}");
    let _attesters = [
        network.daemon("Judith", &format!("attest {given}"))?,
        network.daemon("Judas", &format!("attest {given}"))?,
    ];
    let _contributors = [
        network.daemon("One", &format!("{} {given}", contribute(task, "1/2")))?,
        network.daemon("Two", &format!("{} {given}", contribute(task, "2/2")))?,
    ];
    let mut seeds = Vec::new();
    for round in 0..2 {
        let ended = network.ended(task, round, ROUND_LIMIT).await?;
        assert_settled(&ended)?;
        assert_eq!((ended.reveals, &ended.shard), (2, &None));
        seeds.push(ended.seed.context("samples were drawn")?);
        let merged = ended.claim.context("settled on a claim")?.merged;
        assert!(merged.is_some_and(|merged| merged.gain > 0) || round > 0);
    }
    assert_ne!(seeds[0], seeds[1]);
    assert_eq!(network.task(task).await?.state, TaskState::Exhausted);

    // Whoever has the pool computes the same, and need not be given it again.
    for (round, given) in [(0, given.as_str()), (1, "")] {
        let verify = format!("verify --task={} --round={round} {given}", task.0);
        let verified = network.run("Eve", &verify).await?;
        assert_eq!(verified["equal"], true, "{verified}");
    }
    // Every other pool is refused because of its root.
    let mut other = fs::read(&pool)?;
    other[0] ^= 1;
    let path = network.folder().join("other.pool");
    fs::write(&path, other)?;
    let verify = format!(
        "verify --task={} --round=0 --pool-file={}",
        task.0,
        path.display()
    );
    let refused = network.run("Sponsor", &verify).await.unwrap_err();
    assert!(refused.to_string().contains("has the root"), "{refused}");
    Ok(())
}
