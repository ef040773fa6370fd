//! Accounts, tasks, rounds and tables to benchmark with, each as large as it can be.

use crate::{
    attestation::{RevealedTable, Seat},
    ledgers::{Account, Ledgers},
    offers::{Held, Listed, Offer, Offers},
    rewards::Settlement,
    rounds::{Round, Rounds, Seats, Shard},
    stakes::Stakes,
    submissions::{Revealed, Submission, Submissions},
    tasks::{Purse, Task, Tasks},
    Attesters, Balance, Config, CreditProofs, DeltaAuthors, Graphs, NextTask, Schedule, Tables,
};
use alloc::{vec, vec::Vec};
use codec::Encode;
use frame_benchmarking::v2::{account, BenchmarkError};
use frame_support::{
    traits::{fungible::Mutate, Get},
    BoundedVec,
};
use gotong_protocol::{
    bounds, EntrantRecord, Graph, Hash, HoldOutTerms, Outcome, Phase, Roles, RoundFacts, RoundId,
    SeatState, ShareClaim, ShareTerms, TableSummary, TaskId, TaskName, TaskState, TaskTerms,
    Windows,
};
use gotong_scoring::{
    share::table::{Row, TableMerge, TablePass, TablePay},
    HoldOut, ShareTable,
};

pub(super) const STAKE: Balance = 1 << 80;
pub(super) const POOL: Balance = 1 << 70;
pub(super) const CAP: Balance = 1 << 60;
pub(super) const SALT: Hash = [7; 32];
pub(super) const WORK_ROOT: Hash = [8; 32];
pub(super) const ROUND: RoundId = RoundId(0);
pub(super) const SHARDS: u32 = 1024;
/// Number of samples of an exam on which nothing depends.
pub(super) const SAMPLES: u32 = bounds::MIN_SAMPLES;
/// Entrants of a full round.
pub(super) const ENTRANTS: u32 = bounds::MAX_SUBMISSIONS;
/// Most passes of a table.
pub(super) const PASSES: u32 = 8;
const FUNDS: Balance = 1 << 100;
/// Groups of samples, and what a good delta is worth in each.
const GROUPS: usize = 16;
const GOOD: i64 = 1 << 10;

