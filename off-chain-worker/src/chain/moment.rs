//! The state of the chain at one block, as its views show it.

use super::{nodes::age, Account, ChainError, Config, PALLET, REFEREE};
use codec::{Decode, DecodeAll, Encode};
use gotong_protocol::{
    dispute::ClosedDispute,
    id::DisputeId,
    view::{
        ClaimableView, DisputeView, Duty, LedgerView, OfferView, Page, RewardView, RoundView,
        StakeView, SubmissionView, TaskView,
    },
    RoundFacts, RoundId, TaskId,
};
use std::time::Duration;
use subxt::{
    client::OnlineClientAtBlock, dynamic, ext::scale_decode, metadata::Metadata, utils::H256,
};

/// The chain at one block: whatever is asked is answered from the same state.
#[derive(Clone)]
pub struct Moment(pub(super) OnlineClientAtBlock<Config>);

/// An account's money, in planck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, scale_decode::DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Balance {
    /// What it can spend.
    pub free: u128,
    /// What is on hold: stake, deposits, pools.
    pub reserved: u128,
}

impl Moment {
    /// The block's number.
    pub fn block(&self) -> u32 {
        // Block numbers of this chain are 32 bits wide.
        u32::try_from(self.0.block_number()).unwrap_or(u32::MAX)
    }

    /// The hash of the block.
    pub fn hash(&self) -> H256 {
        self.0.block_hash()
    }

    /// The metadata of the runtime at the block.
    pub fn metadata(&self) -> &Metadata {
        self.0.metadata_ref()
    }

    /// A constant of the runtime that is an amount of money, in planck.
    pub fn amount(&self, pallet: &str, name: &str) -> Result<u128, ChainError> {
        self.constant(pallet, name)
    }

    /// A constant of the runtime that is a number.
    pub fn number(&self, pallet: &str, name: &str) -> Result<u32, ChainError> {
        self.constant(pallet, name)
    }

    fn constant<T: Decode>(&self, pallet: &str, name: &str) -> Result<T, ChainError> {
        let what = || format!("constant {pallet}.{name}");
        let constant = self
            .metadata()
            .pallet_by_name(pallet)
            .and_then(|pallet| pallet.constant_by_name(name))
            .ok_or_else(|| ChainError::incompatible(what()))?;
        T::decode_all(&mut constant.value()).map_err(ChainError::undecodable(what()))
    }

    /// Milliseconds from one block to the next.
    pub fn block_millis(&self) -> Result<u64, ChainError> {
        self.constant("Babe", "ExpectedBlockTime")
    }

    /// How many blocks a move in a dispute may take. Full blocks do not count.
    pub fn move_blocks(&self) -> Result<u32, ChainError> {
        self.number(REFEREE, "MoveBlocks")
    }

    /// The shortest time that a move in a dispute may take.
    pub fn move_time(&self) -> Result<Duration, ChainError> {
        let block = Duration::from_millis(self.block_millis()?);
        Ok(block.saturating_mul(self.move_blocks()?))
    }

    /// When the block was made, in milliseconds since 1970; 0 for the first one.
    pub(super) async fn time(&self) -> Result<u64, ChainError> {
        let address = dynamic::storage::<(), u64>("Timestamp", "Now");
        match self.0.storage().try_fetch(address, ()).await? {
            Some(value) => Ok(value.decode()?),
            None => Ok(0),
        }
    }

    /// Whether, by this machine's clock, the block is no older than the time of this many blocks.
    pub async fn is_recent(&self, blocks: u32) -> Result<bool, ChainError> {
        let limit = Duration::from_millis(self.block_millis()?).saturating_mul(blocks);
        Ok(age(self).await? <= limit)
    }

    /// The registration of `who`, if it has one.
    pub async fn stake(&self, who: &Account) -> Result<Option<StakeView>, ChainError> {
        self.view(PALLET, "stake", who).await
    }

    /// What `who` offers to attest, and the seats that it holds.
    pub async fn offer(&self, who: &Account) -> Result<Option<OfferView>, ChainError> {
        self.view(PALLET, "offer_of", who).await
    }

