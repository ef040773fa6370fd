//! Which attack is made on whom, what it is compared with, and what is printed.

use std::time::Instant;

use anyhow::Result;
use gotong_scoring::merge::OUTER_RATE_ONE;
use serde_json::{json, Map, Value};

use crate::{
    adversaries::{
        Adversary, Alternating, Copier, Hand, Momentum, Nobody, Noise, Pair, PoisonAndCure,
        Recommit, Together, TwinAndBrake, Whispers,
    },
    world::{Outcome, Setting, World, STAKE},
};

/// The stake of an attacker with six tenths of all stake, against four honest contributors.
const WHALE: u32 = 6 * STAKE;
/// The stake of a twin that has six tenths of all stake only together with its brake.
const TWIN: u32 = 3_300;
/// Brakes of a twin that has six tenths on its own: one whose harm is just below what is allowed, a 33rd of the good; one whose
/// harm is a third; and one whose harm is far above.
const FITTED: u32 = 180;
const THIRD: u32 = 2_500;
const STRONG: u32 = 4_000;

/// An attack.
struct Case {
    name: &'static str,
    /// The setting that it is made in.
    setting: Setting,
    attacker: fn() -> Box<dyn Adversary>,
    /// The useful part of it: it may earn what that part alone would earn.
    useful: Useful,
    /// Whether the rule does not claim to withstand it.
    is_beyond: bool,
}

/// What takes the attacker's place in the run that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Useful {
    Nothing,
    /// One more honest contributor, with this stake.
    Hand(u32),
    /// Two more honest contributors.
    TwoHands,
    /// One more copy of the honest delta.
    Copy,
    /// Only the good rounds.
    GoodRounds,
}

impl Useful {
    fn adversary(self) -> Box<dyn Adversary> {
        match self {
            Self::Nothing => Box::new(Nobody),
            Self::Hand(stake) => Box::new(Hand::new(stake, 1.0, 1)),
            Self::TwoHands => Box::new(Together(vec![
                Box::new(Hand::beside(0)),
                Box::new(Hand::beside(1)),
            ])),
            Self::Copy => Box::new(Copier { noise: 0.0 }),
            Self::GoodRounds => Box::new(Alternating::harmless()),
        }
    }
}

fn poison(poisons: usize, stake: u32, cure: u32) -> Box<dyn Adversary> {
    Box::new(PoisonAndCure {
        poisons,
        stake,
        cure,
    })
}

fn noise(accounts: usize) -> Box<dyn Adversary> {
    Box::new(Noise {
        accounts,
        fresh: false,
    })
}

/// New accounts in every round.
fn crowd(accounts: usize) -> Box<dyn Adversary> {
    Box::new(Noise {
        accounts,
        fresh: true,
    })
}

/// An attacker with six tenths of all stake whose delta is `times` times too long in the first round and honest after it, with a
/// brake of this stake.
fn first_round(brake: u32, times: f64) -> Box<dyn Adversary> {
    Box::new(TwinAndBrake {
        rounds: 1,
        ..TwinAndBrake::new(WHALE, brake, times)
    })
}

fn recommit(is_altered: bool, waits: bool) -> Box<dyn Adversary> {
    Box::new(Recommit { is_altered, waits })
}

/// Rounds that fail after the honest contributors have proved something.
const LATER: &[usize] = &[3, 5, 7];

/// Ten rounds of `honest` honest contributors, each with `steps` updates a round.
fn of(honest: usize, steps: usize, batch: usize) -> Setting {
    Setting {
        honest,
        rounds: 10,
        steps,
        batch,
        rate: 0.12,
        warm: None,
        known: false,
        stands: false,
        outer_rate_q8: OUTER_RATE_ONE,
        exam: 1_600,
        failed: &[],
    }
}

fn four() -> Setting {
    of(4, 120, 64)
}

/// Four contributors that have proved something, on a model that has learned nearly all it can. What is left to earn is small
/// compared to its error: so each round starts from the same weights and has a large exam, and the honest contributors train longer
/// and in smaller steps than on a new model; otherwise they would do harm now and then.
fn converged() -> Setting {
    Setting {
        steps: 600,
        rate: 0.02,
        warm: Some((4_000, 0.036)),
        known: true,
        stands: true,
        exam: 4_096,
        rounds: 36,
        ..four()
    }
}

