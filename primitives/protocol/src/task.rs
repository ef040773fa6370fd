//! What a sponsor asks for.

use crate::{bounds, pay, Hash, ShareTerms, Windows};
use codec::{
    Compact, Decode, DecodeWithMemTracking, Encode, EncodeLike, Input, MaxEncodedLen, Output,
};
use core::str;
use gotong_scoring::{blake2_256, share::Half};
use scale_info::{Type, TypeInfo};

/// A name of 1 to 32 bytes of UTF-8.
///
/// Its SCALE encoding is that of a string, a compact length and that many bytes, and the metadata describes it as one. Bytes that
/// are too many, or end with a zero byte, do not decode. [`TaskTerms::validate`] checks that the name is UTF-8 and not empty,
/// because its error reaches the user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskName {
    /// The name and then zeros.
    padded: [u8; 32],
}

impl TaskName {
    /// Longest name.
    pub const MAX_BYTES: usize = 32;

    /// `None` when `name` is empty, over 32 bytes, or has a zero byte.
    pub fn new(name: &str) -> Option<Self> {
        if name.is_empty() || name.contains('\0') {
            return None;
        }
        let mut padded = [0; Self::MAX_BYTES];
        padded
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        Some(Self { padded })
    }

    /// The name whose bytes these are, with zeros after them: how names were encoded up to storage version 8.
    pub fn from_padded(padded: [u8; 32]) -> Self {
        Self { padded }
    }

    /// The name; `None` when decoded bytes were not one.
    pub fn as_str(&self) -> Option<&str> {
        let name = str::from_utf8(self.bytes()).ok()?;
        (!name.is_empty() && !name.contains('\0')).then_some(name)
    }

    fn bytes(&self) -> &[u8] {
        let last = self.padded.iter().rposition(|&byte| byte != 0);
        let length = last.map_or(0, |last| last.saturating_add(1));
        self.padded.get(..length).unwrap_or_default()
    }
}

impl Encode for TaskName {
    fn size_hint(&self) -> usize {
        self.bytes().size_hint()
    }

    fn encode_to<Out: Output + ?Sized>(&self, out: &mut Out) {
        self.bytes().encode_to(out);
    }
}

impl EncodeLike for TaskName {}

impl Decode for TaskName {
    fn decode<In: Input>(input: &mut In) -> Result<Self, codec::Error> {
        let Compact(length) = Compact::<u32>::decode(input)?;
        let mut padded = [0; Self::MAX_BYTES];
        let bytes = usize::try_from(length)
            .ok()
            .and_then(|length| padded.get_mut(..length))
            .ok_or("a name has at most 32 bytes")?;
        input.read(bytes)?;
        match bytes.last() {
            Some(0) => Err("a name does not end with a zero byte".into()),
            _ => Ok(Self { padded }),
        }
    }
}

impl DecodeWithMemTracking for TaskName {}

impl MaxEncodedLen for TaskName {
    fn max_encoded_len() -> usize {
        // A compact length up to 63 takes a byte.
        1usize.saturating_add(Self::MAX_BYTES)
    }
}

impl TypeInfo for TaskName {
    type Identity = str;

    fn type_info() -> Type {
        Self::Identity::type_info()
    }
}

/// Where the held-out samples that score a task's rounds come from.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
)]
pub enum HoldOutTerms {
    /// Shards that only the sponsor knows. Each is published in the round that it scores.
    Sealed {
        /// The Merkle root over the roots of the sealed shards.
        root: Hash,
        /// Number of sealed shards; each scores one round.
        shards: u32,
        /// Number of samples in each shard.
        samples: u32,
    },
    /// A pool that everybody has. Each round's samples are drawn from it at random, once no more deltas can be revealed.
    Drawn {
        /// The random salt that the records are hashed with, so that no two tasks have the same root.
        salt: Hash,
        /// The Merkle root over the salted records.
        root: Hash,
        /// Number of records in the pool.
        records: u32,
        /// Number of samples drawn for each round.
        samples: u32,
        /// Maximum number of rounds.
        rounds: u32,
    },
}

impl HoldOutTerms {
    /// Merkle root of all that samples can come from.
    pub fn root(&self) -> &Hash {
        match self {
            Self::Sealed { root, .. } | Self::Drawn { root, .. } => root,
        }
    }

    /// Samples that score a round.
    pub fn samples(&self) -> u32 {
        match self {
            Self::Sealed { samples, .. } | Self::Drawn { samples, .. } => *samples,
        }
    }

    /// Rounds that can be scored.
    pub fn rounds(&self) -> u32 {
        match self {
            Self::Sealed { shards, .. } => *shards,
            Self::Drawn { rounds, .. } => *rounds,
        }
    }

