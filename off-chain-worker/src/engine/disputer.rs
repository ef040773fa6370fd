//! When an account accuses, answers and picks in disputes.

use codec::{Decode, Encode};
use gotong_protocol::{id::DisputeId, RoundId};
use gotong_scoring::trial::Turn;
use std::collections::{BTreeMap, BTreeSet};

/// Root of a share table.
type Root = gotong_protocol::Hash;

/// One account's disputes in the rounds of one task: it defends its own table, and doubts those of others that differ from what it
/// computed itself.
///
/// It remembers only which disputes it lost, and what a snapshot older than its own transactions would hide. Everything else is on
/// the chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Disputer {
    account: [u8; 32],
    /// The round that everything below is about.
    round: RoundId,
    /// Its last move in each dispute: how many moves had been made before it, and the block that took it.
    moved: BTreeMap<DisputeId, (u32, u32)>,
    /// The accounts that it accused.
    accused: BTreeMap<[u8; 32], Accused>,
}

/// An account that was accused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct Accused {
    /// All of its disputes with the account that were seen on the chain.
    disputes: BTreeSet<DisputeId>,
    /// The last block that is known to have such a dispute, or to have taken an accusation.
    block: u32,
}

/// What the chain says, as far as a disputer cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputerSnapshot {
    /// The block at which this is true.
    pub block: u32,
    /// The task's last round.
    pub round: RoundId,
    /// Root of the table that the account computed itself, if it has.
    pub own_table: Option<Root>,
    /// The tables that can be doubted now: the accounts that defend them, and their roots.
    pub tables: Vec<([u8; 32], Root)>,
    /// The open disputes about the round.
    pub disputes: Vec<OpenDispute>,
}

/// An open dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenDispute {
    /// Its id.
    pub id: DisputeId,
    /// Whose table is disputed.
    pub accused: [u8; 32],
    /// The account that disputes it.
    pub challenger: [u8; 32],
    /// Whose move it is.
    pub turn: Turn,
    /// Moves made so far.
    pub moves: u32,
    /// The block by which the next move is due.
    pub deadline: u32,
}

/// What a disputer wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisputerCommand {
    /// Compute the round, because nothing can be said about it before that.
    Compute,
    /// As the accused, show what is asked for.
    Answer {
        /// The dispute.
        dispute: DisputeId,
        /// Moves made before this one.
        moves: u32,
    },
    /// As the challenger, doubt a part of what was shown.
    Pick {
        /// The dispute.
        dispute: DisputeId,
        /// Moves made before this one.
        moves: u32,
    },
    /// Open a dispute about the table of `accused`.
    Accuse {
        /// Whose table it is.
        accused: [u8; 32],
    },
}

/// How often the same account is accused in a round. A challenger that loses twice computes differently from the chain, or is not
/// there to play.
const ATTEMPTS: usize = 2;

impl Disputer {
    /// A disputer that has done nothing yet.
    pub fn new(account: [u8; 32]) -> Self {
        Self {
            account,
            round: RoundId(0),
            moved: BTreeMap::new(),
            accused: BTreeMap::new(),
        }
    }

    /// Takes in what the chain says, and returns what to do, the most urgent first. If that is empty, there is nothing to do but
    /// wait.
    pub fn on_block(&mut self, now: &DisputerSnapshot) -> Vec<DisputerCommand> {
        // If the snapshot of an earlier round is from before its last transaction, it is old. If it is from after that, a fork has
        // undone rounds.
        if now.round < self.round && self.last_block() >= Some(now.block) {
            return Vec::new();
        }
        if now.round != self.round {
            *self = Self {
                round: now.round,
                ..Self::new(self.account)
            };
        }
        self.remember(now);
        let mut due: Vec<_> = now
            .disputes
            .iter()
            .filter_map(|dispute| Some((dispute.deadline, self.next_move(now, dispute)?)))
            .collect();
        due.sort_by_key(|(deadline, _)| *deadline);
        let mut suspects = now
            .tables
            .iter()
            .filter(|(who, _)| self.may_accuse(now, who))
            .peekable();
        match now.own_table {
            None if due.is_empty() && suspects.peek().is_none() => Vec::new(),
            None => vec![DisputerCommand::Compute],
            Some(own) => {
                let accusations = suspects
                    .filter(|(_, table)| *table != own)
                    .map(|(accused, _)| DisputerCommand::Accuse { accused: *accused });
                let due = due.into_iter().map(|(_, command)| command);
                due.chain(accusations).collect()
            }
        }
    }

