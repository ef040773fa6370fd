//! A real round, those who computed it, and those who lie about it.

use crate::{disputes::Dispute, mock::*, Disputes, Parties, Verdicts};
use frame_support::{assert_ok, traits::fungible::Inspect};
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    id::DisputeId,
    RoundId, TaskId,
};
use gotong_scoring::{
    draw, median_norm, pool_tree, reveals_tree, score_round, shard_root,
    trial::{Accusation, Answer, Case, Lie, Pick, Side, Turn, Witness},
    Delta, Entry, Graph, HoldOut, MasterWeights, Reference, Reveal, RevealRecord, RoundSamples,
    RoundScore, Rules, Samples,
};
use sp_runtime::{DispatchResult, StateVersion};
use std::{convert::Infallible, sync::OnceLock};

pub const TASK: TaskId = TaskId(3);
pub const ROUND: RoundId = RoundId(1);
pub const ID: (TaskId, RoundId) = (TASK, ROUND);
/// Blocks that a test's challenge window lasts.
pub const WINDOW: u32 = 10;

/// Who stands for a table.
pub fn accused() -> AccountId {
    account(1)
}

/// Who doubts it.
pub fn challenger() -> AccountId {
    account(2)
}

/// A small random number generator, so that everything follows from a seed.
pub struct Dice(pub u64);

impl Dice {
    /// SplitMix64, below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(bound)) as u32
    }
}

/// What everybody knows of a round.
pub struct Lab {
    pub case: Case,
    base: Vec<i16>,
    samples: RoundSamples,
    reveals: Vec<Reveal>,
    score: RoundScore,
}

impl Lab {
    /// The round of all tests: wide enough that a linear op takes two steps, and with a delta of
    /// every standing.
    pub fn get() -> &'static Self {
        static LAB: OnceLock<Lab> = OnceLock::new();
        LAB.get_or_init(|| Self::new(&[2100, 5, 3], 6, 5, 0))
    }

    /// A round of an MLP with these layers; if there is a third delta it is like the second. Its
    /// samples are a shard if the seed is even, else drawn from a pool.
    pub fn new(layers: &[u32], samples: u32, deltas: u32, seed: u64) -> Self {
        let (mut dice, graph) = (Dice(seed), Graph::mlp(layers));
        let parameters = graph.parameters() as u32;
        let base: Vec<i16> = (0..parameters)
            .map(|_| dice.below(4001) as i16 - 2000)
            .collect();
        let mut records = Vec::new();
        for _ in 0..samples {
            records.extend((0..graph.inputs).map(|_| dice.below(256) as u8));
            records.push(dice.below(graph.classes()) as u8);
        }
        let reveals: Vec<Reveal> = (0..deltas)
            .map(|number| {
                let mut dice = Dice(seed ^ u64::from(number + 1 - u32::from(number == 2)));
                let mut entries: Vec<Entry> = (0..parameters)
                    .filter_map(|position| {
                        let change = [-1500, -900, 900, 1500, 0, 0][dice.below(6) as usize];
                        (change != 0).then_some(Entry { position, change })
                    })
                    .collect();
                if number == 2 && entries.len() > 1 {
                    entries.pop();
                }
                let delta = Delta::new(parameters, entries).unwrap();
                Reveal {
                    hash: Delta::hash_of(&delta.encode()),
                    weight: 1 + dice.below(1000),
                    delta,
                }
            })
            .collect();
        let proofs: Vec<RevealRecord> = reveals
            .iter()
            .map(|reveal| RevealRecord::of(reveal.hash, &reveal.delta, reveal.weight))
            .collect();
        let rules = Rules {
            admit_floor_q8: 0,
            gain_floor_q8: 0,
            central_difference: 1,
        };
        let set = Samples::new(graph.inputs, graph.classes(), &records).unwrap();
        let score = score_round(&mut Reference, &graph, &base, &set, &reveals, &rules).unwrap();
        let record_len = graph.inputs as usize + 1;
        let (hold_out, held_out) = match seed % 2 {
            0 => sealed(record_len, records),
            _ => drawn(record_len, samples, &records),
        };
        let case = Case {
            rules,
            base_root: MasterWeights::new(base.clone()).unwrap().root(),
            hold_out,
            samples,
            reveals_root: reveals_tree(&proofs).root().hash,
            reveals: reveals.len() as u32,
            median_norm: median_norm(&proofs),
            graph,
        };
        Self {
            case,
            base,
            samples: held_out,
            reveals,
            score,
        }
    }

    pub fn score(&self) -> RoundScore {
        self.score.clone()
    }

    pub fn honest(&self) -> Witness {
        self.standing_for(|_| {})
    }

    /// Who stands for another score, and computes everything else honestly.
    pub fn standing_for(&self, change: impl FnOnce(&mut RoundScore)) -> Witness {
        let mut score = self.score();
        change(&mut score);
        let (base, samples) = (self.base.clone(), self.samples.clone());
        Witness::new(
            self.case.clone(),
            base,
            samples,
            self.reveals.clone(),
            score,
        )
        .unwrap()
    }

    /// Who lies about one value, and computes everything else from the lie.
    pub fn liar(&self, lie: Lie) -> Witness {
        let (base, samples) = (self.base.clone(), self.samples.clone());
        let (case, reveals) = (self.case.clone(), self.reveals.clone());
        Witness::lying(case, base, samples, reveals, &mut Reference, lie).unwrap()
    }

    /// Who lies about the last bit of a loss of the merge.
    pub fn a_liar(&self) -> Witness {
        self.liar(off_by_one(Side::Merged))
    }
}

