//! Reference = fast CPU = Burn on the processor = Burn on a GPU, or on software that stands in for one:
//! not one word of any tensor differs.
//!
//!     cargo test --workspace --test equality -- --nocapture

use anyhow::Result;
use gotong_evaluation::{bits, self_test, BurnEvaluator, FastCpu};
use gotong_scoring::Evaluator;
use gotong_tests::equality::{random_cases, trained_cases, Candidates, Case, Tally, SEED};
use gotong_training::{initial_weights, DeviceChoice};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Software that stands in for a GPU uses all cores: two tests at once take longer than one after the other.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn not_a_word_differs() -> Result<()> {
    let _turn = turn();
    // Every device that this build knows has to be there.
    let devices: Vec<_> = DeviceChoice::built().collect();
    assert!(devices.contains(&DeviceChoice::Wgpu));
    let (mut candidates, mut tally) = (Candidates::new(&devices)?, Tally::default());
    for case in random_cases(4)?
        .into_iter()
        .chain(trained_cases(DeviceChoice::Flex)?)
    {
        candidates.compare(&case, &mut tally)?;
    }
    println!("{}: {tally:?}", candidates.names().join(", "));
    assert_eq!((tally.mismatched_words, tally.first), (0, None));
    let first = tally.first_of_gradients;
    assert_eq!((tally.mismatched_gradient_values, first), (0, None));
    assert!(tally.gradient_values > 0);
    Ok(())
}

#[test]
fn every_device_passes_the_worst_cases() -> Result<()> {
    let _turn = turn();
    for choice in DeviceChoice::built() {
        let report = self_test(&mut BurnEvaluator::new(&choice.open()?))?;
        println!("{choice}: {report:?}");
        assert!(report.words > 0);
    }
    Ok(())
}

/// Training need not be exact, but every device has to learn what the processor does.
#[test]
fn every_device_trains() -> Result<()> {
    let _turn = turn();
    let on_processor = trained_cases(DeviceChoice::Flex)?;
    for choice in DeviceChoice::built().filter(|choice| *choice != DeviceChoice::Flex) {
        for (case, peer) in trained_cases(choice)?.iter().zip(&on_processor) {
            let before = loss(case, &initial_weights(&case.graph, SEED))?;
            let (after, expected) = (loss(case, &case.weights)?, loss(peer, &peer.weights)?);
            println!(
                "{choice}, {}: {before} to {after} bits, {expected} on the processor",
                case.name
            );
            assert!(
                expected < before - 1.0,
                "nothing was learned on the processor"
            );
            assert!(
                (after - expected).abs() < 0.1 * (before - expected),
                "{choice}, {}",
                case.name
            );
        }
    }
    Ok(())
}

/// The mean exact loss of a sample, in bits.
fn loss(case: &Case, weights: &[i16]) -> Result<f64> {
    let losses = FastCpu.losses(&case.graph, weights, &case.samples)?;
    Ok(bits(&losses) / losses.len() as f64)
}
