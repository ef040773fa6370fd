//! A tiny model, its shards or its pool, and players who follow the protocol with real deltas and scores.

use crate::{attestation::Seat, mock::*, rounds::Round, tasks::Task, Rounds, Tasks};
use codec::Encode;
use frame_support::assert_ok;
use gotong_protocol::{
    attestation_commitment, bounds, submission_commitment, AuditAnswer, ClaimItem, Delta, Graph,
    Hash, HoldOutTerms, Phase, Proof, Roles, RoundId, Rules, SeatState, TaskId, TaskName,
    TaskTerms, Windows,
};
use gotong_scoring::{
    audits, draw, score_round, shard_root, shards_root, work_root, Entry, MasterWeights, Reference,
    Reveal, RoundScore, Samples, ScoreTable, Tree,
};
use sp_runtime::DispatchResult;
use std::collections::BTreeMap;

pub const SALT: Hash = [7; 32];
pub const SAMPLES: u32 = 8;
pub const SHARDS: u32 = 4;
/// Records of the pool of a task whose samples are drawn.
pub const RECORDS: u32 = 16 * SAMPLES + 5;
pub const ROUNDS: u32 = 3;
pub const POOL: Balance = 40_000;
/// 4 * 3 + 3 parameters of the first layer, 3 * 2 + 2 of the second.
pub const PARAMETERS: u32 = 23;

pub fn sponsor() -> AccountId {
    account(1)
}

pub fn contributor(number: u8) -> AccountId {
    account(10 + number)
}

pub fn attester(number: u8) -> AccountId {
    account(30 + number)
}

/// The off-chain side of one task.
pub struct Lab {
    pub graph: Graph,
    pub weights: Vec<i16>,
    pub keys: Vec<Hash>,
    pub records: Vec<Vec<u8>>,
    /// Of a task whose samples are drawn: what they are drawn from.
    pub pool: Option<Vec<u8>>,
    pub deltas: BTreeMap<Hash, Vec<u8>>,
}

impl Default for Lab {
    fn default() -> Self {
        let record = |shard: u32, sample: u32| {
            let pixel = (shard * 31 + sample * 17) as u8;
            // Every fourth sample is of class 0.
            [
                pixel,
                200,
                3,
                pixel / 2,
                u8::from(!sample.is_multiple_of(4)),
            ]
        };
        let shard = |shard| (0..SAMPLES).flat_map(|n| record(shard, n)).collect();
        Self {
            graph: Graph::mlp(&[4, 3, 2]),
            weights: vec![0; PARAMETERS as usize],
            keys: (0..SHARDS).map(|shard| [shard as u8; 32]).collect(),
            records: (0..SHARDS).map(shard).collect(),
            pool: None,
            deltas: BTreeMap::new(),
        }
    }
}

impl Lab {
    /// Of a task whose samples are drawn from a pool.
    pub fn drawn() -> Self {
        let record = |number: u32| {
            let pixel = (number * 17) as u8;
            let label = u8::from(!number.is_multiple_of(4));
            [pixel, 200, 3, (number >> 4) as u8, label]
        };
        Self {
            pool: Some((0..RECORDS).flat_map(record).collect()),
            ..Self::default()
        }
    }

    pub fn hold_out(&self) -> HoldOutTerms {
        match &self.pool {
            None => HoldOutTerms::Sealed {
                root: shards_root(&self.roots()),
                shards: SHARDS,
                samples: SAMPLES,
            },
            Some(pool) => HoldOutTerms::Drawn {
                salt: SALT,
                root: shard_root(&SALT, 5, pool).unwrap(),
                records: RECORDS,
                samples: SAMPLES,
                rounds: ROUNDS,
            },
        }
    }

