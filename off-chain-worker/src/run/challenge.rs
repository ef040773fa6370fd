//! The daemon of `gotong challenge`.

use super::{
    dispute_agent::{stage, turn},
    inputs_digest,
    replica::ReplicaWorker,
    round_span, Daemon, DisputeAgent, Replica, RunError, ScoredRound, ScorerOptions, Suspects,
    WorkerDirs,
};
use crate::{
    chain::{Account, ChainError, Client, Keypair, Moment},
    engine::DisputerCommand,
    keys::address,
};
use gotong_protocol::{
    dispute::ClosedDispute,
    view::{DisputeView, RoundView, TaskView},
    Phase, RoundId, SeatState, TaskId,
};
use std::ops::ControlFlow;
use tracing::Instrument;

/// One dispute, from its opening to its verdict.
pub struct Challenge {
    signer: Keypair,
    dirs: WorkerDirs,
    scoring: ScorerOptions,
    task: TaskId,
    round: RoundId,
    accused: Account,
    /// Gets a report of each step.
    report: Box<dyn FnMut(String)>,
    opened: Option<(ReplicaWorker, DisputeAgent)>,
    /// Whether it has reported that the round is being computed.
    is_computing: bool,
    /// Whether the dispute was open at the last look.
    is_open: bool,
    /// How it ended.
    pub verdict: Option<ClosedDispute>,
}

impl Challenge {
    /// Disputes one table: that of an account in a round of a task. `report` gets a line for each step.
    pub fn new(
        signer: Keypair,
        dirs: WorkerDirs,
        scoring: ScorerOptions,
        (task, round, accused): (TaskId, RoundId, Account),
        report: impl FnMut(String) + 'static,
    ) -> Self {
        Self {
            signer,
            dirs,
            scoring,
            task,
            round,
            accused,
            report: Box::new(report),
            opened: None,
            is_computing: false,
            is_open: false,
            verdict: None,
        }
    }

    fn open(&self, view: &TaskView) -> Result<(ReplicaWorker, DisputeAgent), RunError> {
        let account = self.signer.public_key().0;
        let folder = Replica::folder(&self.dirs, view)?.sub(hex::encode(&account[..8]))?;
        let agent = DisputeAgent::open(self.signer.clone(), self.task, &folder)?;
        let worker = ReplicaWorker::new(self.dirs.clone(), self.scoring.clone());
        Ok((worker, agent))
    }

    /// Whether there is a table to doubt, and time to do it.
    fn check_disputable(&self, view: &TaskView, round: &RoundView) -> Result<(), RunError> {
        let refuse = |why: String| Err(RunError::Refused(why));
        if view.round != self.round || round.phase != Phase::Challenge {
            return refuse(format!(
                "round {} can be disputed only in its phase Challenge; task {} is in round {}, phase {:?}",
                self.round, self.task, view.round, round.phase
            ));
        }
        let who = address(&self.accused);
        let seat = round.seats.iter().find(|seat| seat.account == self.accused);
        match seat {
            None => refuse(format!("{who} has no seat in round {}", self.round)),
            Some(seat) if seat.state != SeatState::Sitting || seat.table.is_none() => {
                refuse(format!("{who} stands for no table in round {}", self.round))
            }
            Some(_) => Ok(()),
        }
    }

    fn check_differs(&self, round: &RoundView, own: &ScoredRound) -> Result<(), RunError> {
        let seat = round.seats.iter().find(|seat| seat.account == self.accused);
        let theirs = seat.and_then(|seat| seat.table.as_ref());
        if theirs == Some(&own.summary) {
            return Err(RunError::Refused(format!(
                "{} stands for the same table as the one computed here: there is nothing to dispute",
                address(&self.accused)
            )));
        }
        Ok(())
    }

    /// The account's open dispute about this table.
    async fn own(&self, now: &Moment) -> Result<Option<DisputeView>, ChainError> {
        let account = self.signer.public_key().0;
        let mut disputes = now.disputes(Some(self.task)).await?.into_iter();
        Ok(disputes.find(|open| open.accused == self.accused && open.challenger == account))
    }

