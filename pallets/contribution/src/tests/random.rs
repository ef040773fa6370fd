//! Random calls by many accounts; every invariant holds after each.

use super::lab::*;
use crate::{mock::*, rounds::Round, Call, Event, Rounds, SlashReason, Submissions};
use frame_support::{dispatch::CheckIfFeeless, traits::UnfilteredDispatchable};
use gotong_protocol::{
    view::RewardState, ClaimItem, Court, Outcome, Phase, Roles, RoundId, TaskId, TaskState,
};
use gotong_scoring::ShareTable;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use std::collections::{BTreeMap, BTreeSet};

/// Accounts that may come to be contributors, attesters, both or nothing.
const ACTORS: u8 = 12;

#[derive(Clone, Debug)]
enum Step {
    Register(u8, u8, Balance),
    Offer(u8, u8),
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
    AnswerAudits(u8, u8),
    /// Disputes one of the tables of a round.
    Dispute(u8, u8),
    /// Decides an open dispute: for the challenger, or not; and may ask for a longer window.
    Decide(u8, bool, bool),
    /// Claims a round by any row of its table.
    Claim(u8, u8, u8, u8),
    Release(u8, u8),
    Blocks(u32),
    /// Everybody does what the protocol asks for in the task's current phase, except that some
    /// attesters lie if told to.
    Duty(u8, bool),
    /// Contributors claim what they can, in an order drawn from this seed, and some of it never.
    ClaimAll(u8, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let actor = || 0..ACTORS;
    let task = || prop_oneof![3 => Just(0u8), 1 => 0..3u8];
    let amount = || prop_oneof![0..20u128, 90..1_200u128, Just(Balance::MAX)];
    prop_oneof![
        3 => (actor(), 0..4u8, amount()).prop_map(|(a, r, s)| Step::Register(a, r, s)),
        1 => (actor(), 0..4u8).prop_map(|(a, s)| Step::Offer(a, s)),
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
        2 => (actor(), task()).prop_map(|(a, t)| Step::AnswerAudits(a, t)),
        6 => (any::<u8>(), task()).prop_map(|(which, t)| Step::Dispute(which, t)),
        6 => (any::<u8>(), any::<bool>(), any::<bool>())
            .prop_map(|(which, convicts, more)| Step::Decide(which, convicts, more)),
        3 => (actor(), task(), 0..4u8, 0..5u8)
            .prop_map(|(a, t, r, row)| Step::Claim(a, t, r, row)),
        3 => (1..4u32).prop_map(Step::Blocks),
        1 => prop_oneof![5 => Just(Step::Blocks(7)), 1 => Just(Step::Blocks(401))],
        2 => (task(), 0..4u8).prop_map(|(t, r)| Step::Release(t, r)),
        6 => (task(), any::<u64>()).prop_map(|(t, seed)| Step::ClaimAll(t, seed)),
        40 => (task(), prop::bool::weighted(0.25)).prop_map(|(t, lie)| Step::Duty(t, lie)),
    ]
}

/// The off-chain side of every task, and what honest attesters made of its rounds.
#[derive(Default)]
struct World {
    labs: BTreeMap<TaskId, Lab>,
    scores: BTreeMap<(TaskId, RoundId), Score>,
    learnt: BTreeSet<(TaskId, RoundId)>,
    disputes: Vec<(TaskId, RoundId, AccountId)>,
}

impl World {
    fn act(&mut self, step: Step) {
        let actor = |number: u8| account(10 + number);
        let roles = |bits: u8| Roles {
            contributor: bits & 1 > 0,
            attester: bits & 2 > 0,
        };
        // Whether a call succeeds does not matter here; the state that it leaves behind does.
        let _ = match step {
            Step::Register(who, bits, stake) => {
                let registered = Contribution::register(signed(&actor(who)), roles(bits), stake);
                // Most attesters do so at once.
                registered.and_then(|()| offer(&actor(who), stake as u8))
            }
            Step::Offer(who, seats) => offer(&actor(who), seats),
            Step::AddStake(who, amount) => Contribution::add_stake(signed(&actor(who)), amount),
            Step::Unstake(who, amount) => Self::leave(&actor(who), Call::unstake { amount }),
            Step::Withdraw(who) => Self::leave(&actor(who), Call::withdraw {}),
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
                match self.scores.get(&key) {
                    Some(score) => claim(&actor(who), key.0, key.1, &score.table, row.into()),
                    None => Ok(()),
                }
            }
            Step::Release(task, round) => {
                let (id, round) = (TaskId(task.into()), RoundId(round.into()));
                Contribution::release(signed(&account(60)), id, round)
            }
            Step::ClaimAll(task, seed) => {
                self.claim_all(TaskId(task.into()), seed);
                Ok(())
            }
            Step::Dispute(which, task) => {
                self.dispute(TaskId(task.into()), which.into());
                Ok(())
            }
            Step::Decide(which, convicts, more) => {
                self.decide(which.into(), convicts, more);
                Ok(())
            }
            in_round => self.act_in_round(in_round),
        };
        self.learn();
    }

