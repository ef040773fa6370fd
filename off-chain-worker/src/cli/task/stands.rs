//! The state of a round, and what an account has to do, in words.

use gotong_protocol::{
    view::{DutyKind, RoundView},
    Phase,
};

/// What an account has to do, in words.
pub(in crate::cli) fn describe_duty(duty: DutyKind) -> &'static str {
    match duty {
        DutyKind::Commit => "commit to a delta",
        DutyKind::Reveal => "reveal the delta",
        DutyKind::PublishShard => "publish the shard",
        DutyKind::CommitAttestation => "commit to a table",
        DutyKind::RevealAttestation => "reveal the table",
        DutyKind::Claim => "claim",
        DutyKind::AnswerAudits => "answer audits",
    }
}

/// The state of a round.
pub(in crate::cli) fn stands(round: &RoundView) -> String {
    match round.outcome {
        Some(outcome) => format!("{outcome:?}"),
        None if round.phase == Phase::Ended => "Ended".to_owned(),
        // In Commit the chain does not say which; see the end of `lasts`.
        None if round.awaits_attesters && round.phase == Phase::Commit => {
            "Commit: too few attesters have room, or the task expires soon".to_owned()
        }
        None if round.awaits_attesters => format!("{:?}: too few attesters offer", round.phase),
        None if is_drawing(round) && round.phase == Phase::AttestCommit => {
            "AttestCommit, drawing attesters".to_owned()
        }
        None if is_drawing(round) => format!("{:?}, drawing audits", round.phase),
        None => format!("{:?} to block {}", round.phase, round.ends_at),
    }
}

/// Whether chance still has to decide what a phase is about, after which its window begins. A new draw of seats is not reported.
fn is_drawing(round: &RoundView) -> bool {
    match round.phase {
        Phase::AttestCommit => !round.has_samples(),
        Phase::Challenge => round.audit_seed.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;

    #[test]
    fn a_draw_is_told_and_not_an_end_that_it_puts_off() {
        let seed = Some([1; 32]);
        let round = |phase, seed, audit_seed| RoundView {
            phase,
            seed,
            audit_seed,
            ..views::round()
        };
        let told = |round| stands(&round);
        let lacking = |phase, seed| RoundView {
            awaits_attesters: true,
            ..round(phase, seed, None)
        };
        assert_eq!(
            told(lacking(Phase::Commit, None)),
            "Commit: too few attesters have room, or the task expires soon"
        );
        for seed in [None, seed] {
            assert_eq!(
                told(lacking(Phase::AttestCommit, seed)),
                "AttestCommit: too few attesters offer"
            );
        }
        assert_eq!(
            told(round(Phase::AttestCommit, None, None)),
            "AttestCommit, drawing attesters"
        );
        assert_eq!(
            told(round(Phase::AttestCommit, seed, None)),
            "AttestCommit to block 4"
        );
        assert_eq!(
            told(round(Phase::AttestReveal, seed, None)),
            "AttestReveal to block 4"
        );
        assert_eq!(
            told(round(Phase::Challenge, seed, None)),
            "Challenge, drawing audits"
        );
        assert_eq!(
            told(round(Phase::Challenge, seed, seed)),
            "Challenge to block 4"
        );
    }
}
