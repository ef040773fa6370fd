//! The events of the pallet.

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
        /// A table was committed to but not revealed.
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
        /// An attester could not be paid; its fee stays in the budget.
        FeeUnpaid(TaskId),
        /// A settled round could not be priced; nothing was paid.
        PriceFailed(TaskId),
        /// The referee named a round or a seat that is not being challenged.
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
        /// Stake is unbonding. It can be withdrawn from block `until` on, or later by the number of full blocks until then.
        Unstaking {
            /// The account.
            who: T::AccountId,
            /// What is unbonding, in planck.
            amount: Balance,
            /// The first time at which it can be withdrawn, on [`Config::Clock`].
            until: u32,
        },
        /// Unbonded stake is free.
        Withdrawn {
            /// The account.
            who: T::AccountId,
            /// What was withdrawn, in planck.
            amount: Balance,
        },
        /// A task was opened.
        TaskOpened {
            /// Its id.
            task: TaskId,
            /// Who opened and funded it.
            sponsor: T::AccountId,
            /// The number of parameters of its model.
            parameters: u32,
            /// The Merkle root of its first weights.
            master_root: Hash,
        },
        /// A task's budget was topped up.
        TaskToppedUp {
            /// The task.
            task: TaskId,
            /// What was added to the budget, in planck.
            amount: Balance,
        },
        /// The sponsor asked to close the task; it closes when its round ends.
        TaskClosing {
            /// The task.
            task: TaskId,
        },
        /// A task was closed; the rest of the budget and the bond went back to the sponsor.
        TaskClosed {
            /// The task.
            task: TaskId,
            /// What the sponsor got back, in planck.
            returned: Balance,
        },
        /// A task was closed because no round settled for [`Config::IdleBlocks`], or because it was paused for that long and nobody
        /// topped it up.
        TaskExpired {
            /// The task.
            task: TaskId,
        },
        /// A task is paused until it is topped up.
        TaskPaused {
            /// The task.
            task: TaskId,
        },
        /// A task is out of rounds: all of its shards have been used, or all the rounds of its terms are over.
        TaskExhausted {
            /// The task.
            task: TaskId,
        },
        /// A task was stopped because its sponsor did not publish a shard.
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
        /// A phase started. It ends at block `ends_at` at the latest, or later by the number of full blocks until then.
        PhaseEntered {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The phase that started.
            phase: Phase,
            /// The latest time at which it ends, on [`Config::Clock`].
            ends_at: u32,
        },
        /// Fewer attesters than the quorum have room for the round, or too little time is left until its task expires, so its phase
        /// continues for another window. In Commit, the round accepts commits, and nothing is revealed until there are enough
        /// attesters. In AttestCommit, the revealed deltas wait, even if attesters were seated before but too few of them
        /// committed.
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
        /// A contributor revealed a delta too late for the round. The chain remembers who its author is, so nobody else can
        /// reveal it in this task; the deposit stays lost.
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
        /// The seed of a round was drawn. It decides the halves, and which records of a pool are the samples.
        SeedDrawn {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The seed, from which anybody can derive the same halves and samples.
            seed: Hash,
        },
        /// Attesters were drawn. A draw that seats nobody has no event.
        AttestersDrawn {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attesters, in the order of their seats.
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
            /// What it claims about the round.
            claim: ShareClaim,
        },
        /// A contributor gave up its credit for a round, and its ledger starts over.
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
        /// A table was wrong, or not defended. Its attester lost its seat and its stake, part of which went to the account
        /// that disputed the table.
        Convicted {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester that lost.
            who: T::AccountId,
            /// The account that won the dispute.
            winner: T::AccountId,
            /// What the winner got, in planck.
            rewarded: Balance,
            /// What was burned, in planck.
            burned: Balance,
        },
        /// The challenge window was extended to block `ends_at`, or later by the number of full blocks until then.
        ChallengeExtended {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// When the challenge window ends, on [`Config::Clock`].
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
            /// The claim that the standing tables agree on.
            claim: ShareClaim,
            /// The rate at which credits count, Q32: less than 2^32 if the cap is below what the round is worth.
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
        /// A contributor claimed a round: it was credited, and paid for what that proved.
        Claimed {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// The result.
            claimed: Claimed<Balance>,
        },
        /// Money that was set aside for a round and is owed to nobody went back to the budget, or to the sponsor if the
        /// task is closed.
        Released {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// What went back, in planck.
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
            /// The most seats that it holds at once; with 0 it is no longer drawn.
            seats: u8,
            /// The most work that these seats may take together in a block, in products.
            capacity: u64,
        },
        /// An attester missed a seat, and is not drawn again until it makes a new offer.
        OfferSuspended {
            /// The attester.
            who: T::AccountId,
        },
        /// Another attester took this one's place in the full registry; this one is no longer drawn.
        OfferDisplaced {
            /// The attester.
            who: T::AccountId,
        },
        /// Somebody published a contributor's credit for a round, so the contributor can claim it without a proof.
        CreditPublished {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// The credit, before the rate is applied.
            credit: Credit,
        },
        /// The pallet met a state that should be impossible.
        Unexpected {
            /// Which one, and what was done about it.
            kind: UnexpectedKind,
        },
    }
}