    /// The samples of the current round, one after another.
    fn samples(&self, id: TaskId) -> Vec<u8> {
        let round = current(id);
        let Some(pool) = &self.pool else {
            return self.records[round.shard.unwrap().index as usize].clone();
        };
        let seed = round.sample_seed.unwrap();
        let record = |sample| {
            let place = 5 * draw(&seed, sample, SAMPLES, RECORDS).unwrap() as usize;
            &pool[place..place + 5]
        };
        (0..SAMPLES).flat_map(record).copied().collect()
    }

    fn roots(&self) -> Vec<Hash> {
        let sealed = self.keys.iter().zip(&self.records);
        sealed
            .map(|(key, records)| shard_root(key, 5, records).unwrap())
            .collect()
    }

    pub fn proof(&self, shard: u32) -> Proof {
        Tree::of(self.roots()).prove(shard).unwrap()
    }

    pub fn terms(&self) -> TaskTerms<Balance> {
        TaskTerms {
            name: TaskName::new("tiny").unwrap(),
            price_per_millibit: 100,
            cap_per_round: 10_000,
            attester_fee_permille: 101,
            windows: Windows {
                commit_blocks: 5,
                reveal_blocks: 6,
                attest_blocks: 4,
                challenge_blocks: 3,
            },
            seats: 3,
            quorum: 2,
            minimum_contributor_stake: 0,
            minimum_attester_stake: 0,
            weight_cap: 10_000,
            rules: Rules {
                admit_floor_q8: 0,
                gain_floor_q8: 0,
                central_difference: 1,
            },
            hold_out: self.hold_out(),
        }
    }

    pub fn weight_bytes(&self) -> Vec<u8> {
        MasterWeights::new(self.weights.clone()).unwrap().to_bytes()
    }

    pub fn open_with(&self, terms: TaskTerms<Balance>, pool: Balance) -> DispatchResult {
        Contribution::open_task(
            signed(&sponsor()),
            terms,
            self.graph.encode().try_into().unwrap(),
            self.weight_bytes().try_into().unwrap(),
            pool,
        )
    }

    /// Opens a task that pays up to four rounds.
    pub fn open(&self) -> TaskId {
        let id = crate::NextTask::<Test>::get();
        assert_ok!(self.open_with(self.terms(), POOL));
        id
    }

    /// Delta number `number`: 0 and 1 improve the model, 2 harms it, the rest do nothing to it.
    pub fn delta(&mut self, number: u8) -> Vec<u8> {
        let (position, change) = match number {
            0 => (22, 4_000),
            1 => (21, -4_000),
            2 => (21, 4_000),
            more => (20 - u32::from(more) % 20, 4_000),
        };
        let delta = Delta::new(PARAMETERS, vec![Entry { position, change }]).unwrap();
        let bytes = delta.encode();
        self.deltas.insert(Delta::hash_of(&bytes), bytes.clone());
        bytes
    }

    /// Publishes the next shard, if there are any.
    pub fn publish(&self, id: TaskId) -> DispatchResult {
        if self.pool.is_some() {
            return Ok(());
        }
        let shard = task(id).next_shard;
        Contribution::publish_shard(
            signed(&sponsor()),
            id,
            task(id).round,
            self.keys[shard as usize],
            self.records[shard as usize].clone().try_into().unwrap(),
            self.proof(shard),
        )
    }

    /// What an honest attester makes of the current round.
    pub fn score(&self, id: TaskId) -> RoundScore {
        let round_id = task(id).round;
        let samples = Samples::new(4, 2, &self.samples(id)).unwrap();
        let reveals: Vec<Reveal> = Contribution::submissions(id, round_id)
            .into_iter()
            .filter_map(|submission| {
                let hash = submission.revealed?.record.delta_hash;
                let delta = Delta::decode(&self.deltas[&hash], PARAMETERS).unwrap();
                Some(Reveal {
                    hash,
                    weight: submission.weight,
                    delta,
                })
            })
            .collect();
        let rules = task(id).terms.rules;
        score_round(
            &mut Reference,
            &self.graph,
            &self.weights,
            &samples,
            &reveals,
            &rules,
        )
        .unwrap()
    }

