//! Bytes that others rely on: workers find calls in block bodies, and state outlives an upgrade.

use super::lab::*;
use crate::{
    attestation::RevealedTable, mock::*, rewards::Settlement, rounds::Inputs, tasks::Purse, Call,
    Registrations, Rounds, Schedule, Submissions,
};
use codec::Encode;
use frame_support::assert_ok;
use gotong_protocol::{HoldOutTerms, Opening, RevealRecord, Roles, RoundClaim, RoundId, TaskId};
use gotong_scoring::{blake2_256, Header, SumNode};

const TASK: TaskId = TaskId(0x0102);
const ROUND: RoundId = RoundId(0x0304);
const IDS: [u8; 8] = [2, 1, 0, 0, 4, 3, 0, 0];

fn encoded(call: Call<Test>) -> Vec<u8> {
    RuntimeCall::Contribution(call).encode()
}

fn opening() -> Opening {
    let losses = SumNode {
        hash: [14; 32],
        sum: 16,
    };
    Opening {
        header: Header {
            samples: 17,
            base: losses,
            merged: losses,
            gain: 18,
            gain_se: 19,
            paid_gain: 20,
            master_root: [15; 32],
            similar_root: [16; 32],
        },
        rows: losses,
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
        },
        Call::reveal_attestation {
            task: TASK,
            round: ROUND,
            opening: opening(),
            work_root: hash,
            salt: SALT,
        },
    ];
    let audits = Call::answer_audits {
        task: TASK,
        round: ROUND,
        answers: Default::default(),
    };
    let indices = (7u8..12).chain([13]);
    for (call, index) in in_round.into_iter().chain([audits]).zip(indices) {
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
            terms: Lab::default().terms(),
            graph: Default::default(),
            weights: Default::default(),
            pool: amount,
        },
        Call::top_up { task: TASK, amount },
        Call::close_task { task: TASK },
    ];
    for (call, index) in calls.into_iter().zip(0u8..) {
        assert_eq!(encoded(call)[..2], [20, index]);
    }
    let claim = Call::claim {
        items: Default::default(),
    };
    assert_eq!(encoded(claim), [20, 12, 0]);
}

/// A change of these hashes is a change of the stored layout: it needs a migration.
#[test]
fn stored_layouts_are_what_they_were() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(3, 4);
        let id = lab.open();
        let table = lab.play(id, 2);
        let first = RoundId(0);
        assert_ok!(claim(&contributor(0), id, first, &table, 0));
        assert_ok!(Contribution::unstake(signed(&contributor(2)), 100));
        // What depends on scores is fixed, so that only a layout changes the hashes.
        let mut registration = Registrations::<Test>::get(contributor(2));
        registration
            .as_mut()
            .unwrap()
            .unbonding
            .as_mut()
            .unwrap()
            .until = 132;
        let mut task = task(id);
        task.master_root = [1; 32];
        task.terms.hold_out = HoldOutTerms::Sealed {
            root: [2; 32],
            shards: 4,
            samples: 8,
        };
        task.purse = Purse {
            deposited: 1,
            pool: 2,
            unclaimed: 3,
            claimed: 4,
            fees: 5,
            returned: 6,
            bond: 7,
        };
        let mut round = Rounds::<Test>::get(id, first).unwrap();
        let claim = RoundClaim {
            table_root: [3; 32],
            paid_gain: 8,
            shares_sum: 9,
            master_root: [4; 32],
        };
        round.base_root = [5; 32];
        round.shard.as_mut().unwrap().root = [6; 32];
        round.inputs = Some(Inputs {
            reveals_root: [10; 32],
            median_norm: 15,
        });
        round.audit_seed = Some([11; 32]);
        for seat in &mut round.seats {
            seat.commitment = Some([7; 32]);
            seat.revealed = Some(RevealedTable {
                opening: opening(),
                work_root: [12; 32],
            });
            seat.audited = true;
            seat.fee = 10;
        }
        round.settlement = Some(Settlement {
            claim,
            pot: 11,
            fees: 12,
            claimed: 13,
        });
        let mut submission = Submissions::<Test>::get((id, first), contributor(0)).unwrap();
        submission.commitment = [8; 32];
        submission.claimed = Some(14);
        submission.revealed.as_mut().unwrap().record = RevealRecord {
            delta_hash: [9; 32],
            delta_root: [13; 32],
            weight: 21,
            square_norm: 22,
        };
        let fingerprint = |bytes: Vec<u8>| hex(&blake2_256(&[&bytes])[..4]);
        let seen = [
            fingerprint(registration.encode()),
            fingerprint(task.encode()),
            fingerprint(round.encode()),
            fingerprint(submission.encode()),
            fingerprint(Schedule::<Test>::get().encode()),
        ];
        assert_eq!(
            seen,
            ["7744bf96", "7f05aee0", "e492cafa", "ac78a25f", "5f104855"]
        );
    });
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