/// All attacks; those in the same setting follow one another, because they share trainings.
fn cases() -> Vec<Case> {
    use Useful::{Copy, GoodRounds, Nothing, TwoHands};
    let case = |name, setting, useful, attacker| Case {
        name,
        setting,
        attacker,
        useful,
        is_beyond: false,
    };
    let beyond = |case: Case| Case {
        is_beyond: true,
        ..case
    };
    let failing = |failed| Setting {
        failed,
        ..self::four()
    };
    // What attackers send also goes twice as far. Honest contributors make smaller steps, or most rounds would go too far.
    let doubled = |name, useful, attacker| {
        let setting = Setting {
            outer_rate_q8: 2 * OUTER_RATE_ONE,
            rate: 0.06,
            ..self::four()
        };
        case(name, setting, useful, attacker)
    };
    let four = |name, useful, attacker| case(name, four(), useful, attacker);
    vec![
        four("poison_1_cure_100", Nothing, || poison(1, STAKE, 100)),
        four("poison_1_cure_300", Nothing, || poison(1, STAKE, 300)),
        four("poison_1_cure_1000", Nothing, || poison(1, STAKE, STAKE)),
        four("poison_3_cure_300", Nothing, || poison(3, STAKE, 300)),
        four("poison_3_cure_1000", Nothing, || poison(3, STAKE, STAKE)),
        four("whispers_light", Nothing, || {
            Box::new(Whispers {
                accounts: 4,
                stake: 1,
            })
        }),
        four("whispers_full", Nothing, || {
            Box::new(Whispers {
                accounts: 5,
                stake: STAKE,
            })
        }),
        four("noise_4", Nothing, || noise(4)),
        four("overshoot_3", Useful::Hand(STAKE), || {
            Box::new(Hand::new(STAKE, 3.0, 1))
        }),
        four("split_10", Useful::Hand(STAKE), || {
            Box::new(Hand::new(STAKE, 1.0, 10))
        }),
        four("copy_noise_30", Copy, || Box::new(Copier { noise: 0.3 })),
        four("alternating", GoodRounds, || Box::<Alternating>::default()),
        four("recommit", Nothing, || recommit(false, false)),
        four("recommit_altered", Nothing, || recommit(true, false)),
        four("momentum", Nothing, || Box::new(Momentum)),
        four("pair", TwoHands, || Box::<Pair>::default()),
        four("whale_poison", Nothing, || poison(1, WHALE, 0)),
        four("whale_whisper", Nothing, || {
            Box::new(Whispers {
                accounts: 1,
                stake: WHALE,
            })
        }),
        beyond(four("whale_small", Useful::Hand(WHALE), || {
            Box::new(Hand::new(WHALE, 0.02, 1))
        })),
        beyond(four("whale_overshoot", Useful::Hand(WHALE), || {
            Box::new(Hand::new(WHALE, 3.0, 1))
        })),
        beyond(four("whale_overshoot_2", Useful::Hand(WHALE), || {
            Box::new(Hand::new(WHALE, 2.0, 1))
        })),
        beyond(four("whale_first_2", Useful::Hand(WHALE), || {
            first_round(0, 2.0)
        })),
        beyond(four("whale_first_4", Useful::Hand(WHALE), || {
            first_round(0, 4.0)
        })),
        four("twin_brake_3", Useful::Hand(TWIN), || {
            Box::new(TwinAndBrake::new(TWIN, WHALE - TWIN, 3.0))
        }),
        four("twin_brake_15", Useful::Hand(TWIN), || {
            Box::new(TwinAndBrake::new(TWIN, WHALE - TWIN, 15.0))
        }),
        four("twin_brake_decoys", Useful::Hand(TWIN), || {
            Box::new(TwinAndBrake {
                decoys: 100,
                ..TwinAndBrake::new(TWIN, WHALE - TWIN, 15.0)
            })
        }),
        beyond(four("twin_brake_fitted_2", Useful::Hand(WHALE), || {
            first_round(FITTED, 2.0)
        })),
        beyond(four("twin_brake_fitted_4", Useful::Hand(WHALE), || {
            first_round(FITTED, 4.0)
        })),
        beyond(four("twin_brake_third", Useful::Hand(WHALE), || {
            first_round(THIRD, 4.0)
        })),
        beyond(four("twin_brake_strong", Useful::Hand(WHALE), || {
            Box::new(TwinAndBrake::new(WHALE, STRONG, 3.0))
        })),
        case("recommit_failed", failing(LATER), Nothing, || {
            recommit(false, true)
        }),
        case("recommit_failed_altered", failing(LATER), Nothing, || {
            recommit(true, true)
        }),
        beyond(case(
            "recommit_first_altered",
            failing(&[0]),
            Nothing,
            || recommit(true, true),
        )),
        doubled("doubled_poison_3_cure_300", Nothing, || {
            poison(3, STAKE, 300)
        }),
        doubled("doubled_whispers", Nothing, || {
            Box::new(Whispers {
                accounts: 5,
                stake: STAKE,
            })
        }),
        doubled("doubled_noise_4", Nothing, || noise(4)),
        doubled("doubled_overshoot_3", Useful::Hand(STAKE), || {
            Box::new(Hand::new(STAKE, 3.0, 1))
        }),
        doubled("doubled_split_10", Useful::Hand(STAKE), || {
            Box::new(Hand::new(STAKE, 1.0, 10))
        }),
        case("converged_noise_4", converged(), Nothing, || noise(4)),
        case("converged_noise_60", converged(), Nothing, || crowd(60)),
        case("converged_noise_200", converged(), Nothing, || crowd(200)),
        case("noise_30_of_60", of(30, 40, 64), Nothing, || noise(30)),
        case("noise_100_of_200", of(100, 20, 64), Nothing, || noise(100)),
        case("noise_500_of_1000", of(500, 10, 32), Nothing, || noise(500)),
    ]
}

