//! What calls and hooks cost at their worst: a full registry and schedule, the call that completes
//! its phase, 1024 submissions, 16 seats, all of which stand where some can, the longest bytes.

use crate::{
    attestation::{RevealedTable, Seat},
    rewards::Settlement,
    rounds::{Inputs, Round, Rounds, Seats, Shard},
    stakes::Stakes,
    submissions::{Revealed, Submission, Submissions},
    tasks::Tasks,
    *,
};
use alloc::{vec, vec::Vec};
use codec::Encode;
use frame_benchmarking::v2::*;
use frame_support::{
    traits::{fungible::Mutate, Get},
    BoundedVec,
};
use frame_system::RawOrigin;
use gotong_protocol::{
    attestation_commitment, bounds, submission_commitment, AuditAnswer, ClaimItem, Court, Delta,
    Graph, Hash, HoldOutTerms, Opening, Outcome, Phase, RevealRecord, Roles, RoundId, Rules,
    SeatState, TaskId, TaskName, TaskState, TaskTerms, Windows,
};
use gotong_scoring::{
    audits, shard_root, table::losses_node, trial::Case, work::ProvedLosses, Audit, Entry, Header,
    HoldOut, Node, Row, ScoreTable, Standing, SumNode, Tree,
};

const FUNDS: Balance = 1 << 100;
const STAKE: Balance = 1 << 80;
const POOL: Balance = 1 << 70;
const CAP: Balance = 1 << 60;
const SALT: Hash = [7; 32];
const WORK_ROOT: Hash = [8; 32];
/// Most bytes of the answer to an audit, besides the losses of the rows.
const ANSWER_BYTES: u32 = 3_150;
/// The two losses of a row.
const ROW_BYTES: u32 = 8;
/// The longest proof of a row; in a round of few rows an answer is shorter by so much.
const ROW_PROOF_BYTES: u32 = 520;
const ROUND: RoundId = RoundId(0);
const SHARDS: u32 = 1024;

