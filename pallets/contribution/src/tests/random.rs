//! Random calls by many accounts; every invariant holds after each.

use super::lab::*;
use crate::{mock::*, Rounds, Submissions};
use gotong_protocol::{Phase, Roles, RoundClaim, RoundId, TaskId, TaskState};
use gotong_scoring::ScoreTable;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Accounts that may come to be contributors, attesters, both or nothing.
const ACTORS: u8 = 12;

#[derive(Clone, Debug)]
enum Step {
    Register(u8, u8, Balance),
    AddStake(u8, Balance),
    Unstake(u8, Balance),
    Withdraw(u8),
    Open(Balance),
    TopUp(u8, Balance),
    Close(u8),
    Commit(u8, u8, u8),
    Reveal(u8, u8, u8),
    Publish(u8),
    CommitAttestation(u8, u8, bool),
    RevealAttestation(u8, u8, bool),
    Claim(u8, u8, u8, u8),
    Blocks(u32),
    /// Everybody does what the protocol asks of it in the task's current phase; but some attesters
    /// lie, if so told.
    Duty(u8, bool),
    /// Every contributor claims what it can.
    ClaimAll(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let actor = || 0..ACTORS;
    let task = || 0..3u8;
    let amount = || prop_oneof![0..20u128, 90..1_200u128, Just(Balance::MAX)];
    prop_oneof![
        3 => (actor(), 0..4u8, amount()).prop_map(|(a, r, s)| Step::Register(a, r, s)),
        1 => (actor(), amount()).prop_map(|(a, s)| Step::AddStake(a, s)),
        1 => (actor(), amount()).prop_map(|(a, s)| Step::Unstake(a, s)),
        1 => actor().prop_map(Step::Withdraw),
        1 => (9_000..40_000u128).prop_map(Step::Open),
        1 => (task(), amount()).prop_map(|(t, s)| Step::TopUp(t, s)),
        1 => task().prop_map(Step::Close),
        4 => (actor(), task(), 0..5u8).prop_map(|(a, t, d)| Step::Commit(a, t, d)),
        3 => (actor(), task(), 0..5u8).prop_map(|(a, t, d)| Step::Reveal(a, t, d)),
        1 => task().prop_map(Step::Publish),
        2 => (actor(), task(), any::<bool>())
            .prop_map(|(a, t, lie)| Step::CommitAttestation(a, t, lie)),
        2 => (actor(), task(), any::<bool>())
            .prop_map(|(a, t, lie)| Step::RevealAttestation(a, t, lie)),
        3 => (actor(), task(), 0..4u8, 0..5u8)
            .prop_map(|(a, t, r, row)| Step::Claim(a, t, r, row)),
        3 => (1..4u32).prop_map(Step::Blocks),
        1 => prop_oneof![5 => Just(Step::Blocks(7)), 1 => Just(Step::Blocks(121))],
        4 => task().prop_map(Step::ClaimAll),
        40 => (task(), prop::bool::weighted(0.1)).prop_map(|(t, lie)| Step::Duty(t, lie)),
    ]
}

/// The off-chain side of every task, and what honest attesters made of its rounds.
#[derive(Default)]
struct World {
    labs: BTreeMap<TaskId, Lab>,
    tables: BTreeMap<(TaskId, RoundId), ScoreTable>,
    merged: BTreeMap<(TaskId, RoundId), Vec<i16>>,
}

impl World {
    fn act(&mut self, step: Step) {
        let actor = |number: u8| account(10 + number);
        let roles = |bits: u8| Roles {
            contributor: bits & 1 > 0,
            attester: bits & 2 > 0,
        };
        // Whether a call succeeds does not matter here: what it leaves behind does.
        let _ = match step {
            Step::Register(who, bits, stake) => {
                Contribution::register(signed(&actor(who)), roles(bits), stake)
            }
            Step::AddStake(who, amount) => Contribution::add_stake(signed(&actor(who)), amount),
            Step::Unstake(who, amount) => Contribution::unstake(signed(&actor(who)), amount),
            Step::Withdraw(who) => Contribution::withdraw(signed(&actor(who))),
            Step::Open(pool) => self.open(pool),
            Step::TopUp(task, amount) => {
                Contribution::top_up(signed(&sponsor()), TaskId(task.into()), amount)
            }
            Step::Close(task) => Contribution::close_task(signed(&sponsor()), TaskId(task.into())),
            Step::Blocks(count) => {
                run_blocks(count);
                Ok(())
            }
            Step::Claim(who, task, round, row) => {
                let key = (TaskId(task.into()), RoundId(round.into()));
                match self.tables.get(&key) {
                    Some(table) if usize::from(row) < table.rows.len() => {
                        claim(&actor(who), key.0, key.1, table, row.into())
                    }
                    _ => Ok(()),
                }
            }
            Step::ClaimAll(task) => {
                self.claim_all(TaskId(task.into()));
                Ok(())
            }
            in_round => self.act_in_round(in_round),
        };
        self.learn();
    }

