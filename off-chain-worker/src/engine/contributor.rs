//! When a contributor trains, commits, reveals and claims.

use codec::{Decode, Encode};
use gotong_protocol::{submission_commitment, Delta, Hash, Phase, RoundId, TaskId};

/// One account's part in one task: trains, commits, reveals and claims, once a round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Contributor {
    task: TaskId,
    account: [u8; 32],
    prepared: Option<PreparedDelta>,
    /// Block that took the commitment to `prepared`, as far as known.
    committed_at: Option<u32>,
    /// The last round whose delta was revealed: what that delta left out is still to be sent.
    residual_of: Option<RoundId>,
}

/// A delta ready to be committed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PreparedDelta {
    /// Round that it is for.
    pub round: RoundId,
    /// Root of the weights that it changes.
    pub base_root: Hash,
    /// Hides the delta until it is revealed.
    pub salt: Hash,
    /// The encoded delta.
    pub delta: Vec<u8>,
}

/// What the chain says, as far as a contributor cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContributorSnapshot {
    /// Block of which this is true.
    pub block: u32,
    /// The task's last round.
    pub round: RoundId,
    /// The phase of that round.
    pub phase: Phase,
    /// Whether the round takes deltas that are revealed now: not in all of its phase Reveal.
    pub takes_deltas: bool,
    /// Root of the weights that the round starts from.
    pub base_root: Hash,
    /// The account's own submission.
    pub submission: Option<Submission>,
    /// The first round that the account has not claimed, under way or over.
    pub unclaimed: Option<RoundId>,
}

/// How far the chain knows the account's submission of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// A commitment is on the chain.
    Committed,
    /// The delta is, too.
    Revealed,
}

/// What a contributor wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContributorCommand {
    /// Train from the weights with this root.
    Train {
        /// The round.
        round: RoundId,
        /// Root of the weights to train from.
        base_root: Hash,
    },
    /// Send the commitment.
    Commit {
        /// The round.
        round: RoundId,
        /// Binds the account to its delta.
        commitment: Hash,
    },
    /// Send the delta that was committed.
    Reveal {
        /// The round.
        round: RoundId,
        /// The encoded delta.
        delta: Vec<u8>,
        /// What hid the delta.
        salt: Hash,
    },
    /// Claim all rounds from this one on that are over.
    Claim {
        /// The first round that is not claimed yet.
        from: RoundId,
    },
}

impl Contributor {
    /// A contributor that has done nothing yet.
    pub fn new(task: TaskId, account: [u8; 32]) -> Self {
        Self {
            task,
            account,
            prepared: None,
            committed_at: None,
            residual_of: None,
        }
    }

    /// The round whose delta's remainder is to be added to the next change.
    pub fn residual_of(&self) -> Option<RoundId> {
        self.residual_of
    }

    /// Whether the delta that was made here is revealed.
    pub fn has_revealed(&self, now: &ContributorSnapshot) -> bool {
        let is_own = |prepared: &PreparedDelta| prepared.round == now.round;
        now.submission == Some(Submission::Revealed) && self.prepared.as_ref().is_some_and(is_own)
    }

    /// Whether the delta that was committed in this round will not be scored, because it was not revealed in time.
    pub fn is_too_late(&self, now: &ContributorSnapshot) -> bool {
        let takes_deltas = now.phase == Phase::Reveal && now.takes_deltas;
        now.submission == Some(Submission::Committed) && now.phase >= Phase::Reveal && !takes_deltas
    }

