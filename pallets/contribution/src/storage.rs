//! What the pallet stores, and who pays for it.

use frame_support::pallet_macros::pallet_section;

/// The storage of the pallet.
#[pallet_section]
mod storage {
    /// Registered accounts: one entry per account, paid for by its stake.
    #[pallet::storage]
    pub type Registrations<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, Registration, OptionQuery>;

    /// Attesters that offer seats or hold them, sorted by account. Bounded by [`Config::MaxAttesters`].
    #[pallet::storage]
    pub type Attesters<T: Config> = StorageValue<_, Registry<T>, ValueQuery>;

    /// How many contributors may commit, and how often a contributor has lost that right.
    #[pallet::storage]
    pub type Contributors<T: Config> = StorageValue<_, ContributorCount, ValueQuery>;

    /// Every task ever opened, kept as history. Paid for by the fee of `open_task`.
    #[pallet::storage]
    pub type Tasks<T: Config> =
        StorageMap<_, Twox64Concat, TaskId, Task<T::AccountId>, OptionQuery>;

    /// The model of each task.
    #[pallet::storage]
    pub type Graphs<T: Config> = StorageMap<_, Twox64Concat, TaskId, GraphBytes, OptionQuery>;

    /// The id of the next task.
    #[pallet::storage]
    pub type NextTask<T: Config> = StorageValue<_, TaskId, ValueQuery>;

    /// Tasks with a round under way, and when each is due next. Bounded by [`Config::MaxLiveTasks`].
    #[pallet::storage]
    pub type Schedule<T: Config> =
        StorageValue<_, BoundedVec<(TaskId, u32), T::MaxLiveTasks>, ValueQuery>;

    /// Every round, kept as history because ledgers are built from it. Paid for by the task's calls.
    #[pallet::storage]
    pub type Rounds<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        TaskId,
        Twox64Concat,
        RoundId,
        Round<T::AccountId>,
        OptionQuery,
    >;

    /// Contributors' submissions: at most [`bounds::MAX_SUBMISSIONS`] per round, each paid for by the fee of `commit`.
    #[pallet::storage]
    pub type Submissions<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        (TaskId, RoundId),
        Blake2_128Concat,
        T::AccountId,
        Submission,
        OptionQuery,
    >;

    /// The author of each delta of a task: the account that revealed it first. Nobody else can reveal it, so nobody is paid for
    /// another's bytes, even if the author's round merged nothing. One entry per reveal, paid for by its fee.
    #[pallet::storage]
    pub type DeltaAuthors<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        TaskId,
        Blake2_128Concat,
        Hash,
        T::AccountId,
        OptionQuery,
    >;

    /// What each account has proved in each task: one entry per account and task, paid for by the fees of its reveals.
    #[pallet::storage]
    pub type Ledgers<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        TaskId,
        Blake2_128Concat,
        T::AccountId,
        Account,
        OptionQuery,
    >;

    /// Credits in settled rounds that somebody has published and the contributors have not claimed yet. At most one entry per
    /// reveal, paid for by its fee.
    #[pallet::storage]
    pub type Credits<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        (TaskId, RoundId),
        Blake2_128Concat,
        T::AccountId,
        Credit,
        OptionQuery,
    >;

    /// The tables that attesters revealed in the current round, kept so that they can be disputed: at most
    /// [`bounds::MAX_SEATS`] per round, and none once the round is over.
    #[pallet::storage]
    pub type Tables<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        (TaskId, RoundId),
        Blake2_128Concat,
        T::AccountId,
        TableSummary,
        OptionQuery,
    >;

    /// The number of free seats that are promised: the sum of the quorums of all rounds that take reveals or are in their first
    /// draw. At most [`bounds::MAX_TASK_SEATS`] for each of [`Config::MaxLiveTasks`].
    #[pallet::storage]
    pub type SeatsPromised<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Who may be drawn for a task's current round, with their stakes when the draw began, in planck. So a block author who knows
    /// the result of the draw cannot change it by adding stake. One entry per task, while seats are drawn.
    #[pallet::storage]
    pub type Candidates<T: Config> =
        StorageMap<_, Twox64Concat, TaskId, CandidateList<T>, ValueQuery>;
}
