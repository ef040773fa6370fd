//! Plays an account's disputes, move by move.

mod confirm;

use super::{inputs_digest, is_refused, Replica, RoundPlayer, RunError, REFUSED_BLOCKS};
use crate::{
    chain::{Account, Call, ChainError, Client, Inclusion, Keypair, Moment},
    engine::{Disputer, DisputerCommand, DisputerSnapshot, OpenDispute},
    keys::address,
    state::{Folder, Lock, StateError},
};
use confirm::{is_confirmed, is_pick, Basis, PickCheck};
use gotong_evaluation::{describe_verdict, StepName};
use gotong_protocol::{
    dispute::ClosedDispute,
    id::DisputeId,
    view::{DisputeView, RoundView, TaskView},
    Hash, Phase, SeatState, TaskId,
};
use gotong_scoring::trial::Turn;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::{unbounded_channel, UnboundedReceiver},
    task::JoinHandle,
};

/// Plays one account's disputes in the rounds of a task: it answers for the account's own table,
/// and doubts those that differ. Everything that it needs is on the chain. What it keeps on disk
/// only saves it from repeating moves.
pub struct DisputeAgent {
    signer: Keypair,
    account: Account,
    task: TaskId,
    folder: Folder,
    engine: Disputer,
    /// What the chain refused, and the block from which to try it again.
    refused: HashMap<DisputerCommand, u32>,
    /// The account's disputes that were open at the last look.
    open: BTreeSet<DisputeId>,
    /// Asks other nodes before a pick is made.
    picks: PickCheck,
    _lock: Lock,
}

/// Whose tables are to be doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspects {
    /// All that differ from what was computed here.
    Everybody,
    /// The table of one account.
    Only(Account),
    /// None: the agent only answers for its own table.
    Nobody,
}

impl Suspects {
    /// The suspects that remain, given whether the account's table is there and whether it counts. A table from a device that was
    /// later found wrong is still defended, but is not used to accuse others.
    fn given(self, is_there: bool, counts: bool) -> Self {
        match is_there && !counts {
            true => Self::Nobody,
            false => self,
        }
    }
}

/// What came of one look at the disputes of a round.
#[derive(Debug, Default)]
pub struct Hearing {
    /// The account's disputes that ended since the last look.
    pub closed: Vec<ClosedDispute>,
    /// What the chain refused.
    pub refused: Vec<(DisputerCommand, ChainError)>,
}

/// What is due in the disputes of a round.
pub(super) struct Moves {
    closed: Vec<ClosedDispute>,
    due: Option<Due>,
}

/// Moves and accusations, as they are computed.
struct Due {
    calls: UnboundedReceiver<(DisputerCommand, Option<Call>)>,
    computing: JoinHandle<()>,
    /// Digest of what the table was computed from.
    inputs: Hash,
    /// The task that it was computed for, if something has to be confirmed.
    task: Option<TaskView>,
    /// The disputes that the moves are made in.
    disputes: Arc<Vec<DisputeView>>,
}

const ENGINE: &str = "disputer";
/// After this time, no further accusation is proved before the next block. Otherwise nodes that never answer could make moves in
/// other disputes miss their deadlines.
const PROVING: Duration = Duration::from_secs(30);
/// More than can be ready at once.
const ALL: usize = 1 << 10;

impl DisputeAgent {
    /// The agent of `signer` in `task`; `folder` is the account's folder within the task's.
    pub fn open(signer: Keypair, task: TaskId, folder: &Folder) -> Result<Self, StateError> {
        let account = signer.public_key().0;
        let folder = folder.sub("disputes")?;
        let lock = folder.lock()?;
        let engine: Option<Disputer> = folder.load(ENGINE)?;
        let mut engine = engine.unwrap_or_else(|| Disputer::new(account));
        // The node may be another one than before the restart.
        engine.on_other_node();
        Ok(Self {
            signer,
            account,
            task,
            engine,
            folder,
            refused: HashMap::new(),
            open: BTreeSet::new(),
            picks: PickCheck::default(),
            _lock: lock,
        })
    }

    /// Makes every move that is due in the disputes about `round`, and opens disputes where they
    /// are needed. Calls that the chain refuses are reported, and tried again some blocks later.
    pub async fn attend(
        &mut self,
        client: &Client,
        now: &Moment,
        replica: &mut Replica,
        round: &RoundView,
        suspects: Suspects,
    ) -> Result<Hearing, RunError> {
        let moves = self.prepare(client, now, replica, round, suspects).await?;
        self.make(client, now, round, moves).await
    }

