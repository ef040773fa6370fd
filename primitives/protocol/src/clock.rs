//! The round clock: when a phase ends, and what comes after it. Pure: no storage, no time but
//! what it is told.
//!
//! ```text
//! Commit -> Reveal -> AttestCommit -> AttestReveal -> Challenge -> Settled
//!   |         |         |     ^         |                 |  |
//!   +-> rolls on        |     |         |                 |  +-> Unattested | Disputed
//!             |         |     +---- redraws --------------+
//!             |         +-> Unattested  +-> Unattested
//!             +-> NoReveals | ShardMissed
//! ```
//!
//! A phase ends when its window is over, or as soon as nobody who may act in it is left. Challenge
//! lasts all of its window, and on until no dispute is open; then what stands decides. Where too
//! few stand, seats are drawn anew, at most [`bounds::MAX_REDRAWS`](crate::bounds::MAX_REDRAWS)
//! times.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What may be done in a round now.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
)]
pub enum Phase {
    /// Contributors commit to hidden deltas.
    Commit,
    /// Contributors reveal their deltas, the sponsor publishes the shard if there is one.
    Reveal,
    /// Drawn attesters commit to hidden score tables.
    AttestCommit,
    /// Attesters reveal what they claim, and the top of their tables.
    AttestReveal,
    /// Attesters answer their audits, and anybody may dispute a table.
    Challenge,
    /// The round has an outcome.
    Ended,
}

/// The longest that each phase lasts, in blocks.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
)]
pub struct Windows {
    /// Commit.
    pub commit_blocks: u32,
    /// Reveal.
    pub reveal_blocks: u32,
    /// Each of the two attestation phases.
    pub attest_blocks: u32,
    /// Challenge.
    pub challenge_blocks: u32,
}

impl Windows {
    /// Blocks that `phase` lasts at most; an ended round lasts none.
    pub fn of(&self, phase: Phase) -> u32 {
        match phase {
            Phase::Commit => self.commit_blocks,
            Phase::Reveal => self.reveal_blocks,
            Phase::AttestCommit | Phase::AttestReveal => self.attest_blocks,
            Phase::Challenge => self.challenge_blocks,
            Phase::Ended => 0,
        }
    }

    /// Every window, once.
    pub fn all(&self) -> [u32; 4] {
        [
            self.commit_blocks,
            self.reveal_blocks,
            self.attest_blocks,
            self.challenge_blocks,
        ]
    }
}

/// How a round ended.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
)]
pub enum Outcome {
    /// Nobody revealed what was committed.
    NoReveals,
    /// The sponsor did not publish the shard.
    ShardMissed,
    /// Fewer attesters than the quorum were there to be drawn, committed, revealed, or still stood
    /// after the challenge.
    Unattested,
    /// All claims that stand are equal and at quorum, or below it the only ones that withstood a
    /// challenge; pays the improvement, if there is one.
    Settled,
    /// Different claims stand, for nobody disputed them, or there was never room for all disputes:
    /// pays nobody.
    Disputed,
}

/// Where a seat of a round stands.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
)]
pub enum SeatState {
    /// It counts.
    Sitting,
    /// Put out: its attester did not commit, or not reveal.
    Missed,
    /// Put out: its table was wrong, or not defended.
    Convicted,
    /// Put out: its attester did not answer its audits, or lost its stake in another round.
    Unaudited,
}

/// Whether the claims that stand are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// No claim stands.
    Nothing,
    /// One claim, or several that are equal.
    Same,
    /// At least two that differ.
    Differs,
}

/// How far a round's shard has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShardState {
    /// The round's samples are drawn from a pool, once nothing more is revealed.
    NotNeeded,
    /// The sponsor has not published it.
    Awaited,
    /// The sponsor published it; nothing more is revealed.
    Published,
}

