//! A tiny model, its shards or its pool, and players who follow the protocol with real deltas and tables.

use crate::{
    attestation::Seat, ledgers::Account, mock::*, rounds::Round, submissions::Submission,
    tasks::Task, Attesters, Ledgers, Rounds, Submissions, Tasks,
};
use codec::Encode;
use frame_support::{assert_ok, dispatch::DispatchResultWithPostInfo, BoundedVec};
use gotong_protocol::{
    attestation_commitment, bounds, submission_commitment, AuditAnswer, ClaimItem, CreditProof,
    Delta, EntrantRecord, Graph, Hash, HoldOutTerms, Phase, Proof, Roles, RoundId, SeatState,
    ShareClaim, ShareTerms, TaskId, TaskName, TaskTerms, Windows,
};
use gotong_scoring::{
    audits, blake2_256, draw, shard_root, shards_root,
    share::{
        company::{Company, Entrant},
        share_table,
        table::{Row, TableMerge, TablePass, TablePay},
    },
    work_root, Audited, Entry, MasterWeights, Reference, Samples, ShareTable, Tree,
};
use sp_runtime::DispatchResult;
use std::collections::BTreeMap;

pub const SALT: Hash = [7; 32];
pub const SAMPLES: u32 = 64;
/// Samples that pay: half of them.
pub const PAYING: u32 = SAMPLES / 2;
pub const SHARDS: u32 = 4;
/// Records of the pool of a task whose samples are drawn.
pub const RECORDS: u32 = 16 * SAMPLES + 5;
pub const ROUNDS: u32 = 3;
pub const POOL: Balance = 40_000;
/// 4 * 3 + 3 parameters of the first layer, 3 * 2 + 2 of the second.
pub const PARAMETERS: u32 = 23;
/// The bias of a class that seven of eight samples have.
pub const FREQUENT: i16 = 11_500;

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
    /// Roots of the shards.
    pub roots: Vec<Hash>,
    /// If samples are drawn, what they are drawn from.
    pub pool: Option<Vec<u8>>,
    pub deltas: BTreeMap<Hash, Vec<u8>>,
}

/// Four random pixels and a label: one sample in eight is of class 0.
fn record(shard: u32, sample: u32) -> [u8; 5] {
    let [a, b, c, d, ..] = blake2_256(&[&shard.to_le_bytes(), &sample.to_le_bytes()]);
    [a, b, c, d, u8::from(!sample.is_multiple_of(8))]
}

impl Default for Lab {
    fn default() -> Self {
        let shard = |shard| (0..SAMPLES).flat_map(|n| record(shard, n)).collect();
        let keys: Vec<Hash> = (0..SHARDS).map(|shard| [shard as u8; 32]).collect();
        let records: Vec<Vec<u8>> = (0..SHARDS).map(shard).collect();
        let sealed = keys.iter().zip(&records);
        let root = |(key, records): (&Hash, &Vec<u8>)| shard_root(key, 5, records).unwrap();
        Self {
            graph: Graph::mlp(&[4, 3, 2]),
            weights: vec![0; PARAMETERS as usize],
            roots: sealed.map(root).collect(),
            keys,
            records,
            pool: None,
            deltas: BTreeMap::new(),
        }
    }
}

/// An attester's result for a round.
#[derive(Clone)]
pub struct Score {
    pub table: ShareTable,
    /// Master weights after the round.
    pub weights: Vec<i16>,
}

impl Lab {
    /// Samples are drawn from a pool.
    pub fn drawn() -> Self {
        Self {
            pool: Some((0..RECORDS).flat_map(|number| record(9, number)).collect()),
            ..Self::default()
        }
    }

    /// A model that is as good as possible. Labels do not depend on pixels, so it only knows how frequent each class is.
    pub fn trained() -> Self {
        let weight = |place: u32| {
            let [low, high, ..] = blake2_256(&[&place.to_le_bytes()]);
            match place {
                // Something for the second layer to pick up, if it only knew what.
                0..15 => i16::from_le_bytes([low, high]) / 4,
                22 => FREQUENT,
                _ => 0,
            }
        };
        Self {
            weights: (0..PARAMETERS).map(weight).collect(),
            ..Self::default()
        }
    }