    fn act_in_round(&mut self, step: Step) -> sp_runtime::DispatchResult {
        let actor = |number: u8| account(10 + number);
        let (Step::Commit(_, number, _)
        | Step::Reveal(_, number, _)
        | Step::Publish(number)
        | Step::CommitAttestation(_, number, _)
        | Step::RevealAttestation(_, number, _)
        | Step::Duty(number, _)) = step
        else {
            return Ok(());
        };
        let id = TaskId(number.into());
        let Some(lab) = self.labs.get_mut(&id) else {
            return Ok(());
        };
        let claim = self
            .tables
            .get(&(id, task(id).round))
            .map(ScoreTable::claim);
        match (step, claim) {
            (Step::Commit(who, _, delta), _) => commit(&actor(who), id, &lab.delta(delta)),
            (Step::Reveal(who, _, delta), _) => reveal(&actor(who), id, &lab.delta(delta)),
            (Step::Publish(_), _) if task(id).next_shard < SHARDS => lab.publish(id),
            (Step::CommitAttestation(who, _, lie), Some(claim)) => {
                commit_attestation(&actor(who), id, &bend(claim, lie))
            }
            (Step::RevealAttestation(who, _, lie), Some(claim)) => {
                reveal_attestation(&actor(who), id, &bend(claim, lie))
            }
            (Step::Duty(_, lie), claim) => {
                do_duties(lab, id, claim, lie);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, pool: Balance) -> sp_runtime::DispatchResult {
        let lab = Lab::default();
        let id = crate::NextTask::<Test>::get();
        lab.open_with(lab.terms(), pool)?;
        self.labs.insert(id, lab);
        Ok(())
    }

    fn claim_all(&self, id: TaskId) {
        for ((task, round), table) in self.tables.iter().filter(|((task, _), _)| *task == id) {
            for who in (0..ACTORS).map(|number| account(10 + number)) {
                for row in 0..table.rows.len() {
                    let _ = claim(&who, *task, *round, table, row);
                }
            }
        }
    }

    /// Scores rounds that can be scored, and takes over the weights of those that settled.
    fn learn(&mut self) {
        for (id, lab) in &mut self.labs {
            let task = task(*id);
            let key = (*id, task.round);
            for round in 0..=task.round.0 {
                let settled = Rounds::<Test>::get(id, RoundId(round))
                    .is_some_and(|round| round.settlement.is_some());
                if let (true, Some(merged)) = (settled, self.merged.remove(&(*id, RoundId(round))))
                {
                    lab.weights = merged;
                }
            }
            let attesting = Rounds::<Test>::get(id, task.round)
                .is_some_and(|round| round.phase == Phase::AttestCommit);
            if attesting && !self.tables.contains_key(&key) {
                let score = lab.score(*id);
                self.tables.insert(key, score.table);
                self.merged.insert(key, score.merged);
            }
        }
    }
}

/// The claim, or one that differs from it.
fn bend(claim: RoundClaim, lie: bool) -> RoundClaim {
    let table_root = if lie { [66; 32] } else { claim.table_root };
    RoundClaim {
        table_root,
        ..claim
    }
}

fn do_duties(lab: &mut Lab, id: TaskId, claim: Option<RoundClaim>, lie: bool) {
    if task(id).state == TaskState::Closed {
        return;
    }
    let Some(round) = Rounds::<Test>::get(id, task(id).round) else {
        return;
    };
    let round_id = task(id).round;
    for number in 0..ACTORS {
        let who = account(10 + number);
        let delta = lab.delta(number % 5);
        let _ = match (round.phase, &claim) {
            (Phase::Commit, _) => commit(&who, id, &delta),
            (Phase::Reveal, _) if Submissions::<Test>::contains_key((id, round_id), &who) => {
                reveal(&who, id, &delta)
            }
            (Phase::AttestCommit, Some(claim)) => {
                commit_attestation(&who, id, &bend(claim.clone(), lie && number % 2 == 1))
            }
            (Phase::AttestReveal, Some(claim)) => {
                // One of these is what was committed.
                reveal_attestation(&who, id, claim)
                    .or_else(|_| reveal_attestation(&who, id, &bend(claim.clone(), true)))
            }
            _ => Ok(()),
        };
    }
    if round.phase == Phase::Reveal && round.shard.is_none() {
        let _ = lab.publish(id);
    }
    next_block();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_invariant_holds_after_every_call(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        ExtBuilder::default().build().execute_with(|| {
            let mut world = World::default();
            let issuance = Balances::total_issuance();
            // A stage on which something happens.
            for number in 0..8 {
                world.act(Step::Register(number, 1 + u8::from(number > 3), 500));
            }
            world.act(Step::Open(30_000));
            for step in steps {
                world.act(step.clone());
                prop_assert_eq!(Contribution::do_try_state(), Ok(()), "after {:?}", step);
                prop_assert!(Balances::total_issuance() <= issuance);
            }
            let unexpected = events()
                .into_iter()
                .filter(|event| matches!(event, crate::Event::Unexpected { .. }))
                .count();
            prop_assert_eq!(unexpected, 0);
            Ok(())
        })?;
    }
}