    async fn play(
        &mut self,
        client: &Client,
        now: &Moment,
        view: &TaskView,
        worker: &mut ReplicaWorker,
        agent: &mut DisputeAgent,
    ) -> Result<ControlFlow<()>, RunError> {
        let Some(round) = now.round(self.task, self.round).await? else {
            return Err(RunError::Refused(format!(
                "task {} has no round {}",
                self.task, self.round
            )));
        };
        let account = self.signer.public_key().0;
        let own = self.own(now).await?;
        if let Some(own) = &own {
            self.is_open = true;
            (self.report)(format!(
                "dispute {}: {}, {:?} to move by block {}",
                own.id,
                stage(own),
                turn(own),
                own.deadline
            ));
        } else if !self.is_open {
            self.check_disputable(view, &round)?;
            if !self.is_computing {
                (self.report)(format!("computing round {}", self.round));
                self.is_computing = true;
            }
        }
        let submissions = now.submissions(self.task, self.round).await?;
        let inputs = inputs_digest(&round, &submissions);
        let wanted = (round.phase == Phase::Challenge).then_some((&round, inputs));
        let Some(replica) = worker.ready(client, now, view, wanted).await? else {
            return Ok(ControlFlow::Continue(()));
        };
        if !self.is_open {
            let Some(scored) = replica.known_score(&inputs) else {
                return Ok(ControlFlow::Continue(()));
            };
            self.check_differs(&round, &scored)?;
        }
        let suspects = match self.is_open {
            true => Suspects::Nobody,
            false => Suspects::Only(self.accused),
        };
        let hearing = agent.attend(client, now, replica, &round, suspects).await?;
        let mut closed = hearing.closed.into_iter();
        self.verdict =
            closed.find(|closed| closed.accused == self.accused && closed.challenger == account);
        if self.verdict.is_some() {
            return Ok(ControlFlow::Break(()));
        }
        // A fork may have undone it.
        self.is_open = own.is_some();
        let accusation = |(command, _): &&(DisputerCommand, _)| {
            matches!(command, DisputerCommand::Accuse { .. })
        };
        match hearing.refused.iter().find(accusation) {
            // An earlier transaction of this program opened it after all.
            Some((_, error))
                if error.is_refusal("AlreadyDisputed")
                    && self.own(&client.best().await?).await?.is_some() =>
            {
                Ok(ControlFlow::Continue(()))
            }
            Some((_, error)) => Err(RunError::Refused(format!(
                "no dispute could be opened: {error}"
            ))),
            None => Ok(ControlFlow::Continue(())),
        }
    }
}

impl Daemon for Challenge {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<ControlFlow<()>, RunError> {
        let view = now.existing_task(self.task).await?;
        let (mut worker, mut agent) = match self.opened.take() {
            Some(opened) => opened,
            None => self.open(&view)?,
        };
        let span = round_span(self.task, self.round, &self.signer.public_key().0);
        let played = self.play(client, now, &view, &mut worker, &mut agent);
        let flow = played.instrument(span).await;
        self.opened = Some((worker, agent));
        flow
    }

    fn disconnected(&mut self) {
        if let Some((_, agent)) = &mut self.opened {
            agent.disconnected();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::development, run::views, state::Folder};

    /// A node may have invented the block that took a move.
    #[test]
    fn what_a_node_said_of_moves_is_forgotten_when_another_one_is_asked() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let dirs = WorkerDirs::open(folder, Vec::new()).unwrap();
        let (signer, view) = (development("wanda").unwrap(), views::task());
        let disputed = (view.id, view.round, [2; 32]);
        let scoring = ScorerOptions::default();
        let mut challenge = Challenge::new(signer, dirs, scoring, disputed, |_| ());
        let (worker, mut agent) = challenge.open(&view).unwrap();
        agent.moved_at(u32::MAX);
        assert!(agent.relies_on_its_node());
        challenge.opened = Some((worker, agent));
        challenge.disconnected();
        let (_, agent) = challenge.opened.as_ref().unwrap();
        assert!(!agent.relies_on_its_node());
    }
}