    /// Whether the sponsor has shards to publish.
    pub fn is_sealed(&self) -> bool {
        matches!(self, Self::Sealed { .. })
    }

    fn validate(&self, record_bytes: u32) -> Result<(), TermsError> {
        // Half of them decide and half pay. A few samples never prove anything, but deltas are merged all the same.
        let is_measured = self.samples().is_multiple_of(2)
            && (bounds::MIN_SAMPLES..=bounds::MAX_SHARD_SAMPLES).contains(&self.samples());
        let (holds, error) = match *self {
            Self::Sealed {
                shards, samples, ..
            } => {
                let bytes = u64::from(samples).saturating_mul(record_bytes.into());
                let fits = shards >= 1 && bytes <= u64::from(bounds::MAX_SHARD_BYTES);
                (fits, TermsError::Shards)
            }
            Self::Drawn {
                records,
                samples,
                rounds,
                ..
            } => {
                let least = samples.saturating_mul(bounds::MIN_RECORDS_PER_SAMPLE);
                let fits = (least..=bounds::MAX_POOL_RECORDS).contains(&records);
                (rounds >= 1 && fits, TermsError::Pool)
            }
        };
        match holds && is_measured {
            true => Ok(()),
            false => Err(error),
        }
    }
}

/// The terms under which a task's rounds are scored and paid; they never change.
#[derive(
    Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug,
)]
pub struct TaskTerms<Balance = u128> {
    /// The name that users see.
    pub name: TaskName,
    /// The price: planck for each millibit per sample by which a round lowers the mean loss.
    pub price_per_millibit: Balance,
    /// The cap: the most that one round pays, in planck, without the fee for work.
    pub cap_per_round: Balance,
    /// The attesters' share of what a round pays for its gain, in thousandths.
    pub attester_fee_permille: u16,
    /// The fee for work: planck that the attesters of every settled round share, for each 2^30 products of
    /// [`TaskTerms::evaluations`].
    pub work_fee: Balance,
    /// How long each phase lasts at most, in blocks.
    pub windows: Windows,
    /// Number of attesters drawn for a round.
    pub seats: u8,
    /// Number of equal claims that a round needs to settle: at least two thirds of the seats.
    pub quorum: u8,
    /// Minimum stake of a contributor, in planck.
    pub minimum_contributor_stake: Balance,
    /// Minimum stake of an attester, in planck.
    pub minimum_attester_stake: Balance,
    /// Stake above this adds no weight to a delta, in planck.
    pub weight_cap: Balance,
    /// Maximum length of an encoded delta, in bytes.
    pub delta_bytes: u32,
    /// Which deltas are merged, and how certain an improvement has to be before it is paid.
    pub share: ShareTerms,
    /// Where the held-out samples come from.
    pub hold_out: HoldOutTerms,
    /// The BLAKE2b-256 hash of the task's recipe, a text that says how data becomes the bytes of a sample; zeros if there is none.
    pub recipe: Hash,
    /// Length of the recipe in bytes; 0 if there is none.
    pub recipe_bytes: u32,
}

/// Why terms are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TermsError {
    /// The name is empty, has a zero byte or is not UTF-8.
    #[error("the name is not 1 to 32 bytes of UTF-8")]
    Name,
    /// A window is shorter or longer than the chain allows.
    #[error("a window is out of the chain's range")]
    Window,
    /// `seats` is 0 or over 8.
    #[error("the number of seats is not between 1 and 8")]
    Seats,
    /// `quorum` is less than two thirds of `seats`, or more than all.
    #[error("the quorum is less than two thirds of the seats, or more than all of them")]
    Quorum,
    /// Price, cap or weight cap is 0.
    #[error("the price, the cap or the weight cap is zero")]
    Zero,
    /// A price above 2^76 planck, at which sums of pay could overflow.
    #[error("the price is above 2^76 planck per millibit")]
    Price,
    /// A cap that leaves no room for what rounding takes, or pays for less than a millibit.
    #[error("the cap of a round is below 4,096 planck, or below the price of a millibit")]
    Cap,
    /// The maximum length of a delta is less or more than the chain allows, or more than the model needs.
    #[error("the maximum length of a delta is not between 4 and 192 KiB, or is more than the model needs")]
    DeltaBytes,
    /// More than all of a round's pay goes to attesters.
    #[error("the attesters' fee is over 1000 permille")]
    Fee,
    /// No shards, fewer than 64 samples in one or an odd number, or more samples or bytes than can be published.
    #[error("shards are missing, too small or too large, or have an odd number of samples")]
    Shards,
    /// No rounds, fewer than 64 samples or more than 4,096 or an odd number, or a pool of fewer than 16 records a
    /// sample or more than 2^24.
    #[error(
        "the pool has too few or too many records, samples or rounds, or an odd number of samples"
    )]
    Pool,
    /// A term of the share rule is out of bounds.
    #[error("a floor, the doubt or the outer rate is outside the bounds of the share rule")]
    Share,
    /// A sample with its label is longer than a dispute can show.
    #[error("a sample with its label is over 16 KiB")]
    Record,
    /// The recipe is too long, or has a hash and no length, or a length and no hash.
    #[error(
        "the recipe is over 64 KiB, or only its hash or only its length is given: give a shorter recipe with both, or no \
         recipe and zeros for both"
    )]
    Recipe,
    /// The recipe's length differs from the one in the terms.
    #[error(
        "the recipe's length differs from the terms: give the bytes that the terms were made with"
    )]
    RecipeLength,
    /// The recipe's hash differs from the one in the terms.
    #[error(
        "the recipe's hash differs from the terms: give the bytes that the terms were made with"
    )]
    RecipeHash,
}