    /// A call that may be free succeeds, and cannot be free a second time.
    fn leave(who: &AccountId, call: Call<Test>) -> sp_runtime::DispatchResult {
        let is_free = call.is_feeless(&signed(who));
        let left = call.clone().dispatch_bypass_filter(signed(who));
        assert!(left.is_ok() || !is_free, "{left:?}");
        assert!(left.is_err() || !call.is_feeless(&signed(who)), "{call:?}");
        left.map(|_| ()).map_err(|refused| refused.error)
    }

    fn act_in_round(&mut self, step: Step) -> sp_runtime::DispatchResult {
        let actor = |number: u8| account(10 + number);
        let (Step::Commit(_, number, _)
        | Step::Reveal(_, number, _)
        | Step::Publish(number)
        | Step::CommitAttestation(_, number, _)
        | Step::RevealAttestation(_, number, _)
        | Step::AnswerAudits(_, number)
        | Step::Duty(number, _)) = step
        else {
            return Ok(());
        };
        let id = TaskId(number.into());
        let Some(lab) = self.labs.get_mut(&id) else {
            return Ok(());
        };
        let score = self.scores.get(&(id, task(id).round));
        match (step, score) {
            (Step::Commit(who, _, delta), _) => commit(&actor(who), id, &lab.delta(delta)),
            (Step::Reveal(who, _, delta), _) => reveal(&actor(who), id, &lab.delta(delta)),
            (Step::Publish(_), _) if task(id).next_shard < SHARDS => lab.publish(id),
            (Step::CommitAttestation(who, _, lie), Some(score)) => {
                commit_attestation(&actor(who), id, &maybe_bent(score, lie))
            }
            (Step::RevealAttestation(who, _, lie), Some(score)) => {
                reveal_attestation(&actor(who), id, &maybe_bent(score, lie))
            }
            (Step::AnswerAudits(who, _), Some(score)) => audit_if_asked(&actor(who), id, score),
            (Step::Duty(_, lie), score) => {
                do_duties(lab, id, score, lie);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, pool: Balance) -> sp_runtime::DispatchResult {
        let lab = match pool % 2 {
            0 => Lab::default(),
            _ => Lab::drawn(),
        };
        let id = crate::NextTask::<Test>::get();
        lab.open_with(lab.terms(), pool)?;
        self.labs.insert(id, lab);
        Ok(())
    }

    fn dispute(&mut self, id: TaskId, which: usize) {
        if !self.labs.contains_key(&id) || self.disputes.len() == 4 {
            return;
        }
        let round = task(id).round;
        let seats = Rounds::<Test>::get(id, round).map(|round| round.seats);
        let mut disputable: Vec<_> = seats
            .into_iter()
            .flatten()
            .map(|seat| seat.account)
            .filter(|who| Contribution::disputable(id, round, who).is_some())
            .collect();
        if let Some(at) = which.checked_rem(disputable.len()) {
            Contribution::dispute_opened(id, round);
            self.disputes.push((id, round, disputable.swap_remove(at)));
        }
    }

    /// Does what the referee does: a conviction ends all disputes about the seat.
    fn decide(&mut self, which: usize, convicts: bool, more: bool) {
        let Some(at) = which.checked_rem(self.disputes.len()) else {
            return;
        };
        let (id, round, accused) = self.disputes.swap_remove(at);
        if convicts {
            Contribution::convict(id, round, &accused, &account(59));
            let moot = |one: &(TaskId, RoundId, AccountId)| *one == (id, round, accused.clone());
            for _ in self.disputes.iter().filter(|one| moot(one)) {
                Contribution::dispute_closed(id, round, None);
            }
            self.disputes.retain(|one| !moot(one));
        }
        Contribution::dispute_closed(id, round, more.then_some(2));
    }

    /// Makes some of the claims of all contributors, each contributor's in order. What is due before it can be released is paid in
    /// full.
    fn claim_all(&self, id: TaskId, seed: u64) {
        let mut dice = seed | 1;
        let mut roll = |below: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % below
        };
        for _ in 0..roll(30) {
            let who = account(10 + roll(ACTORS.into()) as u8);
            let Some(round_id) = ledger(id, &who).next else {
                continue;
            };
            let Some(round) = Rounds::<Test>::get(id, round_id) else {
                continue;
            };
            let rewards = Contribution::task_rewards(id, who.clone(), round_id).items;
            let is_due = rewards.iter().any(|reward| {
                let is_claimable = matches!(reward.state, RewardState::Claimable { .. });
                (reward.task, reward.round) == (id, round_id) && is_claimable
            });
            let row = records_before(id, round_id, &who);
            let mut proof = match (&round.settlement, self.scores.get(&(id, round_id))) {
                (Some(_), Some(score)) => settled_on(score, &round).prove_credit(row),
                _ => None,
            };
            // Some are published first, and claimed without a proof.
            if let Some(shown) = proof
                .clone()
                .filter(|_| (round_id.0 + row).is_multiple_of(2))
            {
                if publish_credits(id, round_id, vec![shown]).is_ok() {
                    Contribution::do_try_state().unwrap();
                    proof = None;
                }
            }
            let item = ClaimItem {
                task: id,
                round: round_id,
                proof,
            };
            let claimed = claim_all(&who, vec![item]);
            assert_eq!(claimed.is_ok(), is_due, "{claimed:?}");
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
                let key = (*id, RoundId(round));
                if settled && self.learnt.insert(key) {
                    lab.weights = merged_on(&self.scores[&key], key);
                }
            }
            let attesting = Rounds::<Test>::get(id, task.round)
                .is_some_and(|round| round.phase == Phase::AttestCommit && round.seed.is_some());
            if attesting && !self.scores.contains_key(&key) {
                self.scores.insert(key, lab.score(*id));
            }
        }
    }
}

