//! The errors of the pallet: why calls are refused.

use frame_support::pallet_macros::pallet_section;

/// The errors of the pallet.
#[pallet_section]
mod errors {
    #[pallet::error]
    #[derive(PartialEq)]
    pub enum Error<T> {
        /// The account is not registered.
        NotRegistered,
        /// The account is already registered. An account has one registration, for one role or both.
        AlreadyRegistered,
        /// No role was chosen.
        NoRoles,
        /// The stake is below the minimum of a role or of the task.
        StakeTooLow,
        /// The account is not registered for the role that this call needs.
        WrongRole,
        /// The registry of attesters is full, and everybody in it holds seats or has at least as much stake. Add stake, or offer
        /// later.
        TooManyAttesters,
        /// The amount is zero.
        ZeroAmount,
        /// The amount is more than the account has staked.
        NotEnoughStake,
        /// Stake from an earlier `unstake` has not been withdrawn yet: call `withdraw` first.
        UnbondingPending,
        /// Nothing is unbonding.
        NothingUnbonding,
        /// The unbonding period is not over yet.
        NotYetWithdrawable,
        /// The account does not have enough free balance.
        FundsTooLow,
        /// The account to be paid does not exist, and the payment is below the existential
        /// deposit.
        PayeeBelowExistentialDeposit,
        /// An amount is too large: the arithmetic overflows.
        Overflow,
        /// The task's name has to be 1 to 32 bytes of UTF-8.
        TermsNameInvalid,
        /// A window is shorter or longer than allowed.
        TermsWindowInvalid,
        /// The number of seats is 0 or too high.
        TermsSeatsInvalid,
        /// The quorum is less than two thirds of the seats, or more than all of them.
        TermsQuorumInvalid,
        /// The price, the cap or the weight cap is zero.
        TermsZero,
        /// The attesters' fee is over 1000 permille.
        TermsFeeInvalid,
        /// Shards are missing, too small, or too large to be published.
        TermsShardsInvalid,
        /// The pool has too few or too many records, samples or rounds.
        TermsPoolInvalid,
        /// A term of the share rule is out of bounds.
        TermsShareInvalid,
        /// The price of a millibit is too high.
        TermsPriceInvalid,
        /// The cap of a round is too low.
        TermsCapInvalid,
        /// The graph does not decode, or is not valid.
        GraphInvalid,
        /// The number of weights differs from the number of the graph's parameters.
        WeightsMismatch,
        /// A weight is out of bounds.
        WeightsOutOfBounds,
        /// The budget (`pool`) does not cover one round.
        PoolTooSmall,
        /// Too many tasks have a round under way.
        TooManyLiveTasks,
        /// All task ids are used up.
        TooManyTasks,
        /// There is no such task.
        NoSuchTask,
        /// The account is not the task's sponsor.
        NotSponsor,
        /// The task is closed, closing, stopped, or out of rounds: it cannot use more money.
        TaskNotFundable,
        /// The task is closed, or will close at the end of its round.
        AlreadyClosed,
        /// This is not the task's current round, or the task has none.
        RoundNotCurrent,
        /// The round does not accept commits now.
        NotInCommitPhase,
        /// The round does not accept reveals and shards now.
        NotInRevealPhase,
        /// The round does not accept attesters' commitments now.
        NotInAttestCommitPhase,
        /// The round does not accept attesters' claims now.
        NotInAttestRevealPhase,
        /// A sponsor may not contribute to its own task.
        SponsorMayNotContribute,
        /// The account has already committed in this round.
        AlreadyCommitted,
        /// The round has no room for another submission.
        TooManySubmissions,
        /// The places for newcomers are taken: half of a round's places are kept for accounts that have proved something in the
        /// task.
        TooManyNewcomers,
        /// The account did not commit in this round.
        NoCommitment,
        /// What is revealed is not what the account committed to.
        CommitmentMismatch,
        /// The account has already revealed its delta in this round.
        AlreadyRevealed,
        /// The bytes are not the canonical encoding of a delta for this model.
        DeltaMalformed,
        /// Another account has already revealed the same delta in this task.
        DeltaOfAnother,
        /// The task's samples are drawn from a pool: there is no shard to publish.
        NothingSealed,
        /// The number or the length of the records differs from the terms.
        ShardSizeMismatch,
        /// A record's label is not a class of the model.
        ShardLabelInvalid,
        /// The records are not the next sealed shard of the task.
        ShardMismatch,
        /// The round's shard has been published, and no delta can be revealed after it.
        ShardAlreadyPublished,
        /// The account holds no seat in this round.
        NotDrawn,
        /// The attester has already committed in this round.
        AlreadyAttested,
        /// The table contradicts itself, the terms, or the weights that the round started from.
        ClaimInconsistent,
        /// The account has nothing to claim in this round.
        NothingToClaim,
        /// The round merged nothing, so there is no credit to forfeit: claim it without a proof.
        NothingToForfeit,
        /// The account has already claimed this round.
        AlreadyClaimed,
        /// The account has to claim an earlier round first: rounds are claimed in order, and none can be skipped.
        NotNextClaim,
        /// The claim needs a proof: the round merged something, and nobody has published the account's credit.
        ProofMissing,
        /// The time to claim the round is not over yet.
        NotExpired,
        /// Nothing is set aside for the round any more.
        NothingToRelease,
        /// The proof does not lead to the claim that the round settled on, or the round merged nothing.
        ProofInvalid,
        /// The proved row belongs to another account's delta, or to no delta that was revealed in the round.
        ForeignRow,
        /// It is too early to publish the shard: deltas are still being revealed, and half of the window is left.
        ShardTooEarly,
        /// A sample with its label is longer than a dispute can show.
        TermsRecordTooLong,
        /// The round is not in its challenge phase now.
        NotInChallengePhase,
        /// The attester has lost its seat, or lost its stake in another round.
        SeatLost,
        /// The attester has already answered its audits in this round.
        AlreadyAudited,
        /// There are fewer answers than audits.
        AuditsMissing,
        /// An answer shows losses that are not part of the work that the attester committed to.
        AuditOtherWork,
        /// An answer shows a row that is not the audited row of the revealed table.
        AuditOtherTable,
        /// For an audited sample, the revealed table and the attester's work have different losses.
        AuditWorkDiffers,
        /// The attestation window of the terms is too short to evaluate this model on that many samples.
        TermsTooHeavy,
        /// The maximum length of a delta in the terms is less or more than the chain allows, or more than the model needs.
        TermsDeltaInvalid,
        /// The delta is longer than the task allows.
        DeltaTooLong,
        /// The attester has already revealed its table in this round.
        TableAlreadyRevealed,
        /// It is too late for the delta to be scored, and the chain already knows that this account is its author.
        RevealTooLate,
        /// The offer serves no task: it names none, or it has no capacity.
        OfferEmpty,
        /// The commitment is for other inputs than the round has here, such as those of another fork. Evaluate the round again
        /// and commit anew.
        OtherInputs,
        /// The terms name a recipe that is too long, or give its hash without its length, or its length without its hash.
        TermsRecipeInvalid,
        /// The recipe's length differs from the one in the terms.
        RecipeLengthMismatch,
        /// The recipe's hash differs from the one in the terms.
        RecipeHashMismatch,
        /// The fees for attesters' work would be more than the cap of a round.
        TermsWorkFeeTooHigh,
        /// The round merged nothing, or the chain already knows all of these credits.
        NothingToPublish,
    }

