//! Disputes as they are played: an honest party and a liar, each with its engine and its own computation,
//! before a referee with the rules of the chain.

use crate::{
    engine::{Disputer, DisputerCommand, DisputerSnapshot, OpenDispute},
    test_lab::Lab,
};
use clap::ValueEnum;
use codec::{Decode, Encode};
use gotong_evaluation::LieKind;
use gotong_protocol::{id::DisputeId, RoundFacts, RoundId, TableSummary};
use gotong_scoring::{
    share::trial::{Player, Ruling, Trial},
    trial::Turn,
    Reference,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Account = [u8; 32];

const HONEST: Account = [1; 32];
const LIAR: Account = [2; 32];

/// A party: it doubts every table that differs from its own.
struct Party {
    account: Account,
    player: Player,
    engine: Disputer,
}

/// The referee, and the tables that stand.
struct Court {
    facts: RoundFacts,
    block: u32,
    tables: BTreeMap<Account, TableSummary>,
    open: Vec<(OpenDispute, Trial)>,
    opened: u32,
    /// Challengers who were wrong.
    dismissed: Vec<Account>,
}

impl Court {
    fn snapshot(&self, own: &Party) -> DisputerSnapshot {
        let roots = self.tables.iter();
        DisputerSnapshot {
            block: self.block,
            round: RoundId(0),
            own_table: Some(own.player.summary().root()),
            tables: roots.map(|(who, table)| (*who, table.root())).collect(),
            disputes: self
                .open
                .iter()
                .map(|(dispute, trial)| OpenDispute {
                    turn: turn(trial),
                    ..*dispute
                })
                .collect(),
        }
    }

    fn convict(&mut self, who: Account) {
        self.tables.remove(&who);
        self.open.retain(|(dispute, _)| dispute.accused != who);
    }

    /// Carries out a party's command. A command that comes too late is refused and changes nothing.
    fn execute(&mut self, by: &mut Party, command: DisputerCommand) {
        self.block += 1;
        let place = |open: &[(OpenDispute, Trial)], id: DisputeId| {
            open.iter().position(|(dispute, _)| dispute.id == id)
        };
        match command {
            DisputerCommand::Compute => {}
            DisputerCommand::Accuse { accused } => {
                let is_open = self.open.iter().any(|(dispute, _)| {
                    (dispute.challenger, dispute.accused) == (by.account, accused)
                });
                let accusation = match self.tables.get(&accused) {
                    Some(table) if !is_open => by.player.accuse(table).map(|it| (table, it)),
                    _ => None,
                };
                let Some((table, accusation)) = accusation else {
                    return;
                };
                let trial = Trial::open(&self.facts, table, accusation).unwrap();
                let dispute = OpenDispute {
                    id: DisputeId(self.opened),
                    accused,
                    challenger: by.account,
                    turn: turn(&trial),
                    moves: 0,
                    deadline: self.block + 20,
                };
                self.open.push((dispute, trial));
                self.opened += 1;
            }
            DisputerCommand::Answer { dispute, .. } => {
                let Some(at) = place(&self.open, dispute) else {
                    return;
                };
                let (dispute, trial) = &mut self.open[at];
                let Some(answer) = by.player.answer(&mut Reference, trial) else {
                    return;
                };
                let accused = dispute.accused;
                match trial.answer(&self.facts, &self.tables[&accused], &answer) {
                    Ok(Ruling::Continues(next)) => {
                        *trial = next;
                        dispute.moves += 1;
                    }
                    Ok(Ruling::Refuted(_)) => self.convict(accused),
                    Ok(Ruling::Upheld) => {
                        let (dispute, _) = self.open.remove(at);
                        self.dismissed.push(dispute.challenger);
                    }
                    // A liar may have nothing to show. Then its time runs out.
                    Err(_) => self.convict(accused),
                }
            }
            DisputerCommand::Pick { dispute, .. } => {
                let Some(at) = place(&self.open, dispute) else {
                    return;
                };
                let (dispute, trial) = &mut self.open[at];
                if trial.shown.is_none() {
                    return;
                }
                let table = &self.tables[&dispute.accused];
                match by.player.pick(&mut Reference, table, trial) {
                    Some(pick) => {
                        *trial = trial.pick(&self.facts, table, &pick).unwrap();
                        dispute.moves += 1;
                    }
                    // The challenger computes nothing differently, so its time runs out.
                    None => {
                        let (dispute, _) = self.open.remove(at);
                        self.dismissed.push(dispute.challenger);
                    }
                }
            }
        }
    }
}

fn turn(trial: &Trial) -> Turn {
    match trial.awaits_answer() {
        true => Turn::Accused,
        false => Turn::Challenger,
    }
}

/// A party looks at the chain, perhaps at an older state of it, and acts.
fn tick(party: &mut Party, court: &mut Court, old: Option<DisputerSnapshot>, turn: &Turns) {
    if turn.restarts {
        party.engine = Disputer::decode(&mut &*party.engine.encode()).unwrap();
    }
    let now = old.unwrap_or_else(|| court.snapshot(party));
    for command in party.engine.on_block(&now).into_iter().take(turn.executes) {
        court.execute(party, command);
        match command {
            DisputerCommand::Answer { dispute, moves }
            | DisputerCommand::Pick { dispute, moves }
                if turn.hears_back =>
            {
                party.engine.on_moved(dispute, moves, court.block);
            }
            DisputerCommand::Accuse { accused } if turn.hears_back => {
                party.engine.on_accused(accused, court.block);
            }
            _ => {}
        }
    }
    court.block += 1;
}

/// What happens to a party when it acts.
#[derive(Clone, Debug)]
struct Turns {
    is_honest: bool,
    /// Commands that it carries out before it dies.
    executes: usize,
    hears_back: bool,
    restarts: bool,
    /// Whether it looks at what it saw the last time.
    is_late: bool,
}

fn turns() -> impl Strategy<Value = Turns> {
    (any::<bool>(), 0..3usize, any::<[bool; 3]>()).prop_map(
        |(is_honest, executes, [hears_back, restarts, is_late])| Turns {
            is_honest,
            executes,
            hears_back,
            restarts,
            is_late,
        },
    )
}

const FAIR: Turns = Turns {
    is_honest: true,
    executes: usize::MAX,
    hears_back: true,
    restarts: false,
    is_late: false,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The honest party wins, whatever is lost, repeated or forgotten on the way, and even if the liar accuses it in return.
    #[test]
    fn the_liar_is_convicted_and_the_honest_never(
        kind in prop::sample::select(LieKind::value_variants()),
        chaos in prop::collection::vec(turns(), 0..60),
    ) {
        let lab = Lab::small();
        let party = |account, player| Party {
            account,
            player,
            engine: Disputer::new(account),
        };
        let mut honest = party(HONEST, lab.honest());
        let mut liar = party(LIAR, lab.liar(kind));
        let table = |party: &Party| (party.account, party.player.summary().clone());
        let mut court = Court {
            facts: lab.facts.clone(),
            block: 1,
            tables: BTreeMap::from([table(&honest), table(&liar)]),
            open: Vec::new(),
            opened: 0,
            dismissed: Vec::new(),
        };
        let mut seen: BTreeMap<Account, DisputerSnapshot> = BTreeMap::new();
        for turn in &chaos {
            let party = if turn.is_honest { &mut honest } else { &mut liar };
            let now = court.snapshot(party);
            let old = seen.insert(party.account, now).filter(|_| turn.is_late);
            tick(party, &mut court, old, turn);
        }
        for _ in 0..40 {
            tick(&mut honest, &mut court, None, &FAIR);
            tick(&mut liar, &mut court, None, &FAIR);
        }
        prop_assert_eq!(court.tables.keys().collect::<Vec<_>>(), [&HONEST], "{:?}", kind);
        prop_assert!(court.open.is_empty());
        prop_assert!(!court.dismissed.contains(&HONEST));
    }
}
