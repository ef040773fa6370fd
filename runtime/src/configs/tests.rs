//! What fees and limits come to.

use super::*;
use crate::{authorities, presets};
use codec::Decode;
use frame_support::traits::{Get, GetCallIndex, GetCallName};
use gotong_protocol::bounds;
use pallet_contribution::WeightInfo;
use pallet_referee::WeightInfo as _;
use sp_genesis_builder::DEV_RUNTIME_PRESET;
use sp_runtime::{traits::TrailingZeroInput, BuildStorage};

/// The names of a pallet's calls that a worker's key may make; their arguments do not matter.
fn allowed<Call>() -> Vec<&'static str>
where
    Call: Decode + GetCallIndex + GetCallName + Into<RuntimeCall>,
{
    let indices = Call::get_call_indices().iter();
    let calls = indices.map(|index| {
        let mut bytes = TrailingZeroInput::new(core::slice::from_ref(index));
        Call::decode(&mut bytes).expect("zeros are arguments of any call")
    });
    let named = calls.map(|call| (call.get_call_name(), call.into()));
    named
        .filter(|(_, call)| ProxyType::Contribution.filter(call))
        .map(|(name, _)| name)
        .collect()
}

/// A thief of the key can neither move funds, nor close tasks or give up what was earned.
#[test]
fn a_workers_key_can_only_take_part() {
    assert_eq!(
        allowed::<pallet_contribution::Call<Runtime>>(),
        [
            "commit",
            "reveal",
            "publish_shard",
            "commit_attestation",
            "reveal_attestation",
            "claim",
            "answer_audits",
            "release",
            "offer",
            "publish_credits"
        ]
    );
    assert_eq!(
        allowed::<pallet_referee::Call<Runtime>>(),
        ["answer", "pick"]
    );
    for none in [
        allowed::<pallet_balances::Call<Runtime>>(),
        allowed::<pallet_proxy::Call<Runtime>>(),
        allowed::<authorities::Call<Runtime>>(),
        allowed::<pallet_session::Call<Runtime>>(),
    ] {
        assert_eq!(none, Vec::<&str>::new());
    }
}

/// More bytes than a transaction has around its payload: call, signature and extensions.
const ENVELOPE: u32 = 464;

#[test]
fn the_traffic_of_a_round_fits_into_blocks() {
    let room = *RuntimeBlockLength::get().max.get(DispatchClass::Normal);
    let opening = bounds::MAX_GRAPH_BYTES + bounds::MAX_WEIGHT_BYTES + bounds::MAX_RECIPE_BYTES;
    assert!(opening + ENVELOPE <= room);
    assert!(bounds::MAX_SHARD_BYTES + ENVELOPE <= room);
    let deltas = bounds::MAX_ROUND_DELTA_BYTES + bounds::MAX_SUBMISSIONS * ENVELOPE;
    assert!(deltas <= 9 * room, "in blocks of {room} bytes");
}

#[test]
fn the_largest_calls_fit_into_the_smallest_block() {
    let genesis = presets::genesis_config(DEV_RUNTIME_PRESET).expect("the preset exists");
    let storage = genesis.build_storage().expect("the genesis builds");
    sp_io::TestExternalities::from(storage).execute_with(|| {
        type Weights = <Runtime as pallet_contribution::Config>::WeightInfo;
        type Referee = <Runtime as pallet_referee::Config>::WeightInfo;
        let limit = block_weights(&Pace::FAST)
            .get(DispatchClass::Normal)
            .max_extrinsic
            .expect("normal transactions have a limit");
        for weight in [
            Weights::open_task(bounds::MAX_WEIGHT_BYTES + bounds::MAX_RECIPE_BYTES),
            Weights::publish_shard(bounds::MAX_SHARD_BYTES),
            Weights::reveal(bounds::MAX_DELTA_BYTES),
            Weights::claim(bounds::MAX_CLAIMS),
            Weights::publish_credits(bounds::MAX_PUBLISHED),
            Weights::answer_audits(bounds::AUDITS * 16 * 1024),
            Referee::answer_losses(bounds::MAX_SHARD_SAMPLES / 2) + Referee::end(16),
            Referee::answer_backward_word(bounds::MAX_ANSWER_BYTES) + Referee::end(16),
            Referee::answer_word(bounds::MAX_ANSWER_BYTES) + Referee::end(16),
        ] {
            assert!(weight.all_lte(limit), "{weight} exceeds {limit}");
        }
    });
}