impl<Balance: Copy + Default + Into<u128> + PartialEq> TaskTerms<Balance> {
    /// Checks everything that does not need the chain's state. `record_bytes` is the size of one
    /// sample with its label; windows must lie within `shortest..=longest` blocks.
    pub fn validate(
        &self,
        record_bytes: u32,
        shortest_window: u32,
        longest_window: u32,
    ) -> Result<(), TermsError> {
        let check = |holds: bool, error| if holds { Ok(()) } else { Err(error) };
        let zero = Balance::default();
        check(self.name.as_str().is_some(), TermsError::Name)?;
        check(
            self.windows
                .all()
                .iter()
                .all(|blocks| (shortest_window..=longest_window).contains(blocks)),
            TermsError::Window,
        )?;
        check(
            (1..=bounds::MAX_TASK_SEATS).contains(&u32::from(self.seats)),
            TermsError::Seats,
        )?;
        let least = Self::least_quorum(self.seats);
        check(
            (least..=self.seats).contains(&self.quorum),
            TermsError::Quorum,
        )?;
        check(
            self.price_per_millibit != zero
                && self.cap_per_round != zero
                && self.weight_cap != zero,
            TermsError::Zero,
        )?;
        check(
            self.price_per_millibit.into() <= bounds::MAX_PRICE,
            TermsError::Price,
        )?;
        let least_cap = bounds::MIN_CAP.max(self.price_per_millibit.into());
        check(self.cap_per_round.into() >= least_cap, TermsError::Cap)?;
        check(self.attester_fee_permille <= 1000, TermsError::Fee)?;
        check(
            (bounds::MIN_DELTA_BYTES..=bounds::MAX_DELTA_BYTES).contains(&self.delta_bytes),
            TermsError::DeltaBytes,
        )?;
        check(record_bytes <= bounds::MAX_RECORD_BYTES, TermsError::Record)?;
        self.hold_out.validate(record_bytes)?;
        check(self.share.are_valid(), TermsError::Share)?;
        let has_hash = self.recipe != Hash::default();
        check(
            has_hash == self.has_recipe() && self.recipe_bytes <= bounds::MAX_RECIPE_BYTES,
            TermsError::Recipe,
        )
    }

    /// The lowest quorum for this number of seats: two thirds, rounded up. Absent attesters are slashed if the quorum was met, so
    /// a few accomplices of a sponsor must not be able to meet it.
    pub fn least_quorum(seats: u8) -> u8 {
        u8::try_from(u16::from(seats).saturating_mul(2).div_ceil(3)).unwrap_or(u8::MAX)
    }

    /// The most work that evaluating a round costs an attester, in products, if evaluating one sample costs `cost`
    /// ([`crate::Graph::cost`]). It leaves out the products of gradients and deltas, so it is the same for any number of deltas.
    pub fn evaluations(&self, cost: u64) -> u64 {
        let samples = u64::from(self.hold_out.samples());
        cost.saturating_mul(samples)
            .saturating_mul(bounds::EVALUATIONS)
    }

    /// The load of a round: the work that scoring it costs an attester in each block of the attestation window, in products,
    /// rounded up. It assumes `deltas` deltas of the maximum length, a model with `parameters` parameters, and that evaluating one
    /// sample costs `cost` ([`crate::Graph::cost`]).
    pub fn load(&self, cost: u64, parameters: u32, deltas: u32) -> u64 {
        let products = u64::from(self.most_entries(parameters))
            .saturating_mul(deltas.into())
            .saturating_mul(bounds::GRADIENTS)
            .saturating_mul(bounds::COST_OF_PRODUCT);
        let whole = self.evaluations(cost).saturating_add(products);
        whole.div_ceil(self.windows.attest_blocks.max(1).into())
    }
}

