//! What the attester offers, and how it prepares for it.

use super::{Attest, Came, ReplicaWorker, Volunteer};
use crate::{
    chain::{ChainError, Client, Inclusion, Keypair, Moment},
    run::{
        under_way::{holding, Ended, Work},
        Capacity, ScorerOptions, WorkerDirs,
    },
};
use gotong_protocol::{
    view::{StakeView, TaskView},
    TaskId,
};
use std::{collections::BTreeSet, time::Instant};

impl Attest {
    /// Sets the measured speed, in products a second, if there is one. The capacity then follows from it instead of being fixed.
    /// How much that is in a block is known once the chain says how long its blocks are.
    pub fn measured_at(self, speed: Option<f64>) -> Self {
        Self { speed, ..self }
    }

    /// Continues to follow the suitable tasks in which it has no seat, unless that is already under way.
    pub(super) fn follow(
        &mut self,
        client: &Client,
        now: &Moment,
        views: &[TaskView],
    ) -> Option<Work<Came>> {
        self.forget_what_is_over();
        self.note_progress(views);
        if self.leaves {
            return None;
        }
        let suitable = self.suitable(views);
        let seats = &self.seats;
        let without_seat = suitable
            .iter()
            .copied()
            .filter(|view| !seats.contains_key(&view.id));
        let new = || new_worker(&self.dirs, &self.scoring);
        let block = now.block();
        let came = move |followed| Came::Following(block, followed);
        self.follower.go_on(client, now, without_seat, new, came)
    }

    /// Forgets everything about tasks that are not listed any more.
    fn forget_what_is_over(&mut self) {
        let tasks = &self.tasks;
        self.follower.keep(|task| tasks.is_listed(task));
        self.fitness.keep(|task| tasks.is_listed(task));
        self.left_out.retain(|task| tasks.is_listed(*task));
    }

    /// The tasks that suit. Afterwards, it is known how far each of them has come on disk.
    fn suitable<'a>(&mut self, views: &'a [TaskView]) -> Vec<&'a TaskView> {
        let fitness = &mut self.fitness;
        let live = views.iter().filter(|view| view.state.is_live());
        let suitable: Vec<&TaskView> = live.filter(|view| fitness.suits(view)).collect();
        let on_disk = suitable.iter().copied();
        self.follower.look_on_disk(&self.dirs, on_disk);
        suitable
    }

    /// Notes how far each task is replayed. This includes tasks with a seat, whose workers are locked while they work.
    fn note_progress(&mut self, views: &[TaskView]) {
        self.follower.see(views);
        for (task, opened) in &self.seats {
            if let Some(reached) = opened.progress.next_round() {
                self.follower.has_reached(*task, reached);
            }
        }
    }

    /// Brings the offer on the chain up to date. If that fails, the attester still serves the seats that it holds.
    pub(super) fn offer(
        &mut self,
        client: &Client,
        now: &Moment,
        views: Vec<TaskView>,
    ) -> Option<Work<Came>> {
        self.leave_out(&views);
        self.tasks.look_for_room(&self.dirs.folder, Instant::now());
        let (served, is_sound) = match self.tasks.lacks_room() {
            // An attester that is drawn and cannot commit loses stake.
            true => (BTreeSet::new(), false),
            false => {
                let mut served = self.tasks.served();
                served.retain(|task| !self.left_out.contains(task));
                let leaves_out = leaves_out_sealed(&self.left_out, &views);
                (served, !self.tasks.has_given_up() && !leaves_out)
            }
        };
        let (signer, client, now) = (self.signer.clone(), client.clone(), now.clone());
        // Programs that share the machine share its processor too.
        let part = self.fitness.part();
        let speed = self.speed.map(|speed| speed * part);
        let memory = self.fitness.memory();
        holding(&self.volunteer, |mut volunteer| async move {
            volunteer.fits_into(memory);
            if let Some(speed) = speed {
                // If the chain does not say how long its blocks are, the shortest are assumed.
                let block_millis = now.block_millis().unwrap_or_default();
                volunteer.takes_on(Capacity::products(speed, block_millis));
            }
            let offered = offer(
                &mut volunteer,
                &signer,
                &client,
                &now,
                (&views, &served, is_sound),
            );
            let has_left = offered.await.unwrap_or_else(|error| {
                tracing::error!("no offer to attest was made: {error}");
                false
            });
            Ended::with(Came::Offer { has_left })
        })
    }

    /// Leaves out the tasks in which a seat would cost more than it earns: a round cannot be scored in time, cannot be scored at
    /// all, or does not pay for its calls. Tasks that the node could not be asked about just now stay as they were.
    fn leave_out(&mut self, views: &[TaskView]) {
        for view in views.iter().filter(|view| view.state.is_live()) {
            let is_ready = self.follower.is_ready(view);
            match self.fitness.suits(view) && is_ready {
                true => self.left_out.remove(&view.id),
                false => self.left_out.insert(view.id),
            };
        }
    }
}