    pub fn hold_out(&self) -> HoldOutTerms {
        match &self.pool {
            None => HoldOutTerms::Sealed {
                root: shards_root(&self.roots),
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
        let seed = round.seed.unwrap();
        let record = |sample| {
            let place = 5 * draw(&seed, sample, SAMPLES, RECORDS).unwrap() as usize;
            &pool[place..place + 5]
        };
        (0..SAMPLES).flat_map(record).copied().collect()
    }

    pub fn proof(&self, shard: u32) -> Proof {
        Tree::of(&self.roots).prove(shard).unwrap()
    }

    /// A good round is worth less than the cap.
    pub fn terms(&self) -> TaskTerms<Balance> {
        TaskTerms {
            name: TaskName::new("tiny").unwrap(),
            price_per_millibit: 20,
            cap_per_round: 10_000,
            attester_fee_permille: 101,
            work_fee: 0,
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
            delta_bytes: 64 << 10,
            share: ShareTerms::default(),
            hold_out: self.hold_out(),
            recipe: [0; 32],
            recipe_bytes: 0,
        }
    }

    pub fn weight_bytes(&self) -> Vec<u8> {
        MasterWeights::new(self.weights.clone()).unwrap().to_bytes()
    }

    pub fn open_with(&self, terms: TaskTerms<Balance>, pool: Balance) -> DispatchResult {
        self.open_by_recipe(terms, &[], pool)
    }

    pub fn open_by_recipe(
        &self,
        terms: TaskTerms<Balance>,
        recipe: &[u8],
        pool: Balance,
    ) -> DispatchResult {
        Contribution::open_task(
            signed(&sponsor()),
            Box::new(terms),
            self.graph.encode().try_into().unwrap(),
            self.weight_bytes().try_into().unwrap(),
            recipe.to_vec().try_into().unwrap(),
            pool,
        )
    }

    /// Opens a task that pays up to four rounds.
    pub fn open(&self) -> TaskId {
        let id = crate::NextTask::<Test>::get();
        assert_ok!(self.open_with(self.terms(), POOL));
        id
    }

    /// Delta number `number`: of every five, the first two improve the model, the third harms it, and the others do
    /// nothing to the model with weights of 0. No two are the same.
    pub fn delta(&mut self, number: u8) -> Vec<u8> {
        let size = 4_000 + 50 * i16::from(number / 5);
        let (position, change) = match number % 5 {
            0 => (22, size),
            1 => (21, -size),
            2 => (21, size),
            more => (20 - u32::from(more), size),
        };
        self.keep(vec![Entry { position, change }])
    }

    /// A delta in a random direction.
    pub fn noise(&mut self, number: u8) -> Vec<u8> {
        let entry = |position: u32| {
            let [byte, ..] = blake2_256(&[b"noise", &[number], &position.to_le_bytes()]);
            let change = if byte & 1 == 1 { 600 } else { -600 };
            Entry { position, change }
        };
        self.keep((0..PARAMETERS).map(entry).collect())
    }

    fn keep(&mut self, entries: Vec<Entry>) -> Vec<u8> {
        let bytes = Delta::new(PARAMETERS, entries).unwrap().encode();
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

    /// An honest attester's result for the current round.
    pub fn score(&self, id: TaskId) -> Score {
        let samples = Samples::new(4, 2, &self.samples(id)).unwrap();
        let records = records(id, task(id).round);
        let decode =
            |record: &EntrantRecord| Delta::decode(&self.deltas[&record.delta_hash], PARAMETERS);
        let deltas: Vec<Delta> = records
            .iter()
            .map(|record| decode(record).unwrap())
            .collect();
        let entrants: Vec<Entrant> = entrants(&records, &deltas).collect();
        let hashes: Vec<Hash> = records.iter().map(|record| record.delta_hash).collect();
        let (round, table) = share_table(
            &mut Reference,
            &self.graph,
            &self.weights,
            &samples,
            &current(id).seed.unwrap(),
            &entrants,
            &hashes,
            &task(id).terms.share,
        )
        .unwrap();
        Score {
            table,
            weights: round.weights,
        }
    }

    /// Plays from an open Commit phase to AttestCommit, with its seats drawn: contributor `n` submits delta `n`.
    pub fn play_to_attestation(&mut self, id: TaskId, contributors: u8) {
        let deltas: Vec<_> = (0..contributors)
            .map(|number| (contributor(number), self.delta(number)))
            .collect();
        self.submit(id, &deltas);
    }

    /// Plays from an open Commit phase to AttestCommit, with its seats drawn: these accounts submit these deltas.
    pub fn submit(&self, id: TaskId, deltas: &[(AccountId, Vec<u8>)]) {
        for (who, delta) in deltas {
            assert_ok!(commit(who, id, delta));
        }
        run_to_phase(id, Phase::Reveal);
        for (who, delta) in deltas {
            assert_ok!(reveal(who, id, delta));
        }
        assert_ok!(self.publish(id));
        run_to_phase(id, Phase::AttestCommit);
    }

    /// Plays from AttestCommit to the challenge window, with every seat honest.
    pub fn play_to_challenge(&self, id: TaskId) -> Score {
        let score = self.score(id);
        attest(id, |_| Some(score.clone()));
        score
    }

    /// Plays from AttestCommit into the challenge window, with every seat honest and audited.
    pub fn play_attestation(&self, id: TaskId) -> Score {
        let score = self.play_to_challenge(id);
        audit(id, |_| Some(score.clone()));
        score
    }

    /// Plays a whole round, with every player honest; the lab then has the merged weights.
    pub fn play(&mut self, id: TaskId, contributors: u8) -> ShareTable {
        self.play_to_attestation(id, contributors);
        self.finish(id)
    }

    /// Plays from AttestCommit to the end of the round, with every player honest; the lab then has the merged weights.
    pub fn finish(&mut self, id: TaskId) -> ShareTable {
        let score = self.score(id);
        self.weights = score.weights.clone();
        settle(id, &score);
        score.table
    }
}

/// Plays from AttestCommit to the end of the round, with every seat attesting this score.
pub fn settle(id: TaskId, score: &Score) {
    let round = task(id).round;
    attest(id, |_| Some(score.clone()));
    audit(id, |_| Some(score.clone()));
    while Rounds::<Test>::get(id, round).unwrap().outcome.is_none() {
        next_block();
    }
}

/// The records of a round, in the order of the commits.
pub fn records(id: TaskId, round: RoundId) -> Vec<EntrantRecord> {
    let submissions = Contribution::submissions(id, round, 0).items.into_iter();
    submissions
        .filter_map(|submission| Some(submission.revealed?.record))
        .collect()
}

fn entrants<'a>(
    records: &'a [EntrantRecord],
    deltas: &'a [Delta],
) -> impl Iterator<Item = Entrant<'a>> {
    records.iter().zip(deltas).map(|(record, delta)| Entrant {
        delta,
        weight: record.weight,
        is_proven: record.is_proven,
    })
}

/// A table of the current round in which all deltas are merged, with these parts of their values on B and this gain there. No
/// evaluation leads to it, but it agrees with itself and with the round, so attesters can settle on it.
pub fn invented(lab: &Lab, id: TaskId, parts: Vec<Vec<i64>>, gain: i64) -> Score {
    let records = records(id, task(id).round);
    let deltas: Vec<Delta> = records
        .iter()
        .map(|record| Delta::decode(&lab.deltas[&record.delta_hash], PARAMETERS).unwrap())
        .collect();
    let entrants: Vec<Entrant> = entrants(&records, &deltas).collect();
    let members = vec![true; records.len()];
    let row = |(record, parts): (&EntrantRecord, Vec<i64>)| Row {
        delta_hash: record.delta_hash,
        parts: parts.into(),
    };
    let rows = |parts: Vec<Vec<i64>>| records.iter().zip(parts).map(row).collect();
    let good = vec![vec![1 << 20; 16]; records.len()];
    // As equal as they can be, and none negative.
    let of_each = |total: u64| -> Vec<u32> {
        (0..u64::from(PAYING))
            .map(|n| ((total * (n + 1) / 32) - (total * n / 32)) as u32)
            .collect()
    };
    let losses = [gain.max(0), (-gain).max(0)].map(|total| of_each(total as u64));
    let table = ShareTable {
        terms: task(id).terms.share,
        passes: vec![TablePass {
            median_norm: Company::of(members.clone(), &entrants, &task(id).terms.share).median_norm,
            members,
            last_dropped: None,
            midpoint: [1; 32],
            gradients: vec![[2; 32]; 16],
            rows: rows(good),
        }],
        merge: Some(TableMerge {
            weights: [3; 32],
            on_a: [vec![1 << 20; PAYING as usize], vec![0; PAYING as usize]],
            pay: Some(TablePay {
                on_b: losses,
                gradients: vec![[4; 32]; 16],
                rows: rows(parts),
            }),
        }),
        records,
    };
    Score {
        table,
        weights: lab.weights.clone(),
    }
}

/// Parts that add up to `value` without any doubt.
pub fn sure(value: i64) -> Vec<i64> {
    vec![value / 16; 16]
}

pub fn task(id: TaskId) -> Task<AccountId> {
    Tasks::<Test>::get(id).unwrap()
}

pub fn current(id: TaskId) -> Round<AccountId> {
    Rounds::<Test>::get(id, task(id).round).unwrap()
}

pub fn submission(id: TaskId, round: RoundId, who: &AccountId) -> Submission {
    Submissions::<Test>::get((id, round), who).unwrap()
}

/// The ledger of `who`, empty if it has none.
pub fn ledger(id: TaskId, who: &AccountId) -> Account {
    Ledgers::<Test>::get(id, who).unwrap_or_default()
}

/// Runs until a phase has begun and its draw, if it begins with one, is decided. The phase may have to wait for attesters.
pub fn run_to_phase(id: TaskId, phase: Phase) {
    for _ in 0..100 {
        let round = current(id);
        if round.phase == phase && round.draw.is_none() && !round.is_unattended() {
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
        register_attester(&who, Roles::ATTESTER, 500);
    }
}

/// Registers an attester with the largest offer.
pub fn register_attester(who: &AccountId, roles: Roles, stake: Balance) {
    assert_ok!(Contribution::register(signed(who), roles, stake));
    assert_ok!(offer(who, u8::MAX));
}

/// Offers this many seats at once, in all tasks, whatever work they take.
pub fn offer(who: &AccountId, seats: u8) -> DispatchResult {
    let tasks = (0..bounds::MAX_OFFERED_TASKS).map(TaskId).collect();
    let tasks = BoundedVec::truncate_from(tasks);
    Contribution::offer(signed(who), seats, u64::MAX, true, tasks)
}

/// The attesters in the registry, each with its stake.
pub fn listed() -> Vec<(AccountId, Balance)> {
    let registry = Attesters::<Test>::get().into_iter();
    registry
        .map(|listed| (listed.account, listed.stake))
        .collect()
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

/// What a table claims about the current round.
pub fn claim_of(id: TaskId, table: &ShareTable) -> ShareClaim {
    table.summary().claim(&current(id).base_root)
}

/// Root of the work of `who` that this score came from.
pub fn own_work(who: &AccountId, score: &Score) -> Hash {
    work_root(&raw(who), &score.table)
}

/// Commits to a table and to the work behind it.
pub fn commit_attestation(who: &AccountId, id: TaskId, score: &Score) -> DispatchResult {
    commit_table(who, id, &score.table, &own_work(who, score))
}

/// Commits to a table and to any work.
pub fn commit_table(
    who: &AccountId,
    id: TaskId,
    table: &ShareTable,
    work: &Hash,
) -> DispatchResult {
    let (round, claim) = (task(id).round, claim_of(id, table));
    let commitment = attestation_commitment(id, round, &raw(who), &claim, work, &SALT);
    let inputs = current(id).inputs(id, round);
    Contribution::commit_attestation(signed(who), id, round, commitment, inputs)
}

pub fn reveal_attestation(who: &AccountId, id: TaskId, score: &Score) -> DispatchResult {
    reveal_table(who, id, &score.table, &own_work(who, score))
}

pub fn reveal_table(
    who: &AccountId,
    id: TaskId,
    table: &ShareTable,
    work: &Hash,
) -> DispatchResult {
    let (round, table) = (task(id).round, Box::new(table.summary()));
    Contribution::reveal_attestation(signed(who), id, round, table, *work, SALT)
}

/// Plays from AttestCommit to the challenge window: every seat that has something to commit and to reveal attests what `says` gives
/// it, if anything.
pub fn attest(id: TaskId, says: impl Fn(&AccountId) -> Option<Score>) {
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

/// All seats of a round commit to a table, so that it moves on to AttestReveal. If nobody shows it and nobody else can be drawn,
/// the round ends unattested.
pub fn commit_tables(id: TaskId, score: &Score) {
    for seat in current(id).seats {
        assert_ok!(commit_attestation(&seat.account, id, score));
    }
    run_to_phase(id, Phase::AttestReveal);
}

/// Plays from AttestCommit to the next round: all seats commit to a table, nobody shows it, and nobody else can be drawn. Those
/// slashed for it make a new offer.
pub fn withhold_tables(id: TaskId, score: &Score) {
    let seats = current(id).seats;
    commit_tables(id, score);
    run_to_phase(id, Phase::Commit);
    for seat in &seats {
        assert_ok!(offer(&seat.account, u8::MAX));
    }
}

/// Every sitting attester that has not answered its audits yet answers them from what `says` gives it, if anything.
pub fn audit(id: TaskId, says: impl Fn(&AccountId) -> Option<Score>) {
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

/// The answers of `who` to its audits, from this work.
pub fn answers(who: &AccountId, id: TaskId, score: &Score) -> Vec<AuditAnswer> {
    let (account, round) = (raw(who), current(id));
    let summary = score.table.summary();
    let of = Audited {
        summary: &summary,
        samples: SAMPLES,
        entrants: round.reveals,
    };
    audits(&round.audit_seed.unwrap(), &account, bounds::AUDITS, &of)
        .iter()
        .map(|audit| AuditAnswer::of(audit, &account, &score.table).unwrap())
        .collect()
}

pub fn send_answers(who: &AccountId, id: TaskId, answers: Vec<AuditAnswer>) -> DispatchResult {
    let answers = answers.try_into().unwrap();
    Contribution::answer_audits(signed(who), id, task(id).round, answers)
}

pub fn answer_audits(who: &AccountId, id: TaskId, score: &Score) -> DispatchResult {
    send_answers(who, id, answers(who, id, score))
}

/// A table that agrees with itself and with the work, but differs from the true one.
pub fn bent(score: &Score) -> Score {
    let mut score = score.clone();
    score.table.passes[0].midpoint = [66; 32];
    score
}

/// Somebody publishes what `proofs` show of a round.
pub fn publish_credits(
    id: TaskId,
    round: RoundId,
    proofs: Vec<CreditProof>,
) -> DispatchResultWithPostInfo {
    Contribution::publish_credits(signed(&account(50)), id, round, proofs.try_into().unwrap())
}

/// A claim for a round by row `row` of its table.
pub fn item(id: TaskId, round: RoundId, table: &ShareTable, row: u32) -> ClaimItem {
    ClaimItem {
        task: id,
        round,
        proof: table.prove_credit(row),
    }
}

pub fn claim_all(who: &AccountId, items: Vec<ClaimItem>) -> DispatchResult {
    Contribution::claim(signed(who), items.try_into().unwrap())
}

pub fn claim(
    who: &AccountId,
    id: TaskId,
    round: RoundId,
    table: &ShareTable,
    row: u32,
) -> DispatchResult {
    claim_all(who, vec![item(id, round, table, row)])
}