fn sealed(record_len: usize, records: Vec<u8>) -> (HoldOut, RoundSamples) {
    let key = [7; 32];
    let root = shard_root(&key, record_len, &records).unwrap();
    (HoldOut::Sealed { key, root }, records.into())
}

/// A pool that has these samples where its seed draws them, and zeros elsewhere.
fn drawn(record_len: usize, samples: u32, own: &[u8]) -> (HoldOut, RoundSamples) {
    let (salt, seed, records) = ([8; 32], [9; 32], 16 * samples);
    let mut pool = vec![vec![0; record_len]; records as usize];
    for (sample, record) in (0..).zip(own.chunks(record_len)) {
        let place = draw(&seed, sample, samples, records).unwrap();
        pool[place as usize] = record.to_vec();
    }
    let tree = pool_tree(&salt, &pool);
    let hold_out = HoldOut::Drawn {
        salt,
        root: tree.root().hash,
        records,
        seed,
    };
    let read = |place| Ok::<_, Infallible>(pool[place as usize].clone());
    let drawn = RoundSamples::drawn(&tree, &seed, samples, read).unwrap();
    (hold_out, drawn)
}

/// The lie that the loss of sample 2 is one more than it is.
pub fn off_by_one(of: Side) -> Lie {
    lie(of, 2, last_op(), 0, 1)
}

/// The lie that a word is much more than it is, whatever the width of its op.
pub fn word(of: Side, sample: u32, op: u32, at: u32) -> Lie {
    lie(of, sample, op, at, 0x0014_0141)
}

fn lie(of: Side, sample: u32, op: u32, at: u32, by: i32) -> Lie {
    Lie::Word {
        of,
        sample,
        op,
        at,
        by,
        carries: true,
    }
}

pub fn last_op() -> u32 {
    Lab::get().case.graph.ops.len() as u32 - 1
}

/// Opens the challenge window of a round in which each account stands for its table.
pub fn seat(id: (TaskId, RoundId), tables: &[(AccountId, &Witness)]) {
    let round = MockRound {
        case: tables.first().map(|(_, witness)| witness.case().clone()),
        tables: tables
            .iter()
            .map(|(who, witness)| (who.clone(), witness.score().table.opening()))
            .collect(),
        open_disputes: 0,
        window_ends: System::block_number() + WINDOW,
    };
    Rounds::mutate(|rounds| rounds.insert(id, round));
}

pub fn open(who: &AccountId, accused: &AccountId, accusation: Accusation) -> DispatchResult {
    Referee::open(signed(who), TASK, ROUND, accused.clone(), accusation)
}

