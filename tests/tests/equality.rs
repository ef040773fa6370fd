//! Reference = fast CPU = Burn on the processor = Burn on a GPU, or on software that stands in for one:
//! not one word of any tensor differs.
//!
//!     cargo test --workspace --test equality -- --nocapture

use anyhow::Result;
use gotong::{
    evaluation::{self_test, BurnEvaluator},
    training::DeviceChoice,
};
use gotong_tests::equality::{random_cases, trained_cases, Candidates, Tally};

#[test]
fn not_a_word_differs() -> Result<()> {
    // Every device that this build knows has to be there.
    let devices: Vec<_> = DeviceChoice::built().collect();
    assert!(devices.contains(&DeviceChoice::Wgpu));
    let (mut candidates, mut tally) = (Candidates::new(&devices)?, Tally::default());
    for case in random_cases(4)?.into_iter().chain(trained_cases()?) {
        candidates.compare(&case, &mut tally)?;
    }
    println!("{}: {tally:?}", candidates.names().join(", "));
    assert_eq!((tally.mismatched_words, tally.first), (0, None));
    Ok(())
}

#[test]
fn every_device_passes_the_worst_cases() -> Result<()> {
    for choice in DeviceChoice::built() {
        let report = self_test(&mut BurnEvaluator::new(&choice.open()?))?;
        println!("{choice}: {report:?}");
        assert!(report.words > 0);
    }
    Ok(())
}
