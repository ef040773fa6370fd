//! What each phase turns into.

use super::*;
use crate::bounds::MAX_REDRAWS;
use proptest::prelude::*;
use Transition::{Draw, End, Enter, Redraw, RollOn, Vacate};

const QUIET: Facts = Facts {
    drawing: false,
    commits: 0,
    may_commit: 4,
    has_attesters: true,
    given_up: false,
    reveals: 0,
    shard: ShardState::Awaited,
    was_drawn: true,
    seats: 3,
    quorum: 2,
    attestation_commits: 0,
    attestation_reveals: 0,
    has_tables: false,
    standing: 0,
    agreement: Agreement::Nothing,
    open_disputes: 0,
    crowded: false,
    convicted: false,
    may_redraw: true,
};

#[test]
fn golden_bytes() {
    assert_eq!(Phase::Commit.encode(), [0]);
    assert_eq!(Phase::Ended.encode(), [5]);
    assert_eq!(Outcome::NoReveals.encode(), [0]);
    assert_eq!(Outcome::Disputed.encode(), [4]);
    assert_eq!(SeatState::Sitting.encode(), [0]);
    assert_eq!(SeatState::Unaudited.encode(), [3]);
    let windows = Windows {
        commit_blocks: 1,
        reveal_blocks: 2,
        attest_blocks: 3,
        challenge_blocks: 4,
    };
    assert_eq!(
        windows.encode(),
        [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]
    );
}

#[test]
fn a_round_without_commits_rolls_on() {
    assert_eq!(next_phase(Phase::Commit, 9, 10, &QUIET), None);
    assert_eq!(next_phase(Phase::Commit, 10, 10, &QUIET), Some(RollOn));
    let nobody = Facts {
        may_commit: 0,
        ..QUIET
    };
    assert_eq!(next_phase(Phase::Commit, 9, 10, &nobody), None);
}

#[test]
fn commit_ends_early_when_all_committed() {
    let some = Facts {
        commits: 3,
        ..QUIET
    };
    assert_eq!(next_phase(Phase::Commit, 9, 10, &some), None);
    assert_eq!(
        next_phase(Phase::Commit, 10, 10, &some),
        Some(Enter(Phase::Reveal))
    );
    let all = Facts {
        commits: 4,
        ..QUIET
    };
    assert_eq!(
        next_phase(Phase::Commit, 1, 10, &all),
        Some(Enter(Phase::Reveal))
    );
}

/// What is revealed is spent.
#[test]
fn commit_does_not_end_without_attesters() {
    for commits in [1, 4] {
        let lacking = Facts {
            commits,
            has_attesters: false,
            ..QUIET
        };
        assert_eq!(next_phase(Phase::Commit, 9, 10, &lacking), None);
        assert_eq!(next_phase(Phase::Commit, 10, 10, &lacking), Some(RollOn));
    }
}

#[test]
fn what_is_given_up_ends_where_it_would_roll_on() {
    let given_up = Facts {
        given_up: true,
        ..QUIET
    };
    let lacking = Facts {
        commits: 4,
        has_attesters: false,
        ..given_up
    };
    for facts in [given_up, lacking] {
        assert_eq!(next_phase(Phase::Commit, 9, 10, &facts), None);
        let end = Some(End(Outcome::NoReveals));
        assert_eq!(next_phase(Phase::Commit, 10, 10, &facts), end);
    }
    let goes_on = Facts {
        commits: 1,
        ..given_up
    };
    assert_eq!(
        next_phase(Phase::Commit, 10, 10, &goes_on),
        Some(Enter(Phase::Reveal))
    );
}

#[test]
fn reveal_needs_shard_and_deltas() {
    use ShardState::{Awaited, Published};
    let at = |now, reveals, shard| next_phase(Phase::Reveal, now, 10, &revealed(reveals, shard));
    assert_eq!(at(9, 2, Awaited), None);
    assert_eq!(at(9, 1, Published), Some(Enter(Phase::AttestCommit)));
    assert_eq!(at(9, 2, Published), Some(Enter(Phase::AttestCommit)));
    assert_eq!(at(10, 1, Published), Some(Enter(Phase::AttestCommit)));
    assert_eq!(at(10, 0, Published), Some(End(Outcome::NoReveals)));
    assert_eq!(at(10, 2, Awaited), Some(End(Outcome::ShardMissed)));
    // Nobody asked for it.
    assert_eq!(at(10, 0, Awaited), Some(End(Outcome::NoReveals)));
}

