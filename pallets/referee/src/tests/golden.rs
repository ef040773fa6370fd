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
    Opening, RoundId, TaskId,
};
use gotong_scoring::{
    trial::{Accusation, Answer, Pick, Shown, Statement, Step, Trial},
    Header, SumNode,
};

const DISPUTE: DisputeId = DisputeId(0x0506);
const TASK: TaskId = TaskId(0x0102);
const ROUND: RoundId = RoundId(0x0304);

fn hex(value: impl Encode) -> String {
    let bytes = value.encode();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// So many bytes that are all the same.
fn filled(byte: u8, count: usize) -> String {
    format!("{byte:02x}").repeat(count)
}

fn opening() -> Opening {
    let node = |byte, sum| SumNode {
        hash: [byte; 32],
        sum,
    };
    Opening {
        header: Header {
            samples: 1,
            base: node(2, 3),
            merged: node(4, 5),
            gain: 6,
            gain_se: 7,
            paid_gain: 8,
            master_root: [9; 32],
            similar_root: [10; 32],
        },
        rows: node(11, 12),
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
        accusation: Accusation::Header,
    };
    let accused = filled(9, 32);
    assert_eq!(
        call(open),
        format!("1500{}{}{accused}02", "02010000", "04030000")
    );
    let answer = Call::answer {
        dispute: DISPUTE,
        answer: Box::new(Answer::Tile(vec![1, 2, 3])),
    };
    assert_eq!(call(answer), "1501060500000c0c010203");
    let pick = |pick| Call::pick {
        dispute: DISPUTE,
        pick,
    };
    assert_eq!(call(pick(Pick::Nth(7))), "1502060500000007000000");
    let pair = Pick::Pair {
        earlier: 1,
        later: 2,
    };
    assert_eq!(call(pick(pair)), "150206050000010100000002000000");
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
        accusation: Accusation::Rows,
        deadline: 4,
    };
    let bond = format!("03{}", filled(0, 15));
    assert_eq!(event(opened), format!("1500{ids}{parties}{bond}0104000000"));
    let answered = Event::Answered {
        dispute,
        statement: Statement::Header,
        bytes: 5,
    };
    assert_eq!(event(answered), "1501060500000405000000");
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
        verdict: Verdict::Refuted(Step::Row { row: 8 }),
        reward: 9,
        answers: 10,
        bytes: 11,
    };
    let rest = format!(
        "000308000000{}{}",
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
        accusation: Accusation::Similar,
        opening: opening(),
        trial: Trial {
            statement: Statement::Header,
            shown: Some(Shown::Words(vec![4, -1])),
        },
        opened_at: 5,
        deadline: 6,
        answers: 7,
        picks: 8,
        bytes: 9,
    };
    let zeros = |count| filled(0, count);
    let sum = |hash, sum: u8| format!("{}{sum:02x}{}", filled(hash, 32), zeros(15));
    let header = [
        "01000000".to_owned(),
        sum(2, 3),
        sum(4, 5),
        format!("06{0}07{0}08{0}", zeros(7)),
        filled(9, 32) + &filled(10, 32),
    ]
    .concat();
    let expected = [
        "0201000004030000".to_owned(),
        filled(1, 32) + &filled(2, 32),
        format!("03{}00", zeros(15)),
        header,
        sum(11, 12),
        // The statement, and two words of what is shown.
        "04010608".to_owned() + "04000000" + "ffffffff",
        "0500000006000000070000000800000009000000".to_owned(),
    ];
    assert_eq!(hex(&dispute), expected.concat());
    let bytes = dispute.encode();
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
    verdict(Verdict::Refuted(Step::Header), "0004");
    verdict(Verdict::Unanswered, "01");
    verdict(Verdict::Moot, "05");
}

#[test]
fn what_is_stored_is_bounded() {
    // The longest that can be shown: the losses of two sides of a row.
    let longest = Dispute::<AccountId>::max_encoded_len();
    assert!((32 << 10..34 << 10).contains(&longest), "{longest} bytes");
    let verdicts = crate::MAX_VERDICTS as usize * closed(Verdict::Moot).encoded_size();
    assert!(verdicts < 16 << 10, "{verdicts} bytes");
}
