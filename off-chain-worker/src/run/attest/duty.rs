//! An attester's duties for its seats in a task, and how it performs them.

use super::salt::salt;
use crate::{
    chain::{Account, Call, ChainError, Client, Grounds, Keypair, Moment, ProofWait, Receipt},
    engine::{Attester, AttesterCommand, AttesterSnapshot, Evaluated, Seat},
    run::{
        engine_files::load_attester,
        is_refused,
        second_node::{agrees, proof_wait},
        submit_once, RunError, ScoredRound, REFUSED_BLOCKS,
    },
    state::Folder,
};
use gotong_protocol::{
    bounds::AUDITS,
    view::{RoundView, SeatView, TaskView},
    AuditAnswer, Hash, RoundId, SeatState, TaskId,
};
use gotong_scoring::{audits, work_root, Audited};
use std::sync::Arc;

/// An attester's duties for its seats in a task.
pub(super) struct Duty {
    signer: Keypair,
    folder: Folder,
    engine: Attester,
    /// The engine as it is on disk.
    saved: Option<Attester>,
    /// The last round for which a wrong table was logged.
    told: Option<RoundId>,
    /// The command that the chain refused last, and the block from which to try it again.
    refused: Option<(AttesterCommand, u32)>,
    /// The block that took its last call.
    acted_at: u32,
}

const ENGINE: &str = "attester";
/// How many blocks to wait for a proof, or for a second node that may only be behind.
const UNPROVED_BLOCKS: u32 = 1;

impl Duty {
    /// The account's duties in the task; `folder` is the account's own in the task's folder.
    pub fn open(signer: Keypair, task: TaskId, folder: Folder) -> Result<Self, RunError> {
        let saved = load_attester(&folder, ENGINE)?;
        let account = signer.public_key().0;
        let engine = saved.clone();
        let mut engine = engine.unwrap_or_else(|| Attester::new(task, account));
        // The node may be another one than before the restart.
        engine.on_other_node();
        Ok(Self {
            engine,
            saved,
            signer,
            folder,
            told: None,
            refused: None,
            acted_at: 0,
        })
    }

    /// Returns once the engine is on disk. If it is there already, nothing is written, so a full disk does not matter.
    fn save(&mut self) -> Result<(), RunError> {
        if self.saved.as_ref() != Some(&self.engine) {
            self.folder.save(ENGINE, &self.engine)?;
            self.saved = Some(self.engine.clone());
        }
        Ok(())
    }

    /// Returns once the engine is on disk, if `command` depends on that. Only a commitment does, because what it commits to has to
    /// be kept. If the disk is full, earlier commitments are still revealed and audits are answered, because silence costs stake.
    fn save_for(&mut self, command: &AttesterCommand) -> Result<(), RunError> {
        match self.save() {
            Err(error) if !matches!(command, AttesterCommand::Commit { .. }) => {
                tracing::error!("{error}");
                Ok(())
            }
            saved => saved,
        }
    }

    /// Does what is due now, as far as the results computed so far allow it.
    pub async fn fulfil(
        &mut self,
        client: &Client,
        view: &TaskView,
        of: &RoundView,
        now: &AttesterSnapshot,
        own: Option<Arc<ScoredRound>>,
    ) -> Result<(), RunError> {
        if now.block < self.acted_at {
            // The node does not know this attester's last call yet.
            return Ok(());
        }
        let Some(command) = self.due(of, now, own.as_deref()) else {
            return Ok(());
        };
        let waits =
            |(refused, until): &(_, u32)| *refused == command && is_refused(*until, now.block);
        if self.refused.as_ref().is_some_and(waits) {
            return Ok(());
        }
        self.save_for(&command)?;
        let wait = proof_wait(of, now.block);
        let executed = self.execute(client, view, of, own, command.clone(), wait);
        let wait = match executed.await {
            Err(RunError::Chain(error @ ChainError::Refused { .. })) => {
                tracing::error!("{error}");
                if error.is_refusal("CommitmentMismatch") {
                    tracing::error!(
                        "cannot reveal: the table that was committed to was lost with the disk, and the one computed now is another. \
                         Either a device computed wrongly, or an older release chose a random salt. A table that is not revealed \
                         costs 50 GTG"
                    );
                }
                REFUSED_BLOCKS
            }
            Err(RunError::Chain(error @ ChainError::Unconfirmed(_))) => {
                tracing::error!("{error}");
                UNPROVED_BLOCKS
            }
            Err(RunError::Chain(error @ ChainError::Unproved(_))) => {
                tracing::info!("waiting for finality: {error}");
                UNPROVED_BLOCKS
            }
            Err(RunError::Chain(
                error @ (ChainError::Disproved { .. } | ChainError::BadProof { .. }),
            )) => {
                // Start afresh with the next node.
                self.engine.on_disproved(&now.inputs);
                self.save()?;
                return Err(error.into());
            }
            done => return done,
        };
        self.refused = Some((command, now.block.saturating_add(wait)));
        Ok(())
    }