    /// The ids of the tasks with a round under way.
    pub async fn live_tasks(&self) -> Result<Vec<TaskId>, ChainError> {
        self.view(PALLET, "live_tasks", &()).await
    }

    /// The ids of all tasks.
    pub async fn tasks(&self) -> Result<Vec<TaskId>, ChainError> {
        self.pages(PALLET, "tasks", TaskId(0), |start| start).await
    }

    /// A task, if there is one with this id.
    pub async fn task(&self, task: TaskId) -> Result<Option<TaskView>, ChainError> {
        self.view(PALLET, "task", &task).await
    }

    /// A task.
    ///
    /// # Errors
    /// Those of every question, and [`ChainError::NoTask`] if there is none with this id.
    pub async fn existing_task(&self, task: TaskId) -> Result<TaskView, ChainError> {
        let view = self.task(task).await?;
        view.ok_or(ChainError::NoTask(task))
    }

    /// A round of a task, if it has started and the chain still knows it.
    pub async fn round(
        &self,
        task: TaskId,
        round: RoundId,
    ) -> Result<Option<RoundView>, ChainError> {
        self.view(PALLET, "round", &(task, round)).await
    }

    /// What was committed and revealed in a round, in the order of the commits.
    pub async fn submissions(
        &self,
        task: TaskId,
        round: RoundId,
    ) -> Result<Vec<SubmissionView>, ChainError> {
        let arguments = move |start| (task, round, start);
        self.pages(PALLET, "submissions", 0u32, arguments).await
    }

    /// What each round that `who` took part in is worth to it.
    pub async fn rewards(&self, who: &Account) -> Result<Vec<RewardView>, ChainError> {
        let (who, first) = (*who, (TaskId(0), RoundId(0)));
        self.pages(PALLET, "rewards", first, move |start| (who, start))
            .await
    }

    /// What each round of a task that `who` took part in is worth to it.
    pub async fn task_rewards(
        &self,
        task: TaskId,
        who: &Account,
    ) -> Result<Vec<RewardView>, ChainError> {
        let who = *who;
        let arguments = move |start| (task, who, start);
        self.pages(PALLET, "task_rewards", RoundId(0), arguments)
            .await
    }

    /// What `who` still has to claim in each task, as far as the chain knows.
    pub async fn claimables(&self, who: &Account) -> Result<Vec<ClaimableView>, ChainError> {
        let who = *who;
        let arguments = move |start| (who, start);
        self.pages(PALLET, "claimables", TaskId(0), arguments).await
    }

    /// What `who` has proved in the tasks of one page, which begins at `start`.
    pub async fn ledgers_from(
        &self,
        who: &Account,
        start: TaskId,
    ) -> Result<Page<LedgerView, TaskId>, ChainError> {
        self.view(PALLET, "ledgers", &(who, start)).await
    }

    /// What `who` has proved in each task.
    pub async fn ledgers(&self, who: &Account) -> Result<Vec<LedgerView>, ChainError> {
        let who = *who;
        self.pages(PALLET, "ledgers", TaskId(0), move |start| (who, start))
            .await
    }

    /// What `who` has proved in a task; none if it never revealed in it.
    pub async fn ledger(
        &self,
        who: &Account,
        task: TaskId,
    ) -> Result<Option<LedgerView>, ChainError> {
        self.view(PALLET, "ledger", &(task, who)).await
    }

    /// What `who` is expected to do now, in every task.
    pub async fn duties(&self, who: &Account) -> Result<Vec<Duty>, ChainError> {
        let who = *who;
        self.pages(PALLET, "duties", TaskId(0), move |start| (who, start))
            .await
    }