    /// From an open Commit phase to AttestCommit, its samples known: contributor `n` submits delta
    /// `n`.
    pub fn play_to_attestation(&mut self, id: TaskId, contributors: u8) {
        for number in 0..contributors {
            assert_ok!(commit(&contributor(number), id, &self.delta(number)));
        }
        run_to_phase(id, Phase::Reveal);
        for number in 0..contributors {
            assert_ok!(reveal(&contributor(number), id, &self.delta(number)));
        }
        assert_ok!(self.publish(id));
        run_to_phase(id, Phase::AttestCommit);
        if self.pool.is_some() {
            next_block();
        }
    }

    /// From AttestCommit to the challenge window, with every seat honest.
    pub fn play_to_challenge(&self, id: TaskId) -> RoundScore {
        let score = self.score(id);
        attest(id, |_| Some(score.clone()));
        score
    }

    /// From AttestCommit into the challenge window, with every seat honest and audited.
    pub fn play_attestation(&self, id: TaskId) -> RoundScore {
        let score = self.play_to_challenge(id);
        audit(id, |_| Some(score.clone()));
        score
    }

    /// A whole round, with every player honest; the lab then has the merged weights.
    pub fn play(&mut self, id: TaskId, contributors: u8) -> ScoreTable {
        let round_id = task(id).round;
        self.play_to_attestation(id, contributors);
        let score = self.play_attestation(id);
        while Rounds::<Test>::get(id, round_id).unwrap().outcome.is_none() {
            next_block();
        }
        self.weights = score.merged;
        score.table
    }
}

pub fn task(id: TaskId) -> Task<AccountId> {
    Tasks::<Test>::get(id).unwrap()
}

pub fn current(id: TaskId) -> Round<AccountId> {
    Rounds::<Test>::get(id, task(id).round).unwrap()
}

pub fn run_to_phase(id: TaskId, phase: Phase) {
    for _ in 0..100 {
        if current(id).phase == phase {
            return;
        }
        next_block();
    }
    panic!("never came to {phase:?}");
}

/// Registers contributors 0 to `contributors` and attesters 0 to `attesters`.
pub fn register(contributors: u8, attesters: u8) {
    for number in 0..contributors {
        let who = contributor(number);
        assert_ok!(Contribution::register(
            signed(&who),
            Roles::CONTRIBUTOR,
            500
        ));
    }
    for number in 0..attesters {
        let who = attester(number);
        assert_ok!(Contribution::register(signed(&who), Roles::ATTESTER, 500));
    }
}

fn raw(who: &AccountId) -> [u8; 32] {
    who.clone().into()
}

pub fn commit(who: &AccountId, id: TaskId, delta: &[u8]) -> DispatchResult {
    let round = task(id).round;
    let hash = Delta::hash_of(delta);
    let commitment = submission_commitment(id, round, &raw(who), &hash, &SALT);
    Contribution::commit(signed(who), id, round, commitment)
}

pub fn reveal(who: &AccountId, id: TaskId, delta: &[u8]) -> DispatchResult {
    let bytes = delta.to_vec().try_into().unwrap();
    Contribution::reveal(signed(who), id, task(id).round, bytes, SALT)
}

/// Root of the work of `who` that this score came from.
pub fn own_work(who: &AccountId, score: &RoundScore) -> Hash {
    work_root(&raw(who), &score.evaluations)
}

/// Commits to a table and to the work behind it.
pub fn commit_attestation(who: &AccountId, id: TaskId, score: &RoundScore) -> DispatchResult {
    commit_table(who, id, &score.table, &own_work(who, score))
}