fn revealed(reveals: u32, shard: ShardState) -> Facts {
    Facts {
        commits: 2,
        reveals,
        shard,
        ..QUIET
    }
}

#[test]
fn reveal_of_a_drawn_round_needs_deltas_only() {
    let at = |now, reveals| {
        let facts = revealed(reveals, ShardState::NotNeeded);
        next_phase(Phase::Reveal, now, 10, &facts)
    };
    assert_eq!(at(9, 1), None);
    assert_eq!(at(9, 2), Some(Enter(Phase::AttestCommit)));
    assert_eq!(at(10, 1), Some(Enter(Phase::AttestCommit)));
    assert_eq!(at(9, 0), None);
    assert_eq!(at(10, 0), Some(End(Outcome::NoReveals)));
}

#[test]
fn attestation_needs_its_quorum() {
    let drawn = |seats, attestation_commits| Facts {
        seats,
        attestation_commits,
        ..QUIET
    };
    let at = |now, facts| next_phase(Phase::AttestCommit, now, 10, &facts);
    assert_eq!(at(9, drawn(3, 2)), None);
    assert_eq!(at(9, drawn(3, 3)), Some(Enter(Phase::AttestReveal)));
    assert_eq!(at(10, drawn(3, 2)), Some(Enter(Phase::AttestReveal)));
    // Others may be drawn, as long as there is a draw left.
    assert_eq!(at(10, drawn(3, 1)), Some(Redraw));
}

/// Accomplices could sit down and do nothing, or withdraw before a new draw, to end a round whose deltas they like.
#[test]
fn seats_that_do_nothing_are_given_back_as_long_as_no_table_is_shown() {
    let at = |now, facts: &Facts| next_phase(Phase::AttestCommit, now, 10, facts);
    let drawn_too_few = Facts { seats: 1, ..QUIET };
    assert_eq!(at(1, &drawn_too_few), Some(Vacate));
    let spent = Facts {
        attestation_commits: 1,
        may_redraw: false,
        ..QUIET
    };
    assert_eq!(at(9, &spent), None);
    assert_eq!(at(10, &spent), Some(Vacate));
    for facts in [drawn_too_few, spent] {
        // An attester that showed its table would hold its seat all that time; or nobody came for too long.
        let shown = Facts {
            has_tables: true,
            ..facts
        };
        let given_up = Facts {
            given_up: true,
            ..facts
        };
        for facts in [shown, given_up] {
            assert_eq!(at(10, &facts), Some(End(Outcome::Unattested)));
        }
    }
}

/// Attesters may be busy or step back after the deltas are public.
#[test]
fn a_round_without_seats_waits_until_it_is_given_up() {
    let at = |now, given_up| {
        let facts = Facts {
            was_drawn: false,
            seats: 0,
            given_up,
            ..QUIET
        };
        next_phase(Phase::AttestCommit, now, 10, &facts)
    };
    for now in [1, 10, 99] {
        assert_eq!(at(now, false), Some(Draw));
    }
    // Even then it has a whole window to find somebody.
    assert_eq!(at(9, true), Some(Draw));
    assert_eq!(at(10, true), Some(End(Outcome::Unattested)));
}

#[test]
fn reveals_at_quorum_are_challenged_equal_or_not() {
    let facts = |attestation_reveals, agreement| Facts {
        attestation_commits: 3,
        attestation_reveals,
        agreement,
        ..QUIET
    };
    let at = |now, facts| next_phase(Phase::AttestReveal, now, 10, &facts);
    assert_eq!(at(9, facts(2, Agreement::Differs)), None);
    for agreement in [Agreement::Same, Agreement::Differs] {
        assert_eq!(at(9, facts(3, agreement)), Some(Enter(Phase::Challenge)));
        assert_eq!(at(10, facts(2, agreement)), Some(Enter(Phase::Challenge)));
        assert_eq!(at(10, facts(1, agreement)), Some(Redraw));
        let spent = Facts {
            may_redraw: false,
            ..facts(1, agreement)
        };
        assert_eq!(at(10, spent), Some(End(Outcome::Unattested)));
    }
    assert_eq!(next_phase(Phase::Ended, 10, 10, &QUIET), None);
}