/// The weights that the round settled on; a lie of [`bent`] leaves them as they are.
fn merged_on(score: &Score, (id, round): (TaskId, RoundId)) -> Vec<i16> {
    let round = Rounds::<Test>::get(id, round).unwrap();
    let truth = score.table.summary().claim(&round.base_root);
    let settled = round.settlement.unwrap().claim;
    assert_eq!(settled.master_root, truth.master_root);
    score.weights.clone()
}

/// The table that the round settled on: the true one, or that of all who lied.
fn settled_on(score: &Score, round: &Round<AccountId>) -> ShareTable {
    let claim = round.settlement.as_ref().map(|settlement| settlement.claim);
    let bent = bent(score).table;
    match claim == Some(bent.summary().claim(&round.base_root)) {
        true => bent,
        false => score.table.clone(),
    }
}

/// The row of an account: the number of revealed deltas that were committed before its own.
fn records_before(id: TaskId, round: RoundId, who: &AccountId) -> u32 {
    let all = Contribution::submissions(id, round, 0).items.into_iter();
    let before = all.take_while(|submission| submission.account != *who);
    before.filter(|one| one.revealed.is_some()).count() as u32
}

/// The score, or one that differs from it.
fn maybe_bent(score: &Score, lie: bool) -> Score {
    if lie {
        bent(score)
    } else {
        score.clone()
    }
}

/// Answers the audits of whatever table was revealed.
fn audit_if_asked(who: &AccountId, id: TaskId, score: &Score) -> sp_runtime::DispatchResult {
    if current(id).audit_seed.is_none() {
        return Ok(());
    }
    answer_audits(who, id, score)
}

