use super::*;
use proptest::prelude::*;
use ContributorCommand::{Claim, Commit, Reveal, Train};

const TASK: TaskId = TaskId(1);
const ACCOUNT: [u8; 32] = [9; 32];

#[test]
fn golden_bytes() {
    let engine = Contributor {
        deltas: vec![OwnDelta {
            prepared: PreparedDelta {
                round: RoundId(2),
                base_root: [3; 32],
                salt: [4; 32],
                delta: vec![5],
            },
            committed_at: Some(6),
        }],
        ..Contributor::new(TASK, ACCOUNT)
    };
    let expected = [
        vec![1, 0, 0, 0],
        vec![9; 32],
        vec![4, 2, 0, 0, 0],
        vec![3; 32],
        vec![4; 32],
        vec![4, 5],
        vec![1, 6, 0, 0, 0],
        vec![0],
    ]
    .concat();
    assert_eq!(engine.encode(), expected);
}

/// A chain with one contributor, which refuses whatever is out of turn.
#[derive(Clone, Debug)]
struct Chain {
    now: ContributorSnapshot,
    commitment: Option<Hash>,
    commits: u32,
    /// Rounds with a revealed delta that have not been claimed.
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
            // The shard is published, or nobody revealed in the first half of the window.
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

    /// Executes a command in the next block. Fails if it was out of turn.
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
                // A call takes only a limited number of rounds.
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
    /// The driver fetches a snapshot and executes the commands. The flags say how much of that happens before it dies.
    Tick {
        executes: bool,
        hears_back: bool,
    },
    /// The engine sees a snapshot from some blocks ago, but does not act on it.
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

/// On one fork, round 0 ended and round 1 was committed to. Another fork undid both, but has the commitment to round 0 all the
/// same, because its transaction outlived the fork. Not revealing it would cost the deposit.
#[test]
fn a_fork_that_takes_a_whole_round_back_has_its_delta_revealed() {
    let mut engine = Contributor::new(TASK, ACCOUNT);
    let prepared = |round: u32, base: u8, delta: u8| PreparedDelta {
        round: RoundId(round),
        base_root: [base; 32],
        salt: [delta; 32],
        delta: vec![delta],
    };
    for (round, block) in [(0, 5), (1, 20)] {
        assert!(engine.on_trained(prepared(round, round as u8, round as u8)));
        engine.on_committed(RoundId(round), block);
    }
    let mut engine = Contributor::decode(&mut &*engine.encode()).unwrap();
    let mut chain = Chain::new();
    let revealed = |commands: Vec<ContributorCommand>| match &commands[..] {
        [Reveal { delta, .. }] => Some(delta.clone()),
        _ => None,
    };
    chain.now.submission = Some(Submission::Committed);
    chain.now.phase = Phase::Reveal;
    chain.now.takes_deltas = true;
    chain.now.block = 20;
    assert_eq!(engine.on_block(&chain.now), [], "an old snapshot");
    chain.now.block = 21;
    assert_eq!(revealed(engine.on_block(&chain.now)), Some(vec![0]));

    // Without the commitment, it is sent again. If the round starts from other weights, training begins anew.
    chain.now.submission = None;
    chain.now.phase = Phase::Commit;
    assert!(matches!(engine.on_block(&chain.now)[..], [Commit { .. }]));
    chain.now.round = RoundId(1);
    chain.now.base_root = [7; 32];
    assert!(matches!(engine.on_block(&chain.now)[..], [Train { .. }]));
    assert!(engine.on_trained(prepared(1, 7, 9)));
    assert!(matches!(engine.on_block(&chain.now)[..], [Commit { .. }]));
    chain.now.submission = Some(Submission::Committed);
    chain.now.phase = Phase::Reveal;
    assert_eq!(revealed(engine.on_block(&chain.now)), Some(vec![9]));
}

#[test]
fn only_the_last_deltas_are_kept() {
    let mut engine = Contributor::new(TASK, ACCOUNT);
    for round in 0..9u8 {
        engine.on_trained(PreparedDelta {
            round: RoundId(round.into()),
            base_root: [round; 32],
            salt: [1; 32],
            delta: vec![1],
        });
    }
    assert_eq!(engine.deltas.len(), KEPT);
    assert!(engine.own(RoundId(8)).is_some());
}

/// Each training run draws another seed, so a second run for the same round gives another delta.
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
    // The program is killed before it hears that a block took the commitment.
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
    // If it was refused or lost, it is claimed again, and never skipped.
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
