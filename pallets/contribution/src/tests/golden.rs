//! Bytes that others rely on: workers find calls in block bodies, and state outlives an upgrade.

use super::lab::*;
use crate::{
    attestation::{RevealedTable, Seat},
    ledgers::Account,
    mock::*,
    offers::{Held, Listed, Offer},
    rewards::Settlement,
    rounds::{Draw, Round, Shard},
    stakes::{Registration, Unbonding},
    submissions::{Revealed, Submission},
    tasks::{Purse, Task},
    Call,
};
use codec::{Decode, Encode, MaxEncodedLen};
use gotong_protocol::{
    claim::Claimed,
    stored::{StoredRound, StoredShard, StoredTask, COMMIT_ATTESTATION},
    view::{
        ClaimableView, LedgerView, OfferView, RevealedView, RewardKind, RewardState, RewardView,
        RoundView, SeatView, ShardView, SubmissionView, TaskView,
    },
    ClaimItem, Credit, EntrantRecord, Graph, HoldOutTerms, Ledger, Outcome, Phase, Roles,
    RoundFacts, RoundId, SeatState, ShareClaim, TableSummary, TaskId, TaskState,
};
use gotong_scoring::{blake2_256, share::EntryWeights, HoldOut, MergedGain};

const TASK: TaskId = TaskId(0x0102);
const ROUND: RoundId = RoundId(0x0304);
const IDS: [u8; 8] = [2, 1, 0, 0, 4, 3, 0, 0];

fn encoded(call: Call<Test>) -> Vec<u8> {
    RuntimeCall::Contribution(call).encode()
}

fn summary() -> TableSummary {
    TableSummary {
        passes: vec![].into(),
        merge: None,
    }
}

#[test]
fn calls_start_with_their_index_and_ids() {
    let lab = Lab::default();
    let hash = [9; 32];
    let in_round = [
        Call::commit {
            task: TASK,
            round: ROUND,
            commitment: hash,
        },
        Call::reveal {
            task: TASK,
            round: ROUND,
            delta: vec![5, 6, 7].try_into().unwrap(),
            salt: SALT,
        },
        Call::publish_shard {
            task: TASK,
            round: ROUND,
            key: hash,
            records: vec![1].try_into().unwrap(),
            proof: lab.proof(0),
        },
        Call::commit_attestation {
            task: TASK,
            round: ROUND,
            commitment: hash,
            inputs: hash,
        },
        Call::reveal_attestation {
            task: TASK,
            round: ROUND,
            table: Box::new(summary()),
            work_root: hash,
            salt: SALT,
        },
        Call::answer_audits {
            task: TASK,
            round: ROUND,
            answers: Default::default(),
        },
        Call::release {
            task: TASK,
            round: ROUND,
        },
    ];
    for (call, index) in in_round.into_iter().zip((7u8..12).chain([13, 14])) {
        let bytes = encoded(call);
        assert_eq!(bytes[..2], [20, index]);
        assert_eq!(bytes[2..10], IDS);
    }
    let reveal = encoded(Call::reveal {
        task: TASK,
        round: ROUND,
        delta: vec![5, 6, 7].try_into().unwrap(),
        salt: SALT,
    });
    // A compact length, the bytes, the salt.
    assert_eq!(reveal[10..14], [3 << 2, 5, 6, 7]);
    assert_eq!(reveal[14..], SALT);
    let attestation = encoded(Call::reveal_attestation {
        task: TASK,
        round: ROUND,
        table: Box::new(summary()),
        work_root: hash,
        salt: SALT,
    });
    // No passes, no merge, and then the root of the work and the salt.
    assert_eq!(attestation[10..12], [0, 0]);
    assert_eq!(attestation[12..], [hash, SALT].concat());
}