/// Runs the attacks that are asked for, prints a line for each and adds it to `report`. Returns how many there were.
pub fn run(
    seed: u64,
    is_asked: &dyn Fn(&str) -> bool,
    report: &mut Map<String, Value>,
) -> Result<usize> {
    let asked: Vec<Case> = cases()
        .into_iter()
        .filter(|case| is_asked(case.name))
        .collect();
    if asked.is_empty() {
        return Ok(0);
    }
    let world = World::load(seed)?;
    let (mut references, mut worst) = (Vec::<(Setting, Useful, Outcome)>::new(), 0);
    let (mut attacks, mut beyond) = (Map::new(), Map::new());
    print_heading();
    let (mut setting, all) = (None, asked.len());
    for (number, case) in (1..).zip(asked) {
        let start = Instant::now();
        eprintln!("{number} of {all}: {}", case.name);
        if setting.as_ref() != Some(&case.setting) {
            world.forget();
            setting = Some(case.setting.clone());
        }
        let known = references
            .iter()
            .find(|(setting, useful, _)| (setting, useful) == (&case.setting, &case.useful));
        let reference = match known {
            Some((.., reference)) => reference.clone(),
            None => {
                let found = world.play(&case.setting, case.useful.adversary().as_mut())?;
                worst = worst.max(found.credit_sum_error);
                references.push((case.setting.clone(), case.useful, found.clone()));
                found
            }
        };
        let outcome = world.play(&case.setting, (case.attacker)().as_mut())?;
        worst = worst.max(outcome.credit_sum_error);
        let seconds = start.elapsed().as_secs_f64();
        let figures = figures(&case, &outcome, &reference, seconds);
        let kind = if case.is_beyond {
            &mut beyond
        } else {
            &mut attacks
        };
        kind.insert(case.name.into(), figures);
    }
    let count = attacks.len() + beyond.len();
    for (key, of, worst) in [
        (
            "attacker_over_honest",
            f64::max as fn(f64, f64) -> f64,
            "max",
        ),
        ("honest_kept", f64::min, "min"),
    ] {
        let found = attacks.values().filter_map(|attack| attack[key].as_f64());
        report.insert(format!("{key}_{worst}"), json!(found.reduce(of)));
    }
    report.insert("credit_sum_error".into(), json!(worst));
    report.insert("attacks".into(), Value::Object(attacks));
    report.insert("beyond".into(), Value::Object(beyond));
    Ok(count)
}

fn print_heading() {
    println!(
        "paid to all together, in thousandths of a bit a sample; without: in a run with only what the attacker does \
         that is useful; *: the rule does not claim to withstand it"
    );
    println!(
        "  {:24} {:>6} {:>6} | {:>8} {:>8} {:>6} | {:>9} {:>8} {:>8} | {:>6} {:>9} {:>6} {:>5} {:>4}",
        "attack", "honest", "rounds", "honest", "without", "kept", "attackers", "without", "/ honest",
        "merged", "in merges", "passes", "acc.", "s"
    );
}

/// Prints and returns the figures of an attack.
fn figures(case: &Case, outcome: &Outcome, reference: &Outcome, seconds: f64) -> Value {
    let over = (outcome.attackers_paid - reference.attackers_paid) / outcome.honest_paid.max(1e-9);
    let kept = outcome.honest_paid / reference.honest_paid.max(1e-9);
    println!(
        "{:1} {:24} {:6} {:6} | {:8.1} {:8.1} {:6.3} | {:9.2} {:8.2} {:8.4} | {:2}/{:2} {:4.2} {:4.2} {:6} {:5.3} {:4.0}",
        if case.is_beyond { "*" } else { "" },
        case.name,
        case.setting.honest,
        case.setting.rounds,
        outcome.honest_paid,
        reference.honest_paid,
        kept,
        outcome.attackers_paid,
        reference.attackers_paid,
        over,
        outcome.merged,
        reference.merged,
        outcome.kept[0],
        outcome.kept[1],
        outcome.passes,
        outcome.accuracy,
        seconds
    );
    let mut figures = Map::new();
    for (key, value) in [("attacker_over_honest", over), ("honest_kept", kept)] {
        figures.insert(key.into(), rounded(value));
    }
    if case.useful != Useful::Nothing {
        let of_useful = outcome.attackers_paid / reference.attackers_paid.max(1e-9);
        figures.insert("over_useful".into(), rounded(of_useful));
    }
    if outcome.refused > 0 {
        figures.insert("refused".into(), json!(outcome.refused));
    }
    Value::Object(figures)
}

fn rounded(value: f64) -> Value {
    json!((value * 1e4).round() / 1e4)
}