    /// What `who` is expected to do now in the tasks with a round under way, and perhaps in some tasks between them. Unlike
    /// [`Self::duties`], it skips pages on which all tasks are over.
    pub async fn live_duties(&self, who: &Account) -> Result<Vec<Duty>, ChainError> {
        let live = self.live_tasks().await?;
        let (mut duties, mut next) = (Vec::new(), live.first().copied());
        while let Some(start) = next {
            let page: Page<Duty, TaskId> = self.view(PALLET, "duties", &(who, start)).await?;
            duties.extend(page.items);
            // A node that leads back would never come to an end.
            let beyond = page.next.filter(|beyond| *beyond > start);
            next = beyond.and_then(|beyond| live.iter().copied().find(|task| *task >= beyond));
        }
        Ok(duties)
    }

    /// What both parties of a dispute about the round rely on, once nothing more is revealed.
    pub async fn facts(
        &self,
        task: TaskId,
        round: RoundId,
    ) -> Result<Option<RoundFacts>, ChainError> {
        self.view(PALLET, "facts", &(task, round)).await
    }

    /// Open disputes, of one task or of all.
    pub async fn disputes(&self, task: Option<TaskId>) -> Result<Vec<DisputeView>, ChainError> {
        self.pages(REFEREE, "disputes", DisputeId(0), move |start| {
            (task, start)
        })
        .await
    }

    /// A dispute, if it is open.
    pub async fn dispute(&self, dispute: DisputeId) -> Result<Option<DisputeView>, ChainError> {
        self.view(REFEREE, "dispute", &dispute).await
    }

    /// The last disputes that are over.
    pub async fn verdicts(&self) -> Result<Vec<ClosedDispute>, ChainError> {
        self.view(REFEREE, "verdicts", &()).await
    }

    /// What `who` owns; nothing for an account that does not exist.
    pub async fn balance(&self, who: &Account) -> Result<Balance, ChainError> {
        #[derive(scale_decode::DecodeAsType)]
        #[decode_as_type(crate_path = "subxt::ext::scale_decode")]
        struct AccountInfo {
            data: Balance,
        }
        let address = dynamic::storage::<(Account,), AccountInfo>("System", "Account");
        let found = self.0.storage().try_fetch(address, (*who,)).await?;
        match found {
            Some(value) => Ok(value.decode()?.data),
            None => Ok(Balance::default()),
        }
    }

    /// All pages of the view function called `name`. `arguments` makes the arguments for a page from its start; `first` is the
    /// start of the first page.
    async fn pages<Item: Decode, Cursor: Decode + Copy + PartialOrd, Arguments: Encode>(
        &self,
        pallet: &str,
        name: &str,
        first: Cursor,
        arguments: impl Fn(Cursor) -> Arguments,
    ) -> Result<Vec<Item>, ChainError> {
        let (mut items, mut next) = (Vec::new(), Some(first));
        while let Some(start) = next {
            let page: Page<Item, Cursor> = self.view(pallet, name, &arguments(start)).await?;
            items.extend(page.items);
            // A node that leads back would never come to an end.
            next = page.next.filter(|next| *next > start);
        }
        Ok(items)
    }

    /// Executes the view function called `name`. Its id, a hash of its signature, comes from the
    /// metadata; arguments and answer are plain SCALE.
    async fn view<R: Decode>(
        &self,
        pallet: &str,
        name: &str,
        arguments: &impl Encode,
    ) -> Result<R, ChainError> {
        let id = *self
            .metadata()
            .pallet_by_name(pallet)
            .and_then(|pallet| pallet.view_function_by_name(name))
            .ok_or_else(|| ChainError::incompatible(format!("view function {pallet}.{name}")))?
            .query_id();
        let bytes = self
            .0
            .runtime_apis()
            .call_raw(
                "RuntimeViewFunction_execute_view_function",
                Some(&(id, arguments.encode()).encode()),
            )
            .await?;
        let answer = match bytes.split_first() {
            Some((0, ok)) => Vec::<u8>::decode_all(&mut &*ok),
            _ => Err("the view function was not executed".into()),
        };
        answer
            .and_then(|answer| R::decode_all(&mut &*answer))
            .map_err(ChainError::undecodable(format!("the answer of `{name}`")))
    }
}