/// What the clock has to know of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Contributors who committed.
    pub commits: u32,
    /// Most contributors who could have.
    pub may_commit: u32,
    /// Contributors who revealed.
    pub reveals: u32,
    /// Whether the sponsor published the shard.
    pub shard: ShardState,
    /// Attesters who sit: drawn, and not put out.
    pub seats: u32,
    /// Equal claims needed.
    pub quorum: u32,
    /// Of those who sit: who committed.
    pub attestation_commits: u32,
    /// Of those who sit: who revealed.
    pub attestation_reveals: u32,
    /// Of those who sit: who stand, for they revealed and answered their audits.
    pub standing: u32,
    /// What the claims of those who stand say.
    pub agreement: Agreement,
    /// Disputes that are not decided.
    pub open_disputes: u32,
    /// Whether disputes took up all the room, so that not everybody could open one.
    pub crowded: bool,
    /// Whether an attester of the round was convicted.
    pub convicted: bool,
    /// Whether seats may be drawn anew.
    pub may_redraw: bool,
}

impl Facts {
    /// Whether so many attesters are too few to go on with. Below the quorum it takes a conviction
    /// and either seats that can be drawn anew or somebody left, who may withstand a challenge.
    fn falls_short(&self, attesters: u32) -> bool {
        let goes_on = self.convicted && (self.may_redraw || attesters > 0);
        attesters < self.quorum && !goes_on
    }
}

/// What happens to the round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transition {
    /// The next phase starts.
    Enter(Phase),
    /// Nobody committed: the same round starts its Commit window again.
    RollOn,
    /// Too few stand: seats are drawn anew, and AttestCommit starts again for who is drawn. If
    /// there is nobody to draw, nothing may be drawn anew any more, and the clock is asked again.
    Redraw,
    /// The round is over.
    End(Outcome),
}

/// Whether a round's shard may be published at block `now` of a Reveal phase that started at
/// `started_at`: once every commit is revealed, or from the middle of the window on.
///
/// Nothing is revealed after it, so that nobody chooses what to reveal by the samples that will
/// score it.
pub fn shard_is_due(
    now: u32,
    started_at: u32,
    reveal_blocks: u32,
    commits: u32,
    reveals: u32,
) -> bool {
    reveals >= commits || now >= started_at.saturating_add(reveal_blocks / 2)
}