#[test]
fn what_stands_after_the_challenge_decides() {
    let at = |now, facts: Facts| next_phase(Phase::Challenge, now, 10, &facts);
    let stand = |standing, agreement| Facts {
        seats: standing,
        standing,
        agreement,
        ..QUIET
    };
    let spent = |facts| Facts {
        may_redraw: false,
        ..facts
    };
    let convicted = |facts| Facts {
        convicted: true,
        ..facts
    };
    let (none, one, two, differ) = (
        stand(0, Agreement::Nothing),
        stand(1, Agreement::Same),
        stand(2, Agreement::Same),
        stand(2, Agreement::Differs),
    );
    assert_eq!(at(9, two), None);
    assert_eq!(at(10, two), Some(End(Outcome::Settled)));
    assert_eq!(at(10, differ), Some(End(Outcome::Disputed)));
    assert_eq!(at(10, convicted(differ)), Some(End(Outcome::Disputed)));
    for short in [none, one, convicted(none), convicted(one)] {
        assert_eq!(at(9, short), None);
        assert_eq!(at(10, short), Some(Redraw));
    }
    assert_eq!(at(10, spent(one)), Some(End(Outcome::Unattested)));
    assert_eq!(
        at(10, spent(convicted(none))),
        Some(End(Outcome::Unattested))
    );
    assert_eq!(at(10, spent(convicted(one))), Some(End(Outcome::Settled)));
}

#[test]
fn an_open_dispute_holds_the_challenge_open() {
    for agreement in [Agreement::Same, Agreement::Differs] {
        let open = Facts {
            standing: 3,
            agreement,
            open_disputes: 1,
            ..QUIET
        };
        assert_eq!(next_phase(Phase::Challenge, u32::MAX, 10, &open), None);
    }
}

#[test]
fn after_a_conviction_fewer_than_the_quorum_go_on() {
    let after = |attesters, may_redraw| Facts {
        seats: attesters,
        attestation_commits: attesters,
        attestation_reveals: attesters,
        has_tables: true,
        convicted: true,
        may_redraw,
        ..QUIET
    };
    let steps = [
        (Phase::AttestCommit, Phase::AttestReveal),
        (Phase::AttestReveal, Phase::Challenge),
    ];
    for (phase, next) in steps {
        let at = |facts| next_phase(phase, 10, 10, &facts);
        assert_eq!(at(after(1, false)), Some(Enter(next)));
        assert_eq!(at(after(0, true)), Some(Enter(next)));
        assert_eq!(at(after(0, false)), Some(End(Outcome::Unattested)));
    }
}

fn facts() -> impl Strategy<Value = Facts> {
    use ShardState::{Awaited, NotNeeded, Published};
    let shards = vec![NotNeeded, Awaited, Published];
    let agreement = prop::sample::select(vec![Agreement::Same, Agreement::Differs]);
    (
        (0..6u32, 0..6u32, 0..6u32, prop::sample::select(shards)),
        (0..5u32, 1..5u32, 0..5u32, 0..5u32),
        (0..5u32, agreement, 0..2u32),
        any::<[bool; 7]>(),
    )
        .prop_map(
            |(
                (commits, may_commit, reveals, shard),
                (seats, quorum, attestation_commits, attestation_reveals),
                (standing, agreement, open_disputes),
                [crowded, convicted, may_redraw, has_attesters, given_up, was_drawn, has_tables],
            )| {
                let attestation_commits = attestation_commits.min(seats);
                let attestation_reveals = attestation_reveals.min(attestation_commits);
                let standing = standing.min(attestation_reveals);
                let agreement = match standing {
                    0 => Agreement::Nothing,
                    1 => Agreement::Same,
                    _ => agreement,
                };
                Facts {
                    drawing: false,
                    commits,
                    may_commit,
                    has_attesters,
                    given_up,
                    reveals: reveals.min(commits),
                    shard,
                    was_drawn,
                    seats,
                    quorum,
                    attestation_commits,
                    attestation_reveals,
                    has_tables: has_tables || convicted || attestation_reveals > 0,
                    standing,
                    agreement,
                    open_disputes,
                    crowded,
                    convicted,
                    may_redraw,
                }
            },
        )
}

fn phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![
        Phase::Commit,
        Phase::Reveal,
        Phase::AttestCommit,
        Phase::AttestReveal,
        Phase::Challenge,
    ])
}

