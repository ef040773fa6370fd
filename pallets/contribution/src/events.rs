//! What the pallet tells the world, and why.

use frame_support::pallet_macros::pallet_section;

/// The events of the pallet.
#[pallet_section]
mod events {
    /// Why money was burned.
    #[derive(
        Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Copy, PartialEq, Eq, Debug,
    )]
    pub enum SlashReason {
        /// A commit was not revealed.
        UnrevealedCommit,
        /// A seat was not filled.
        MissedAttestation,
        /// A shard was not published.
        MissedShard,
        /// Audits were not answered.
        MissedAudit,
        /// A table was wrong, or not defended.
        WrongTable,
        /// A table was committed to, and not revealed.
        WithheldTable,
    }

    /// What should never happen, and what was done about it.
    #[derive(
        Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Copy, PartialEq, Eq, Debug,
    )]
    pub enum UnexpectedKind {
        /// A scheduled task or its round is missing; it was taken off the schedule.
        ScheduledTaskMissing(TaskId),
        /// A live task has no place in the schedule.
        TaskUnscheduled(TaskId),
        /// Less was on hold than was to be burned.
        HoldTooSmall(HoldReason),
        /// Held money could not be given back; it stays on hold.
        ReleaseFailed(HoldReason),
        /// An attester could not be paid; its fee stays in the pool.
        FeeUnpaid(TaskId),
        /// A settled round could not be priced; nothing was paid.
        PriceFailed(TaskId),
        /// The referee spoke of a round or a seat that is not being challenged.
        NotChallenged(TaskId),
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An account registered.
        Registered {
            /// The new account.
            who: T::AccountId,
            /// What it may do.
            roles: Roles,
            /// What it put on hold, in planck.
            stake: Balance,
        },
        /// An account added to its stake.
        StakeAdded {
            /// The account.
            who: T::AccountId,
            /// What it added, in planck.
            amount: Balance,
        },
        /// Stake is unbonding, and can be withdrawn from block `until`, later by as many as are full.
        Unstaking {
            /// The account.
            who: T::AccountId,
            /// What is unbonding, in planck.
            amount: Balance,
            /// The first moment at which it can be withdrawn, on [`Config::Clock`].
            until: u32,
        },
        /// Unbonded stake is free.
        Withdrawn {
            /// The account.
            who: T::AccountId,
            /// What is free again, in planck.
            amount: Balance,
        },
        /// A task was opened.
        TaskOpened {
            /// Its id.
            task: TaskId,
            /// Who opened and funded it.
            sponsor: T::AccountId,
            /// How many parameters its model has.
            parameters: u32,
            /// The Merkle root of its first weights.
            master_root: Hash,
        },
        /// A pool was topped up.
        TaskToppedUp {
            /// The task.
            task: TaskId,
            /// What was added to the pool, in planck.
            amount: Balance,
        },
        /// The sponsor closes the task once its round is over.
        TaskClosing {
            /// The task.
            task: TaskId,
        },
        /// A task was closed; pool and bond went back to the sponsor.
        TaskClosed {
            /// The task.
            task: TaskId,
            /// What the sponsor got back, in planck.
            returned: Balance,
        },
        /// No round of a task settled for [`Config::IdleBlocks`], or it was paused as long and nobody topped it up: it is closed.
        TaskExpired {
            /// The task.
            task: TaskId,
        },
        /// A task waits for a top-up.
        TaskPaused {
            /// The task.
            task: TaskId,
        },
        /// Every shard of a task has scored its round, or as many rounds are over as its terms have.
        TaskExhausted {
            /// The task.
            task: TaskId,
        },
        /// A task was stopped, for its sponsor did not publish a shard.
        TaskStopped {
            /// The task.
            task: TaskId,
        },
        /// A round started.
        RoundStarted {
            /// The task.
            task: TaskId,
            /// The number of the round, counted from 0.
            round: RoundId,
        },
        /// A phase started; it is over at block `ends_at` at the latest, later by as many as are full.
        PhaseEntered {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The phase that started.
            phase: Phase,
            /// When it is over at the latest, on [`Config::Clock`].
            ends_at: u32,
        },
        /// Fewer attesters than the quorum have room for the round: its phase goes on for another window. In Commit more may commit,
        /// and nothing is revealed before there are enough; in AttestCommit the revealed deltas wait.
        AttestersAwaited {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
        },
        /// A contributor committed, as number `index`.
        Committed {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// The place of its submission in the round, counted from 0.
            index: u32,
        },
        /// A contributor revealed a delta of `bytes` bytes.
        Revealed {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// The hash of the encoded delta.
            delta_hash: Hash,
            /// The length of the encoded delta.
            bytes: u32,
        },
        /// A contributor revealed a delta when the round did not take it any more. It is nobody else's in this task, and
        /// its deposit stays lost.
        RevealedLate {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// The hash of the encoded delta.
            delta_hash: Hash,
        },
        /// The sponsor published shard `index`.
        ShardPublished {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// Which of the sealed shards, counted from 0.
            index: u32,
            /// How many samples it holds.
            samples: u32,
        },
        /// What chance decides of a round was drawn: its halves, and which records of a pool are its samples.
        SeedDrawn {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The seed from which anybody draws the same.
            seed: Hash,
        },
        /// Attesters were drawn.
        AttestersDrawn {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// Who holds the seats, in their order.
            attesters: Vec<T::AccountId>,
        },
        /// An attester committed.
        AttestationCommitted {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester.
            who: T::AccountId,
        },
        /// An attester revealed its claim.
        AttestationRevealed {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester.
            who: T::AccountId,
            /// What it says the round comes to.
            claim: ShareClaim,
        },
        /// A contributor gave up its credit of a round, and its ledger begins anew.
        Forfeited {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
        },
        /// An attester answered its audits.
        Audited {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester.
            who: T::AccountId,
        },
        /// A table was wrong, or not defended: its attester lost its seat and its stake, part of it
        /// to who disputed the table.
        Convicted {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester that lost.
            who: T::AccountId,
            /// Who proved its table wrong.
            winner: T::AccountId,
            /// What the winner got, in planck.
            rewarded: Balance,
            /// What was burned, in planck.
            burned: Balance,
        },
        /// Tables can be disputed for longer: until block `ends_at`, later by as many as are full.
        ChallengeExtended {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// When the challenge window is over, on [`Config::Clock`].
            ends_at: u32,
        },
        /// A round ended.
        RoundEnded {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// How it ended.
            outcome: Outcome,
        },
        /// A round settled on `claim`: `fees` went to attesters, and `pot` is set aside for contributors.
        RoundSettled {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// What the standing tables agree on.
            claim: ShareClaim,
            /// How much of a credit counts, Q32: less than 2^32 if the cap is below what the round is worth.
            rate_q32: u64,
            /// What is set aside for contributors, in planck.
            pot: Balance,
            /// What attesters were paid, in planck.
            fees: Balance,
        },
        /// An attester was paid.
        FeePaid {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester.
            who: T::AccountId,
            /// Its fee, in planck.
            amount: Balance,
        },
        /// A contributor claimed a round: it was credited, and paid for what it has proved by it.
        Claimed {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// What came of it.
            claimed: Claimed<Balance>,
        },
        /// What was set aside for a round and is owed to nobody went back to the pool, or to the sponsor of a closed
        /// task.
        Released {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// How much, in planck.
            amount: Balance,
        },
        /// Held money was burned.
        Slashed {
            /// Whose money it was.
            who: T::AccountId,
            /// What was burned, in planck.
            amount: Balance,
            /// Why.
            reason: SlashReason,
        },
        /// An attester offered seats.
        Offered {
            /// The attester.
            who: T::AccountId,
            /// Most seats at once; with none it is not drawn any more.
            seats: u8,
            /// Most that they may ask for together in a block, in products.
            capacity: u64,
        },
        /// An attester missed a seat, and is not drawn any more until it offers anew.
        OfferSuspended {
            /// The attester.
            who: T::AccountId,
        },
        /// An attester with more stake took the place of this one, which is not drawn any more.
        OfferDisplaced {
            /// The attester.
            who: T::AccountId,
        },
        /// Somebody published what a contributor is credited in a round. It can claim it without a proof.
        CreditPublished {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// What it is credited, before the rate.
            credit: Credit,
        },
        /// A state that should be impossible.
        Unexpected {
            /// Which one, and what was done about it.
            kind: UnexpectedKind,
        },
    }
}