pub fn answer(who: &AccountId, id: DisputeId, answer: Answer) -> DispatchResult {
    Referee::answer(signed(who), id, Box::new(answer))
}

pub fn pick(who: &AccountId, id: DisputeId, pick: Pick) -> DispatchResult {
    Referee::pick(signed(who), id, pick)
}

/// Opens a dispute about the first thing that `witness` doubts.
pub fn accuse(who: &AccountId, witness: &Witness, accused: &AccountId) -> DisputeId {
    let id = crate::NextDispute::<Test>::get();
    let theirs = Rounds::get()[&ID].tables[accused].clone();
    assert_ok!(open(who, accused, witness.accuse(&theirs).unwrap()));
    id
}

/// A dispute of an accused that stands for the table of `accused`, with the doubts of
/// `challenger`: only the two of them, in a fresh round.
pub fn dispute(accused_witness: &Witness, challenger_witness: &Witness) -> DisputeId {
    seat(ID, &[(accused(), accused_witness)]);
    accuse(&challenger(), challenger_witness, &accused())
}

pub fn get(id: DisputeId) -> Option<Dispute<AccountId>> {
    Disputes::<Test>::get(id)
}

/// Makes the next move of a dispute; gives back whether whoever is to move had one that was taken.
pub fn step(id: DisputeId, accused: &Witness, challenger: &Witness) -> bool {
    let dispute = get(id).expect("is open");
    let result = match dispute.trial.turn() {
        Turn::Accused => {
            let Some(shown) = accused.answer(&dispute.trial) else {
                return false;
            };
            answer(&dispute.accused, id, shown)
        }
        Turn::Challenger => {
            let Some(picked) = challenger.pick(&dispute.trial) else {
                return false;
            };
            pick(&dispute.challenger, id, picked)
        }
    };
    check();
    result.is_ok()
}

/// Plays a dispute to its end, by silence if somebody has no move; gives back how it ended.
pub fn play(id: DisputeId, accused: &Witness, challenger: &Witness) -> ClosedDispute<AccountId> {
    while get(id).is_some() && step(id, accused, challenger) {
        next_block();
    }
    time_out(id);
    verdict_of(id).expect("is over")
}

/// Plays a dispute to its end within one block, but for a silence at its end, so that no other
/// dispute runs out of time before.
pub fn play_alone(
    id: DisputeId,
    accused: &Witness,
    challenger: &Witness,
) -> ClosedDispute<AccountId> {
    while get(id).is_some() && step(id, accused, challenger) {}
    time_out(id);
    verdict_of(id).expect("is over")
}

/// Waits until a dispute is over.
pub fn time_out(id: DisputeId) {
    while get(id).is_some() {
        next_block();
    }
}

pub fn verdict_of(id: DisputeId) -> Option<ClosedDispute<AccountId>> {
    Verdicts::<Test>::get()
        .into_iter()
        .find(|closed| closed.id == id)
}

pub fn verdict(id: DisputeId) -> Option<Verdict> {
    verdict_of(id).map(|closed| closed.verdict)
}

/// Root of all that is stored.
pub fn state() -> Vec<u8> {
    sp_io::storage::root(StateVersion::V1)
}

pub fn free(who: &AccountId) -> Balance {
    Balances::free_balance(who)
}

/// How much more than at the start an account has, on hold or not.
pub fn change(who: &AccountId) -> i128 {
    Balances::total_balance(who) as i128 - ENDOWMENT as i128
}

pub fn bond_of(place: usize) -> Balance {
    DisputeBond::get() * place as Balance
}

pub fn open_disputes() -> usize {
    Parties::<Test>::get(TASK, ROUND).len()
}

/// What a conviction gives and takes.
pub const REWARD: i128 = STAKE as i128 / 2;

pub fn assert_convicted(who: &AccountId, winner: &AccountId) {
    assert!(!Rounds::get()[&ID].tables.contains_key(who));
    assert_eq!(change(who), -(STAKE as i128));
    assert_eq!(change(winner), REWARD);
}
