use super::{inputs_digest, sponsor::random_hash, submit_once, Daemon, Flow, Replica, RunError};
use crate::{
    chain::{Account, Call, Client, Keypair, Moment},
    engine::{Attester, AttesterCommand, AttesterSnapshot, Evaluated, Seat},
    state::{Folder, Lock},
};
use gotong_protocol::{
    view::{RoundView, SeatView, SubmissionView, TaskView},
    TaskId,
};
use gotong_scoring::work_root;
use std::collections::{BTreeMap, BTreeSet};

/// The daemon of an attester: evaluates every round in which it holds a seat.
pub struct Attest {
    signer: Keypair,
    account: Account,
    base: Folder,
    /// Only this task; every task when absent.
    only: Option<TaskId>,
    seats: BTreeMap<TaskId, Opened>,
    /// Tasks that cannot be rebuilt, because the chain settled them on something else.
    given_up: BTreeSet<TaskId>,
    was_checked: bool,
}

/// A task in which the attester had a seat.
struct Opened {
    folder: Folder,
    machine: Attester,
    replica: Replica,
    _lock: Lock,
}

const MACHINE: &str = "attester";

impl Attest {
    pub fn new(signer: Keypair, base: Folder, only: Option<TaskId>) -> Self {
        Self {
            account: signer.public_key().0,
            signer,
            base,
            only,
            seats: BTreeMap::new(),
            given_up: BTreeSet::new(),
            was_checked: false,
        }
    }

    /// An attester needs a registration with the role.
    async fn check_entitled(&mut self, now: &Moment) -> Result<(), RunError> {
        let stake = now.stake(&self.account).await?;
        if !stake.is_some_and(|stake| stake.roles.attester) {
            return Err(RunError::NotEntitled(
                "not registered as an attester: run `gotong register --role attester --stake \
                 AMOUNT` first"
                    .into(),
            ));
        }
        self.was_checked = true;
        Ok(())
    }

    async fn look_at(
        &mut self,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<(), RunError> {
        let Some(round) = now.round(view.id, view.round).await? else {
            return Ok(());
        };
        let is_own = |seat: &&SeatView| seat.account == self.account;
        let seat =
            round
                .seats
                .iter()
                .find(is_own)
                .map(|seat| match (seat.committed, &seat.claim) {
                    (_, Some(_)) => Seat::Revealed,
                    (true, None) => Seat::Committed,
                    (false, None) => Seat::Drawn,
                });
        if seat.is_some() && !self.seats.contains_key(&view.id) {
            let opened = self.open(client, now, view).await?;
            self.seats.insert(view.id, opened);
        }
        let Some(opened) = self.seats.get_mut(&view.id) else {
            return Ok(());
        };
        // In the rounds between seats too, so that the next evaluation can start at once.
        opened.replica.advance(client, now).await?;
        let submissions = now.submissions(view.id, view.round).await?;
        let snapshot = AttesterSnapshot {
            block: now.block(),
            round: view.round,
            phase: round.phase,
            inputs: inputs_digest(&round, &submissions),
            seat,
        };
        while let Some(command) = opened.machine.on_block(&snapshot) {
            opened.save()?;
            let evaluates = matches!(command, AttesterCommand::Evaluate { .. });
            opened
                .execute(&self.signer, client, now, &round, &submissions, command)
                .await?;
            if !evaluates {
                break;
            }
        }
        Ok(())
    }

    async fn open(
        &self,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<Opened, RunError> {
        let folder = Replica::folder(&self.base, view)?.sub(hex::encode(&self.account[..8]))?;
        let lock = folder.lock()?;
        let machine = folder
            .load(MACHINE)?
            .unwrap_or_else(|| Attester::new(view.id, self.account));
        let replica = Replica::open(client, now, &self.base, view).await?;
        Ok(Opened {
            folder,
            machine,
            replica,
            _lock: lock,
        })
    }
}

impl Opened {
    fn save(&self) -> Result<(), RunError> {
        Ok(self.folder.save(MACHINE, &self.machine)?)
    }

    async fn execute(
        &mut self,
        signer: &Keypair,
        client: &Client,
        now: &Moment,
        round: &RoundView,
        submissions: &[SubmissionView],
        command: AttesterCommand,
    ) -> Result<(), RunError> {
        let task = round.task;
        match command {
            AttesterCommand::Evaluate { round: id } => {
                let score = self.replica.score(client, now, round).await?;
                let account = signer.public_key().0;
                self.machine.on_evaluated(Evaluated {
                    round: id,
                    inputs: inputs_digest(round, submissions),
                    claim: score.table.claim(),
                    work_root: work_root(&account, &score.evaluations),
                    salt: random_hash()?,
                });
                self.save()?;
            }
            AttesterCommand::Commit { round, commitment } => {
                let call = Call::commit_attestation(task, round, commitment);
                if let Some(receipt) = submit_once(client, signer, &call).await? {
                    self.machine.on_committed(round, receipt.block);
                    self.save()?;
                }
                tracing::info!("task {task}, round {round}: committed to a score table");
            }
            AttesterCommand::Reveal {
                round,
                claim,
                work_root,
                salt,
            } => {
                let call = Call::reveal_attestation(task, round, &claim, work_root, salt);
                submit_once(client, signer, &call).await?;
                tracing::info!(
                    "task {task}, round {round}: attested table {}, paid gain {} Q16 bits",
                    hex::encode(&claim.table_root[..4]),
                    claim.paid_gain,
                );
            }
        }
        Ok(())
    }
}

impl Daemon for Attest {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<Flow, RunError> {
        if !self.was_checked {
            self.check_entitled(now).await?;
        }
        let tasks = match self.only {
            Some(task) => vec![task],
            None => now.tasks().await?,
        };
        let mut going_on = 0;
        for task in tasks {
            let view = now.task(task).await?.ok_or(RunError::NoTask(task))?;
            if self.given_up.contains(&task) {
                continue;
            }
            if view.state.is_over() {
                self.seats.remove(&task);
                continue;
            }
            going_on += 1;
            match self.look_at(client, now, &view).await {
                // One task that cannot be rebuilt must not stop the work on all others.
                Err(RunError::Replica(error)) if error.is_fatal() && self.only.is_none() => {
                    tracing::error!("giving up task {task}: {error}");
                    self.seats.remove(&task);
                    self.given_up.insert(task);
                }
                looked => looked?,
            }
        }
        let only_task_is_over = self.only.is_some() && going_on == 0;
        Ok(if only_task_is_over {
            Flow::Done
        } else {
            Flow::Continue
        })
    }
}