/// An attester needs the weights of future rounds, but tables only for the rounds that it scores.
pub(super) fn new_worker(dirs: &WorkerDirs, scoring: &ScorerOptions) -> ReplicaWorker {
    ReplicaWorker::new(dirs.clone(), scoring.clone()).skipping()
}

/// Whether a task that is left out may have sealed samples. If so, the offer has to name the tasks that are served.
fn leaves_out_sealed(left_out: &BTreeSet<TaskId>, views: &[TaskView]) -> bool {
    left_out.iter().any(|task| {
        let view = views.iter().find(|view| view.id == *task);
        view.is_none_or(|view| view.terms.hold_out.is_sealed())
    })
}

/// Whether the chain takes offers of an account with this registration, if attesters need `least` at stake.
fn attests(stake: Option<&StakeView>, least: u128) -> bool {
    stake.is_some_and(|own| own.roles.attester && own.stake >= least)
}

/// Brings the offer on the chain up to date. It takes the tasks that the node could be asked about, those that are served, and
/// whether these include all tasks with sealed samples. Returns whether the offer is withdrawn and no seat is held any more.
async fn offer(
    volunteer: &mut Volunteer,
    signer: &Keypair,
    client: &Client,
    now: &Moment,
    (views, served, is_sound): (&[TaskView], &BTreeSet<TaskId>, bool),
) -> Result<bool, ChainError> {
    let serves = |task: TaskId| served.contains(&task);
    let account = signer.public_key().0;
    let found = now.offer(&account).await?;
    let kept = now.amount("Balances", "ExistentialDeposit")?;
    let free = now.balance(&account).await?.free;
    volunteer.can_spend(free.saturating_sub(kept));
    let least = now.amount("Contribution", "MinAttesterStake")?;
    volunteer.may_attest(attests(now.stake(&account).await?.as_ref(), least));
    let due = volunteer
        .due(now.block(), found.as_ref(), views, serves, is_sound)
        .await;
    let Some(call) = due else {
        return Ok(volunteer.has_left(found.as_ref()));
    };
    // An offer has no deadline, but later calls have to wait for it, so it is tipped like them.
    let sent = client.submit(signer, &call, Inclusion::Best).await;
    // After other errors, the chain does not take it, or has it already.
    if !matches!(&sent, Err(error) if error.is_gone() || matches!(error, ChainError::Pending)) {
        volunteer.sent(now.block(), views, serves, is_sound);
    }
    sent?;
    tracing::info!("the offer to attest is up to date");
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        run::{
            views::{task_at, OldChain},
            Conditions, ReplicaError,
        },
        state::{Folder, StateError},
    };
    use futures::FutureExt;
    use gotong_protocol::{Roles, RoundId};
    use std::time::Duration;

    fn attest(conditions: Conditions) -> (tempfile::TempDir, Attest) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let dirs = WorkerDirs::open(folder, Vec::new()).unwrap();
        let attest = Attest::new(
            crate::keys::development("judith").unwrap(),
            dirs,
            ScorerOptions::default(),
            Capacity::default(),
            BTreeSet::new(),
        );
        (temporary, attest.on_conditions(conditions))
    }

    #[test]
    fn a_newcomer_offers_no_task_whose_rounds_it_does_not_have() {
        let (_folder, mut attest) = attest(Conditions::default());
        let views = [task_at(1, 0), task_at(2, 3)];
        attest.leave_out(&views);
        assert_eq!(attest.left_out, BTreeSet::from([TaskId(2)]));
        assert!(leaves_out_sealed(&attest.left_out, &views));
        // A node that hides the task cannot make the attester offer it either.
        attest.leave_out(&views[..1]);
        assert!(leaves_out_sealed(&attest.left_out, &views[..1]));
        attest.follower.has_reached(TaskId(2), RoundId(3));
        attest.leave_out(&views);
        assert!(attest.left_out.is_empty());
    }

    /// Otherwise the attester is drawn for another task, and cannot store what it has to commit to.
    #[tokio::test]
    async fn a_full_disk_that_only_following_finds_counts_as_full() {
        let (_folder, mut attest) = attest(Conditions::default());
        let full = ReplicaError::State(StateError::Full("weights".into()));
        let came = Came::Following(1, (TaskId(1), Err(full)));
        let look = async move { Ended::with(came) };
        attest.under_way.begin([look.boxed_local()]);
        let wait = tokio::time::sleep(Duration::from_millis(5));
        attest.under_way.beside(wait).await;
        assert!(!attest.tasks.lacks_room());
        attest.settle().unwrap();
        assert!(attest.tasks.lacks_room());
    }

    #[test]
    fn a_task_with_a_seat_stays_offered_while_its_worker_is_at_work() {
        let (_folder, mut attest) = attest(Conditions::default());
        let opened = attest.open(&task_at(1, 3)).unwrap();
        opened.progress.note(RoundId(3));
        let worker = opened.worker.clone();
        let _at_work = worker.try_lock().unwrap();
        attest.seats.insert(TaskId(1), opened);
        let views = [task_at(1, 3)];
        attest.note_progress(&views);
        attest.leave_out(&views);
        assert!(attest.left_out.is_empty());
    }

    #[test]
    fn a_task_that_pays_too_little_is_left_out() {
        let (_folder, mut attest) = attest(Conditions {
            least_pay: Conditions::CALLS,
            ..Conditions::default()
        });
        let mut poor = task_at(2, 0);
        poor.terms.attester_fee_permille = 0;
        attest.leave_out(&[task_at(1, 0), poor]);
        assert_eq!(attest.left_out, BTreeSet::from([TaskId(2)]));
    }

    #[test]
    fn an_attester_needs_the_role_and_the_least_stake() {
        let stake = |attester, stake| StakeView {
            roles: Roles {
                contributor: true,
                attester,
            },
            stake,
            active: true,
            unbonding: Some((1_000, 1)),
            seats_held: 1,
        };
        assert!(attests(Some(&stake(true, 100)), 100));
        assert!(!attests(Some(&stake(true, 99)), 100));
        assert!(!attests(Some(&stake(false, 100)), 100));
        assert!(!attests(None, 0));
    }

    /// Everything that a look does with tasks is bounded by the number of live ones: the questions to the node, the decoding, the
    /// memory kept from one look to the next, and the time.
    #[tokio::test]
    async fn a_look_costs_the_same_beside_100_000_tasks_that_are_over() {
        let (_folder, mut attest) = attest(Conditions::default());
        // Each task was live once.
        for ended in (0..100_000).step_by(5_000) {
            let began = Instant::now();
            let chain = OldChain::with(ended..ended + 8);
            let besides = BTreeSet::new();
            let views = attest.tasks.live(&chain, &besides).await.unwrap();
            attest.forget_what_is_over();
            attest.note_progress(&views);
            assert_eq!(attest.suitable(&views).len(), 8);
            attest.leave_out(&views);
            let served = attest.tasks.served();
            let mut volunteer = attest.volunteer.lock().await;
            let serves = |task: TaskId| served.contains(&task);
            let due = volunteer.due(ended, None, &views, serves, true).await;
            assert!(due.is_some());
            assert_eq!(chain.requests(), 9);
            assert!(chain.bytes() < 9 << 10, "{} bytes", chain.bytes());
            let kept = [
                attest.fitness.count(),
                volunteer.known_sealed(),
                served.len(),
            ];
            assert_eq!(kept, [8; 3]);
            // The shortest block of any chain that is not made for tests.
            assert!(began.elapsed() < Duration::from_secs(1), "{ended}");
        }
    }
}