    /// The last block that is known to have one of its own transactions about the round.
    fn last_block(&self) -> Option<u32> {
        let moved = self.moved.values().map(|(_, block)| *block);
        let accused = self.accused.values().map(|accused| accused.block);
        moved.chain(accused).max()
    }

    fn remember(&mut self, now: &DisputerSnapshot) {
        let own = |dispute: &&OpenDispute| dispute.challenger == self.account;
        for dispute in now.disputes.iter().filter(own) {
            let accused = self.accused.entry(dispute.accused).or_default();
            accused.disputes.insert(dispute.id);
            accused.block = accused.block.max(now.block);
        }
    }

    /// The account's move in a dispute, if it has to make one.
    fn next_move(&self, now: &DisputerSnapshot, of: &OpenDispute) -> Option<DisputerCommand> {
        let (dispute, moves) = (of.id, of.moves);
        // The snapshot may be older than this account's last move.
        let is_news = self
            .moved
            .get(&dispute)
            .is_none_or(|(before, block)| now.block > *block || moves > *before);
        match of.turn {
            _ if !is_news => None,
            Turn::Accused if of.accused == self.account => {
                Some(DisputerCommand::Answer { dispute, moves })
            }
            Turn::Challenger if of.challenger == self.account => {
                Some(DisputerCommand::Pick { dispute, moves })
            }
            _ => None,
        }
    }

    /// Whether a dispute with `who` may be opened: none is open, and not too many were lost.
    fn may_accuse(&self, now: &DisputerSnapshot, who: &[u8; 32]) -> bool {
        let is_open = now
            .disputes
            .iter()
            .any(|dispute| dispute.challenger == self.account && dispute.accused == *who);
        // The snapshot may be older than this account's last dispute.
        let may_again = self
            .accused
            .get(who)
            .is_none_or(|accused| now.block > accused.block && accused.disputes.len() < ATTEMPTS);
        *who != self.account && !is_open && may_again
    }

    /// Block `block` took the move in `dispute` that came after `moves` earlier ones.
    pub fn on_moved(&mut self, dispute: DisputeId, moves: u32, block: u32) {
        self.moved.insert(dispute, (moves, block));
    }

    /// From now on another node is asked. The previous one may have made up the blocks that took moves, and the chain refuses a
    /// move that is made twice. Accusations are not forgotten, because each of them puts down a bond.
    pub fn on_other_node(&mut self) {
        self.moved.clear();
    }

