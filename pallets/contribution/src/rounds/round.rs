//! What the chain keeps about a round.

use crate::{attestation::Seat, rewards::Settlement, tasks::Task};
use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use gotong_protocol::{
    bounds, round_inputs, Hash, HoldOutTerms, Outcome, Phase, RoundId, SeatState, TaskId,
};
use gotong_scoring::{blake2_256, share::EntryWeights, HoldOut};
use scale_info::TypeInfo;

/// The seats of a round's attesters.
pub type Seats<AccountId> = BoundedVec<Seat<AccountId>, ConstU32<{ bounds::MAX_SEATS }>>;

/// A round of a task.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Round<AccountId> {
    /// The current phase, which decides what may be done.
    pub phase: Phase,
    /// The block in which the round started.
    pub started_at: u32,
    /// When the phase started, or when all seats were given back. Extensions of its window for lack of attesters do not change it.
    /// Once the round is over, the block in which it ended.
    pub phase_started_at: u32,
    /// The latest time at which the phase ends. Once the round is over, the block in which it ended.
    pub ends_at: u32,
    /// Merkle root of the weights that the round starts from.
    pub base_root: Hash,
    /// [`crate::stakes::ContributorCount::departures`] when the round began to accept commits.
    pub departures: u64,
    /// Number of contributors who committed.
    pub commits: u32,
    /// How many of them were newcomers to the task.
    pub newcomers: u32,
    /// Number of contributors who revealed.
    pub reveals: u32,
    /// Their weights, added up.
    pub weights: EntryWeights,
    /// The hold-out samples, once published.
    pub shard: Option<Shard>,
    /// Root of [`gotong_scoring::share::entrants_tree`] over all revealed deltas, each at [`EntryWeights::limited`]; set once
    /// no more can be revealed.
    pub entrants_root: Option<Hash>,
    /// What is being drawn, if anything: seats, together with the samples to evaluate, or audits.
    pub draw: Option<Draw>,
    /// The seed, once drawn. It decides the halves, and which records of a pool are the samples.
    pub seed: Option<Hash>,
    /// The attesters, once a draw has filled the quorum, including those who have lost their seats; none again if all were given
    /// back because too few committed.
    pub seats: Seats<AccountId>,
    /// How often seats were drawn anew since a draw filled the quorum; also [`bounds::MAX_REDRAWS`] if there was nobody to draw.
    pub redraws: u8,
    /// The seed of the audits of the current challenge, or of the last one.
    pub audit_seed: Option<Hash>,
    /// Number of open disputes; the round does not end before they are decided.
    pub open_disputes: u32,
    /// Whether, for as long as the challenge can last, there was no room for another dispute.
    pub crowded: bool,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What it settled on.
    pub settlement: Option<Settlement>,
}

impl<AccountId> Round<AccountId> {
    /// What it settled on, if something was merged.
    pub fn merged(&self) -> Option<&Settlement> {
        let settlement = self.settlement.as_ref();
        settlement.filter(|settlement| settlement.claim.merged.is_some())
    }
}

impl<AccountId: PartialEq> Round<AccountId> {
    /// The seat of `who`, lost or not.
    pub(crate) fn seat_mut(&mut self, who: &AccountId) -> Option<&mut Seat<AccountId>> {
        self.seats.iter_mut().find(|seat| seat.account == *who)
    }

    /// Where its samples come from, once it is known.
    pub(crate) fn hold_out(&self, terms: &HoldOutTerms) -> Option<HoldOut> {
        match *terms {
            HoldOutTerms::Sealed { .. } => self.shard.as_ref().map(|shard| HoldOut::Sealed {
                key: shard.key,
                root: shard.root,
            }),
            HoldOutTerms::Drawn {
                salt,
                root,
                records,
                ..
            } => self.seed.map(|seed| HoldOut::Drawn {
                salt,
                root,
                records,
                seed,
            }),
        }
    }

    /// The digest of the inputs that its attesters have to name when they commit: [`round_inputs`].
    pub fn inputs(&self, task: TaskId, round: RoundId) -> Hash {
        let shard = self.shard.as_ref().map(|shard| shard.root);
        let entrants = self.entrants_root.unwrap_or_default();
        round_inputs(task, round, &self.base_root, shard, self.seed, &entrants)
    }

    /// Whether a quorum of free seats is promised to it: while it accepts deltas, and in its first draw, which brings the seed.
    /// Nothing is promised while it waits for attesters, or in later draws. Otherwise tasks that nobody can attest, or whose draws
    /// always fail, could keep all seats from others.
    pub(crate) fn is_promised_seats(&self) -> bool {
        match self.phase {
            Phase::Reveal => true,
            Phase::AttestCommit => self.draw.is_some() && self.seed.is_none(),
            _ => false,
        }
    }

    /// Whether everything is revealed and it waits until a quorum of attesters have room for it.
    pub(crate) fn is_unattended(&self) -> bool {
        self.phase == Phase::AttestCommit && self.draw.is_none() && self.seats.is_empty()
    }

    /// Whether its Commit window of `commit_blocks` has ended before and was extended because attesters were missing.
    pub(crate) fn has_waited(&self, commit_blocks: u32) -> bool {
        self.phase == Phase::Commit
            && self.ends_at.saturating_sub(self.phase_started_at) > commit_blocks
    }

    /// Whether an attester of the round was convicted.
    pub(crate) fn convicted(&self) -> bool {
        let convicted = |seat: &Seat<AccountId>| seat.state == SeatState::Convicted;
        self.seats.iter().any(convicted)
    }
}

/// A draw under way. Each of several blocks mixes in randomness that nobody knew before that block. So making the block in which a
/// phase ends, or the one after it, is not enough to choose the result: somebody would have to make all of them.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, Default, PartialEq, Eq, Debug)]
pub struct Draw {
    /// Number of blocks that were mixed in.
    pub blocks: u32,
    /// The hash over all of them, one after another.
    pub entropy: Hash,
}

impl Draw {
    /// Mixes a block in.
    pub(crate) fn mix(&mut self, random: &[u8]) {
        self.blocks = self.blocks.saturating_add(1);
        self.entropy = blake2_256(&[b"gotong:entropy", &self.entropy, random]);
    }

    /// The result of the draw for one purpose.
    pub(crate) fn seed(&self, purpose: &[u8]) -> Hash {
        blake2_256(&[purpose, &self.entropy])
    }
}

/// A task and its current round.
pub(crate) type UnderWay<AccountId> = (Task<AccountId>, Round<AccountId>);

/// The published samples of a round.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Shard {
    /// The index of this shard among the task's sealed shards.
    pub index: u32,
    /// The block whose body has the records.
    pub published_at: u32,
    /// The key that unseals the root.
    pub key: Hash,
    /// Merkle root over the salted records.
    pub root: Hash,
}
