//! What an account still has to claim, in words and as JSON: what the chain knows about it, and what it does not.

use super::output::{Amount, SYMBOL};
use gotong_protocol::{view::ClaimableView, RoundId};
use serde_json::{json, Value};

/// The JSON; null if there is nothing.
pub fn json(view: Option<&ClaimableView>) -> Value {
    let numbers = |rounds: &[RoundId]| rounds.iter().map(|round| round.0).collect::<Vec<_>>();
    view.map_or(Value::Null, |view| {
        json!({
            "task": view.task.0,
            "pays": view.pays.to_string(),
            "rounds": numbers(&view.rounds),
            "until": view.until,
            "unknown_rounds": numbers(&view.unknown),
            "unknown_until": view.unknown_until,
        })
    })
}

/// A description in one line.
pub fn describe(view: Option<&ClaimableView>) -> String {
    let Some(view) = view else {
        return "nothing is left to claim".to_owned();
    };
    let known = match (view.pays, view.until) {
        _ if view.rounds.is_empty() => None,
        (0, _) => Some(format!("nothing is paid for {}", rounds(&view.rounds))),
        (pays, until) => Some(format!(
            "{} {SYMBOL} can be claimed for {}{}",
            Amount(pays),
            rounds(&view.rounds),
            before(until)
        )),
    };
    let unknown = (!view.unknown.is_empty()).then(|| {
        format!(
            "the chain does not know what is paid for {}, because nobody has published the credits: a replay shows it{}",
            rounds(&view.unknown),
            before(view.unknown_until)
        )
    });
    let parts: Vec<String> = known.into_iter().chain(unknown).collect();
    parts.join("; ")
}

fn rounds(rounds: &[RoundId]) -> String {
    let numbers: Vec<String> = rounds.iter().map(RoundId::to_string).collect();
    match numbers.as_slice() {
        [] => "no rounds".to_owned(),
        [one] => format!("round {one}"),
        [first, .., last] => format!("{} rounds from {first} to {last}", numbers.len()),
    }
}

fn before(block: Option<u32>) -> String {
    block.map_or(String::new(), |block| format!(", before block {block}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::TaskId;

    fn view(known: &[u32], pays: u128, unknown: &[u32]) -> ClaimableView {
        let rounds = |numbers: &[u32]| numbers.iter().copied().map(RoundId).collect();
        ClaimableView {
            task: TaskId(1),
            rounds: rounds(known),
            pays,
            until: (pays > 0).then_some(70),
            unknown: rounds(unknown),
            unknown_until: (!unknown.is_empty()).then_some(90),
        }
    }

    #[test]
    fn what_is_known_is_told_from_what_is_not() {
        assert_eq!(describe(None), "nothing is left to claim");
        let pays = 383_000_000_000;
        assert_eq!(
            describe(Some(&view(&[3, 4, 6], pays, &[]))),
            "0.383 GTG can be claimed for 3 rounds from 3 to 6, before block 70"
        );
        assert_eq!(
            describe(Some(&view(&[3], 0, &[]))),
            "nothing is paid for round 3"
        );
        let text = describe(Some(&view(&[3], pays, &[7, 8])));
        assert!(text.starts_with("0.383 GTG can be claimed for round 3, before block 70; "));
        assert!(
            text.contains("does not know what is paid for 2 rounds from 7 to 8"),
            "{text}"
        );
        assert!(text.ends_with("before block 90"), "{text}");
    }

    #[test]
    fn programs_read_the_same() {
        let json = super::json(Some(&view(&[3], 5, &[7])));
        assert_eq!(json["pays"], "5");
        assert_eq!(json["rounds"], json!([3]));
        assert_eq!(json["until"], 70);
        assert_eq!(json["unknown_rounds"], json!([7]));
        assert_eq!(super::json(None), Value::Null);
    }
}