#[test]
fn what_has_to_come_in_time_fits_into_a_block_that_is_not_full() {
    let genesis = presets::genesis_config(DEV_RUNTIME_PRESET).expect("the preset exists");
    let storage = genesis.build_storage().expect("the genesis builds");
    sp_io::TestExternalities::from(storage).execute_with(|| {
        type Weights = <Runtime as pallet_contribution::Config>::WeightInfo;
        type Referee = <Runtime as pallet_referee::Config>::WeightInfo;
        let free = Perbill::one() - timing::FULL;
        let limits = block_weights(&Pace::FAST);
        let normal = limits.get(DispatchClass::Normal);
        let most = normal.max_total.expect("normal transactions have a limit");
        let room = (free * most).saturating_sub(normal.base_extrinsic);
        let end = Referee::end(<Runtime as pallet_referee::Config>::MaxDisputesPerRound::get());
        for weight in [
            Weights::commit(),
            Weights::reveal(bounds::MAX_DELTA_BYTES),
            Weights::publish_shard(bounds::MAX_SHARD_BYTES),
            Weights::commit_attestation(),
            Weights::reveal_attestation(),
            Weights::answer_audits(bounds::AUDITS * 16 * 1024),
            Referee::open(),
            Referee::pick() + Referee::end(1),
            Referee::answer_losses(bounds::MAX_SHARD_SAMPLES / 2) + end,
            Referee::answer_row_nodes(bounds::MAX_SUBMISSIONS) + end,
            Referee::answer_backward_word(bounds::MAX_ANSWER_BYTES) + end,
            Referee::answer_word(bounds::MAX_ANSWER_BYTES) + end,
        ] {
            assert!(
                weight.ref_time() <= room.ref_time(),
                "{weight} exceeds {room}"
            );
        }
        let longest = free * *RuntimeBlockLength::get().max.get(DispatchClass::Normal);
        assert!(bounds::MAX_SHARD_BYTES + ENVELOPE <= longest);
    });
}

#[test]
fn a_dispute_is_over_before_the_court_stops_waiting() {
    sp_io::TestExternalities::default().execute_with(|| {
        let longest = pallet_referee::LongestDispute::<Runtime>::get();
        let waits = <Runtime as pallet_contribution::Config>::MaxDisputeBlocks::get();
        assert!(longest <= waits, "{longest} blocks of {waits}");
    });
}

/// The time of a move is the same for all tasks. It fits the heaviest one that can be opened, on a slow processor, for a party to
/// as many disputes as a round can have, while the rounds of other tasks take half of the processor. On a development chain, where
/// moves are short so that nobody has to wait for them, it fits for a party to one dispute that has nothing else to do.
#[test]
fn a_move_has_time_for_its_gradients_in_the_heaviest_task() {
    sp_io::TestExternalities::default().execute_with(|| {
        let window: u32 = <Runtime as pallet_contribution::Config>::MaxWindowBlocks::get();
        let most: u32 = <Runtime as pallet_referee::Config>::MaxDisputesPerRound::get();
        let round = u64::from(window) * bounds::COST_PER_BLOCK;
        // An answer or a pick needs the gradient of a group; one answer needs it sample by sample.
        let gradients = |samples: u32| {
            let group = u64::from(samples / 2).div_ceil(bounds::GROUPS);
            let evaluations = bounds::EVALUATIONS * u64::from(samples);
            2 * group * bounds::COST_OF_GRADIENT * round / evaluations
        };
        let numbers = (bounds::MIN_SAMPLES..=bounds::MAX_SHARD_SAMPLES).step_by(2);
        let gradients = numbers.map(gradients).max().unwrap_or(u64::MAX);
        // A merge of all deltas into the weights; a byte holds four entries.
        let merge = u64::from(bounds::MAX_ROUND_DELTA_BYTES) * 4 * bounds::COST_OF_PRODUCT;
        for (pace, disputes, busy) in [(Pace::USUAL, most, 2), (Pace::FAST, 1, 1)] {
            let products = u64::from(disputes) * (gradients + merge);
            // A slow processor needs a second for this many products.
            let seconds = products.div_ceil(bounds::COST_PER_BLOCK);
            let has = u64::from(pace.move_blocks) * pace.slot_millis / 1_000;
            assert!(busy * seconds <= has, "{busy} * {seconds} seconds of {has}");
        }
    });
}

#[test]
fn the_hooks_leave_room_for_transactions_in_the_smallest_block() {
    let genesis = presets::genesis_config(DEV_RUNTIME_PRESET).expect("the preset exists");
    let storage = genesis.build_storage().expect("the genesis builds");
    sp_io::TestExternalities::from(storage).execute_with(|| {
        type Weights = <Runtime as pallet_contribution::Config>::WeightInfo;
        type Referee = <Runtime as pallet_referee::Config>::WeightInfo;
        let limit = block_weights(&Pace::FAST).max_block;
        // A quarter of a block for the rounds, or more if the worst round alone takes more, and as much for the disputes that time
        // out.
        let round = Weights::end_reveal(bounds::MAX_SUBMISSIONS)
            .max(Weights::end_commit(bounds::MAX_SUBMISSIONS))
            .max(Weights::draw() + Weights::end_phase())
            .max(Weights::redraw() + Weights::settle())
            .max(limit / 4)
            // A paused task that is closed.
            .saturating_add(Weights::close_task());
        let end = Referee::end(<Runtime as pallet_referee::Config>::MaxDisputesPerRound::get());
        let time_outs: u32 = <Runtime as pallet_referee::Config>::MaxTimeOutsPerBlock::get();
        let disputes = end.saturating_mul(time_outs.into());
        type Sessions = <Runtime as authorities::Config>::WeightInfo;
        let most = <Runtime as authorities::Config>::MaxAuthorities::get();
        let session = <Sessions as authorities::WeightInfo>::end_session(most).ref_time();
        let (round, disputes) = (round.ref_time(), disputes.ref_time());
        assert!(disputes <= limit.ref_time() / 4, "{disputes} of {limit}");
        assert!(
            round + disputes + session < limit.ref_time(),
            "{round} + {disputes} + {session} of {limit}"
        );
    });
}