    /// What is due now, given what was computed so far. The salt of the commitment is on disk. If the disk is lost, the same salt
    /// follows from the same inputs and the account's key.
    fn due(
        &mut self,
        of: &RoundView,
        now: &AttesterSnapshot,
        own: Option<&ScoredRound>,
    ) -> Option<AttesterCommand> {
        let Some(own) = own else {
            return self.engine.on_block(now);
        };
        self.engine.on_computed(&now.inputs, &own.summary);
        if !own.by_device {
            self.engine.on_confirmed(&now.inputs, &own.summary);
            if self.has_committed_to_another(now, own) {
                return None;
            }
        }
        let due = self.engine.on_block(now);
        let Some(AttesterCommand::Evaluate { round }) = due else {
            return due;
        };
        if now.seat == Some(Seat::Committed) {
            tracing::warn!(
                "what was committed is not on this disk: the round was evaluated again, and its table is revealed"
            );
        }
        let inputs = own.inputs.digest;
        self.engine.on_evaluated(Evaluated {
            round,
            inputs,
            base_root: of.base_root,
            table: own.summary.clone(),
            work_root: work_root(&self.account(), &own.table),
            salt: salt(&self.signer, &inputs),
            by_device: own.by_device,
            is_sent: false,
        });
        self.engine.on_block(now)
    }

    /// Whether it has committed to a table that differs from what the processor computes. This happens if a device computed it and
    /// was found wrong later. Such a table is not revealed: staying silent costs less than being convicted.
    fn has_committed_to_another(&mut self, now: &AttesterSnapshot, own: &ScoredRound) -> bool {
        let table = self.engine.table(&now.inputs);
        let has = now.seat == Some(Seat::Committed) && table.is_some_and(|had| *had != own.summary);
        if has && self.told != Some(now.round) {
            tracing::error!(
                "not revealing the table that was committed to, because it is wrong. This costs 50 GTG; revealing it would \
                 cost the whole stake"
            );
            self.told = Some(now.round);
        }
        has
    }

    async fn execute(
        &mut self,
        client: &Client,
        view: &TaskView,
        of: &RoundView,
        own: Option<Arc<ScoredRound>>,
        command: AttesterCommand,
        wait: ProofWait,
    ) -> Result<(), RunError> {
        let task = of.task;
        match command {
            // The replica's worker does that.
            AttesterCommand::Evaluate { .. } => {}
            AttesterCommand::Commit {
                round,
                commitment,
                inputs,
            } => {
                let call = Call::commit_attestation(task, round, commitment, inputs);
                let own = own.as_deref();
                let confirmed = self.is_confirmed(client, view, of, own, &call, wait);
                if !confirmed.await? {
                    return Ok(());
                }
                self.engine.on_sent(&inputs);
                self.save()?;
                if let Some(receipt) = self.send(client, &call).await? {
                    self.engine.on_committed(receipt.block);
                    self.save()?;
                }
                tracing::info!("committed to a table");
            }
            AttesterCommand::Reveal {
                round,
                table,
                work_root,
                salt,
            } => {
                let call = Call::reveal_attestation(task, round, &table, work_root, salt);
                self.send(client, &call).await?;
                let gain = table.pay().map(|pay| pay.on_b.gain());
                tracing::info!(
                    "revealed table {}: {}",
                    hex::encode(&table.root()[..4]),
                    gain.map_or("nothing is merged".into(), |gain| format!(
                        "a gain of {gain} Q16 bits on half B"
                    )),
                );
            }
            AttesterCommand::AnswerAudits { round } => {
                let (Some(seed), Some(own)) = (of.audit_seed, own) else {
                    return Ok(());
                };
                let answers = answer_audits(self.account(), own, seed).await?;
                let call = Call::answer_audits(task, round, &answers);
                self.send(client, &call).await?;
                tracing::info!("answered {AUDITS} audits");
            }
        }
        Ok(())
    }