#[test]
fn other_calls_keep_their_index() {
    let amount = 1;
    let calls = [
        Call::register {
            roles: Roles::BOTH,
            stake: amount,
        },
        Call::add_stake { amount },
        Call::unstake { amount },
        Call::withdraw {},
        Call::open_task {
            terms: Box::new(Lab::default().terms()),
            graph: Default::default(),
            weights: Default::default(),
            recipe: Default::default(),
            pool: amount,
        },
        Call::top_up { task: TASK, amount },
        Call::close_task { task: TASK },
    ];
    for (call, index) in calls.into_iter().zip(0u8..) {
        assert_eq!(encoded(call)[..2], [20, index]);
    }
    let terms = Lab::default().terms();
    let opening = Call::open_task {
        terms: Box::new(terms.clone()),
        graph: vec![1].try_into().unwrap(),
        weights: vec![2, 3].try_into().unwrap(),
        recipe: vec![4, 5, 6].try_into().unwrap(),
        pool: amount,
    };
    let bytes = [
        &[20, 4][..],
        &terms.encode(),
        &[1 << 2, 1, 2 << 2, 2, 3, 3 << 2, 4, 5, 6],
        &1u128.to_le_bytes(),
    ]
    .concat();
    assert_eq!(encoded(opening), bytes);
    let void = ClaimItem {
        task: TASK,
        round: ROUND,
        proof: None,
    };
    let offer = Call::offer {
        seats: 3,
        capacity: 4,
        sealed: true,
        tasks: vec![TASK].try_into().unwrap(),
    };
    let bytes = [
        &[20, 16, 3][..],
        &4u64.to_le_bytes(),
        &[1, 1 << 2],
        &IDS[..4],
    ]
    .concat();
    assert_eq!(encoded(offer), bytes);
    let claim = Call::claim {
        items: vec![void].try_into().unwrap(),
    };
    let bytes = [vec![20, 12, 1 << 2], IDS.to_vec(), vec![0]].concat();
    assert_eq!(encoded(claim), bytes);
}

fn share_claim() -> ShareClaim {
    ShareClaim {
        table_root: [3; 32],
        master_root: [4; 32],
        merged: Some(MergedGain {
            gain: -8,
            most_credits: 9,
        }),
    }
}

fn ledger_of_account() -> Ledger {
    Ledger {
        sum: -1,
        variance: 2,
        largest: 3,
        proved: 4,
    }
}

fn claimed_credit() -> Claimed<Balance> {
    Claimed {
        credit: -10,
        proved: 11,
        paid: 12,
    }
}

fn entrant() -> EntrantRecord {
    EntrantRecord {
        delta_hash: [9; 32],
        delta_root: [13; 32],
        weight: 21,
        square_norm: 22,
        is_proven: true,
    }
}

pub(super) fn stored_task() -> Task<AccountId> {
    let mut terms = Lab::default().terms();
    terms.hold_out = HoldOutTerms::Sealed {
        root: [2; 32],
        shards: 4,
        samples: 64,
    };
    Task {
        sponsor: account(1),
        terms,
        state: TaskState::Paused,
        parameters: 23,
        record_bytes: 5,
        classes: 2,
        cost: 10,
        master_root: [1; 32],
        opened_at: 8,
        idle_since: 12,
        round: RoundId(9),
        next_shard: 3,
        purse: Purse {
            deposited: 1,
            pool: 2,
            reserved: 3,
            claimed: 4,
            fees: 5,
            returned: 6,
            bond: 7,
        },
    }
}

fn stored_seat() -> Seat<AccountId> {
    Seat {
        account: account(2),
        stake: 3,
        state: SeatState::Unaudited,
        commitment: Some([7; 32]),
        revealed: Some(RevealedTable {
            claim: share_claim(),
            work_root: [12; 32],
        }),
        audited: true,
        fee: 10,
    }
}

fn stored_settlement() -> Settlement {
    Settlement {
        claim: share_claim(),
        rate_q32: 1 << 31,
        fees: 11,
        pot: 12,
        paid: 13,
        released: 14,
        most_credits: 15,
        claims: 16,
        forfeits: 17,
        credited: -18,
        expires_at: 19,
    }
}

fn stored_round() -> Round<AccountId> {
    Round {
        phase: Phase::Ended,
        started_at: 1,
        phase_started_at: 2,
        ends_at: 3,
        base_root: [5; 32],
        departures: 4,
        commits: 5,
        newcomers: 1,
        reveals: 6,
        weights: EntryWeights {
            proven: 7,
            newcomers: 8,
        },
        shard: Some(Shard {
            index: 7,
            published_at: 8,
            key: [6; 32],
            root: [8; 32],
        }),
        entrants_root: Some([10; 32]),
        draw: Some(Draw {
            blocks: 1,
            entropy: [15; 32],
        }),
        seed: Some([14; 32]),
        seats: vec![stored_seat()].try_into().unwrap(),
        redraws: 2,
        audit_seed: Some([11; 32]),
        open_disputes: 9,
        crowded: true,
        outcome: Some(Outcome::Settled),
        settlement: Some(stored_settlement()),
    }
}