    /// Block `block` took the accusation of `accused`.
    pub fn on_accused(&mut self, accused: [u8; 32], block: u32) {
        let accused = self.accused.entry(accused).or_default();
        accused.block = accused.block.max(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use DisputerCommand::{Accuse, Answer, Compute, Pick};

    const OWN: [u8; 32] = [1; 32];
    const LIAR: [u8; 32] = [2; 32];
    const OTHER: [u8; 32] = [3; 32];
    const TRUTH: Root = [7; 32];
    const LIE: Root = [8; 32];

    fn quiet() -> DisputerSnapshot {
        DisputerSnapshot {
            block: 1,
            round: RoundId(0),
            own_table: Some(TRUTH),
            tables: vec![(OWN, TRUTH), (LIAR, LIE), (OTHER, TRUTH)],
            disputes: Vec::new(),
        }
    }

    fn dispute(id: u32, challenger: [u8; 32], accused: [u8; 32], turn: Turn) -> OpenDispute {
        OpenDispute {
            id: DisputeId(id),
            accused,
            challenger,
            turn,
            moves: 0,
            deadline: 20 + id,
        }
    }

    #[test]
    fn golden_bytes() {
        let mut engine = Disputer::new(OWN);
        engine.on_moved(DisputeId(5), 6, 7);
        engine.on_accused(LIAR, 9);
        let expected = [
            OWN.to_vec(),
            vec![0; 4],
            vec![4, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0],
            vec![4],
            LIAR.to_vec(),
            vec![0, 9, 0, 0, 0],
        ]
        .concat();
        assert_eq!(engine.encode(), expected);
    }

    #[test]
    fn only_a_table_that_differs_is_accused() {
        let mut engine = Disputer::new(OWN);
        assert_eq!(engine.on_block(&quiet()), [Accuse { accused: LIAR }]);
        let honest = DisputerSnapshot {
            tables: vec![(OWN, LIE), (OTHER, TRUTH)],
            ..quiet()
        };
        assert_eq!(engine.on_block(&honest), [], "not itself, and not an equal");
    }

    #[test]
    fn it_computes_before_it_judges_and_only_then() {
        let mut engine = Disputer::new(OWN);
        let unknown = DisputerSnapshot {
            own_table: None,
            ..quiet()
        };
        assert_eq!(engine.on_block(&unknown), [Compute]);
        let alone = DisputerSnapshot {
            tables: vec![(OWN, TRUTH)],
            ..unknown
        };
        assert_eq!(engine.on_block(&alone), []);
        let accused = DisputerSnapshot {
            disputes: vec![dispute(1, LIAR, OWN, Turn::Accused)],
            ..alone
        };
        assert_eq!(engine.on_block(&accused), [Compute]);
    }

    #[test]
    fn it_answers_and_picks_in_turn_and_the_most_urgent_first() {
        let mut engine = Disputer::new(OWN);
        let mut now = quiet();
        now.disputes = vec![
            dispute(4, OWN, LIAR, Turn::Challenger),
            dispute(3, LIAR, OWN, Turn::Accused),
            dispute(2, OTHER, OWN, Turn::Challenger),
            dispute(1, OTHER, LIAR, Turn::Challenger),
        ];
        let answer = Answer {
            dispute: DisputeId(3),
            moves: 0,
        };
        let pick = Pick {
            dispute: DisputeId(4),
            moves: 0,
        };
        assert_eq!(engine.on_block(&now), [answer, pick]);
        engine.on_moved(DisputeId(3), 0, 5);
        now.block = 5;
        assert_eq!(engine.on_block(&now), [pick], "an old snapshot");
        now.block = 6;
        let again = engine.on_block(&now);
        assert_eq!(again, [answer, pick], "a fork took the answer back");
    }

    /// A node claimed that a block far in the future had taken the answer, and passed nothing on.
    #[test]
    fn a_block_that_a_node_made_up_does_not_keep_it_from_its_move() {
        let mut engine = Disputer::new(OWN);
        let mut now = quiet();
        now.tables.clear();
        now.disputes = vec![dispute(3, LIAR, OWN, Turn::Accused)];
        let answer = Answer {
            dispute: DisputeId(3),
            moves: 0,
        };
        assert_eq!(engine.on_block(&now), [answer]);
        engine.on_moved(DisputeId(3), 0, u32::MAX);
        now.block = 9;
        assert_eq!(engine.on_block(&now), []);
        engine.on_other_node();
        assert_eq!(engine.on_block(&now), [answer]);
    }

    #[test]
    fn who_lost_twice_gives_up() {
        let mut engine = Disputer::new(OWN);
        let mut now = quiet();
        for id in 0..2 {
            assert_eq!(engine.on_block(&now), [Accuse { accused: LIAR }]);
            now.block += 1;
            now.disputes = vec![dispute(id, OWN, LIAR, Turn::Accused)];
            assert_eq!(engine.on_block(&now), []);
            now.block += 1;
            now.disputes.clear();
        }
        assert_eq!(engine.on_block(&now), []);
        now.round = RoundId(1);
        assert_eq!(engine.on_block(&now), [Accuse { accused: LIAR }]);
        engine.on_accused(LIAR, now.block);
        now.round = RoundId(0);
        assert_eq!(engine.on_block(&now), [], "an old snapshot");
    }

    /// An account that does not answer is convicted, even in a round that had ended on another fork.
    #[test]
    fn a_fork_that_takes_a_round_back_has_its_disputes_answered() {
        let mut engine = Disputer::new(OWN);
        let mut now = quiet();
        now.round = RoundId(1);
        assert_eq!(engine.on_block(&now), [Accuse { accused: LIAR }]);
        engine.on_accused(LIAR, 5);
        now.round = RoundId(0);
        now.tables.clear();
        now.disputes = vec![dispute(3, LIAR, OWN, Turn::Accused)];
        now.block = 5;
        assert_eq!(engine.on_block(&now), [], "an old snapshot");
        now.block = 6;
        let answer = Answer {
            dispute: DisputeId(3),
            moves: 0,
        };
        assert_eq!(engine.on_block(&now), [answer]);
    }

    /// A referee of one round in which a seat has a liar, which opens disputes itself. As on the chain, moves out of turn are
    /// refused.
    #[derive(Clone, Debug)]
    struct Chain {
        now: DisputerSnapshot,
        opened: u32,
    }

    impl Chain {
        fn open(&mut self, challenger: [u8; 32], accused: [u8; 32]) -> bool {
            let is_open = |dispute: &OpenDispute| {
                dispute.challenger == challenger && dispute.accused == accused
            };
            let stands = self.now.tables.iter().any(|(who, _)| *who == accused);
            if !stands || self.now.disputes.iter().any(is_open) {
                return false;
            }
            let new = dispute(self.opened, challenger, accused, Turn::Accused);
            self.now.disputes.push(new);
            self.opened += 1;
            true
        }

        /// Whether the move was in turn.
        fn make_move(&mut self, by: [u8; 32], id: DisputeId, turn: Turn) -> bool {
            let mut open = self.now.disputes.iter_mut();
            let Some(dispute) = open.find(|dispute| dispute.id == id) else {
                return false;
            };
            let mover = match dispute.turn {
                Turn::Accused => dispute.accused,
                Turn::Challenger => dispute.challenger,
            };
            if dispute.turn != turn || mover != by {
                return false;
            }
            dispute.moves += 1;
            dispute.turn = match turn {
                Turn::Accused => Turn::Challenger,
                Turn::Challenger => Turn::Accused,
            };
            true
        }

        /// The liar makes its move wherever it has one to make.
        fn liar_moves(&mut self) {
            for OpenDispute { id, turn, .. } in self.now.disputes.clone() {
                self.make_move(LIAR, id, turn);
            }
        }

        fn execute(&mut self, command: DisputerCommand) -> bool {
            self.now.block += 1;
            match command {
                Compute => {
                    self.now.own_table = Some(TRUTH);
                    true
                }
                Answer { dispute, .. } => self.make_move(OWN, dispute, Turn::Accused),
                Pick { dispute, .. } => self.make_move(OWN, dispute, Turn::Challenger),
                Accuse { accused } => self.open(OWN, accused),
            }
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
        LiarMoves,
        LiarAccuses,
        /// A dispute ends.
        Close(usize),
        /// A restart forgets what was computed, but keeps the engine.
        Restart,
        NextRound,
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            6 => (prop::bool::weighted(0.8), prop::bool::weighted(0.7))
                .prop_map(|(executes, hears_back)| Happening::Tick { executes, hears_back }),
            2 => (0..8usize).prop_map(Happening::Replay),
            3 => Just(Happening::LiarMoves),
            1 => Just(Happening::LiarAccuses),
            1 => (0..8usize).prop_map(Happening::Close),
            1 => Just(Happening::Restart),
            1 => Just(Happening::NextRound),
        ]
    }

    proptest! {
        #[test]
        fn every_move_is_in_turn_and_none_is_owed(
            happenings in prop::collection::vec(happening(), 1..120),
        ) {
            let mut chain = Chain { now: quiet(), opened: 0 };
            let mut engine = Disputer::new(OWN);
            let mut seen = vec![chain.now.clone()];
            for happening in happenings {
                match happening {
                    Happening::LiarMoves => chain.liar_moves(),
                    Happening::LiarAccuses => { chain.open(LIAR, OWN); }
                    Happening::Close(at) => {
                        let open = &mut chain.now.disputes;
                        if !open.is_empty() {
                            open.remove(at % open.len());
                        }
                    }
                    Happening::Restart => {
                        engine = Disputer::decode(&mut &*engine.encode()).unwrap();
                        chain.now.own_table = None;
                    }
                    Happening::NextRound => {
                        chain.now.round = chain.now.round.next().unwrap();
                        chain.now.disputes.clear();
                        chain.now.own_table = None;
                    }
                    Happening::Replay(back) => {
                        let old = &seen[seen.len().saturating_sub(back + 1)];
                        let mut twin = engine.clone();
                        let commands = engine.on_block(old);
                        prop_assert_eq!(&commands, &twin.on_block(old));
                        prop_assert_eq!(&commands, &engine.on_block(old), "not repeatable");
                    }
                    Happening::Tick { executes, hears_back } => {
                        chain.now.block += 1;
                        seen.push(chain.now.clone());
                        let commands = engine.on_block(&chain.now);
                        prop_assert_eq!(&commands, &engine.on_block(&chain.now));
                        for command in commands.iter().filter(|_| executes) {
                            prop_assert!(chain.execute(*command), "refused: {command:?}");
                            let block = chain.now.block;
                            match *command {
                                Answer { dispute, moves } | Pick { dispute, moves }
                                    if hears_back => engine.on_moved(dispute, moves, block),
                                Accuse { accused } if hears_back => {
                                    engine.on_accused(accused, block);
                                }
                                _ => {}
                            }
                        }
                        if executes && commands != [Compute] {
                            let owed = |dispute: &&OpenDispute| match dispute.turn {
                                Turn::Accused => dispute.accused == OWN,
                                Turn::Challenger => dispute.challenger == OWN,
                            };
                            prop_assert_eq!(chain.now.disputes.iter().find(owed), None);
                        }
                    }
                }
            }
        }
    }
}