fn funded<T: Config>(name: &'static str, index: u32) -> T::AccountId
where
    T::Currency: Mutate<T::AccountId>,
{
    let who: T::AccountId = account(name, index, 0);
    T::Currency::set_balance(&who, FUNDS);
    who
}

/// Registers `count` accounts for both roles.
fn register<T: Config>(name: &'static str, count: u32) -> Vec<T::AccountId>
where
    T::Currency: Mutate<T::AccountId>,
{
    let registered = (0..count).map(|index| {
        let who = funded::<T>(name, index);
        // A benchmark's set-up may panic.
        Stakes::<T>::register(who.clone(), Roles::BOTH, STAKE).expect("a free place");
        who
    });
    registered.collect()
}

/// Fills the registry of attesters up to `free` places.
fn fill_registry<T: Config>(free: u32) {
    Attesters::<T>::mutate(|registry| {
        let mut all = registry.clone().into_inner();
        let room = T::MaxAttesters::get() - free - all.len() as u32;
        all.extend((0..room).map(|index| (account("other", index, 0), STAKE)));
        all.sort();
        *registry = BoundedVec::truncate_from(all);
    });
}

/// Fills the schedule up to one place, with tasks that are never due.
fn fill_schedule<T: Config>() {
    let others = (1..T::MaxLiveTasks::get()).map(|index| (TaskId(u32::MAX - index), u32::MAX));
    Schedule::<T>::put(BoundedVec::truncate_from(others.collect()));
}

fn terms<T: Config>(shards_root: Hash, samples: u32) -> TaskTerms<Balance> {
    let longest = T::MaxWindowBlocks::get();
    TaskTerms {
        name: TaskName::new("benchmark").expect("a short name"),
        price_per_millibit: CAP,
        cap_per_round: CAP,
        attester_fee_permille: 500,
        windows: Windows {
            commit_blocks: longest,
            reveal_blocks: longest,
            attest_blocks: longest,
            challenge_blocks: longest,
        },
        seats: bounds::MAX_SEATS as u8,
        quorum: 1,
        minimum_contributor_stake: 0,
        minimum_attester_stake: 0,
        weight_cap: STAKE,
        rules: Rules {
            admit_floor_q8: 256,
            gain_floor_q8: 512,
            central_difference: 1,
        },
        hold_out: HoldOutTerms::Sealed {
            root: shards_root,
            shards: SHARDS,
            samples,
        },
    }
}

/// A model of `64 * (inputs + 1)` parameters, and its first weights; with the longest record these
/// are as many as there may be.
fn model(inputs: u32) -> (Graph, Vec<u8>) {
    let graph = Graph::mlp(&[inputs, 64]);
    let weights = vec![0; 2 * graph.parameters()];
    (graph, weights)
}

/// Opens the only due task of a full schedule.
fn open<T: Config>(inputs: u32, shards_root: Hash, samples: u32) -> TaskId
where
    T::Currency: Mutate<T::AccountId>,
{
    let sponsor = funded::<T>("sponsor", 0);
    open_as::<T>(sponsor, inputs, shards_root, samples)
}

fn open_as<T: Config>(
    sponsor: T::AccountId,
    inputs: u32,
    shards_root: Hash,
    samples: u32,
) -> TaskId {
    fill_schedule::<T>();
    let (graph, weights) = model(inputs);
    let graph = BoundedVec::truncate_from(graph.encode());
    let id = NextTask::<T>::get();
    let terms = terms::<T>(shards_root, samples);
    Tasks::<T>::open(sponsor, terms, graph, &weights, POOL).expect("good terms");
    id
}

fn opened<T: Config>(id: TaskId) -> Result<tasks::Task<T::AccountId>, BenchmarkError> {
    Tasks::<T>::get(id).map_err(|_| "was opened".into())
}

fn with_round<T: Config>(id: TaskId, change: impl FnOnce(&mut Round<T::AccountId>)) {
    let mut round = Rounds::<T>::get(id, ROUND).expect("was opened");
    change(&mut round);
    Rounds::<T>::put(id, ROUND, &round);
}

/// Seats of these accounts, each with this commitment; with a table, all of them revealed it, and
/// all but the last answered their audits.
fn seats<T: Config>(
    accounts: &[T::AccountId],
    commitment: Hash,
    table: Option<Opening>,
) -> Seats<T::AccountId> {
    let seat = |account: &T::AccountId| Seat {
        account: account.clone(),
        stake: STAKE,
        state: SeatState::Sitting,
        commitment: Some(commitment),
        revealed: table.clone().map(|opening| RevealedTable {
            opening,
            work_root: WORK_ROOT,
        }),
        audited: table.is_some() && Some(account) != accounts.last(),
        fee: 0,
    };
    BoundedVec::truncate_from(accounts.iter().map(seat).collect())
}

/// Puts a round into its Challenge phase, with all of these accounts' seats standing.
fn challenge<T: Config>(id: TaskId, accounts: &[T::AccountId], table: Opening) {
    with_round::<T>(id, |round| {
        round.phase = Phase::Challenge;
        round.audit_seed = Some(SALT);
        round.seats = seats::<T>(accounts, [1; 32], Some(table));
        round.seats.iter_mut().for_each(|seat| seat.audited = true);
    });
}

fn submission(index: u32, deposit: Balance, revealed: bool) -> Submission {
    Submission {
        index,
        weight: 1,
        commitment: [1; 32],
        deposit,
        revealed: revealed.then_some(Revealed {
            record: RevealRecord {
                delta_hash: [index as u8; 32],
                delta_root: [2; 32],
                weight: 1,
                square_norm: 1,
            },
            bytes: 1,
            at: 1,
        }),
        claimed: None,
    }
}

/// A table that improves the model, of so many rows; row `index` has delta hash `[index; 32]`, and
/// every evaluation has these losses.
fn table(rows: u32, samples: u32, losses: SumNode) -> ScoreTable {
    let row = |index: u32| Row {
        delta_hash: [index as u8; 32],
        weight: 1,
        clip_q16: 1 << 16,
        phi: 1 << 20,
        standard_error: 1 << 10,
        standing: Standing::Admitted,
        share: 1 << 20,
        minus: losses,
        plus: losses,
    };
    ScoreTable {
        header: Header {
            samples,
            base: losses,
            merged: losses,
            gain: 1 << 28,
            gain_se: 1 << 10,
            paid_gain: 1 << 28,
            master_root: [4; 32],
            similar_root: [5; 32],
        },
        rows: (0..rows).map(row).collect(),
    }
}

/// Opens a task whose round is challenged for many blocks more, and of which `case` is what the chain
/// knows. `accused`, who has money, is the last of as many seats as there may be, and revealed
/// `opening`; the registry of attesters is full. For the benchmarks of who judges rounds.
pub fn put_challenged_round<T: Config>(
    case: &Case,
    accused: &T::AccountId,
    opening: &Opening,
) -> (TaskId, RoundId)
where
    T::Currency: Mutate<T::AccountId>,
{
    let id = open::<T>(1, [1; 32], 2);
    Stakes::<T>::register(accused.clone(), Roles::BOTH, STAKE).expect("a free place");
    let mut attesters = register::<T>("attester", bounds::MAX_SEATS - 1);
    attesters.push(accused.clone());
    fill_registry::<T>(0);
    Graphs::<T>::insert(id, BoundedVec::truncate_from(case.graph.encode()));
    crate::Tasks::<T>::mutate_extant(id, |task| {
        task.terms.rules = case.rules;
        task.terms.hold_out = drawn_by(&case.hold_out, case.samples);
    });
    challenge::<T>(id, &attesters, opening.clone());
    with_round::<T>(id, |round| {
        round.ends_at = u32::MAX;
        round.base_root = case.base_root;
        match case.hold_out {
            HoldOut::Sealed { key, root } => {
                round.shard = Some(Shard {
                    index: 0,
                    published_at: 0,
                    key,
                    root,
                });
            }
            HoldOut::Drawn { seed, .. } => round.sample_seed = Some(seed),
        }
        round.reveals = case.reveals;
        round.inputs = Some(Inputs {
            reveals_root: case.reveals_root,
            median_norm: case.median_norm,
        });
    });
    (id, ROUND)
}

/// Terms of a task whose round may have such samples.
fn drawn_by(hold_out: &HoldOut, samples: u32) -> HoldOutTerms {
    match *hold_out {
        HoldOut::Sealed { root, .. } => HoldOutTerms::Sealed {
            root,
            shards: SHARDS,
            samples,
        },
        HoldOut::Drawn {
            salt,
            root,
            records,
            ..
        } => HoldOutTerms::Drawn {
            salt,
            root,
            records,
            samples,
            rounds: SHARDS,
        },
    }
}

/// The table of a full round.
fn full_table() -> ScoreTable {
    let losses = SumNode {
        hash: [1; 32],
        sum: 1 << 30,
    };
    table(bounds::MAX_SUBMISSIONS, 1000, losses)
}

#[benchmarks(where T::Currency: Mutate<T::AccountId>)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn register() {
        fill_registry::<T>(1);
        let who = funded::<T>("who", 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), Roles::BOTH, STAKE);

        assert!(Registrations::<T>::contains_key(who));
    }

    #[benchmark]
    fn add_stake() {
        let who = super::register::<T>("who", 1).remove(0);
        fill_registry::<T>(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), STAKE);

        assert_eq!(
            Registrations::<T>::get(who).map(|one| one.stake),
            Some(2 * STAKE)
        );
    }

    #[benchmark]
    fn unstake() {
        let who = super::register::<T>("who", 1).remove(0);
        fill_registry::<T>(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), STAKE);

        assert_eq!(Registrations::<T>::get(who).map(|one| one.stake), Some(0));
    }

    #[benchmark]
    fn withdraw() -> Result<(), BenchmarkError> {
        let who = super::register::<T>("who", 1).remove(0);
        fill_registry::<T>(0);
        Stakes::<T>::unstake(who.clone(), STAKE)?;
        frame_system::Pallet::<T>::set_block_number((T::UnbondingBlocks::get() + 1).into());

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()));

        assert!(!Registrations::<T>::contains_key(who));
        Ok(())
    }

    #[benchmark]
    fn open_task(w: Linear<256, { bounds::MAX_WEIGHT_BYTES }>) {
        fill_schedule::<T>();
        let sponsor = funded::<T>("sponsor", 0);
        // 128 bytes of weights for each input, and as many for the biases.
        let (graph, weights) = model(w / 128 - 1);
        let graph = BoundedVec::truncate_from(graph.encode());
        let weights = BoundedVec::truncate_from(weights);
        let terms = terms::<T>([1; 32], 2);

        #[extrinsic_call]
        _(RawOrigin::Signed(sponsor), terms, graph, weights, POOL);

        assert_eq!(NextTask::<T>::get(), TaskId(1));
    }

    #[benchmark]
    fn top_up() -> Result<(), BenchmarkError> {
        let id = open::<T>(1, [1; 32], 2);
        let mut task = opened::<T>(id)?;
        task.state = TaskState::Paused;
        task.purse.pool = 0;
        Tasks::<T>::put(id, &task);
        Rounds::<T>::delist(id);

        #[extrinsic_call]
        _(RawOrigin::Signed(task.sponsor.clone()), id, POOL);

        assert_eq!(opened::<T>(id)?.round, RoundId(1));
        Ok(())
    }

    #[benchmark]
    fn close_task() -> Result<(), BenchmarkError> {
        let id = open::<T>(1, [1; 32], 2);
        let sponsor = opened::<T>(id)?.sponsor;

        #[extrinsic_call]
        _(RawOrigin::Signed(sponsor), id);

        assert_eq!(opened::<T>(id)?.state, TaskState::Closed);
        Ok(())
    }

    #[benchmark]
    fn commit() {
        let id = open::<T>(1, [1; 32], 2);
        let who = super::register::<T>("who", 1).remove(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), id, ROUND, [1; 32]);

        assert!(Submissions::<T>::get(id, ROUND, &who).is_some());
    }

    #[benchmark]
    fn reveal(d: Linear<256, { bounds::MAX_DELTA_BYTES }>) -> Result<(), BenchmarkError> {
        let id = open::<T>(bounds::MAX_RECORD_BYTES - 1, [1; 32], 2);
        let who = super::register::<T>("who", 1).remove(0);
        // Four entries a byte, the most that there can be; less what chunks take for themselves.
        let entry = |position| Entry {
            position,
            change: 1,
        };
        let entries = (0..(d - d / 200 - 140) * 4).map(entry).collect();
        let delta = Delta::new(1 << 20, entries)
            .map_err(|_| "a delta")?
            .encode();
        assert!(delta.len() <= d as usize && delta.len() + 300 >= d as usize);
        let hash = Delta::hash_of(&delta);
        let commitment = submission_commitment(id, ROUND, &who.clone().into(), &hash, &SALT);
        Submissions::<T>::commit(who.clone(), id, ROUND, commitment)?;
        with_round::<T>(id, |round| round.phase = Phase::Reveal);
        let delta = BoundedVec::truncate_from(delta);

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND, delta, SALT);

        assert_eq!(
            Rounds::<T>::get(id, ROUND).map(|round| round.reveals),
            Some(1)
        );
        Ok(())
    }

    #[benchmark]
    fn publish_shard(r: Linear<8_192, { bounds::MAX_SHARD_BYTES }>) -> Result<(), BenchmarkError> {
        let record_bytes = r / bounds::MAX_SHARD_SAMPLES;
        let records = vec![0; (record_bytes * bounds::MAX_SHARD_SAMPLES) as usize];
        let root = shard_root(&SALT, record_bytes as usize, &records).map_err(|_| "a shard")?;
        let tree = Tree::of(vec![root; SHARDS as usize]);
        let proof = tree.prove(0).ok_or("a leaf")?;
        let id = open::<T>(
            record_bytes - 1,
            tree.root().hash,
            bounds::MAX_SHARD_SAMPLES,
        );
        with_round::<T>(id, |round| round.phase = Phase::Reveal);
        let sponsor = opened::<T>(id)?.sponsor;
        let records = BoundedVec::truncate_from(records);

        #[extrinsic_call]
        _(RawOrigin::Signed(sponsor), id, ROUND, SALT, records, proof);

        assert_eq!(opened::<T>(id)?.next_shard, 1);
        Ok(())
    }

    #[benchmark]
    fn commit_attestation() -> Result<(), BenchmarkError> {
        let id = open::<T>(1, [1; 32], 2);
        let attesters = super::register::<T>("attester", bounds::MAX_SEATS);
        with_round::<T>(id, |round| {
            round.phase = Phase::AttestCommit;
            round.seats = seats::<T>(&attesters, [1; 32], Some(full_table().opening()));
            if let Some(seat) = round.seats.last_mut() {
                (seat.commitment, seat.revealed) = (None, None);
            }
        });
        let who = attesters.last().ok_or("a seat")?.clone();

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND, [2; 32]);

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert!(round.seats.iter().all(|seat| seat.commitment.is_some()));
        Ok(())
    }

    #[benchmark]
    fn reveal_attestation() -> Result<(), BenchmarkError> {
        let id = open::<T>(1, [1; 32], 2);
        let attesters = super::register::<T>("attester", bounds::MAX_SEATS);
        let who = attesters.last().ok_or("a seat")?.clone();
        // Agrees with itself: nothing is gained, and nothing paid.
        let mut opening = full_table().opening();
        let header = &mut opening.header;
        (header.samples, header.gain, header.paid_gain) = (2, 0, 0);
        header.master_root = opened::<T>(id)?.master_root;
        let (account, attested) = (who.clone().into(), opening.claim());
        let commitment = attestation_commitment(id, ROUND, &account, &attested, &WORK_ROOT, &SALT);
        with_round::<T>(id, |round| {
            round.phase = Phase::AttestReveal;
            round.seats = seats::<T>(&attesters, commitment, Some(opening.clone()));
            if let Some(seat) = round.seats.last_mut() {
                seat.revealed = None;
            }
        });

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND, opening, WORK_ROOT, SALT);

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert!(round.seats.iter().all(|seat| seat.revealed.is_some()));
        Ok(())
    }

    #[benchmark]
    fn claim(n: Linear<1, { bounds::MAX_CLAIMS }>) -> Result<(), BenchmarkError> {
        // Each of another sponsor, so that none of what is read is in a cache.
        let table = full_table();
        let row = bounds::MAX_SUBMISSIONS - 1;
        let proof = table.prove_share(row as usize).ok_or("a row")?;
        let attesters = super::register::<T>("attester", bounds::MAX_SEATS);
        let who = funded::<T>("who", 0);
        let mut items = Vec::new();
        for index in 0..n {
            let sponsor = funded::<T>("sponsor", index);
            let id = open_as::<T>(sponsor, 1, [1; 32], 2);
            let mut task = opened::<T>(id)?;
            task.purse.unclaimed = CAP;
            Tasks::<T>::put(id, &task);
            with_round::<T>(id, |round| {
                round.phase = Phase::Ended;
                round.seats = seats::<T>(&attesters, [1; 32], Some(table.opening()));
                round.outcome = Some(Outcome::Settled);
                round.settlement = Some(Settlement {
                    claim: table.claim(),
                    pot: CAP,
                    fees: 0,
                    claimed: 0,
                });
            });
            let submission = submission(row, 0, true);
            Submissions::<T>::put(id, ROUND, &who, &submission);
            items.push(ClaimItem {
                task: id,
                round: ROUND,
                proof: proof.clone(),
            });
        }
        let items = BoundedVec::truncate_from(items);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), items);

        let paid = Submissions::<T>::get(TaskId(0), ROUND, &who).and_then(|one| one.claimed);
        assert!(paid.is_some());
        Ok(())
    }

    /// Audits of as many rows as so many bytes can tell of, in the deepest trees.
    #[benchmark]
    fn answer_audits(
        b: Linear<
            { bounds::AUDITS * (ANSWER_BYTES + ROW_BYTES) },
            { bounds::AUDITS * (ANSWER_BYTES + ROW_BYTES * bounds::MAX_SUBMISSIONS) },
        >,
    ) -> Result<(), BenchmarkError> {
        let samples = bounds::MAX_SHARD_SAMPLES;
        let rows = (b / bounds::AUDITS - ANSWER_BYTES) / ROW_BYTES;
        let id = open::<T>(1, [1; 32], samples);
        let attesters = super::register::<T>("attester", bounds::MAX_SEATS);
        let who = attesters.last().ok_or("a seat")?.clone();
        let losses = vec![1; samples as usize];
        let table = table(rows, samples, losses_node(&losses));
        let account: [u8; 32] = who.clone().into();
        let asked = audits(&SALT, &account, bounds::AUDITS, samples, rows);
        // Only the work that is shown has to be there: see `gotong_scoring::work`.
        let work_losses = vec![1u32; 2 + 2 * rows as usize];
        let mut work = vec![Node::default(); samples as usize];
        for Audit { sample, .. } in &asked {
            let losses: Vec<u8> = work_losses
                .iter()
                .flat_map(|loss| loss.to_le_bytes())
                .collect();
            let leaf = Node::leaf(&[&account, &sample.to_le_bytes(), &losses], ());
            *work.get_mut(*sample as usize).ok_or("a sample")? = leaf;
        }
        let work = Tree::from_leaves(work);
        let answer = |audit: &Audit| {
            Some(AuditAnswer {
                losses: work_losses.clone(),
                work: work.prove(audit.sample)?,
                row: table.rows.get(audit.row as usize)?.clone(),
                rows: table.prove_share(audit.row as usize)?.proof,
                table: vec![ProvedLosses::of(&losses, audit.sample)?; 4],
            })
        };
        let answers: Option<Vec<AuditAnswer>> = asked.iter().map(answer).collect();
        let answers: AuditAnswers = BoundedVec::truncate_from(answers.ok_or("answers")?);
        challenge::<T>(id, &attesters, table.opening());
        with_round::<T>(id, |round| {
            round.reveals = rows;
            if let Some(seat) = round.seats.last_mut() {
                seat.audited = false;
                if let Some(revealed) = seat.revealed.as_mut() {
                    revealed.work_root = work.root().hash;
                }
            }
        });
        let bytes = answers.encoded_size() as u32;
        assert!(
            bytes <= b && bytes + bounds::AUDITS * ROW_PROOF_BYTES >= b,
            "{bytes} of {b}"
        );

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND, answers);

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert!(round.seats.iter().all(Seat::stands));
        Ok(())
    }

    #[benchmark]
    fn convict() -> Result<(), BenchmarkError> {
        let id = open::<T>(1, [1; 32], 2);
        let attesters = super::register::<T>("attester", bounds::MAX_SEATS);
        let (accused, winner) = (attesters.first().ok_or("a seat")?, funded::<T>("winner", 0));
        fill_registry::<T>(0);
        Stakes::<T>::unstake(accused.clone(), STAKE / 2)?;
        challenge::<T>(id, &attesters, full_table().opening());

        let rewarded;
        #[block]
        {
            rewarded = <Pallet<T> as Court<_>>::convict(id, ROUND, accused, &winner);
        }

        assert_eq!(rewarded, STAKE / 2);
        assert!(!Registrations::<T>::contains_key(accused));
        Ok(())
    }

    #[benchmark]
    fn look() {
        open::<T>(1, [1; 32], 2);

        #[block]
        {
            Rounds::<T>::advance_due();
        }
    }

    #[benchmark]
    fn end_reveal(s: Linear<1, { bounds::MAX_SUBMISSIONS }>) -> Result<(), BenchmarkError> {
        let id = open::<T>(1, [1; 32], 2);
        fill_registry::<T>(0);
        for index in 0..s {
            let who = funded::<T>("contributor", index);
            asset::Asset::<T>::hold(HoldReason::CommitDeposit, &who, CAP)?;
            // Burning a deposit costs more than a hash of what was revealed.
            let revealed = index == 0;
            if revealed {
                RevealedDeltas::<T>::insert((id, ROUND), [0; 32], ());
            }
            let submission = submission(index, CAP, revealed);
            Submissions::<T>::put(id, ROUND, &who, &submission);
        }
        with_round::<T>(id, |round| {
            round.phase = Phase::Reveal;
            round.commits = s;
            round.reveals = 1;
            round.shard = Some(Shard {
                index: 0,
                published_at: 1,
                key: SALT,
                root: [1; 32],
            });
        });

        #[block]
        {
            Rounds::<T>::advance(id, u32::MAX / 2);
        }

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert_eq!(round.phase, Phase::AttestCommit);
        Ok(())
    }

    #[benchmark]
    fn end_phase() -> Result<(), BenchmarkError> {
        let id = open::<T>(1, [1; 32], 2);
        let attesters = super::register::<T>("attester", bounds::MAX_SEATS);
        fill_registry::<T>(0);
        with_round::<T>(id, |round| {
            round.phase = Phase::AttestReveal;
            round.seats = seats::<T>(&attesters, [1; 32], None);
        });

        #[block]
        {
            Rounds::<T>::advance(id, u32::MAX / 2);
        }

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert_eq!(round.outcome, Some(Outcome::Unattested));
        Ok(())
    }

    #[benchmark]
    fn settle() -> Result<(), BenchmarkError> {
        let id = open::<T>(1, [1; 32], 2);
        let attesters = super::register::<T>("attester", bounds::MAX_SEATS);
        challenge::<T>(id, &attesters, full_table().opening());

        #[block]
        {
            Rounds::<T>::advance(id, u32::MAX / 2);
        }

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert!(round.seats.iter().all(|seat| seat.fee > 0));
        Ok(())
    }

    #[benchmark]
    fn redraw() -> Result<(), BenchmarkError> {
        let id = open::<T>(1, [1; 32], 2);
        // One seat is free, for which nobody is found.
        let attesters = super::register::<T>("attester", bounds::MAX_SEATS - 1);
        fill_registry::<T>(0);
        for (who, _) in Attesters::<T>::get() {
            Submissions::<T>::put(id, ROUND, &who, &submission(0, 0, false));
        }
        challenge::<T>(id, &attesters, full_table().opening());
        with_round::<T>(id, |round| {
            round.seats.iter_mut().for_each(|seat| seat.audited = false);
        });

        #[block]
        {
            Rounds::<T>::advance(id, u32::MAX / 2);
        }

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        let unaudited = |seat: &Seat<_>| seat.state == SeatState::Unaudited;
        assert!(round.seats.iter().all(unaudited));
        assert_eq!(round.redraws, bounds::MAX_REDRAWS);
        assert_eq!(round.outcome, Some(Outcome::Unattested));
        Ok(())
    }

    impl_benchmark_test_suite!(
        Pallet,
        crate::mock::ExtBuilder::default().build(),
        crate::mock::Test
    );
}