    /// Finds out what is due in the disputes about `round`, and begins to compute it. This is the first half of [`Self::attend`],
    /// and the only part that needs the replica.
    pub(super) async fn prepare(
        &mut self,
        client: &Client,
        now: &Moment,
        replica: &mut Replica,
        round: &RoundView,
        suspects: Suspects,
    ) -> Result<Moves, RunError> {
        let mut disputes = now.disputes(Some(self.task)).await?;
        disputes.retain(|dispute| dispute.round == round.round);
        let closed = self.closed(now, &disputes).await?;
        if !takes_disputes(round) {
            return Ok(Moves { closed, due: None });
        }
        let submissions = now.submissions(self.task, round.round).await?;
        let inputs = inputs_digest(round, &submissions);
        let mut commands = loop {
            let known = replica.known_score(&inputs).is_some();
            let own = replica.standing_score(round, &inputs);
            let own_table = own.map(|own| own.summary.root());
            let suspects = suspects.given(own_table.is_some(), known);
            let snapshot = self.snapshot(now, round, &disputes, own_table, suspects);
            let commands = self.engine.on_block(&snapshot);
            if commands != [DisputerCommand::Compute] {
                break commands;
            }
            replica.score(client, now, round).await?;
        };
        let is_kept = self.save();
        let block = now.block();
        self.refused.retain(|_, until| is_refused(*until, block));
        commands.retain(|command| !self.refused.contains_key(command));
        // An agent that forgets which disputes it lost would lose another bond.
        commands.retain(|command| is_kept || !is_accusation(command));
        if commands.is_empty() {
            return Ok(Moves { closed, due: None });
        }
        let asks = commands.iter().any(is_confirmed) && client.is_doubted();
        let task = match asks {
            true => now.task(self.task).await?,
            false => None,
        };
        let player = replica.player(client, now, round).await?;
        let disputes = Arc::new(disputes);
        let (of, shown) = (round.clone(), disputes.clone());
        let (calls, computing) =
            in_turn(commands, move |command| call(&of, &shown, &player, command));
        let due = Due {
            calls,
            computing,
            inputs,
            task: task.filter(|task| replica.is_of(task)),
            disputes,
        };
        Ok(Moves {
            closed,
            due: Some(due),
        })
    }

    /// Makes the moves that were prepared: the second half of [`Self::attend`].
    pub(super) async fn make(
        &mut self,
        client: &Client,
        now: &Moment,
        round: &RoundView,
        moves: Moves,
    ) -> Result<Hearing, RunError> {
        let mut hearing = Hearing {
            closed: moves.closed,
            ..Hearing::default()
        };
        let Some(mut due) = moves.due else {
            return Ok(hearing);
        };
        let block = now.block();
        // An accusation would cost the bond on a fork where the accused stands for a correct table.
        let tied = client.tied_to(now);
        let (mut computed, mut picks, mut accusations) = (Vec::new(), Vec::new(), Vec::new());
        let asks = PickCheck::is_needed(client);
        // While what is ready is sent, the next ones are computed.
        while due.calls.recv_many(&mut computed, ALL).await > 0 {
            let mut moves = Vec::new();
            for (command, call) in computed.drain(..) {
                match call {
                    call if asks && is_pick(&command) => picks.push((command, call)),
                    None => self.has_no_move(command, block),
                    Some(call) if is_accusation(&command) => accusations.push((command, call)),
                    Some(call) => moves.push((command, call)),
                }
            }
            self.send_all(client, moves, &mut hearing).await?;
        }
        due.computing.await?;
        let basis = due.task.as_ref().map(|task| Basis {
            task,
            round,
            inputs: &due.inputs,
        });
        // Answers do not wait for other nodes.
        let picks = self.confirmed(client, now, &due.disputes, basis, picks);
        let mut moves = Vec::new();
        for (command, call) in picks.await? {
            match call {
                Some(call) => moves.push((command, call)),
                None => self.has_no_move(command, block),
            }
        }
        self.send_all(client, moves, &mut hearing).await?;
        let begun = Instant::now();
        // Moves have deadlines, so they do not wait for accusations to be proved, and the next moves do not wait for all of them.
        for (command, call) in accusations {
            if begun.elapsed() > PROVING {
                break;
            }
            match self.confirm(client, now, basis, (command, &call)).await {
                Ok(()) => self.send(&tied, command, &call, &mut hearing).await?,
                // It is tried again with the next block.
                Err(error @ ChainError::Unproved(_)) => {
                    tracing::info!("waiting for finality: {error}");
                }
                Err(error @ ChainError::Unconfirmed(_)) => {
                    hearing.refused.push((command, error));
                }
                Err(error) => return Err(error.into()),
            }
        }
        for (command, error) in &hearing.refused {
            self.pause(*command, block);
            self.tell(*command, error);
        }
        Ok(hearing)
    }

