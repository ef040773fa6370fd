//! The round clock: when a phase ends, and what comes after it. Pure: it has no storage, and knows only the time that it is
//! given.
//!
//! ```text
//! Commit -> Reveal -> AttestCommit -> AttestReveal -> Challenge -> Settled
//!   |         |         ^   |           |                 |  |
//!   +-> rolls on        |   |           |                 |  +-> Unattested | Disputed
//!   |         |         +---+- redraws -+-----------------+
//!   |         |         |   +-> Unattested
//!   |         |         +-> waits for attesters, also after all seats were given back | Unattested
//!   |         +-> NoReveals | ShardMissed
//!   +-> NoReveals
//! ```
//!
//! A phase ends when its window is over, or as soon as everybody who may act in it has acted. Challenge lasts for its whole
//! window, and longer while a dispute is open; then the claims that stand decide. If too few commit, reveal or stand, seats
//! are drawn again, at most [`bounds::MAX_REDRAWS`](crate::bounds::MAX_REDRAWS) times: what was revealed is public, so a
//! round should not fail only because some attesters were away. AttestCommit and Challenge begin with a draw, which takes
//! some blocks; their windows count from its end.
//!
//! AttestCommit waits until a draw has filled the quorum: attesters who had room when Commit ended may be busy by then, or may
//! have withdrawn. Nobody sits meanwhile. Its window starts again and again until the task has been idle for too long; only
//! then does the round end, unattested. If too few of those who sit commit, and seats cannot be drawn anew, then as long as no
//! table has been shown all seats are given back, and it waits as before: otherwise a few accomplices who sit down and do nothing
//! would end the round in one window.
//!
//! What a round reveals cannot be used again. So Commit ends only if enough attesters for the quorum have room for a seat that
//! is promised to no other round, and if enough time is left to wait for others should they be gone by then. Otherwise its
//! window starts again, as if nobody had committed, and more may commit. That goes on until the task is given up.

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
    /// Contributors reveal their deltas, and the sponsor publishes the shard if there is one.
    Reveal,
    /// The drawn attesters commit to hidden score tables.
    AttestCommit,
    /// Attesters reveal their claims and the summaries of their tables.
    AttestReveal,
    /// Attesters answer their audits, and anybody may dispute a table.
    Challenge,
    /// The round has an outcome.
    Ended,
}

/// The windows of a round: how long each phase lasts at most, in blocks.
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
    /// Nobody revealed a delta. Or nobody could, because the task was given up before; then the deposits went back.
    NoReveals,
    /// The sponsor did not publish the shard.
    ShardMissed,
    /// Quorum not met: too few attesters could be drawn, committed, revealed, or still stood after the challenge.
    Unattested,
    /// All claims that stand are equal. They meet the quorum, or are the only ones that withstood a challenge. The round pays
    /// for the improvement, if there is one.
    Settled,
    /// Different claims stand, because nobody disputed them or there was never room for all disputes. The round pays
    /// nobody.
    Disputed,
}

/// The state of a seat.
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
    /// Lost: its attester did not commit, or did not reveal.
    Missed,
    /// Lost: its table was wrong, or not defended.
    Convicted,
    /// Lost: its attester did not answer its audits, or lost its stake in another round.
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

/// What the clock has to know about a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Whether chance still has to decide something: until then, nothing else can happen.
    pub drawing: bool,
    /// Contributors who committed.
    pub commits: u32,
    /// Most contributors who could have committed.
    pub may_commit: u32,
    /// Whether enough attesters for the quorum have room for a seat of the round, not counting seats promised to other rounds, and
    /// there is time left to wait for others if these are gone when all is revealed.
    pub has_attesters: bool,
    /// Whether the round should stop waiting for attesters: the task was idle for too long, or the sponsor is closing it and nothing
    /// is revealed yet.
    pub given_up: bool,
    /// Contributors who revealed.
    pub reveals: u32,
    /// Whether the sponsor published the shard.
    pub shard: ShardState,
    /// Whether a draw has seated attesters before.
    pub was_drawn: bool,
    /// Attesters who sit: they were drawn, and have not lost their seats.
    pub seats: u32,
    /// Equal claims needed.
    pub quorum: u32,
    /// The number of those seated that committed.
    pub attestation_commits: u32,
    /// The number of those seated that revealed.
    pub attestation_reveals: u32,
    /// Whether anybody has revealed a table in the round, sitting or not.
    pub has_tables: bool,
    /// The number of those seated whose claims stand, because they revealed and answered their audits.
    pub standing: u32,
    /// Whether the claims that stand agree.
    pub agreement: Agreement,
    /// Disputes that are not decided.
    pub open_disputes: u32,
    /// Whether disputes took up all the room, so that not everybody could open one.
    pub crowded: bool,
    /// Whether an attester of the round was convicted.
    pub convicted: bool,
    /// Whether seats may be drawn again.
    pub may_redraw: bool,
}