fn stored_submission() -> Submission {
    Submission {
        index: 1,
        weight: 2,
        is_proven: true,
        commitment: [8; 32],
        deposit: 3,
        revealed: Some(Revealed {
            record: entrant(),
            bytes: 4,
            at: 5,
        }),
        next: Some(RoundId(6)),
        claimed: Some(claimed_credit()),
    }
}

pub(super) fn fingerprint(bytes: Vec<u8>) -> String {
    let bytes = blake2_256(&[&bytes]);
    bytes[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn small_stored_types_are_written_out() {
    let account = Account {
        ledger: ledger_of_account(),
        paid: 5,
        forfeited: Some(RoundId(8)),
        next: Some(RoundId(6)),
        last: RoundId(7),
    };
    let bytes = [
        &(-1i64).to_le_bytes()[..],
        &2u128.to_le_bytes(),
        &3u128.to_le_bytes(),
        &4u64.to_le_bytes(),
        &5u128.to_le_bytes(),
        &[1, 8, 0, 0, 0],
        &[1, 6, 0, 0, 0],
        &[7, 0, 0, 0],
    ];
    assert_eq!(account.encode(), bytes.concat());
    assert_eq!(Account::decode(&mut &bytes.concat()[..]), Ok(account));
    let bytes = [
        &[3; 32][..],
        &[4; 32],
        &[1],
        &(-8i64).to_le_bytes(),
        &9u64.to_le_bytes(),
        &(1u64 << 31).to_le_bytes(),
        &11u128.to_le_bytes(),
        &12u128.to_le_bytes(),
        &13u128.to_le_bytes(),
        &14u128.to_le_bytes(),
        &15u64.to_le_bytes(),
        &[16, 0, 0, 0],
        &[17, 0, 0, 0],
        &(-18i64).to_le_bytes(),
        &[19, 0, 0, 0],
    ];
    assert_eq!(stored_settlement().encode(), bytes.concat());
    assert!(Round::<AccountId>::max_encoded_len() < 5_000);
    assert!(Submission::max_encoded_len() < 300);
}

/// A change of these hashes is a change of the stored layout: it needs a migration.
#[test]
fn stored_layouts_are_what_they_were() {
    let registration = Registration {
        roles: Roles::CONTRIBUTOR,
        stake: 400,
        unbonding: Some(Unbonding {
            amount: 100,
            until: 132,
        }),
    };
    let listed = Listed {
        account: account(2),
        stake: 3u128,
        offer: Offer {
            seats: 4,
            capacity: 5,
            sealed: true,
            tasks: vec![TASK].try_into().unwrap(),
        },
        held: Held { seats: 6, load: 7 },
        candidacies: 8,
        idle_since: 9,
    };
    let schedule = vec![(TaskId(1), 2u32), (TaskId(3), 4)];
    let seen = [
        fingerprint(registration.encode()),
        fingerprint(listed.encode()),
        fingerprint(stored_task().encode()),
        fingerprint(stored_seat().encode()),
        fingerprint(stored_settlement().encode()),
        fingerprint(stored_round().encode()),
        fingerprint(stored_submission().encode()),
        fingerprint(schedule.encode()),
    ];
    assert_eq!(
        seen,
        [
            "469515ab", "a03cd5b7", "4a215da3", "44ad0990", "8a3f2495", "08969e24", "1b6ee6cd",
            "8e0f08f9"
        ]
    );
}

/// Workers and tools decode these.
/// Workers read them out of proofs of the state, without metadata.
#[test]
fn stored_types_begin_as_proofs_of_them_are_read() {
    let task = StoredTask::decode(&mut &stored_task().encode()[..]).unwrap();
    assert_eq!(task.sponsor, account(1).encode()[..]);
    assert_eq!(task.terms, stored_task().terms);

    let (round, shard) = (stored_round(), stored_round().shard.unwrap());
    let read = |round: &Round<AccountId>| StoredRound::decode(&mut &round.encode()[..]).unwrap();
    assert_eq!(
        read(&round),
        StoredRound {
            phase: round.phase,
            started_at: round.started_at,
            phase_started_at: round.phase_started_at,
            ends_at: round.ends_at,
            base_root: round.base_root,
            departures: round.departures,
            commits: round.commits,
            newcomers: round.newcomers,
            reveals: round.reveals,
            weights: round.weights,
            shard: Some(StoredShard {
                index: shard.index,
                published_at: shard.published_at,
                key: shard.key,
                root: shard.root,
            }),
            entrants_root: round.entrants_root,
            draw: Some((1, [15; 32])),
            seed: round.seed,
        }
    );
    let inputs = round.inputs(TASK, ROUND);
    assert_eq!(read(&round).inputs(TASK, ROUND), Some(inputs));

    let commit = encoded(Call::commit_attestation {
        task: TASK,
        round: ROUND,
        commitment: [9; 32],
        inputs,
    });
    assert_eq!(commit[..2], COMMIT_ATTESTATION);
}

#[test]
fn views_are_what_they_were() {
    let graph = Graph::mlp(&[4, 3, 2]);
    let task = stored_task();
    let task_view = TaskView {
        id: TASK,
        sponsor: task.sponsor,
        terms: task.terms.clone(),
        state: task.state,
        graph: graph.clone(),
        master_root: [1; 32],
        opened_at: 2u32,
        round: ROUND,
        next_shard: 3,
        pool: 4,
        bond: 5,
        reserved: 6,
        paid: 7,
        parameters: 8,
        expires_at: Some(9),
    };
    let seat = SeatView {
        account: account(2),
        stake: 3,
        state: SeatState::Convicted,
        committed: true,
        claim: Some(share_claim()),
        table: Some(summary()),
        work_root: Some([4; 32]),
        audited: true,
        fee: 5,
    };
    let round = RoundView {
        task: TASK,
        round: ROUND,
        phase: Phase::Ended,
        phase_started_at: 1u32,
        started_at: 2,
        ends_at: 3,
        commits: 4,
        reveals: 5,
        base_root: [1; 32],
        shard: Some(ShardView {
            index: 6,
            published_at: 7,
            key: [2; 32],
            root: [3; 32],
        }),
        seed: Some([4; 32]),
        seats: vec![seat.clone()],
        redraws: 1,
        audit_seed: Some([5; 32]),
        open_disputes: 8,
        outcome: Some(Outcome::Settled),
        claim: Some(share_claim()),
        rate_q32: 9,
        fees: 10,
        pot: 11,
        paid: 12,
        released: 13,
        claims: 14,
        expires_at: Some(15),
        awaits_attesters: true,
    };
    let submission = SubmissionView {
        account: account(3),
        index: 1,
        weight: 2,
        is_proven: true,
        revealed: Some(RevealedView {
            record: entrant(),
            bytes: 3,
            at: 4u32,
        }),
        credit: Some(Credit {
            credit: 5,
            variance: 6,
        }),
        claimed: Some(claimed_credit()),
    };
    let states = [
        RewardState::Pending,
        RewardState::Claimable {
            credit: Some(Credit {
                credit: 5,
                variance: 6,
            }),
        },
        RewardState::Claimed(claimed_credit()),
        RewardState::Paid(2),
        RewardState::Nothing,
    ];
    let rewards = states.map(|state| RewardView {
        task: TASK,
        round: ROUND,
        kind: RewardKind::Attester,
        state,
    });
    let ledger = LedgerView {
        task: TASK,
        ledger: ledger_of_account(),
        doubt: 5,
        paid: 6u128,
        open: 7,
        next: Some(ROUND),
        is_proven: true,
    };
    let claimable = ClaimableView {
        task: TASK,
        rounds: vec![ROUND],
        pays: 7u128,
        until: Some(8u32),
        unknown: vec![RoundId(5)],
        unknown_until: Some(9),
    };
    let facts = RoundFacts {
        graph,
        terms: task.terms.share,
        base_root: [1; 32],
        hold_out: HoldOut::Sealed {
            key: [2; 32],
            root: [3; 32],
        },
        samples: 64,
        half_seed: [4; 32],
        entrants_root: [5; 32],
        entrants: 6,
    };
    let offer = OfferView {
        seats: 1,
        capacity: 2,
        sealed: true,
        tasks: vec![TASK],
        seats_held: 3,
        load_held: 4,
    };
    let seen = [
        fingerprint(offer.encode()),
        fingerprint(task_view.encode()),
        fingerprint(seat.encode()),
        fingerprint(round.encode()),
        fingerprint(submission.encode()),
        fingerprint(rewards.encode()),
        fingerprint(ledger.encode()),
        fingerprint(facts.encode()),
        fingerprint(claimable.encode()),
    ];
    assert_eq!(
        seen,
        [
            "0ade41a1", "d3568762", "b9a07933", "4544a0e9", "bcb1a357", "5397cb79", "ba69730b",
            "7606f36a", "d47f00b2"
        ]
    );
}