proptest! {
    #[test]
    fn an_over_phase_always_moves_and_only_forward(
        phase in phase(), now: u32, late in 0..9u32, facts in facts(),
    ) {
        let ends_at = now.saturating_sub(late);
        match next_phase(phase, now, ends_at, &facts) {
            None => prop_assert!(phase == Phase::Challenge && facts.open_disputes > 0),
            Some(Enter(next)) => prop_assert!(next > phase),
            Some(RollOn) => {
                prop_assert!(phase == Phase::Commit && !facts.given_up);
                prop_assert!(facts.commits == 0 || !facts.has_attesters);
            }
            Some(Redraw) => prop_assert!(phase >= Phase::AttestCommit && facts.may_redraw),
            Some(Draw) => {
                prop_assert!(phase == Phase::AttestCommit && !facts.was_drawn);
                prop_assert!(!facts.given_up, "its last window is over");
            }
            Some(Vacate) => {
                prop_assert!(phase == Phase::AttestCommit && facts.was_drawn);
                prop_assert!(!facts.given_up && !facts.has_tables);
            }
            Some(End(outcome)) if phase == Phase::Commit => {
                prop_assert!(facts.given_up && outcome == Outcome::NoReveals);
            }
            Some(End(_)) => {}
        }
    }

    #[test]
    fn settling_takes_a_challenge_window_and_claims_that_agree(
        phase in phase(), now in 0..20u32, ends_at in 0..20u32, facts in facts(),
    ) {
        match next_phase(phase, now, ends_at, &facts) {
            Some(End(Outcome::Settled)) => {
                prop_assert!(phase == Phase::Challenge && now >= ends_at);
                prop_assert!(facts.open_disputes == 0 && facts.standing > 0);
                prop_assert!(!facts.crowded);
                prop_assert_eq!(facts.agreement, Agreement::Same);
                let withstood = facts.convicted && !facts.may_redraw;
                prop_assert!(facts.standing >= facts.quorum || withstood);
            }
            Some(Enter(Phase::Challenge)) => {
                prop_assert!(facts.attestation_reveals >= facts.quorum || facts.convicted);
            }
            Some(Enter(Phase::Reveal)) => {
                prop_assert!(facts.commits > 0 && facts.has_attesters);
            }
            Some(Enter(Phase::AttestCommit)) => {
                prop_assert!(facts.shard != ShardState::Awaited && facts.reveals > 0);
            }
            Some(End(Outcome::Disputed)) => {
                prop_assert!(phase == Phase::Challenge && facts.open_disputes == 0);
                prop_assert!(facts.agreement == Agreement::Differs || facts.crowded);
            }
            _ => {}
        }
    }

    /// While chance has still to decide, nothing ends.
    #[test]
    fn a_draw_is_waited_for(phase in phase(), now: u32, ends_at: u32, facts in facts()) {
        let facts = Facts { drawing: true, ..facts };
        prop_assert_eq!(next_phase(phase, now, ends_at, &facts), None);
    }

    /// Whatever ends a phase early would also end it at any other time before its window is over.
    #[test]
    fn time_only_ever_ends_a_phase(
        phase in phase(), now in 0..20u32, ends_at in 0..20u32, facts in facts(),
    ) {
        if now < ends_at {
            // A draw ends nothing.
            let early = next_phase(phase, now, ends_at, &facts).filter(|early| *early != Draw);
            if let Some(early) = early {
                prop_assert_eq!(Some(early), next_phase(phase, ends_at, ends_at, &facts));
            }
        }
    }

    /// Every round ends, whatever anyone does, once somebody has committed and all disputes have been decided.
    #[test]
    fn every_round_ends(seen in prop::collection::vec((facts(), any::<bool>()), 64)) {
        let (mut phase, mut redraws, mut ended) = (Phase::Reveal, 0, None);
        let mut steps = 0;
        for (facts, somebody) in seen {
            let facts = Facts {
                open_disputes: 0,
                may_redraw: redraws < MAX_REDRAWS,
                // Or else it waits until it is given up.
                was_drawn: true,
                given_up: true,
                ..facts
            };
            match next_phase(phase, 10, 10, &facts) {
                Some(Enter(next)) => phase = next,
                Some(Redraw) if somebody => {
                    redraws += 1;
                    phase = Phase::AttestCommit;
                }
                Some(Redraw) => redraws = MAX_REDRAWS,
                Some(End(outcome)) => {
                    ended = Some(outcome);
                    break;
                }
                None | Some(RollOn | Draw | Vacate) => prop_assert!(false, "stuck in {phase:?}"),
            }
            steps += 1;
        }
        // Reveal, then three phases for each draw; the last draw may find nobody.
        prop_assert!(ended.is_some() && steps <= 1 + 3 * (1 + usize::from(MAX_REDRAWS)));
    }
}