impl Facts {
    /// Whether this number of attesters is too few to go on. Below the quorum, going on takes a conviction, and either seats that
    /// can be drawn again or somebody left who may withstand a challenge.
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
    /// Nobody committed, there are too few attesters, or too little time is left to wait for others: the same round starts its
    /// Commit window again.
    RollOn,
    /// Too few committed, revealed or stand: seats are drawn again, and AttestCommit starts again for those who are drawn. If
    /// there is nobody to draw, no more redraws are allowed, and the clock is asked again.
    Redraw,
    /// Nobody was seated yet: seats are drawn if enough attesters for the quorum have room. If not, the round waits, and the clock
    /// is asked again later.
    Draw,
    /// Too few committed, seats cannot be drawn anew, and no table has been shown: all seats are given back, AttestCommit starts
    /// again, and the round waits as if nobody had been seated. The clock is asked again later.
    Vacate,
    /// The round is over.
    End(Outcome),
}

/// Whether a round's shard may be published at block `now` of a Reveal phase that started at
/// `started_at`: once every commit is revealed, or from the middle of the window on. Nothing is asked of a sponsor whose
/// contributors reveal nothing: see [`may_reveal`].
///
/// Nothing is revealed after it, so nobody can choose what to reveal by looking at the samples that will score it.
pub fn shard_is_due(
    now: u32,
    started_at: u32,
    reveal_blocks: u32,
    commits: u32,
    reveals: u32,
) -> bool {
    let is_late = now >= started_at.saturating_add(reveal_blocks / 2);
    reveals > 0 && (reveals >= commits || is_late)
}

/// Whether a delta may be revealed at block `now` of a Reveal phase in which a shard is awaited: until the middle of the window,
/// and longer if somebody has revealed by then. So a sponsor always has half of the window for its shard.
pub fn may_reveal(now: u32, started_at: u32, reveal_blocks: u32, reveals: u32) -> bool {
    reveals > 0 || now < started_at.saturating_add((reveal_blocks / 2).max(1))
}

/// What `phase`, whose window is over at block `ends_at`, turns into at block `now`; `None` when
/// it goes on.
///
/// The clock is asked again right after [`Phase::AttestCommit`] is entered, and has the first seats drawn. If seats that are drawn
/// anew cannot fill the quorum, it has all seats given back; or it ends the round, if a table has been shown or the task is given
/// up.
pub fn next_phase(phase: Phase, now: u32, ends_at: u32, facts: &Facts) -> Option<Transition> {
    use Transition::{Draw, End, Enter, Redraw, RollOn, Vacate};
    if facts.drawing {
        return None;
    }
    let over = now >= ends_at;
    let unattested = End(Outcome::Unattested);
    // An attester that showed a table keeps its seat, and would hold it for as long as the round waits.
    let unattended = match facts.has_tables || facts.given_up {
        true => unattested,
        false => Vacate,
    };
    let unless_short = |attesters, next, lost| match facts.falls_short(attesters) {
        true if facts.may_redraw => Redraw,
        true => lost,
        false => Enter(next),
    };
    let (ends, next) = match phase {
        Phase::Commit if facts.commits == 0 || !facts.has_attesters => match facts.given_up {
            true => (over, End(Outcome::NoReveals)),
            false => (over, RollOn),
        },
        Phase::Commit => (facts.commits >= facts.may_commit, Enter(Phase::Reveal)),
        Phase::Reveal => (
            match facts.shard {
                ShardState::NotNeeded => facts.reveals >= facts.commits,
                ShardState::Awaited => false,
                ShardState::Published => true,
            },
            match facts.reveals {
                // Nobody asked for the shard.
                0 => End(Outcome::NoReveals),
                _ if facts.shard == ShardState::Awaited => End(Outcome::ShardMissed),
                _ => Enter(Phase::AttestCommit),
            },
        ),
        Phase::AttestCommit if !facts.was_drawn => match over && facts.given_up {
            true => (true, unattested),
            false => (true, Draw),
        },
        Phase::AttestCommit if facts.falls_short(facts.seats) => (true, unattended),
        Phase::AttestCommit => (
            facts.attestation_commits >= facts.seats,
            unless_short(facts.attestation_commits, Phase::AttestReveal, unattended),
        ),
        // An attester that withholds a table is slashed.
        Phase::AttestReveal => (
            facts.attestation_reveals >= facts.attestation_commits,
            unless_short(facts.attestation_reveals, Phase::Challenge, unattested),
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
mod tests;