fn do_duties(lab: &mut Lab, id: TaskId, score: Option<&Score>, lie: bool) {
    if task(id).state == TaskState::Closed {
        return;
    }
    let Some(round) = Rounds::<Test>::get(id, task(id).round) else {
        return;
    };
    let round_id = task(id).round;
    for number in 0..ACTORS {
        let who = account(10 + number);
        let delta = lab.delta(number);
        let _ = match (round.phase, score) {
            (Phase::Commit, _) => commit(&who, id, &delta),
            (Phase::Reveal, _) if Submissions::<Test>::contains_key((id, round_id), &who) => {
                reveal(&who, id, &delta)
            }
            (Phase::AttestCommit, Some(score)) => {
                commit_attestation(&who, id, &maybe_bent(score, lie && number % 2 == 1))
            }
            (Phase::AttestReveal, Some(score)) => {
                // One of these is what was committed.
                reveal_attestation(&who, id, score)
                    .or_else(|_| reveal_attestation(&who, id, &bent(score)))
            }
            // Now and then, one of them stays away.
            (Phase::Challenge, Some(score)) if (round_id.0 + u32::from(number)) % 4 != 1 => {
                audit_if_asked(&who, id, score)
            }
            _ => Ok(()),
        };
    }
    for number in 0..ACTORS {
        // Those who were absent come back.
        let who = account(10 + number);
        let is_away = Contribution::stake(who.clone()).is_some_and(|stake| stake.active)
            && crate::view::offer::<Test>(&who).is_none();
        let _ = if is_away { offer(&who, 9) } else { Ok(()) };
    }
    if round.phase == Phase::Reveal && round.shard.is_none() {
        let _ = lab.publish(id);
    }
    next_block();
}

/// Plays these steps, beginning with a task of this pool, and checks every invariant after each.
/// Returns all events of the pallet.
fn play(pool: Balance, steps: Vec<Step>) -> Result<Vec<Event<Test>>, TestCaseError> {
    ExtBuilder::default().build().execute_with(|| {
        let mut world = World::default();
        let issuance = Balances::total_issuance();
        // A stage on which something happens.
        for number in 0..8 {
            world.act(Step::Register(number, 1 + u8::from(number > 3), 500));
        }
        world.act(Step::Open(pool));
        for step in steps {
            world.act(step.clone());
            prop_assert_eq!(Contribution::do_try_state(), Ok(()), "after {:?}", step);
            prop_assert!(Balances::total_issuance() <= issuance);
        }
        Ok(events())
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn every_invariant_holds_after_every_call(pool in 30_000..30_002u128, steps in steps()) {
        let told = play(pool, steps)?;
        let unexpected = |event: &Event<Test>| matches!(event, Event::Unexpected { .. });
        prop_assert!(!told.iter().any(unexpected));
    }
}

/// Random play is useful only if it reaches the situations that should be tested.
#[test]
fn random_play_comes_to_audits_disputes_and_redraws() {
    let mut runner = TestRunner::deterministic();
    let mut play = |pool| play(pool, steps().new_tree(&mut runner).unwrap().current()).unwrap();
    let told: Vec<_> = (30_000..30_032).map(&mut play).collect();
    let seen = |what: fn(&Event<Test>) -> bool| told.iter().flatten().any(what);
    assert!(seen(|event| matches!(event, Event::Audited { .. })));
    assert!(seen(|event| matches!(event, Event::SeedDrawn { .. })));
    assert!(seen(|event| matches!(event, Event::Convicted { .. })));
    assert!(seen(|event| matches!(
        event,
        Event::ChallengeExtended { .. }
    )));
    assert!(seen(|event| matches!(
        event,
        Event::Slashed {
            reason: SlashReason::MissedAudit,
            ..
        }
    )));
    assert!(seen(|event| matches!(event, Event::Released { .. })));
    let claimed = |test: fn(Balance, i64) -> bool| {
        told.iter().flatten().any(|event| match event {
            Event::Claimed { claimed, .. } => test(claimed.paid, claimed.credit),
            _ => false,
        })
    };
    assert!(claimed(|paid, _| paid > 0));
    assert!(claimed(|paid, credit| paid == 0 && credit > 0));
    assert!(claimed(|_, credit| credit == 0));
    for outcome in [Outcome::Settled, Outcome::Disputed, Outcome::Unattested] {
        let mut outcomes = told.iter().flatten().filter_map(|event| match event {
            Event::RoundEnded { outcome, .. } => Some(*outcome),
            _ => None,
        });
        assert!(outcomes.any(|other| other == outcome), "{outcome:?}");
    }
    let redrawn = |told: &Vec<Event<Test>>| {
        let draws = told.iter().filter_map(|event| match event {
            Event::AttestersDrawn { task, round, .. } => Some((*task, *round)),
            _ => None,
        });
        let mut once = BTreeSet::new();
        draws.into_iter().any(|draw| !once.insert(draw))
    };
    assert!(told.iter().any(redrawn));
}