    /// Whether the table may be committed to. Unless one node's word is enough, two things have to hold. This process has to have
    /// computed the table itself, because the one on disk may be for a task that a node made up. And the task and the round have
    /// to be proved by the state at a final block, or confirmed by a second node if finality stands still. Only what was committed
    /// can be revealed later, so the reveal needs no further check.
    async fn is_confirmed(
        &self,
        client: &Client,
        view: &TaskView,
        of: &RoundView,
        own: Option<&ScoredRound>,
        call: &Call,
        wait: ProofWait,
    ) -> Result<bool, RunError> {
        let Some(own) = own else {
            return Ok(!client.is_doubted());
        };
        if self.engine.table(&own.inputs.digest) != Some(&own.summary) {
            tracing::error!(
                "not committed: the table on disk differs from the one that was just computed"
            );
            return Ok(false);
        }
        if !client.is_doubted() {
            return Ok(true);
        }
        let inputs = &own.inputs.digest;
        let grounds = Grounds {
            task: of.task,
            terms: &view.terms,
            graph: &view.graph,
            round: of.round,
            inputs,
            accused: None,
            dispute: None,
        };
        let says_so = async |other: &Moment| agrees(other, view, of, inputs).await;
        client.confirm(call, &grounds, wait, says_so).await?;
        Ok(true)
    }

    async fn send(&mut self, client: &Client, call: &Call) -> Result<Option<Receipt>, ChainError> {
        let sent = submit_once(client, &self.signer, call).await?;
        if let Some(receipt) = &sent {
            self.acted_at = receipt.block;
        }
        Ok(sent)
    }

    /// Another node is asked from now on. The previous one may have made up which blocks took its calls.
    pub fn disconnected(&mut self) {
        self.acted_at = 0;
        self.engine.on_other_node();
    }

    fn account(&self) -> Account {
        self.signer.public_key().0
    }
}

/// The answers to the audits that `seed` draws.
async fn answer_audits(
    account: Account,
    own: Arc<ScoredRound>,
    seed: Hash,
) -> Result<Vec<AuditAnswer>, RunError> {
    let answers = tokio::task::spawn_blocking(move || {
        let audited = Audited {
            summary: &own.summary,
            samples: own.inputs.sample_count,
            entrants: own.inputs.entrants.len() as u32,
        };
        audits(&seed, &account, AUDITS, &audited)
            .iter()
            .filter_map(|audit| AuditAnswer::of(audit, &account, &own.table))
            .collect()
    });
    Ok(answers.await?)
}