pub(super) fn funded<T: Config>(name: &'static str, index: u32) -> T::AccountId
where
    T::Currency: Mutate<T::AccountId>,
{
    let who: T::AccountId = account(name, index, 0);
    T::Currency::set_balance(&who, FUNDS);
    who
}

/// Registers an account for both roles, and makes the largest offer for it.
fn enrol<T: Config>(who: &T::AccountId) {
    // A benchmark's set-up may panic.
    Stakes::<T>::register(who.clone(), Roles::BOTH, STAKE).expect("has funds");
    Offers::<T>::make(who.clone(), offer()).expect("a free place");
}

/// The largest offer that can be made.
pub(super) fn offer() -> Offer {
    let tasks = (0..bounds::MAX_OFFERED_TASKS).map(TaskId);
    Offer {
        seats: u8::MAX,
        capacity: u64::MAX,
        sealed: true,
        tasks: BoundedVec::truncate_from(tasks.collect()),
    }
}

/// Registers `count` accounts for both roles, and makes the largest offer for each.
pub(super) fn register<T: Config>(name: &'static str, count: u32) -> Vec<T::AccountId>
where
    T::Currency: Mutate<T::AccountId>,
{
    let registered = (0..count).map(|index| {
        let who = funded::<T>(name, index);
        enrol::<T>(&who);
        who
    });
    registered.collect()
}

/// Fills the registry of attesters up to `free` places.
pub(super) fn fill_registry<T: Config>(free: u32) {
    Attesters::<T>::mutate(|registry| {
        let mut all = registry.clone().into_inner();
        let room = T::MaxAttesters::get() - free - all.len() as u32;
        all.extend((0..room).map(|index| Listed {
            account: account("other", index, 0),
            stake: STAKE,
            offer: offer(),
            held: Held::default(),
            candidacies: 0,
            idle_since: 0,
        }));
        all.sort_by(|one, other| one.account.cmp(&other.account));
        *registry = BoundedVec::truncate_from(all);
    });
}

/// Fills the schedule up to `free` places, with tasks that are never due.
pub(super) fn fill_schedule<T: Config>(free: u32) {
    let count = T::MaxLiveTasks::get().saturating_sub(free);
    let others = (0..count).map(|index| (TaskId(u32::MAX - 1 - index), u32::MAX));
    Schedule::<T>::put(BoundedVec::truncate_from(others.collect()));
}

pub(super) fn terms<T: Config>(shards_root: Hash, samples: u32) -> TaskTerms<Balance> {
    let longest = T::MaxWindowBlocks::get();
    TaskTerms {
        name: TaskName::new("benchmark").expect("a short name"),
        price_per_millibit: CAP,
        cap_per_round: CAP,
        attester_fee_permille: 500,
        work_fee: CAP >> 20,
        windows: Windows {
            commit_blocks: longest,
            reveal_blocks: longest,
            attest_blocks: longest,
            challenge_blocks: longest,
        },
        seats: bounds::MAX_TASK_SEATS as u8,
        quorum: TaskTerms::<Balance>::least_quorum(bounds::MAX_TASK_SEATS as u8),
        minimum_contributor_stake: 0,
        minimum_attester_stake: 0,
        weight_cap: STAKE,
        delta_bytes: 64 << 10,
        share: ShareTerms::default(),
        hold_out: HoldOutTerms::Sealed {
            root: shards_root,
            shards: SHARDS,
            samples,
        },
        recipe: [0; 32],
        recipe_bytes: 0,
    }
}

/// A model with `64 * (inputs + 1)` parameters, and its first weights. With the longest record, it
/// has the maximum number of parameters.
pub(super) fn model(inputs: u32) -> (Graph, Vec<u8>) {
    let graph = Graph::mlp(&[inputs, 64]);
    let weights = vec![0; 2 * graph.parameters()];
    (graph, weights)
}

/// Opens the only due task of a full schedule.
pub(super) fn open<T: Config>() -> TaskId
where
    T::Currency: Mutate<T::AccountId>,
{
    open_with::<T>(1, [1; 32], SAMPLES)
}

/// [`open`], with records of this length and shards of these samples.
pub(super) fn open_with<T: Config>(inputs: u32, shards_root: Hash, samples: u32) -> TaskId
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
    fill_schedule::<T>(1);
    let (graph, weights) = model(inputs);
    let graph = BoundedVec::truncate_from(graph.encode());
    let id = NextTask::<T>::get();
    let terms = terms::<T>(shards_root, samples);
    Tasks::<T>::open(sponsor, terms, graph, &weights, &[], POOL).expect("good terms");
    // The maximum number of seats, once others have replaced those that were lost.
    crate::Tasks::<T>::mutate_extant(id, |task| task.terms.seats = bounds::MAX_SEATS as u8);
    id
}

pub(super) fn opened<T: Config>(id: TaskId) -> Result<Task<T::AccountId>, BenchmarkError> {
    Tasks::<T>::get(id).map_err(|_| "was opened".into())
}

pub(super) fn with_round<T: Config>(id: TaskId, change: impl FnOnce(&mut Round<T::AccountId>)) {
    let mut round = Rounds::<T>::get(id, ROUND).expect("was opened");
    change(&mut round);
    Rounds::<T>::put(id, ROUND, &round);
}

/// Seats of these accounts, each with this commitment; with a claim, all of them revealed it, and
/// all but the last answered their audits.
pub(super) fn seats<T: Config>(
    accounts: &[T::AccountId],
    commitment: Hash,
    claim: Option<ShareClaim>,
) -> Seats<T::AccountId> {
    let seat = |account: &T::AccountId| Seat {
        account: account.clone(),
        stake: STAKE,
        state: SeatState::Sitting,
        commitment: Some(commitment),
        revealed: claim.map(|claim| RevealedTable {
            claim,
            work_root: WORK_ROOT,
        }),
        audited: claim.is_some() && Some(account) != accounts.last(),
        fee: 0,
    };
    BoundedVec::truncate_from(accounts.iter().map(seat).collect())
}

/// Puts a round into its Challenge phase, with all of these accounts' seats standing for this table.
pub(super) fn challenge<T: Config>(id: TaskId, accounts: &[T::AccountId], table: &TableSummary) {
    with_round::<T>(id, |round| {
        round.phase = Phase::Challenge;
        round.seed = Some(SALT);
        round.audit_seed = Some(SALT);
        round.reveals = ENTRANTS;
        let claim = table.claim(&round.base_root);
        round.seats = seats::<T>(accounts, [1; 32], Some(claim));
        round.seats.iter_mut().for_each(|seat| seat.audited = true);
    });
    for account in accounts {
        Tables::<T>::insert((id, ROUND), account, table);
    }
}

pub(super) fn submission(index: u32, deposit: Balance, revealed: bool) -> Submission {
    Submission {
        index,
        weight: 1,
        is_proven: false,
        commitment: [1; 32],
        deposit,
        revealed: revealed.then_some(Revealed {
            record: record(index),
            bytes: 1,
            at: 1,
        }),
        next: None,
        claimed: None,
    }
}

fn record(index: u32) -> EntrantRecord {
    EntrantRecord {
        delta_hash: [index as u8; 32],
        delta_root: [2; 32],
        weight: 1,
        square_norm: 1,
        is_proven: false,
    }
}

/// A table of a full round that agrees with itself. In all passes except the last, the last member is bad, and leaves. The last
/// company is merged, and its members have equal values on B.
pub(super) fn table(passes: u32, samples: u32) -> ShareTable {
    let rows = |members: u32, bad: u32| {
        let row = |index: u32| Row {
            delta_hash: [index as u8; 32],
            parts: match index {
                _ if index >= members => vec![],
                _ if index + bad >= members => vec![-16 * GOOD; GROUPS],
                _ => vec![GOOD; GROUPS],
            }
            .into(),
        };
        (0..ENTRANTS).map(row).collect::<Vec<_>>()
    };
    let pass = |number: u32| {
        let (members, follows) = (ENTRANTS - number, number + 1 < passes);
        TablePass {
            members: (0..ENTRANTS).map(|index| index < members).collect(),
            median_norm: 1,
            last_dropped: follows.then(|| members - 1),
            midpoint: [3; 32],
            gradients: vec![[4; 32]; GROUPS],
            rows: rows(members, follows.into()),
        }
    };
    let half = samples as usize / 2;
    // In a round of one pass the gain on B is what the values add up to.
    let gain = u64::from(ENTRANTS) * GROUPS as u64 * GOOD as u64;
    let losses = [vec![(gain / half as u64) as u32; half], vec![0; half]];
    ShareTable {
        terms: ShareTerms::default(),
        records: (0..ENTRANTS).map(record).collect(),
        passes: (0..passes).map(pass).collect(),
        merge: Some(TableMerge {
            weights: [5; 32],
            on_a: losses.clone(),
            pay: Some(TablePay {
                on_b: losses,
                gradients: vec![[6; 32]; GROUPS],
                rows: rows(ENTRANTS + 1 - passes, 0),
            }),
        }),
    }
}

/// A paused task whose only round settled on `table`. Everybody except `who` has claimed it, and what is set aside is all of the
/// task's money.
pub(super) fn settled<T: Config>(
    index: u32,
    who: &T::AccountId,
    attesters: &[T::AccountId],
    table: &TableSummary,
) -> TaskId
where
    T::Currency: Mutate<T::AccountId>,
{
    let sponsor = funded::<T>("sponsor", index);
    let id = open_as::<T>(sponsor, 1, [1; 32], SAMPLES);
    Rounds::<T>::delist(id);
    let mut task = Tasks::<T>::get(id).expect("was opened");
    task.state = TaskState::Paused;
    task.purse = Purse {
        pool: 0,
        reserved: POOL,
        ..task.purse
    };
    Tasks::<T>::put(id, &task);
    with_round::<T>(id, |round| {
        let claim = table.claim(&round.base_root);
        round.phase = Phase::Ended;
        round.reveals = ENTRANTS;
        round.seats = seats::<T>(attesters, [1; 32], Some(claim));
        round.outcome = Some(Outcome::Settled);
        round.settlement = Some(Settlement {
            claim,
            rate_q32: 1 << 31,
            fees: 0,
            pot: POOL,
            paid: 0,
            released: 0,
            most_credits: u64::MAX,
            claims: ENTRANTS - 1,
            forfeits: 0,
            credited: 0,
            expires_at: 0,
        });
    });
    let submission = submission(ENTRANTS - 1, 0, true);
    Submissions::<T>::put(id, ROUND, who, &submission);
    let account = Account {
        next: Some(ROUND),
        ..Account::default()
    };
    Ledgers::<T>::put(id, who, &account);
    id
}

/// An account, a task whose round merged something, and proofs of what this many of its contributors are credited. None of the
/// credits is published.
pub(super) fn unpublished<T: Config>(count: u32) -> (T::AccountId, TaskId, CreditProofs)
where
    T::Currency: Mutate<T::AccountId>,
{
    let (who, table) = (funded::<T>("who", 0), table(1, SAMPLES));
    let attesters = register::<T>("attester", bounds::MAX_SEATS);
    let id = settled::<T>(0, &who, &attesters, &table.summary());
    let proofs = (0..count).filter_map(|index| {
        let who = funded::<T>("contributor", index);
        DeltaAuthors::<T>::insert(id, record(index).delta_hash, &who);
        Submissions::<T>::put(id, ROUND, &who, &submission(index, 0, true));
        table.prove_credit(index)
    });
    let proofs = BoundedVec::truncate_from(proofs.collect());
    (who, id, proofs)
}

/// Opens a task whose round is challenged for many more blocks, and about which the chain knows `facts`. `accused`, who has money,
/// holds the last of as many seats as there may be, and revealed `table`; the registry of attesters is full. This is for the
/// benchmarks of the pallet that judges rounds.
pub fn put_challenged_round<T: Config>(
    facts: &RoundFacts,
    accused: &T::AccountId,
    table: &TableSummary,
) -> (TaskId, RoundId)
where
    T::Currency: Mutate<T::AccountId>,
{
    let id = open::<T>();
    enrol::<T>(accused);
    let mut attesters = register::<T>("attester", bounds::MAX_SEATS - 1);
    attesters.push(accused.clone());
    fill_registry::<T>(0);
    Graphs::<T>::insert(id, BoundedVec::truncate_from(facts.graph.encode()));
    crate::Tasks::<T>::mutate_extant(id, |task| {
        task.terms.share = facts.terms;
        task.terms.hold_out = hold_out_terms(&facts.hold_out, facts.samples);
    });
    with_round::<T>(id, |round| {
        round.base_root = facts.base_root;
        if let HoldOut::Sealed { key, root } = facts.hold_out {
            round.shard = Some(Shard {
                index: 0,
                published_at: 0,
                key,
                root,
            });
        }
    });
    challenge::<T>(id, &attesters, table);
    with_round::<T>(id, |round| {
        round.ends_at = u32::MAX;
        round.seed = Some(facts.half_seed);
        round.reveals = facts.entrants;
        round.entrants_root = Some(facts.entrants_root);
    });
    (id, ROUND)
}

/// Terms of a task whose rounds can have these samples.
fn hold_out_terms(hold_out: &HoldOut, samples: u32) -> HoldOutTerms {
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