/// Commits to a table and to any work.
pub fn commit_table(
    who: &AccountId,
    id: TaskId,
    table: &ScoreTable,
    work: &Hash,
) -> DispatchResult {
    let (round, claim) = (task(id).round, table.claim());
    let commitment = attestation_commitment(id, round, &raw(who), &claim, work, &SALT);
    Contribution::commit_attestation(signed(who), id, round, commitment)
}

pub fn reveal_attestation(who: &AccountId, id: TaskId, score: &RoundScore) -> DispatchResult {
    reveal_table(who, id, &score.table, &own_work(who, score))
}

pub fn reveal_table(
    who: &AccountId,
    id: TaskId,
    table: &ScoreTable,
    work: &Hash,
) -> DispatchResult {
    let (round, opening) = (task(id).round, table.opening());
    Contribution::reveal_attestation(signed(who), id, round, opening, *work, SALT)
}

/// From AttestCommit to the challenge window: every seat that has something to commit and to reveal
/// attests what `says` gives it, if anything.
pub fn attest(id: TaskId, says: impl Fn(&AccountId) -> Option<RoundScore>) {
    let seats = || current(id).seats.into_iter().filter(|seat| seat.sits());
    for seat in seats().filter(|seat| seat.commitment.is_none()) {
        if let Some(score) = says(&seat.account) {
            assert_ok!(commit_attestation(&seat.account, id, &score));
        }
    }
    run_to_phase(id, Phase::AttestReveal);
    for seat in seats().filter(|seat| seat.commitment.is_some() && seat.revealed.is_none()) {
        if let Some(score) = says(&seat.account) {
            assert_ok!(reveal_attestation(&seat.account, id, &score));
        }
    }
    run_to_phase(id, Phase::Challenge);
}

/// Every sitting seat that has not yet answers its audits out of what `says` gives it, if anything.
pub fn audit(id: TaskId, says: impl Fn(&AccountId) -> Option<RoundScore>) {
    let seats = current(id).seats.into_iter();
    for seat in seats.filter(|seat| seat.sits() && !seat.audited) {
        if let Some(score) = says(&seat.account) {
            assert_ok!(answer_audits(&seat.account, id, &score));
        }
    }
}

/// The states of the seats of a round, by attester.
pub fn states(id: TaskId, round: RoundId) -> BTreeMap<AccountId, SeatState> {
    let seats = Rounds::<Test>::get(id, round).unwrap().seats;
    let state = |seat: &Seat<AccountId>| (seat.account.clone(), seat.state);
    seats.iter().map(state).collect()
}

/// What `who` answers to its audits, of whatever work it has.
pub fn answers(who: &AccountId, id: TaskId, score: &RoundScore) -> Vec<AuditAnswer> {
    let (account, round) = (raw(who), current(id));
    let seed = round.audit_seed.unwrap();
    audits(&seed, &account, bounds::AUDITS, SAMPLES, round.reveals)
        .iter()
        .map(|audit| AuditAnswer::of(audit, &account, &score.table, &score.evaluations).unwrap())
        .collect()
}

pub fn send_answers(who: &AccountId, id: TaskId, answers: Vec<AuditAnswer>) -> DispatchResult {
    let answers = answers.try_into().unwrap();
    Contribution::answer_audits(signed(who), id, task(id).round, answers)
}

pub fn answer_audits(who: &AccountId, id: TaskId, score: &RoundScore) -> DispatchResult {
    send_answers(who, id, answers(who, id, score))
}

/// A table that agrees with itself and with the work, but differs from the true one.
pub fn bent(score: &RoundScore) -> RoundScore {
    let mut score = score.clone();
    score.table.header.similar_root = [66; 32];
    score
}

pub fn claim(
    who: &AccountId,
    id: TaskId,
    round: RoundId,
    table: &ScoreTable,
    row: usize,
) -> DispatchResult {
    let item = ClaimItem {
        task: id,
        round,
        proof: table.prove_share(row).unwrap(),
    };
    Contribution::claim(signed(who), vec![item].try_into().unwrap())
}