/// What the chain knows about the seat so far.
pub(super) fn seat_of(seat: &SeatView) -> Seat {
    match (seat.state, &seat.claim) {
        (SeatState::Sitting, Some(_)) if seat.audited => Seat::Audited,
        (SeatState::Sitting, Some(_)) => Seat::Revealed,
        (SeatState::Sitting, None) if seat.committed => Seat::Committed,
        (SeatState::Sitting, None) => Seat::Drawn,
        _ => Seat::Out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{run::views, test_lab::Lab};
    use gotong_protocol::{attestation_commitment, Phase};

    /// The result of `lab`'s round.
    fn scored(lab: &Lab) -> ScoredRound {
        let (round, table) = lab.score();
        ScoredRound {
            inputs: Arc::new(crate::run::replica::lab_inputs(lab)),
            weights: round.weights,
            summary: table.summary(),
            table,
            by_device: false,
        }
    }

    /// A program that finds nothing on its disk.
    fn newly_opened() -> Duty {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let signer = crate::keys::development("alice").unwrap();
        Duty::open(signer, TaskId(1), folder).unwrap()
    }

    /// In the phase and the seat of an attester that has just been drawn for `own`.
    fn drawn_for(own: &ScoredRound) -> AttesterSnapshot {
        AttesterSnapshot {
            block: 9,
            round: RoundId(2),
            phase: Phase::AttestCommit,
            inputs: own.inputs.digest,
            seat: Some(Seat::Drawn),
            are_audits_drawn: false,
            is_device_trusted: true,
        }
    }

    /// The disk is lost between commitment and reveal.
    #[test]
    fn what_was_committed_is_computed_again_and_revealed_by_the_same_salt() {
        let (of, own) = (views::round(), scored(&Lab::small()));
        let mut now = drawn_for(&own);
        let mut first = newly_opened();
        let Some(AttesterCommand::Commit { commitment, .. }) = first.due(&of, &now, Some(&own))
        else {
            panic!("nothing is committed");
        };
        (now.phase, now.seat) = (Phase::AttestReveal, Some(Seat::Committed));
        let mut other = newly_opened();
        let evaluate = AttesterCommand::Evaluate { round: now.round };
        assert_eq!(other.due(&of, &now, None), Some(evaluate));
        let reveal = other.due(&of, &now, Some(&own));
        assert_eq!(reveal, first.due(&of, &now, Some(&own)));
        let Some(AttesterCommand::Reveal {
            round,
            table,
            work_root,
            salt,
        }) = reveal
        else {
            panic!("nothing is revealed");
        };
        let claim = table.claim(&of.base_root);
        let account = other.account();
        let opened = attestation_commitment(TaskId(1), round, &account, &claim, &work_root, &salt);
        assert_eq!(opened, commitment);
        // A restart finds it with what was committed, and needs no score for that.
        assert_eq!(other.due(&of, &now, None), first.due(&of, &now, None));
    }

    #[test]
    fn a_salt_on_disk_goes_before_the_one_of_the_key() {
        let (of, own) = (views::round(), scored(&Lab::small()));
        let mut now = drawn_for(&own);
        let mut duty = newly_opened();
        duty.engine.on_evaluated(Evaluated {
            round: now.round,
            inputs: now.inputs,
            base_root: of.base_root,
            table: own.summary.clone(),
            work_root: [6; 32],
            salt: [7; 32],
            by_device: false,
            is_sent: true,
        });
        (now.phase, now.seat) = (Phase::AttestReveal, Some(Seat::Committed));
        let reveal = duty.due(&of, &now, Some(&own));
        assert!(
            matches!(&reveal, Some(AttesterCommand::Reveal { salt, .. }) if *salt == [7; 32]),
            "{reveal:?}"
        );
    }

    /// The first program's device was wrong, or the second one's is. Only the chain knows which table was committed to, and it
    /// refuses the other one.
    #[test]
    fn after_a_loss_the_processor_has_the_last_word() {
        let (of, right) = (views::round(), scored(&Lab::small()));
        let mut now = drawn_for(&right);
        (now.phase, now.seat) = (Phase::AttestReveal, Some(Seat::Committed));
        let mut wrong = ScoredRound {
            by_device: true,
            ..right.clone()
        };
        wrong.summary.merge = None;
        let mut duty = newly_opened();
        let revealed = |command| match command {
            Some(AttesterCommand::Reveal { table, .. }) => Some(*table),
            _ => None,
        };
        let by_device = duty.due(&of, &now, Some(&wrong));
        assert_eq!(revealed(by_device), Some(wrong.summary));
        let by_processor = duty.due(&of, &now, Some(&right));
        assert_eq!(revealed(by_processor), Some(right.summary));
    }

    #[test]
    fn a_seat_is_read_from_the_chain() {
        let table = Lab::small().summary();
        let seat = |state, committed, is_shown: bool, audited| {
            let table = is_shown.then(|| table.clone());
            seat_of(&SeatView {
                committed,
                audited,
                ..views::seat(1, state, table)
            })
        };
        let sitting = SeatState::Sitting;
        assert_eq!(seat(sitting, false, false, false), Seat::Drawn);
        assert_eq!(seat(sitting, true, false, false), Seat::Committed);
        assert_eq!(seat(sitting, true, true, false), Seat::Revealed);
        assert_eq!(seat(sitting, true, true, true), Seat::Audited);
        for lost in [
            SeatState::Missed,
            SeatState::Convicted,
            SeatState::Unaudited,
        ] {
            assert_eq!(seat(lost, true, true, true), Seat::Out);
        }
    }

    /// A folder stands where the file would be, so writing fails even if root runs the test.
    #[test]
    fn only_a_commitment_waits_for_room_on_the_disk() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let signer = crate::keys::development("alice").unwrap();
        let mut duty = Duty::open(signer, TaskId(1), folder).unwrap();
        let round = RoundId(3);
        let commit = AttesterCommand::Commit {
            round,
            commitment: [1; 32],
            inputs: [2; 32],
        };
        let answer = AttesterCommand::AnswerAudits { round };
        std::fs::create_dir_all(temporary.path().join(ENGINE).join("full")).unwrap();
        assert!(duty.save_for(&commit).is_err());
        assert!(duty.save_for(&answer).is_ok());
        // The failed attempt does not count as saved.
        assert!(duty.save_for(&commit).is_err());
        std::fs::remove_dir_all(temporary.path().join(ENGINE)).unwrap();
        assert!(duty.save_for(&commit).is_ok());
        // Nothing is written again if it is on disk already.
        std::fs::remove_file(temporary.path().join(ENGINE)).unwrap();
        std::fs::create_dir_all(temporary.path().join(ENGINE).join("full")).unwrap();
        assert!(duty.save_for(&commit).is_ok());
    }

    /// A lying node may have made up the block, and another node may be asked after the restart.
    #[test]
    fn a_restart_forgets_which_block_took_a_commitment() {
        let temporary = tempfile::tempdir().unwrap();
        let open = || {
            let folder = Folder::open(temporary.path()).unwrap();
            let signer = crate::keys::development("alice").unwrap();
            Duty::open(signer, TaskId(1), folder).unwrap()
        };
        let mut duty = open();
        let new = duty.engine.clone();
        duty.engine.on_committed(u32::MAX);
        duty.save().unwrap();
        assert_ne!(duty.engine, new);
        assert_eq!(open().engine, new);
    }

    #[test]
    fn an_upgrade_in_the_middle_of_a_round_keeps_what_was_computed() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let signer = crate::keys::development("alice").unwrap();
        // State version 5, of task 1: one table for round 3, with neither passes nor a merge, and no block of a commitment.
        let bytes = [
            vec![5u8, 1, 0, 0, 0],
            signer.public_key().0.to_vec(),
            vec![4, 3, 0, 0, 0],
            vec![4; 64],
            vec![0, 0],
            vec![6; 64],
            vec![0, 0],
        ];
        std::fs::write(temporary.path().join(ENGINE), bytes.concat()).unwrap();
        let duty = Duty::open(signer, TaskId(1), folder).unwrap();
        assert!(duty.engine.table(&[4; 32]).is_some());
    }

    #[tokio::test]
    async fn audits_are_answered_as_the_chain_verifies_them() {
        let lab = Lab::small();
        let (account, seed) = ([4; 32], [8; 32]);
        let own = Arc::new(scored(&lab));
        let audited = Audited {
            summary: &own.summary,
            samples: lab.facts.samples,
            entrants: lab.facts.entrants,
        };
        let answers = answer_audits(account, own.clone(), seed).await.unwrap();
        assert_eq!(answers.len(), AUDITS as usize);
        let root = work_root(&account, &own.table);
        for (audit, answer) in audits(&seed, &account, AUDITS, &audited)
            .iter()
            .zip(answers)
        {
            assert_eq!(answer.verify(audit, &account, &audited, &root), Ok(()));
        }
    }
}