    /// Takes in what the chain says, and answers what to do, in order; nothing means to wait.
    pub fn on_block(&mut self, now: &ContributorSnapshot) -> Vec<ContributorCommand> {
        if self
            .prepared
            .as_ref()
            .is_some_and(|prepared| prepared.round > now.round)
        {
            // An old snapshot.
            return Vec::new();
        }
        if self
            .prepared
            .as_ref()
            .is_some_and(|prepared| prepared.round < now.round)
        {
            self.prepared = None;
            self.committed_at = None;
        }
        if self.has_revealed(now) {
            self.residual_of = Some(now.round);
        }
        let mut commands: Vec<_> = self.move_in_round(now).into_iter().collect();
        // What was claimed the chain knows: so nothing is left out, whatever was lost or refused before.
        let is_over = |round: &RoundId| *round < now.round || now.phase == Phase::Ended;
        let unclaimed = now.unclaimed.filter(is_over);
        commands.extend(unclaimed.map(|from| ContributorCommand::Claim { from }));
        commands
    }

    /// The next move in the round under way.
    fn move_in_round(&self, now: &ContributorSnapshot) -> Option<ContributorCommand> {
        let prepared = self.prepared.as_ref();
        match (now.phase, now.submission, prepared) {
            (Phase::Commit, None, Some(prepared)) if prepared.base_root == now.base_root => {
                // The snapshot may be older than our commitment.
                let is_news = self.committed_at.is_none_or(|at| now.block > at);
                is_news.then(|| ContributorCommand::Commit {
                    round: now.round,
                    commitment: self.commitment(prepared),
                })
            }
            (Phase::Commit, None, _) => Some(ContributorCommand::Train {
                round: now.round,
                base_root: now.base_root,
            }),
            // Too late, it would be shown to everybody, and not be scored.
            (Phase::Reveal, Some(Submission::Committed), Some(prepared)) if now.takes_deltas => {
                Some(ContributorCommand::Reveal {
                    round: now.round,
                    delta: prepared.delta.clone(),
                    salt: prepared.salt,
                })
            }
            _ => None,
        }
    }

    fn commitment(&self, prepared: &PreparedDelta) -> Hash {
        let hash = Delta::hash_of(&prepared.delta);
        submission_commitment(
            self.task,
            prepared.round,
            &self.account,
            &hash,
            &prepared.salt,
        )
    }

    /// A training run has ended; tells whether its delta is taken. One that may be committed already is never replaced.
    pub fn on_trained(&mut self, prepared: PreparedDelta) -> bool {
        let replaces = match &self.prepared {
            None => true,
            Some(old) => {
                (old.round, old.base_root) != (prepared.round, prepared.base_root)
                    && old.round <= prepared.round
                    && (old.round < prepared.round || self.committed_at.is_none())
            }
        };
        if replaces {
            self.prepared = Some(prepared);
            self.committed_at = None;
        }
        replaces
    }

