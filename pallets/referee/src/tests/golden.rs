//! Bytes that others rely on: workers make calls and read events, and state outlives an upgrade.

use crate::{
    disputes::{Dispute, Party},
    mock::*,
    Call, Event, HoldReason, UnexpectedKind,
};
use codec::{Decode, Encode, MaxEncodedLen};
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    id::DisputeId,
    stored::{StoredDispute, OPEN_DISPUTE, PICK_IN_DISPUTE},
    RoundId, TableSummary, TaskId,
};
use gotong_scoring::{
    share::{
        table::{Fall, Members, MergeSummary, PassSummary, PaySummary, RowSums},
        trial::{Accusation, Answer, Pick, Shown, Statement, Step, Trial},
        Half, Stage,
    },
    trial::{self as loss, Side},
    Node, SumNode,
};

const DISPUTE: DisputeId = DisputeId(0x0506);
const TASK: TaskId = TaskId(0x0102);
const ROUND: RoundId = RoundId(0x0304);

fn hex(value: impl Encode) -> String {
    let bytes = value.encode();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// This many bytes, all the same.
fn filled(byte: u8, count: usize) -> String {
    format!("{byte:02x}").repeat(count)
}

fn table() -> TableSummary {
    let node = |byte, sum| SumNode {
        hash: [byte; 32],
        sum,
    };
    let rows = |byte| Node {
        hash: [byte; 32],
        sum: RowSums {
            weight: 1,
            below: 2,
            upto: 3,
            bad: 4,
            value: 5,
            magnitude: 6,
        },
    };
    let fall = |byte| Fall {
        before: node(byte, 7),
        after: node(byte + 1, 8),
        standard_error: 9,
    };
    let pass = PassSummary {
        members: Members::of(&[true, false, true]),
        median_norm: 10,
        last_dropped: Some(11),
        midpoint: [12; 32],
        gradients: [13; 32],
        rows: rows(14),
    };
    TableSummary {
        passes: vec![pass].into(),
        merge: Some(MergeSummary {
            weights: [15; 32],
            on_a: fall(16),
            pay: Some(PaySummary {
                on_b: fall(18),
                gradients: [20; 32],
                rows: rows(21),
            }),
        }),
    }
}

fn closed(verdict: Verdict) -> ClosedDispute<AccountId, Balance, u32> {
    ClosedDispute {
        id: DISPUTE,
        task: TASK,
        round: ROUND,
        accused: account(1),
        challenger: account(2),
        verdict,
        reward: 3,
        opened_at: 4,
        ended_at: 5,
        answers: 6,
        picks: 7,
        bytes: 8,
    }
}

#[test]
fn calls() {
    let call = |call: Call<Test>| hex(RuntimeCall::Referee(call));
    let open = Call::open {
        task: TASK,
        round: ROUND,
        accused: account(9),
        accusation: Accusation::Rows(Stage::Pass(3)),
    };
    let accused = filled(9, 32);
    assert_eq!(hex(OPEN_DISPUTE), "1500");
    assert_eq!(
        call(open),
        format!("1500{}{}{accused}000003", "02010000", "04030000")
    );
    let answer = Call::answer {
        dispute: DISPUTE,
        answer: Box::new(Answer::Loss(loss::Answer::Tile(vec![1, 2, 3]))),
    };
    assert_eq!(call(answer), "1501060500000d020c010203");
    let pick = |pick| Call::pick {
        dispute: DISPUTE,
        pick,
    };
    assert_eq!(hex(PICK_IN_DISPUTE), "1502");
    assert_eq!(call(pick(Pick::Nth(7))), "1502060500000007000000");
    let sample = Pick::Sample {
        of: Side::Merged,
        nth: 2,
    };
    assert_eq!(call(pick(sample)), "150206050000010102000000");
}

#[test]
fn events() {
    let event = |event: Event<Test>| hex(RuntimeEvent::Referee(event));
    let (dispute, task, round) = (DISPUTE, TASK, ROUND);
    let (accused, challenger) = (account(1), account(2));
    let ids = "060500000201000004030000";
    let parties = filled(1, 32) + &filled(2, 32);
    let opened = Event::DisputeOpened {
        dispute,
        task,
        round,
        accused: accused.clone(),
        challenger: challenger.clone(),
        bond: 3,
        accusation: Accusation::Losses(Half::B),
        deadline: 4,
    };
    let bond = format!("03{}", filled(0, 15));
    assert_eq!(
        event(opened),
        format!("1500{ids}{parties}{bond}040104000000")
    );
    let answered = Event::Answered {
        dispute,
        statement: Statement::Gradients(Stage::Pay),
        bytes: 5,
    };
    assert_eq!(event(answered), "150106050000040105000000");
    let picked = Event::Picked {
        dispute,
        pick: Pick::Nth(6),
        deadline: 7,
    };
    assert_eq!(event(picked), "150206050000000600000007000000");
    let closed = Event::DisputeClosed {
        dispute,
        task,
        round,
        accused,
        challenger,
        verdict: Verdict::Refuted(Step::Row(Stage::Pay, 8)),
        reward: 9,
        answers: 10,
        bytes: 11,
    };
    let rest = format!(
        "00000108000000{}{}",
        "09".to_owned() + &filled(0, 15),
        "0a0000000b000000"
    );
    assert_eq!(event(closed), format!("1503{ids}{parties}{rest}"));
    let unexpected = |kind| event(Event::Unexpected { kind });
    let missing = unexpected(UnexpectedKind::DisputeMissing(DISPUTE));
    assert_eq!(missing, "15040006050000");
    let reason = HoldReason::DisputeBond;
    assert_eq!(unexpected(UnexpectedKind::HoldTooSmall(reason)), "15040100");
    assert_eq!(
        unexpected(UnexpectedKind::ReleaseFailed(reason)),
        "15040200"
    );
    assert_eq!(hex(RuntimeHoldReason::Referee(reason)), "1500");
}

/// A change of these bytes is a change of the stored layout: it needs a migration.
#[test]
fn stored_layouts_are_what_they_were() {
    let dispute = Dispute {
        task: TASK,
        round: ROUND,
        accused: account(1),
        challenger: account(2),
        bond: 3,
        accusation: Accusation::Row(Stage::Pass(2), 4),
        table: table(),
        trial: Trial {
            statement: Statement::Losses(Half::A),
            shown: Some(Shown::Losses([vec![4], vec![5, 6]])),
        },
        opened_at: 5,
        deadline: 6,
        answers: 7,
        picks: 8,
        bytes: 9,
    };
    let zeros = |count| filled(0, count);
    let sum = |hash, sum: u8| format!("{}{sum:02x}{}", filled(hash, 32), zeros(15));
    let number = |value: u8| format!("{value:02x}{}", zeros(7));
    let rows = |hash| {
        let sums = [number(1), number(2), number(3)].concat() + "04000000" + &number(5);
        filled(hash, 32) + &sums + &number(6)
    };
    let fall = |hash| [sum(hash, 7), sum(hash + 1, 8), number(9)].concat();
    let pass = [
        // Members 0 and 2, in one byte.
        "0405".to_owned(),
        number(10),
        "010b000000".to_owned(),
        filled(12, 32) + &filled(13, 32),
        rows(14),
    ];
    let merge = [
        "01".to_owned() + &filled(15, 32),
        fall(16),
        "01".to_owned() + &fall(18),
        filled(20, 32) + &rows(21),
    ];
    let expected = [
        "0201000004030000".to_owned(),
        filled(1, 32) + &filled(2, 32),
        format!("03{}", zeros(15)),
        "01000204000000".to_owned(),
        "04".to_owned() + &pass.concat(),
        merge.concat(),
        // The statement, and three losses that are shown.
        "0a000109".to_owned() + "0404000000" + "080500000006000000",
        "0500000006000000070000000800000009000000".to_owned(),
    ];
    assert_eq!(hex(&dispute), expected.concat());
    let bytes = dispute.encode();
    // Workers read it out of proofs of the state, without metadata.
    let read = StoredDispute::decode(&mut &bytes[..]).unwrap();
    let position = (&dispute.table, &dispute.trial, dispute.moves());
    assert_eq!(read.position(), position);
    assert_eq!((read.task, read.round), (TASK, ROUND));
    assert_eq!([read.accused, read.challenger], [[1; 32], [2; 32]]);
    assert_eq!(Dispute::decode(&mut &bytes[..]), Ok(dispute));
    assert!(bytes.len() < Dispute::<AccountId>::max_encoded_len());

    let party = Party {
        dispute: DISPUTE,
        accused: account(1),
        challenger: account(2),
    };
    let parties = filled(1, 32) + &filled(2, 32);
    assert_eq!(hex(party), format!("06050000{parties}"));
    let verdict = |verdict, index: &str| {
        let ids = "060500000201000004030000";
        let numbers = "0400000005000000060000000700000008000000";
        let expected = format!("{ids}{parties}{index}03{}{numbers}", zeros(15));
        assert_eq!(hex(closed(verdict)), expected);
    };
    verdict(Verdict::Refuted(Step::Losses(Half::B)), "000501");
    verdict(Verdict::Unanswered, "01");
    verdict(Verdict::Moot, "05");
}

#[test]
fn what_is_stored_is_bounded() {
    // The longest that can be shown: the nodes of the rows' tree.
    let longest = Dispute::<AccountId>::max_encoded_len();
    assert!((20 << 10..24 << 10).contains(&longest), "{longest} bytes");
    let verdicts = crate::MAX_VERDICTS as usize * closed(Verdict::Moot).encoded_size();
    assert!(verdicts < 16 << 10, "{verdicts} bytes");
}