    /// The account's disputes that were open at the last look and are not open any more.
    async fn closed(
        &mut self,
        now: &Moment,
        disputes: &[DisputeView],
    ) -> Result<Vec<ClosedDispute>, RunError> {
        let own = |dispute: &&DisputeView| is_party(dispute, &self.account);
        let open: BTreeSet<_> = disputes.iter().filter(own).map(|found| found.id).collect();
        let before = std::mem::replace(&mut self.open, open);
        let gone: BTreeSet<_> = before.difference(&self.open).collect();
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let mut verdicts = now.verdicts().await?;
        verdicts.retain(|closed| gone.contains(&closed.id));
        for closed in &verdicts {
            tracing::info!(dispute = %closed.id, "{}", describe_verdict(&closed.verdict));
        }
        Ok(verdicts)
    }

    fn snapshot(
        &self,
        now: &Moment,
        round: &RoundView,
        disputes: &[DisputeView],
        own_table: Option<Hash>,
        suspects: Suspects,
    ) -> DisputerSnapshot {
        let stands = round
            .seats
            .iter()
            .filter(|seat| seat.state == SeatState::Sitting)
            .filter_map(|seat| Some((seat.account, seat.table.as_ref()?.root())));
        let is_suspect = |(who, _): &(Account, Hash)| match suspects {
            Suspects::Everybody => true,
            Suspects::Only(suspect) => *who == suspect,
            Suspects::Nobody => false,
        };
        DisputerSnapshot {
            block: now.block(),
            round: round.round,
            own_table,
            tables: stands.filter(is_suspect).collect(),
            disputes: disputes.iter().map(open_dispute).collect(),
        }
    }

    /// Sends moves in one transaction, so that none waits for the others' blocks; one by one if the
    /// chain refuses one of them.
    async fn send_all(
        &mut self,
        client: &Client,
        moves: Vec<(DisputerCommand, Call)>,
        hearing: &mut Hearing,
    ) -> Result<(), RunError> {
        if moves.len() > 1 {
            let calls: Vec<Call> = moves.iter().map(|(_, call)| call.clone()).collect();
            let sent = client.submit_all(&self.signer, &calls, Inclusion::Best);
            match sent.await {
                Ok(receipt) => {
                    for (command, _) in moves {
                        self.done(command, receipt.block);
                    }
                    return Ok(());
                }
                Err(error) if is_refusal(&error) => tracing::debug!("one by one: {error}"),
                Err(error) => return Err(error.into()),
            }
        }
        for (command, call) in moves {
            self.send(client, command, &call, hearing).await?;
        }
        Ok(())
    }

