use super::{
    inputs_digest, sponsor::random_hash, submit_once, tasks::Tasks, Computer, Counsel, Daemon,
    Flow, Home, Replica, RunError, Suspects,
};
use crate::{
    chain::{Account, Call, ChainError, Client, Keypair, Moment},
    engine::{Attester, AttesterCommand, AttesterSnapshot, Evaluated, Seat},
    state::{Folder, Lock},
};
use gotong_protocol::{
    bounds::AUDITS,
    view::{RoundView, SeatView, SubmissionView, TaskView},
    AuditAnswer, Hash, SeatState, TaskId,
};
use gotong_scoring::{audits, work_root};
use std::collections::BTreeMap;

/// The daemon of an attester: evaluates every round in which it holds a seat, stands for its table
/// in disputes, and disputes the tables of others that differ.
pub struct Attest {
    signer: Keypair,
    account: Account,
    home: Home,
    computer: Computer,
    /// Whether it leaves disputes alone, in drills.
    stalls: bool,
    tasks: Tasks,
    seats: BTreeMap<TaskId, Opened>,
    was_checked: bool,
}

/// A task in which the attester had a seat.
struct Opened {
    folder: Folder,
    machine: Attester,
    replica: Replica,
    counsel: Counsel,
    /// The block from which to answer audits again that the chain refused.
    audits_resume_at: u32,
    _lock: Lock,
}

const MACHINE: &str = "attester";
/// Blocks to wait before audits are answered again.
const REFUSED_BLOCKS: u32 = 5;

impl Attest {
    pub fn new(signer: Keypair, home: Home, computer: Computer, only: Option<TaskId>) -> Self {
        Self {
            account: signer.public_key().0,
            signer,
            home,
            computer,
            stalls: false,
            tasks: Tasks::new(only),
            seats: BTreeMap::new(),
            was_checked: false,
        }
    }

    /// Leaves disputes alone, its own too: for drills.
    pub fn stalling(self, stalls: bool) -> Self {
        Self { stalls, ..self }
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
        let own = round.seats.iter().find(is_own);
        // In the first block after the reveals samples may still have to be drawn.
        let seat = own.filter(|_| round.has_samples()).map(stands);
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
        let mut last = None;
        while let Some(command) = opened.machine.on_block(&snapshot) {
            opened.save()?;
            let evaluates = matches!(command, AttesterCommand::Evaluate { .. });
            // Nothing came of it the first time.
            if last.replace(command.clone()).as_ref() == Some(&command) {
                break;
            }
            opened
                .execute(&self.signer, client, now, &round, &submissions, command)
                .await?;
            if !evaluates {
                break;
            }
        }
        let suspects = match own.map(|seat| seat.state) {
            None => return Ok(()),
            _ if self.stalls => return Ok(()),
            // Its own table was found wrong: it has no business with those of others.
            Some(SeatState::Convicted) => Suspects::Nobody,
            // A liar only stands for its lie.
            _ if self.computer.lie.is_some() => Suspects::Nobody,
            Some(_) => Suspects::Everybody,
        };
        let (counsel, replica) = (&mut opened.counsel, &mut opened.replica);
        counsel
            .attend(client, now, replica, &round, suspects)
            .await?;
        Ok(())
    }