    impl<T> From<TermsError> for Error<T> {
        fn from(error: TermsError) -> Self {
            match error {
                TermsError::Name => Error::TermsNameInvalid,
                TermsError::Window => Error::TermsWindowInvalid,
                TermsError::Seats => Error::TermsSeatsInvalid,
                TermsError::Quorum => Error::TermsQuorumInvalid,
                TermsError::Zero => Error::TermsZero,
                TermsError::Fee => Error::TermsFeeInvalid,
                TermsError::Shards => Error::TermsShardsInvalid,
                TermsError::Pool => Error::TermsPoolInvalid,
                TermsError::Share => Error::TermsShareInvalid,
                TermsError::Price => Error::TermsPriceInvalid,
                TermsError::Cap => Error::TermsCapInvalid,
                TermsError::DeltaBytes => Error::TermsDeltaInvalid,
                TermsError::Record => Error::TermsRecordTooLong,
                TermsError::Recipe => Error::TermsRecipeInvalid,
                TermsError::RecipeLength => Error::RecipeLengthMismatch,
                TermsError::RecipeHash => Error::RecipeHashMismatch,
            }
        }
    }

    impl<T> From<AuditError> for Error<T> {
        fn from(error: AuditError) -> Self {
            match error {
                AuditError::OtherWork => Error::AuditOtherWork,
                AuditError::OtherTable => Error::AuditOtherTable,
                AuditError::WorkDiffers => Error::AuditWorkDiffers,
            }
        }
    }
}
