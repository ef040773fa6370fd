//! Random rounds, liars and challengers, all at once; every invariant holds after each move, and an
//! honest party that is awake loses nothing.

use super::lab::*;
use crate::{mock::*, Disputes, Event};
use gotong_protocol::{dispute::Verdict, id::DisputeId};
use gotong_scoring::{
    share::{
        trial::{Answer, Lie, Model, PartOf, Pick},
        Half, Stage,
    },
    trial::{self as loss, backward, Side},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The number of the first account that holds a seat; that of the first challenger follows.
const SEATS: u8 = 10;
const CHALLENGERS: u8 = 30;

/// A lie about anything, which may come to nothing.
#[derive(Clone, Debug)]
struct AnyLie {
    kind: u8,
    side: u8,
    at: u32,
    by: i16,
}

fn any_lie() -> impl Strategy<Value = AnyLie> {
    (0..8u8, any::<u8>(), any::<u32>(), 1..28_000i16).prop_map(|(kind, side, at, by)| AnyLie {
        kind,
        side,
        at,
        by,
    })
}

impl AnyLie {
    fn told_in(&self, lab: &Lab) -> Lie {
        let (facts, at) = (&lab.facts, self.at);
        let (graph, entrant) = (&facts.graph, at % facts.entrants);
        let (op, position) = (at % graph.ops.len() as u32, at % graph.parameters() as u32);
        let passes = lab.table.passes.len() as u8;
        let pass = (self.side / 4) % passes.max(1);
        let stage = [Stage::Pass(pass), Stage::Pay][usize::from(self.side % 2)];
        let of = [Model::Midpoint(pass), Model::Merged][usize::from(self.side % 2)];
        let group = at / 7 % 16;
        let (weight, by) = (self.by, i32::from(self.by) * 0x10001);
        match self.kind {
            0 => Lie::Word {
                of: [Side::Base, Side::Merged][usize::from(self.side % 2)],
                sample: at % facts.samples,
                op,
                at: 0,
                by,
                carries: true,
            },
            1 => Lie::Weight {
                of,
                position,
                by: weight,
            },
            2 => Lie::Term {
                of,
                position,
                entrant,
                by: weight,
            },
            3 => Lie::Losses {
                half: [Half::A, Half::B][usize::from(self.side % 2)],
            },
            4 => Lie::Gradient {
                stage,
                group,
                position,
                by: by.into(),
            },
            5 | 6 => {
                let members = facts.group(stage, group).unwrap_or_default();
                let nth = at as usize % members.len().max(1);
                Lie::Backward {
                    stage,
                    group,
                    position,
                    word: backward::Lie {
                        sample: members.get(nth).copied().unwrap_or(0),
                        stage: at % 60,
                        at: 0,
                        by,
                        carries: self.kind == 5,
                    },
                }
            }
            _ => Lie::Part {
                of: PartOf {
                    stage,
                    entrant,
                    group,
                },
                by: by.into(),
            },
        }
    }

    /// The liar; if the lie changes nothing, an honest party.
    fn teller(&self, lab: &Lab) -> Agent {
        let liar = lab.try_lie(self.told_in(lab));
        liar.unwrap_or_else(|| lab.honest())
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A challenger disputes the first thing that it computes differently.
    Accuse(u8, u8),
    /// A challenger disputes anything.
    Doubt(u8, u8, u8),
    /// The party whose turn it is makes the move that it computes.
    Move(u8),
    /// The party whose turn it is sends nonsense.
    Babble(u8, u8),
    /// Somebody else moves.
    Interfere(u8, u8),
    Blocks(u32),
}

fn any_step() -> impl Strategy<Value = Step> {
    let who = any::<u8>;
    prop_oneof![
        4 => (who(), who()).prop_map(|(challenger, seat)| Step::Accuse(challenger, seat)),
        1 => (who(), who(), 0..3u8).prop_map(|(c, seat, what)| Step::Doubt(c, seat, what)),
        20 => who().prop_map(Step::Move),
        2 => (who(), who()).prop_map(|(dispute, what)| Step::Babble(dispute, what)),
        1 => (who(), who()).prop_map(|(dispute, by)| Step::Interfere(dispute, by)),
        3 => (1..3u32).prop_map(Step::Blocks),
    ]
}

/// All parties, each with what it computed.
struct World {
    lab: Lab,
    parts: BTreeMap<AccountId, Agent>,
    honest: BTreeSet<AccountId>,
    seats: u8,
    challengers: u8,
}

impl World {
    fn new(lab: Lab, seats: &[Option<AnyLie>], challengers: &[Option<AnyLie>]) -> Self {
        let agent = |lie: &Option<AnyLie>| match lie {
            Some(lie) => lie.teller(&lab),
            None => lab.honest(),
        };
        let of = |first: u8, lies: &[Option<AnyLie>]| {
            let part = |(number, lie)| (account(number), agent(lie));
            (first..).zip(lies).map(part).collect::<Vec<_>>()
        };
        let mut parts = of(SEATS, seats);
        let tables: Vec<_> = parts
            .iter()
            .map(|(who, part)| (who.clone(), part))
            .collect();
        seat(ID, &tables);
        with_round(ID, |round| round.window_ends = 60);
        parts.extend(of(CHALLENGERS, challengers));
        let lies = (SEATS..).zip(seats).chain((CHALLENGERS..).zip(challengers));
        let honest = lies.filter(|(_, lie)| lie.is_none());
        Self {
            honest: honest.map(|(number, _)| account(number)).collect(),
            parts: parts.into_iter().collect(),
            seats: seats.len() as u8,
            challengers: challengers.len() as u8,
            lab,
        }
    }

    fn seat(&self, number: u8) -> AccountId {
        account(SEATS + number % self.seats)
    }

    fn challenger(&self, number: u8) -> AccountId {
        account(CHALLENGERS + number % self.challengers)
    }

    fn is_honest(&self, who: &AccountId) -> bool {
        self.honest.contains(who)
    }

    /// Whether it has the right table: even a liar may.
    fn is_right(&self, who: &AccountId) -> bool {
        *self.parts[who].summary() == self.lab.table.summary()
    }

    /// The party whose turn it is in a dispute.
    fn mover(&self, id: DisputeId) -> Option<AccountId> {
        let dispute = get(id)?;
        Some(if dispute.trial.awaits_answer() {
            dispute.accused
        } else {
            dispute.challenger
        })
    }

    fn any_dispute(&self, which: u8) -> Option<DisputeId> {
        let mut open: Vec<DisputeId> = Disputes::<Test>::iter_keys().collect();
        open.sort();
        open.get(usize::from(which) % open.len().max(1)).copied()
    }

    /// Whether the party whose turn it is had a move that was accepted.
    fn make_move(&self, id: DisputeId) -> bool {
        let dispute = get(id).unwrap();
        let [accused, challenger] = [&dispute.accused, &dispute.challenger];
        step(id, &self.parts[accused], &self.parts[challenger])
    }

    fn act(&self, step: &Step) {
        match step {
            Step::Accuse(challenger, seat) => {
                let (who, accused) = (self.challenger(*challenger), self.seat(*seat));
                let table = Rounds::get()[&ID].tables.get(&accused).cloned();
                if let Some(what) = table.and_then(|table| self.parts[&who].accuse(&table)) {
                    let _ = open(&who, &accused, what);
                }
            }
            Step::Doubt(challenger, seat, what) => {
                let who = self.challenger(*challenger);
                let what = [ROWS, GRADIENTS, LOSSES][usize::from(*what)];
                // Nobody honest doubts what it computes itself.
                if !self.is_honest(&who) {
                    let _ = open(&who, &self.seat(*seat), what);
                }
            }
            Step::Move(which) => {
                if let Some(id) = self.any_dispute(*which) {
                    let (mover, moved) = (self.mover(id).unwrap(), self.make_move(id));
                    assert!(moved || !self.is_honest(&mover));
                }
            }
            Step::Babble(which, what) => {
                let Some(id) = self.any_dispute(*which) else {
                    return;
                };
                let mover = self.mover(id).unwrap();
                if !self.is_honest(&mover) {
                    let nonsense = match what % 3 {
                        0 => Answer::Roots(vec![[0; 32]; usize::from(*what)]),
                        1 => Answer::Nodes(vec![Default::default(); usize::from(*what)]),
                        _ => Answer::Loss(loss::Answer::Tile(vec![*what; 64])),
                    };
                    let _ = answer(&mover, id, nonsense);
                    let _ = pick(&mover, id, Pick::Nth(u32::from(*what)));
                }
            }
            Step::Interfere(which, by) => {
                let Some(id) = self.any_dispute(*which) else {
                    return;
                };
                let (mover, other) = (self.mover(id).unwrap(), self.challenger(*by));
                if other != mover {
                    assert!(answer(&other, id, Answer::Nodes(vec![])).is_err());
                    assert!(pick(&other, id, Pick::Nth(0)).is_err());
                }
            }
            Step::Blocks(count) => (0..*count).for_each(|_| self.pass_a_block()),
        }
        check();
    }

    /// Honest parties move at the last moment, and are never late.
    fn pass_a_block(&self) {
        let now = System::block_number();
        let due: Vec<DisputeId> = Disputes::<Test>::iter()
            .filter(|(_, dispute)| dispute.deadline == now)
            .map(|(id, _)| id)
            .collect();
        for id in due {
            // One conviction may end several.
            if self.mover(id).is_some_and(|mover| self.is_honest(&mover)) {
                assert!(self.make_move(id), "{:?}", get(id));
            }
        }
        next_block();
    }
}

fn any_layers() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![
        4 => (2u32..40, 2u32..20, 2u32..6).prop_map(|(i, h, c)| vec![i, h, c]),
        2 => (2u32..20, 2u32..300, 2u32..9, 2u32..5).prop_map(|(i, h, g, c)| vec![i, h, g, c]),
        1 => (2040u32..2100, 2u32..4).prop_map(|(i, c)| vec![i, c]),
    ]
}

fn some_liars(count: usize) -> impl Strategy<Value = Vec<Option<AnyLie>>> {
    prop::collection::vec(prop::option::of(any_lie()), 1..=count)
}

#[test]
fn most_lies_come_to_something() {
    let mut dice = Dice(7);
    let mut lied = 0;
    for seed in 0..30 {
        let lab = Lab::new(&[20, 10, 4], 30, 7, seed);
        for _ in 0..10 {
            let lie = AnyLie {
                kind: dice.below(8) as u8,
                side: dice.below(256) as u8,
                at: dice.below(u32::MAX),
                by: 1 + dice.below(28_000) as i16,
            };
            let is_lie = *lie.teller(&lab).summary() != lab.table.summary();
            lied += u32::from(is_lie);
        }
    }
    assert!(lied > 150, "{lied} of 300");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whoever_is_honest_and_awake_loses_nothing(
        (layers, samples) in (any_layers(), 4u32..40),
        (deltas, seed) in (1u32..8, any::<u64>()),
        seats in some_liars(4),
        challengers in some_liars(4),
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        new_chain().execute_with(|| {
            let issued = Balances::total_issuance();
            let lab = Lab::new(&layers, samples, deltas, seed);
            let world = World::new(lab, &seats, &challengers);
            let mut closed = vec![];
            for step in &steps {
                world.act(step);
                closed.extend(events());
            }
            // Now every honest party disputes every table that differs.
            for number in 0..world.challengers {
                for seat in 0..world.seats {
                    if world.is_honest(&world.challenger(number)) {
                        world.act(&Step::Accuse(number, seat));
                    }
                }
            }
            let in_time = System::block_number() < Rounds::get()[&ID].window_ends;
            while Disputes::<Test>::iter().next().is_some() {
                world.pass_a_block();
                check();
            }
            closed.extend(events());

            let mut burned = 0;
            for event in closed {
                let Event::DisputeClosed { accused, challenger, verdict, reward, .. } = event else {
                    assert!(!matches!(event, Event::Unexpected { .. }));
                    continue;
                };
                let (honest, other) = (world.is_honest(&accused), world.is_honest(&challenger));
                assert!(!(honest && verdict.convicts()), "{accused} is honest: {verdict:?}");
                assert!(honest || !other || verdict.convicts() || verdict == Verdict::Moot);
                burned += match verdict {
                    Verdict::Moot => 0,
                    verdict if verdict.convicts() => STAKE - reward,
                    // The other half of a bond; if the bond is odd, the halves differ.
                    _ if (2 * reward).is_multiple_of(DisputeBond::get()) => reward,
                    _ => reward + 1,
                };
            }
            let tables = Rounds::get()[&ID].tables.clone();
            for number in 0..world.seats {
                let who = world.seat(number);
                if world.is_honest(&who) {
                    assert!(tables.contains_key(&who));
                    assert!(change(&who) >= 0);
                }
            }
            for number in 0..world.challengers {
                let who = world.challenger(number);
                if world.is_honest(&who) {
                    assert!(change(&who) >= 0, "{who} lost {}", change(&who));
                    // No wrong table is left that it could dispute.
                    assert!(!in_time || tables.keys().all(|seat| world.is_right(seat)));
                }
            }
            assert_eq!(Balances::total_issuance(), issued - burned);
        });
    }
}
