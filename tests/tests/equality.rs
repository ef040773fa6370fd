//! Reference = fast CPU = Burn on the processor = Burn on a GPU, or on what stands in for one: not one
//! word of any tensor may differ.
//!
//!     cargo test --workspace --test equality -- --nocapture

use anyhow::{Context, Result};
use gotong::training::DeviceChoice;
use gotong_tests::equality::{random_cases, Candidates, Tally};

/// Every device that this build knows. That of `wgpu` must be there: without a GPU, software does.
fn candidates() -> Result<Candidates> {
    let devices: Vec<_> = DeviceChoice::built().collect();
    Candidates::new(&devices).context("the suite runs on every device of this build")
}

#[test]
fn not_a_word_differs() -> Result<()> {
    let mut candidates = candidates()?;
    let mut tally = Tally::default();
    for case in random_cases(4)? {
        let start = std::time::Instant::now();
        candidates.compare(&case, &mut tally)?;
        println!("{:?} {}", start.elapsed(), case.name);
    }
    println!("{tally:?}");
    assert_eq!((tally.mismatched_words, &tally.first), (0, &None));
    Ok(())
}