    /// Block `block` took the commitment of `round`.
    pub fn on_committed(&mut self, round: RoundId, block: u32) {
        if self
            .prepared
            .as_ref()
            .is_some_and(|prepared| prepared.round == round)
        {
            self.committed_at = Some(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ContributorCommand::{Claim, Commit, Reveal, Train};

    const TASK: TaskId = TaskId(1);
    const ACCOUNT: [u8; 32] = [9; 32];

    #[test]
    fn golden_bytes() {
        let engine = Contributor {
            prepared: Some(PreparedDelta {
                round: RoundId(2),
                base_root: [3; 32],
                salt: [4; 32],
                delta: vec![5],
            }),
            committed_at: Some(6),
            ..Contributor::new(TASK, ACCOUNT)
        };
        let expected = [
            vec![1, 0, 0, 0],
            vec![9; 32],
            vec![1, 2, 0, 0, 0],
            vec![3; 32],
            vec![4; 32],
            vec![4, 5],
            vec![1, 6, 0, 0, 0],
            vec![0],
        ]
        .concat();
        assert_eq!(engine.encode(), expected);
    }

    /// A chain with one contributor on it, that says no to what is out of turn.
    #[derive(Clone, Debug)]
    struct Chain {
        now: ContributorSnapshot,
        commitment: Option<Hash>,
        commits: u32,
        /// Rounds with a revealed delta that are not claimed.
        revealed: Vec<RoundId>,
    }

    impl Chain {
        fn new() -> Self {
            Self {
                now: ContributorSnapshot {
                    block: 1,
                    round: RoundId(0),
                    phase: Phase::Commit,
                    takes_deltas: false,
                    base_root: [0; 32],
                    submission: None,
                    unclaimed: None,
                },
                commitment: None,
                commits: 0,
                revealed: Vec::new(),
            }
        }

        fn next_phase(&mut self) {
            self.now.phase = match self.now.phase {
                Phase::Commit if self.commitment.is_none() => Phase::Commit,
                Phase::Commit => {
                    self.now.takes_deltas = true;
                    Phase::Reveal
                }
                // The shard is published, or nobody revealed in the first half.
                Phase::Reveal if self.now.takes_deltas => {
                    self.now.takes_deltas = false;
                    Phase::Reveal
                }
                Phase::Reveal => Phase::Challenge,
                _ => {
                    self.commitment = None;
                    self.commits = 0;
                    self.now.submission = None;
                    self.now.round = self.now.round.next().unwrap();
                    self.now.base_root = [self.now.round.0 as u8; 32];
                    Phase::Commit
                }
            };
        }

        /// Executes a command in the next block, and tells whether it was in turn.
        fn execute(&mut self, command: &ContributorCommand) -> Result<(), TestCaseError> {
            self.now.block += 1;
            match command {
                Commit { round, commitment } => {
                    prop_assert_eq!(*round, self.now.round);
                    prop_assert_eq!(self.now.phase, Phase::Commit);
                    self.commits += 1;
                    prop_assert_eq!(self.commits, 1, "committed twice in a round");
                    self.commitment = Some(*commitment);
                    self.now.submission = Some(Submission::Committed);
                }
                Reveal { round, delta, salt } => {
                    prop_assert_eq!(*round, self.now.round);
                    prop_assert!(self.now.takes_deltas, "revealed too late");
                    let hash = Delta::hash_of(delta);
                    let opened = submission_commitment(TASK, *round, &ACCOUNT, &hash, salt);
                    prop_assert_eq!(self.commitment, Some(opened), "revealed another delta");
                    prop_assert_eq!(self.now.submission, Some(Submission::Committed));
                    self.now.submission = Some(Submission::Revealed);
                    self.revealed.push(*round);
                    self.now.unclaimed = self.revealed.first().copied();
                }
                Claim { from } => {
                    prop_assert_eq!(Some(*from), self.now.unclaimed, "out of order");
                    prop_assert!(*from < self.now.round, "a round that is not over");
                    // A call takes only so many.
                    self.revealed.remove(0);
                    self.now.unclaimed = self.revealed.first().copied();
                }
                Train { .. } => {}
            }
            Ok(())
        }
    }

    #[derive(Clone, Debug)]
    enum Happening {
        /// The driver fetches a snapshot and executes; the flags say what it lives to see.
        Tick {
            executes: bool,
            hears_back: bool,
        },
        /// A snapshot from some blocks ago is looked at, and not acted on.
        Replay(usize),
        NextPhase,
        Restart,
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            4 => (prop::bool::weighted(0.8), prop::bool::weighted(0.7))
                .prop_map(|(executes, hears_back)| Happening::Tick { executes, hears_back }),
            2 => (0..8usize).prop_map(Happening::Replay),
            2 => Just(Happening::NextPhase),
            1 => Just(Happening::Restart),
        ]
    }

    proptest! {
        #[test]
        fn commits_once_and_reveals_what_it_committed(
            happenings in prop::collection::vec(happening(), 1..120),
        ) {
            let mut chain = Chain::new();
            let mut engine = Contributor::new(TASK, ACCOUNT);
            let mut seen = vec![chain.now.clone()];
            let mut trainings = 0u8;
            for happening in happenings {
                match happening {
                    Happening::NextPhase => chain.next_phase(),
                    Happening::Restart => {
                        engine = Contributor::decode(&mut &*engine.encode()).unwrap();
                    }
                    Happening::Replay(back) => {
                        let old = &seen[seen.len().saturating_sub(back + 1)];
                        let mut twin = engine.clone();
                        let commands = engine.on_block(old);
                        prop_assert_eq!(&commands, &twin.on_block(old));
                        prop_assert_eq!(&commands, &engine.on_block(old), "not repeatable");
                    }
                    Happening::Tick { executes, hears_back } => {
                        seen.push(chain.now.clone());
                        let commands = engine.on_block(&chain.now);
                        let owed = chain.now.unclaimed.filter(|round| *round < chain.now.round);
                        let claims = commands.iter().filter(|command| matches!(command, Claim { .. }));
                        prop_assert_eq!(claims.count(), owed.iter().count(), "left out");
                        for command in commands.iter().filter(|_| executes) {
                            chain.execute(command)?;
                            match command {
                                Train { round, base_root } => {
                                    trainings = trainings.wrapping_add(1);
                                    engine.on_trained(PreparedDelta {
                                        round: *round,
                                        base_root: *base_root,
                                        salt: [trainings; 32],
                                        delta: vec![trainings],
                                    });
                                }
                                Commit { round, .. } if hears_back => {
                                    engine.on_committed(*round, chain.now.block);
                                }
                                _ => {}
                            }
                        }
                    }
                }
            }
        }

        #[test]
        fn a_restart_changes_nothing(
            happenings in prop::collection::vec(happening(), 1..60),
        ) {
            let mut chain = Chain::new();
            let mut engine = Contributor::new(TASK, ACCOUNT);
            for happening in happenings {
                if matches!(happening, Happening::NextPhase) {
                    chain.next_phase();
                }
                let mut loaded = Contributor::decode(&mut &*engine.encode()).unwrap();
                let commands = engine.on_block(&chain.now);
                prop_assert_eq!(&commands, &loaded.on_block(&chain.now));
                prop_assert_eq!(&engine, &loaded);
                for command in commands {
                    chain.execute(&command)?;
                    if let Train { round, base_root } = command {
                        let (salt, delta) = ([1; 32], vec![1]);
                        engine.on_trained(PreparedDelta { round, base_root, salt, delta });
                    }
                }
            }
        }
    }

    #[test]
    fn a_commitment_lost_in_a_fork_is_sent_again() {
        let mut engine = Contributor::new(TASK, ACCOUNT);
        let mut chain = Chain::new();
        engine.on_trained(PreparedDelta {
            round: RoundId(0),
            base_root: [0; 32],
            salt: [1; 32],
            delta: vec![1],
        });
        let first = engine.on_block(&chain.now);
        assert!(matches!(first[..], [Commit { .. }]));
        engine.on_committed(RoundId(0), 5);
        chain.now.block = 5;
        assert_eq!(engine.on_block(&chain.now), []);
        chain.now.block = 6;
        assert_eq!(engine.on_block(&chain.now), first);
    }

    /// Each training draws another seed, so a second one of the round gives another delta.
    #[test]
    fn a_second_training_of_a_round_does_not_replace_the_first() {
        let mut engine = Contributor::new(TASK, ACCOUNT);
        let mut chain = Chain::new();
        let prepared = |delta: u8| PreparedDelta {
            round: RoundId(0),
            base_root: [0; 32],
            salt: [delta; 32],
            delta: vec![delta],
        };
        assert!(engine.on_trained(prepared(1)));
        let commit = engine.on_block(&chain.now);
        assert!(matches!(commit[..], [Commit { .. }]));
        // Killed before it heard that a block took the commitment.
        let mut engine = Contributor::decode(&mut &*engine.encode()).unwrap();
        assert!(!engine.on_trained(prepared(2)));
        assert_eq!(engine.on_block(&chain.now), commit);
        chain.now.submission = Some(Submission::Committed);
        chain.now.phase = Phase::Reveal;
        chain.now.takes_deltas = true;
        let revealed = engine.on_block(&chain.now);
        assert!(matches!(&revealed[..], [Reveal { delta, .. }] if *delta == [1]));
    }

    #[test]
    fn it_knows_when_its_own_delta_is_revealed() {
        let mut engine = Contributor::new(TASK, ACCOUNT);
        let mut chain = Chain::new();
        chain.now.submission = Some(Submission::Revealed);
        // The account may have revealed another delta.
        assert!(!engine.has_revealed(&chain.now));
        engine.on_block(&chain.now);
        assert_eq!(engine.residual_of(), None);
        let prepared = PreparedDelta {
            round: RoundId(0),
            base_root: [0; 32],
            salt: [1; 32],
            delta: vec![1],
        };
        assert!(engine.on_trained(prepared));
        assert!(engine.has_revealed(&chain.now));
        engine.on_block(&chain.now);
        assert_eq!(engine.residual_of(), Some(RoundId(0)));
        chain.now.submission = Some(Submission::Committed);
        assert!(!engine.has_revealed(&chain.now));
        chain.now.round = RoundId(1);
        chain.now.submission = Some(Submission::Revealed);
        assert!(!engine.has_revealed(&chain.now));
    }

    #[test]
    fn what_is_too_late_is_not_shown_to_everybody() {
        let mut engine = Contributor::new(TASK, ACCOUNT);
        let mut chain = Chain::new();
        let prepared = PreparedDelta {
            round: RoundId(0),
            base_root: [0; 32],
            salt: [1; 32],
            delta: vec![1],
        };
        assert!(engine.on_trained(prepared));
        chain.now.submission = Some(Submission::Committed);
        assert!(!engine.is_too_late(&chain.now), "nothing is revealed yet");
        chain.now.phase = Phase::Reveal;
        chain.now.takes_deltas = true;
        assert!(!engine.is_too_late(&chain.now));
        assert!(matches!(engine.on_block(&chain.now)[..], [Reveal { .. }]));
        chain.now.takes_deltas = false;
        for phase in [Phase::Reveal, Phase::AttestCommit, Phase::Ended] {
            chain.now.phase = phase;
            assert!(engine.is_too_late(&chain.now), "{phase:?}");
            assert_eq!(engine.on_block(&chain.now), []);
            assert_eq!(engine.residual_of(), None, "nothing of it was merged");
        }
        chain.now.submission = Some(Submission::Revealed);
        assert!(!engine.is_too_late(&chain.now));
        chain.now.submission = None;
        assert!(!engine.is_too_late(&chain.now));
    }

    #[test]
    fn it_claims_what_is_over_until_the_chain_knows_it() {
        let mut engine = Contributor::new(TASK, ACCOUNT);
        let mut chain = Chain::new();
        chain.now.round = RoundId(4);
        chain.now.unclaimed = Some(RoundId(2));
        let claims = |engine: &mut Contributor, now: &ContributorSnapshot| {
            let commands = engine.on_block(now).into_iter();
            let claims = commands.filter(|command| matches!(command, Claim { .. }));
            claims.collect::<Vec<_>>()
        };
        let claim = |from| vec![Claim { from }];
        assert_eq!(claims(&mut engine, &chain.now), claim(RoundId(2)));
        // Refused, or lost: it is claimed again, and never passed over.
        assert_eq!(claims(&mut engine, &chain.now), claim(RoundId(2)));
        chain.now.unclaimed = Some(RoundId(4));
        assert_eq!(claims(&mut engine, &chain.now), [], "it is under way");
        chain.now.phase = Phase::Ended;
        assert_eq!(claims(&mut engine, &chain.now), claim(RoundId(4)));
        chain.now.unclaimed = None;
        assert_eq!(claims(&mut engine, &chain.now), []);
    }

    #[test]
    fn without_its_work_it_waits() {
        let mut engine = Contributor::new(TASK, ACCOUNT);
        let mut chain = Chain::new();
        chain.now.submission = Some(Submission::Committed);
        assert_eq!(engine.on_block(&chain.now), []);
        chain.now.phase = Phase::Reveal;
        assert_eq!(engine.on_block(&chain.now), []);
    }
}