/// What `phase`, whose window is over at block `ends_at`, turns into at block `now`; `None` when
/// it goes on.
///
/// Seats are drawn on entering [`Phase::AttestCommit`]; the clock is asked again right after, and
/// ends the round when they cannot make the quorum.
pub fn next_phase(phase: Phase, now: u32, ends_at: u32, facts: &Facts) -> Option<Transition> {
    use Transition::{End, Enter, Redraw, RollOn};
    let over = now >= ends_at;
    let unattested = End(Outcome::Unattested);
    let unless_short = |attesters, next| match facts.falls_short(attesters) {
        true => unattested,
        false => Enter(next),
    };
    let (ends, next) = match phase {
        Phase::Commit if facts.commits == 0 => (over, RollOn),
        Phase::Commit => (facts.commits >= facts.may_commit, Enter(Phase::Reveal)),
        Phase::Reveal => (
            match facts.shard {
                ShardState::NotNeeded => facts.reveals >= facts.commits,
                ShardState::Awaited => false,
                ShardState::Published => true,
            },
            match facts.reveals {
                _ if facts.shard == ShardState::Awaited => End(Outcome::ShardMissed),
                0 => End(Outcome::NoReveals),
                _ => Enter(Phase::AttestCommit),
            },
        ),
        Phase::AttestCommit if facts.falls_short(facts.seats) => (true, unattested),
        Phase::AttestCommit => (
            facts.attestation_commits >= facts.seats,
            unless_short(facts.attestation_commits, Phase::AttestReveal),
        ),
        Phase::AttestReveal => (
            facts.attestation_reveals >= facts.attestation_commits,
            unless_short(facts.attestation_reveals, Phase::Challenge),
        ),
        Phase::Challenge if facts.open_disputes > 0 => return None,
        Phase::Challenge => (
            over,
            match facts.agreement {
                Agreement::Differs => End(Outcome::Disputed),
                _ if facts.crowded => End(Outcome::Disputed),
                _ if facts.standing >= facts.quorum => End(Outcome::Settled),
                _ if facts.may_redraw => Redraw,
                _ if facts.convicted && facts.standing > 0 => End(Outcome::Settled),
                _ => unattested,
            },
        ),
        Phase::Ended => return None,
    };
    (over || ends).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::MAX_REDRAWS;
    use proptest::prelude::*;
    use Transition::{End, Enter, Redraw, RollOn};

    const QUIET: Facts = Facts {
        commits: 0,
        may_commit: 4,
        reveals: 0,
        shard: ShardState::Awaited,
        seats: 3,
        quorum: 2,
        attestation_commits: 0,
        attestation_reveals: 0,
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

    #[test]
    fn reveal_needs_shard_and_deltas() {
        use ShardState::{Awaited, Published};
        let at =
            |now, reveals, shard| next_phase(Phase::Reveal, now, 10, &revealed(reveals, shard));
        assert_eq!(at(9, 2, Awaited), None);
        assert_eq!(at(9, 1, Published), Some(Enter(Phase::AttestCommit)));
        assert_eq!(at(9, 2, Published), Some(Enter(Phase::AttestCommit)));
        assert_eq!(at(10, 1, Published), Some(Enter(Phase::AttestCommit)));
        assert_eq!(at(10, 0, Published), Some(End(Outcome::NoReveals)));
        assert_eq!(at(10, 2, Awaited), Some(End(Outcome::ShardMissed)));
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
        assert_eq!(at(1, drawn(1, 0)), Some(End(Outcome::Unattested)));
        assert_eq!(at(9, drawn(3, 2)), None);
        assert_eq!(at(9, drawn(3, 3)), Some(Enter(Phase::AttestReveal)));
        assert_eq!(at(10, drawn(3, 2)), Some(Enter(Phase::AttestReveal)));
        assert_eq!(at(10, drawn(3, 1)), Some(End(Outcome::Unattested)));
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
            assert_eq!(at(10, facts(1, agreement)), Some(End(Outcome::Unattested)));
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
            any::<[bool; 3]>(),
        )
            .prop_map(
                |(
                    (commits, may_commit, reveals, shard),
                    (seats, quorum, attestation_commits, attestation_reveals),
                    (standing, agreement, open_disputes),
                    [crowded, convicted, may_redraw],
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
                        commits,
                        may_commit,
                        reveals: reveals.min(commits),
                        shard,
                        seats,
                        quorum,
                        attestation_commits,
                        attestation_reveals,
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
                Some(RollOn) => prop_assert!(phase == Phase::Commit && facts.commits == 0),
                Some(Redraw) => prop_assert!(phase == Phase::Challenge && facts.may_redraw),
                Some(End(_)) => prop_assert!(phase != Phase::Commit),
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

        /// What ends a phase early ends it at any time before its window is over.
        #[test]
        fn time_only_ever_ends_a_phase(
            phase in phase(), now in 0..20u32, ends_at in 0..20u32, facts in facts(),
        ) {
            if now < ends_at {
                if let Some(early) = next_phase(phase, now, ends_at, &facts) {
                    prop_assert_eq!(Some(early), next_phase(phase, ends_at, ends_at, &facts));
                }
            }
        }

        /// Whatever everybody does, once somebody committed and all disputes find their end.
        #[test]
        fn every_round_ends(seen in prop::collection::vec((facts(), any::<bool>()), 64)) {
            let (mut phase, mut redraws, mut ended) = (Phase::Reveal, 0, None);
            let mut steps = 0;
            for (facts, somebody) in seen {
                let facts = Facts {
                    open_disputes: 0,
                    may_redraw: redraws < MAX_REDRAWS,
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
                    None | Some(RollOn) => prop_assert!(false, "stuck in {phase:?}"),
                }
                steps += 1;
            }
            // Reveal, then three phases for each draw; the last asking may find nobody.
            prop_assert!(ended.is_some() && steps <= 1 + 3 * (1 + usize::from(MAX_REDRAWS)));
        }
    }
}