impl<Balance> TaskTerms<Balance> {
    /// Most contributors that a round holds: 1,024, or 64 MiB of deltas.
    pub fn places(&self) -> u32 {
        let fit = bounds::MAX_ROUND_DELTA_BYTES.checked_div(self.delta_bytes);
        fit.unwrap_or_default().min(bounds::MAX_SUBMISSIONS)
    }

    /// Most entries of a delta to a model with this number of parameters: a byte holds four at most.
    pub fn most_entries(&self, parameters: u32) -> u32 {
        parameters.min(self.delta_bytes.saturating_mul(4))
    }

    /// Most of them that may be newcomers, so that a crowd of new accounts cannot shut out proven ones.
    pub fn newcomer_places(&self) -> u32 {
        self.places() / 2
    }

    /// Whether a model with this number of parameters can use deltas as long as these terms allow: up to 64 KiB, or four bits per
    /// parameter, which is more than any delta takes. Allowing more would only leave fewer places.
    pub fn can_have_such_deltas(&self, parameters: u32) -> bool {
        self.delta_bytes <= (parameters / 2).max(bounds::USUAL_DELTA_BYTES)
    }

    /// The same terms with this recipe; without one if it has no bytes.
    pub fn with_recipe(self, recipe: &[u8]) -> Self {
        Self {
            recipe: recipe_hash(recipe),
            recipe_bytes: u32::try_from(recipe.len()).unwrap_or(u32::MAX),
            ..self
        }
    }

    /// Whether the task has a recipe.
    pub fn has_recipe(&self) -> bool {
        self.recipe_bytes > 0
    }

    /// Checks that these bytes are the recipe that the terms name: none if they name none.
    pub fn check_recipe(&self, recipe: &[u8]) -> Result<(), TermsError> {
        if u32::try_from(recipe.len()) != Ok(self.recipe_bytes) {
            return Err(TermsError::RecipeLength);
        }
        match recipe_hash(recipe) == self.recipe {
            true => Ok(()),
            false => Err(TermsError::RecipeHash),
        }
    }
}

/// What the terms say about a recipe: zeros for one without bytes.
fn recipe_hash(recipe: &[u8]) -> Hash {
    match recipe {
        [] => Hash::default(),
        bytes => blake2_256(&[bytes]),
    }
}

impl TaskTerms {
    /// What a contributor is paid for what it has proved, given in Q16 bits summed over the samples that pay; rounded down.
    /// `None` if it does not fit, which no ledger can reach.
    pub fn contributor_pay(&self, proved: u64) -> Option<u128> {
        let permille = 1000u16.checked_sub(self.attester_fee_permille)?;
        self.worth(proved, permille)
    }

    /// What the attesters of a round share for its gain; rounded down.
    pub fn attester_pay(&self, gain: u64) -> Option<u128> {
        self.worth(gain, self.attester_fee_permille)
    }

    /// What the attesters of a settled round share for their work, whatever the round gained; rounded down. `None` if it does
    /// not fit.
    ///
    /// More deltas do not raise it: otherwise anybody could raise it by sending noise.
    pub fn work_pay(&self, cost: u64) -> Option<u128> {
        pay::mul_div(
            self.work_fee,
            self.evaluations(cost).into(),
            bounds::WORK_UNIT.into(),
        )
    }

    /// The most that a round takes from the budget: its cap, and what attesters are paid for their work. `None` if the pay for work
    /// exceeds the cap, or both together do not fit.
    pub fn most_per_round(&self, cost: u64) -> Option<u128> {
        let work = self.work_pay(cost)?;
        self.cap_per_round
            .checked_add(work)
            .filter(|_| work <= self.cap_per_round)
    }

    fn worth(&self, units: u64, permille: u16) -> Option<u128> {
        let samples = Half::B.count(self.hold_out.samples());
        pay::worth(self.price_per_millibit, units, samples, permille)
    }
}

/// Where a task stands.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
)]
pub enum TaskState {
    /// A round is under way.
    Running,
    /// The last round is under way: the sponsor has asked to close the task.
    Closing,
    /// Paused: the budget does not cover another round. A top-up resumes it.
    Paused,
    /// Out of rounds: all shards have been used, or all the rounds of the terms are over.
    Exhausted,
    /// The sponsor did not publish a shard, and lost the bond.
    Stopped,
    /// Closed by its sponsor, or by the chain because it was idle; the sponsor got the rest of the budget back.
    Closed,
}

impl TaskState {
    /// Whether a round is under way.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Running | Self::Closing)
    }

    /// Whether no round will start any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Exhausted | Self::Stopped | Self::Closed)
    }
}

#[cfg(test)]
mod tests;
