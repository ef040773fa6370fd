//! What the pallet stores, and who pays for it.

use frame_support::pallet_macros::pallet_section;

/// The storage of the pallet.
#[pallet_section]
mod storage {
    /// Registered accounts. One entry an account, paid for by its stake.
    #[pallet::storage]
    pub type Registrations<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, Registration, OptionQuery>;

    /// Attesters that offer to be drawn, or hold seats, by account. Bounded by [`Config::MaxAttesters`].
    #[pallet::storage]
    pub type Attesters<T: Config> = StorageValue<_, Registry<T>, ValueQuery>;

    /// How many contributors may commit, and how many have ceased to.
    #[pallet::storage]
    pub type Contributors<T: Config> = StorageValue<_, ContributorCount, ValueQuery>;

    /// Every task ever opened; kept as history. Paid for by the fee of `open_task`.
    #[pallet::storage]
    pub type Tasks<T: Config> =
        StorageMap<_, Twox64Concat, TaskId, Task<T::AccountId>, OptionQuery>;

    /// The model of each task.
    #[pallet::storage]
    pub type Graphs<T: Config> = StorageMap<_, Twox64Concat, TaskId, GraphBytes, OptionQuery>;

    /// The id of the next task.
    #[pallet::storage]
    pub type NextTask<T: Config> = StorageValue<_, TaskId, ValueQuery>;

    /// Tasks with a round under way, and the time at which each is looked at next. Bounded by
    /// [`Config::MaxLiveTasks`].
    #[pallet::storage]
    pub type Schedule<T: Config> =
        StorageValue<_, BoundedVec<(TaskId, u32), T::MaxLiveTasks>, ValueQuery>;

    /// Every round, kept as history: ledgers are made of it. Paid for by the task's calls.
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

    /// Contributors' parts in rounds; at most [`bounds::MAX_SUBMISSIONS`] a round, each paid for by
    /// the fee of `commit`.
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

    /// Who revealed each delta of a task first: nobody else can. So nobody is paid for the same bytes as another, not even if
    /// the round of their author merged nothing. One entry a reveal, paid for by its fee.
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

    /// What each account has proved in each task. One entry for an account's reveals in a task, paid for by their fee.
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

    /// What contributors are credited in settled rounds, as somebody has published it and they have not claimed it yet. At most
    /// one entry a reveal, paid for by its fee.
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

    /// The tables of the round under way that attesters revealed, so that they can be disputed: at most
    /// [`bounds::MAX_SEATS`] a round, and none of a round that is over.
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

    /// Free seats that are promised: the quorums of all rounds that take reveals or draw their first seats, added up. So at
    /// most [`bounds::MAX_TASK_SEATS`] for each of [`Config::MaxLiveTasks`].
    #[pallet::storage]
    pub type SeatsPromised<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Who may be drawn for the round under way of a task, with their stakes as they were when the draw began: who makes a
    /// block of the draw, and knows what it brings, changes nothing by stake that it adds. One entry while seats are drawn.
    #[pallet::storage]
    pub type Candidates<T: Config> =
        StorageMap<_, Twox64Concat, TaskId, CandidateList<T>, ValueQuery>;
}