    async fn send(
        &mut self,
        client: &Client,
        command: DisputerCommand,
        call: &Call,
        hearing: &mut Hearing,
    ) -> Result<(), RunError> {
        match client.submit(&self.signer, call, Inclusion::Best).await {
            Ok(receipt) => self.done(command, receipt.block),
            // The next look shows whether it is still due on the fork that the chain is on.
            Err(ChainError::Rejected {
                reason,
                of_a_fork: true,
                ..
            }) => tracing::info!("not sent, because of a fork: looking again ({reason})"),
            Err(error) if is_refusal(&error) => hearing.refused.push((command, error)),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// A block took the move.
    fn done(&mut self, command: DisputerCommand, block: u32) {
        match command {
            DisputerCommand::Compute => {}
            DisputerCommand::Answer { dispute, moves } => {
                tracing::info!(%dispute, "answered, move {}", moves + 1);
                self.engine.on_moved(dispute, moves, block);
            }
            DisputerCommand::Pick { dispute, moves } => {
                tracing::info!(%dispute, "picked, move {}", moves + 1);
                self.engine.on_moved(dispute, moves, block);
            }
            DisputerCommand::Accuse { accused } => {
                let accused_address = address(&accused);
                tracing::warn!(
                    "{accused_address} stands for another table, so a dispute was opened"
                );
                self.engine.on_accused(accused, block);
            }
        }
        self.save();
    }

    fn has_no_move(&mut self, command: DisputerCommand, block: u32) {
        tracing::error!("no move for {command:?}");
        self.pause(command, block);
    }

    fn pause(&mut self, command: DisputerCommand, block: u32) {
        let until = block.saturating_add(REFUSED_BLOCKS);
        self.refused.insert(command, until);
    }

    fn tell(&self, command: DisputerCommand, error: &ChainError) {
        match command {
            DisputerCommand::Accuse { accused } => tracing::error!(
                "{} stands for another table, but no dispute could be opened: {error}. (A dispute needs a bond from the free \
                 balance of {})",
                address(&accused),
                address(&self.account),
            ),
            DisputerCommand::Answer { dispute, .. } | DisputerCommand::Pick { dispute, .. } => {
                tracing::error!(%dispute, "the move was refused: {error}");
            }
            DisputerCommand::Compute => {}
        }
    }

    /// Another node is asked from now on. The previous one may have made up which blocks took its moves.
    pub(super) fn disconnected(&mut self) {
        self.engine.on_other_node();
        // A refused move may have relied on something that that node had made up, so it is tried again. Accusations keep waiting,
        // because each costs a fee.
        self.refused.retain(|command, _| is_accusation(command));
    }

    /// Saves the engine, and returns whether it is on disk. A party that makes no move loses, so no move waits for free space. If
    /// something was not saved, the worst case is that a restart repeats a move, which the chain refuses.
    fn save(&self) -> bool {
        let saved = self.folder.save(ENGINE, &self.engine);
        if let Err(error) = &saved {
            tracing::error!("{error}");
        }
        saved.is_ok()
    }
}

#[cfg(test)]
impl DisputeAgent {
    /// Acts as if the node had said that this block took a move.
    pub(super) fn moved_at(&mut self, block: u32) {
        self.engine.on_moved(DisputeId(5), 1, block);
    }

    /// Whether the next move depends on what a node said about earlier ones.
    pub(super) fn relies_on_its_node(&self) -> bool {
        self.engine != Disputer::new(self.account)
    }
}

/// Computes what to say for each command, one after another, in the background. What is ready can be sent before the rest is.
fn in_turn<C, T>(
    commands: Vec<C>,
    call: impl Fn(C) -> T + Send + 'static,
) -> (UnboundedReceiver<(C, T)>, JoinHandle<()>)
where
    C: Copy + Send + 'static,
    T: Send + 'static,
{
    let (give, take) = unbounded_channel();
    let computing = tokio::task::spawn_blocking(move || {
        for command in commands {
            if give.send((command, call(command))).is_err() {
                // Nobody waits any more.
                break;
            }
        }
    });
    (take, computing)
}

/// The call that carries out `command`; none if there is nothing to say.
fn call(
    round: &RoundView,
    disputes: &[DisputeView],
    player: &RoundPlayer,
    command: DisputerCommand,
) -> Option<Call> {
    let open = |id: DisputeId| disputes.iter().find(|dispute| dispute.id == id);
    match command {
        DisputerCommand::Compute => None,
        DisputerCommand::Answer { dispute, .. } => {
            let answer = player.answer(&open(dispute)?.trial)?;
            Some(Call::answer_dispute(dispute, &answer))
        }
        DisputerCommand::Pick { dispute, .. } => {
            let of = open(dispute)?;
            let pick = player.pick(&of.table, &of.trial)?;
            Some(Call::pick_in_dispute(dispute, pick))
        }
        DisputerCommand::Accuse { accused } => {
            let seat = round.seats.iter().find(|seat| seat.account == accused);
            let accusation = player.accuse(seat?.table.as_ref()?)?;
            let (task, id) = (round.task, round.round);
            Some(Call::open_dispute(task, id, accused, accusation))
        }
    }
}

fn is_accusation(command: &DisputerCommand) -> bool {
    matches!(command, DisputerCommand::Accuse { .. })
}

/// The root of the table that an account stands for.
fn table_of(round: &RoundView, account: &Account) -> Option<Hash> {
    let seat = round.seats.iter().find(|seat| seat.account == *account)?;
    Some(seat.table.as_ref()?.root())
}

fn is_party(dispute: &DisputeView, account: &Account) -> bool {
    [dispute.accused, dispute.challenger].contains(account)
}

/// The deadlines of the next moves in the account's disputes about a task, as blocks. The other party may move at once, so its
/// deadline counts as well.
pub(super) fn deadlines(disputes: &[DisputeView], task: TaskId, account: &Account) -> Vec<u32> {
    let own = disputes.iter();
    let own = own.filter(|dispute| dispute.task == task && is_party(dispute, account));
    own.map(|dispute| dispute.deadline).collect()
}

/// Whether tables can be disputed. They can once the challenge begins, which is when its audits are drawn.
pub(super) fn takes_disputes(round: &RoundView) -> bool {
    round.phase == Phase::Challenge && round.audit_seed.is_some()
}

/// Whether the chain refused this call, but would still take others.
fn is_refusal(error: &ChainError) -> bool {
    matches!(
        error,
        ChainError::Refused { .. } | ChainError::Failed(_) | ChainError::Rejected { .. }
    )
}

fn open_dispute(view: &DisputeView) -> OpenDispute {
    OpenDispute {
        id: view.id,
        accused: view.accused,
        challenger: view.challenger,
        turn: turn(view),
        moves: view.moves(),
        deadline: view.deadline,
    }
}

/// The name of the stage that a dispute has reached.
pub fn stage(dispute: &DisputeView) -> String {
    StepName::of(&dispute.trial.statement).to_string()
}

/// Whose move it is.
pub fn turn(dispute: &DisputeView) -> Turn {
    match dispute.awaits_answer {
        true => Turn::Accused,
        false => Turn::Challenger,
    }
}

#[cfg(test)]
mod tests;