    async fn open(
        &self,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<Opened, RunError> {
        let folder = Replica::folder(&self.home, view)?.sub(hex::encode(&self.account[..8]))?;
        let lock = folder.lock()?;
        let machine = folder
            .load(MACHINE)?
            .unwrap_or_else(|| Attester::new(view.id, self.account));
        let counsel = Counsel::open(self.signer.clone(), view.id, &folder)?;
        let replica = Replica::open(client, now, &self.home, view).await?;
        Ok(Opened {
            folder,
            machine,
            replica: replica.on(self.computer.clone()),
            counsel,
            audits_resume_at: 0,
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
                let own = self.replica.own(client, now, round).await?;
                let account = signer.public_key().0;
                self.machine.on_evaluated(Evaluated {
                    round: id,
                    inputs: inputs_digest(round, submissions),
                    opening: own.score.table.opening(),
                    work_root: work_root(&account, &own.score.evaluations),
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
                opening,
                work_root,
                salt,
            } => {
                let call = Call::reveal_attestation(task, round, &opening, work_root, salt);
                submit_once(client, signer, &call).await?;
                tracing::info!(
                    "task {task}, round {round}: attested table {}, paid gain {} Q16 bits",
                    hex::encode(&opening.table_root()[..4]),
                    opening.header.paid_gain,
                );
            }
            AttesterCommand::AnswerAudits { .. } if now.block() < self.audits_resume_at => {}
            AttesterCommand::AnswerAudits { round: id } => {
                let Some(seed) = round.audit_seed else {
                    return Ok(());
                };
                let answers = self
                    .answer_audits(signer.public_key().0, client, now, round, seed)
                    .await?;
                let call = Call::answer_audits(task, id, &answers);
                match submit_once(client, signer, &call).await {
                    // The disputes of the round go on all the same.
                    Err(error @ ChainError::Refused { .. }) => {
                        tracing::error!("task {task}, round {id}: audits refused: {error}");
                        self.audits_resume_at = now.block().saturating_add(REFUSED_BLOCKS);
                    }
                    sent => {
                        sent?;
                        tracing::info!("task {task}, round {id}: answered {AUDITS} audits");
                    }
                }
            }
        }
        Ok(())
    }

    /// What the audits that `seed` draws ask for.
    async fn answer_audits(
        &mut self,
        account: Account,
        client: &Client,
        now: &Moment,
        round: &RoundView,
        seed: Hash,
    ) -> Result<Vec<AuditAnswer>, RunError> {
        let own = self.replica.own(client, now, round).await?;
        let answers = tokio::task::spawn_blocking(move || {
            let (table, evaluations) = (&own.score.table, &own.score.evaluations);
            let rows = table.rows.len() as u32;
            audits(&seed, &account, AUDITS, table.header.samples, rows)
                .iter()
                .filter_map(|audit| AuditAnswer::of(audit, &account, table, evaluations))
                .collect()
        });
        Ok(answers.await?)
    }
}

/// How far the chain knows what the seat's account attests.
fn stands(seat: &SeatView) -> Seat {
    match (seat.state, &seat.opening) {
        (SeatState::Sitting, Some(_)) if seat.audited => Seat::Audited,
        (SeatState::Sitting, Some(_)) => Seat::Revealed,
        (SeatState::Sitting, None) if seat.committed => Seat::Committed,
        (SeatState::Sitting, None) => Seat::Drawn,
        _ => Seat::Out,
    }
}

impl Daemon for Attest {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<Flow, RunError> {
        if !self.was_checked {
            self.check_entitled(now).await?;
        }
        let views = self.tasks.all(now).await?;
        for view in &views {
            if view.state.is_over() {
                self.seats.remove(&view.id);
                continue;
            }
            let looked = self.look_at(client, now, view).await;
            if self.tasks.survive(view.id, looked)? {
                self.seats.remove(&view.id);
            }
        }
        Ok(match self.tasks.is_done(&views) {
            true => Flow::Done,
            false => Flow::Continue,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::Opening;
    use gotong_scoring::{Header, SumNode};

    #[test]
    fn a_seat_is_read_from_the_chain() {
        let opening = Opening {
            header: Header {
                samples: 2,
                base: SumNode::default(),
                merged: SumNode::default(),
                gain: 0,
                gain_se: 0,
                paid_gain: 0,
                master_root: [0; 32],
                similar_root: [0; 32],
            },
            rows: SumNode::default(),
        };
        let seat = |state, committed, opening, audited| {
            stands(&SeatView {
                account: [1; 32],
                stake: 1,
                state,
                committed,
                opening,
                work_root: None,
                audited,
                fee: 0,
            })
        };
        let (sitting, shown) = (SeatState::Sitting, || Some(opening.clone()));
        assert_eq!(seat(sitting, false, None, false), Seat::Drawn);
        assert_eq!(seat(sitting, true, None, false), Seat::Committed);
        assert_eq!(seat(sitting, true, shown(), false), Seat::Revealed);
        assert_eq!(seat(sitting, true, shown(), true), Seat::Audited);
        for lost in [
            SeatState::Missed,
            SeatState::Convicted,
            SeatState::Unaudited,
        ] {
            assert_eq!(seat(lost, true, shown(), true), Seat::Out);
        }
    }
}
