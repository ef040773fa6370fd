//! Why calls are refused.

use frame_support::pallet_macros::pallet_section;

/// The errors of the pallet.
#[pallet_section]
mod errors {
    #[pallet::error]
    #[derive(PartialEq)]
    pub enum Error<T> {
        /// The account is not registered.
        NotRegistered,
        /// The account is registered; it has one registration.
        AlreadyRegistered,
        /// No role was chosen.
        NoRoles,
        /// The stake is below the least stake of a role or of the task.
        StakeTooLow,
        /// The account did not register for this.
        WrongRole,
        /// The registry of attesters is full, of stakes that are no smaller or hold seats. Add stake, or offer later.
        TooManyAttesters,
        /// The amount is zero.
        ZeroAmount,
        /// Less is staked than that.
        NotEnoughStake,
        /// An earlier `unstake` waits for its `withdraw`.
        UnbondingPending,
        /// Nothing is unbonding.
        NothingUnbonding,
        /// The unbonding period is not over.
        NotYetWithdrawable,
        /// The account has not enough free balance.
        FundsTooLow,
        /// The account to be paid does not exist, and the payment is below the existential
        /// deposit.
        PayeeBelowExistentialDeposit,
        /// An amount overflows.
        Overflow,
        /// The task's name is not 1 to 32 bytes of UTF-8.
        TermsNameInvalid,
        /// A window is shorter or longer than allowed.
        TermsWindowInvalid,
        /// Seats are 0 or too many.
        TermsSeatsInvalid,
        /// The quorum is less than two thirds of the seats, or more than all of them.
        TermsQuorumInvalid,
        /// Price, cap or weight cap is zero.
        TermsZero,
        /// The attesters' fee is over 1000 permille.
        TermsFeeInvalid,
        /// Shards are missing, too small, or too large to be published.
        TermsShardsInvalid,
        /// The pool has too few or too many records, samples or rounds.
        TermsPoolInvalid,
        /// A term of the share rule is out of its bounds.
        TermsShareInvalid,
        /// The price of a millibit is too high.
        TermsPriceInvalid,
        /// The cap of a round is too low.
        TermsCapInvalid,
        /// The graph does not decode, or is not valid.
        GraphInvalid,
        /// The weights are not as many as the graph has parameters.
        WeightsMismatch,
        /// A weight is out of bounds.
        WeightsOutOfBounds,
        /// The pool does not cover one round.
        PoolTooSmall,
        /// Too many tasks have a round under way.
        TooManyLiveTasks,
        /// There are no more task ids.
        TooManyTasks,
        /// There is no such task.
        NoSuchTask,
        /// The account is not the task's sponsor.
        NotSponsor,
        /// The task is closed, closing, stopped, or out of rounds: more money is of no use to it.
        TaskNotFundable,
        /// The task is closed, or will be at the end of its round.
        AlreadyClosed,
        /// The task's round under way, if any, is another.
        RoundNotCurrent,
        /// The round does not take commits now.
        NotInCommitPhase,
        /// The round does not take reveals and shards now.
        NotInRevealPhase,
        /// The round does not take attesters' commitments now.
        NotInAttestCommitPhase,
        /// The round does not take attesters' claims now.
        NotInAttestRevealPhase,
        /// A sponsor may not contribute to its own task.
        SponsorMayNotContribute,
        /// The account committed in this round.
        AlreadyCommitted,
        /// The round holds as many submissions as it can.
        TooManySubmissions,
        /// Half of the places of a round are for accounts that have proved something in the task, and the others are taken.
        TooManyNewcomers,
        /// The account did not commit in this round.
        NoCommitment,
        /// What is revealed is not what this account committed to.
        CommitmentMismatch,
        /// The account revealed its delta in this round.
        AlreadyRevealed,
        /// The bytes are not the one encoding of a delta for this model.
        DeltaMalformed,
        /// Another account revealed the same delta in this task.
        DeltaOfAnother,
        /// The task's samples are drawn from a pool: there is no shard to publish.
        NothingSealed,
        /// The records are not as many or as long as the terms say.
        ShardSizeMismatch,
        /// A record's label is not a class of the model.
        ShardLabelInvalid,
        /// The records are not the next sealed shard of the task.
        ShardMismatch,
        /// The round's shard is published; nothing is revealed after it.
        ShardAlreadyPublished,
        /// The account holds no seat in this round.
        NotDrawn,
        /// The attester committed in this round.
        AlreadyAttested,
        /// The table contradicts itself, the terms or the weights that the round started from.
        ClaimInconsistent,
        /// There is nothing in this round for this account to claim.
        NothingToClaim,
        /// The round merged nothing, so there is no credit to forfeit: claim it without a proof.
        NothingToForfeit,
        /// The account has claimed this round.
        AlreadyClaimed,
        /// The account has an earlier round to claim: rounds are claimed in order, and none is left out.
        NotNextClaim,
        /// The round merged something, and nobody has published what the account is credited: so its claim has to prove it.
        ProofMissing,
        /// There is still time to claim the round.
        NotExpired,
        /// Nothing of the round is set aside any more.
        NothingToRelease,
        /// The proof does not lead to the claim that the round settled on, or the round merged nothing.
        ProofInvalid,
        /// The proved row is of another account's delta, or of none that was revealed in the round.
        ForeignRow,
        /// Deltas are still being revealed, and half of the window is left.
        ShardTooEarly,
        /// A sample with its label is longer than a dispute can show.
        TermsRecordTooLong,
        /// The round is not being challenged now.
        NotInChallengePhase,
        /// The attester was put out of its seat, or lost its stake in another round.
        SeatLost,
        /// The attester answered its audits in this round.
        AlreadyAudited,
        /// There are fewer answers than audits.
        AuditsMissing,
        /// An answer shows losses that are not of the work that was committed to.
        AuditOtherWork,
        /// An answer shows a row that is not the audited one of the revealed table.
        AuditOtherTable,
        /// The revealed table has other losses for an audited sample than the work.
        AuditWorkDiffers,
        /// Attesters could not evaluate the model on so many samples within the terms' window for it.
        TermsTooHeavy,
        /// The longest delta of the terms is shorter or longer than the chain allows, or longer than the model needs.
        TermsDeltaInvalid,
        /// The delta is longer than the task takes.
        DeltaTooLong,
        /// The attester revealed its table in this round.
        TableAlreadyRevealed,
        /// The delta is revealed too late to be scored, and the chain knows already that it is this account's.
        RevealTooLate,
        /// The offer serves nothing: it names no task, or has no capacity.
        OfferEmpty,
        /// The commitment is about a round with other inputs, as another fork had it.
        OtherInputs,
        /// The terms name a recipe that is too long, or only one of its hash and length.
        TermsRecipeInvalid,
        /// The recipe has another length than the terms say.
        RecipeLengthMismatch,
        /// The recipe has another hash than the terms say.
        RecipeHashMismatch,
        /// A round would pay attesters more for their work than its cap.
        TermsWorkFeeTooHigh,
        /// The round merged nothing, or the chain knows all of these credits.
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
