//! A real round, the parties that computed it, and the parties that lie about it.

use crate::{disputes::Dispute, mock::*, Disputes, Parties, Verdicts};
use frame_support::{assert_ok, traits::fungible::Inspect};
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    id::DisputeId,
    RoundFacts, RoundId, TableSummary, TaskId,
};
use gotong_scoring::{
    draw,
    gradient::Differentiator,
    pool_tree, shard_root,
    share::{
        entrants_tree, share_table,
        table::{Row, ShareTable, Stage, TableMerge, TablePass, TablePay},
        trial::{Accusation, Answer, Lie, Pick, Player, Trial},
        Company, Entrant, Half, GROUPS,
    },
    trial::Side,
    Delta, EntrantRecord, Entry, Graph, HoldOut, MasterWeights, Reference, RoundSamples, Samples,
    ShareTerms, Transformer,
};
use sp_runtime::{DispatchResult, StateVersion};
use std::{cell::RefCell, convert::Infallible, sync::OnceLock};

pub const TASK: TaskId = TaskId(3);
pub const ROUND: RoundId = RoundId(1);
pub const ID: (TaskId, RoundId) = (TASK, ROUND);
/// Blocks that a test's challenge window lasts.
pub const WINDOW: u32 = 10;
/// The seed of rounds with several passes and a merge.
const SEED: u64 = 2;
const LANGUAGE_SEED: u64 = 5;
/// The seed of a round of a large model with a merge.
const LARGE_SEED: u64 = 6;
/// What any round that merges something can be accused of.
pub const ROWS: Accusation = Accusation::Rows(Stage::Pass(0));
pub const GRADIENTS: Accusation = Accusation::Gradients(Stage::Pass(0));
pub const LOSSES: Accusation = Accusation::Losses(Half::A);

/// The account that defends a table.
pub fn accused() -> AccountId {
    account(1)
}

/// The account that doubts it.
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

/// A party that computed the round, rightly or not, and plays by its result.
pub struct Agent {
    player: RefCell<Player>,
    /// The summary that it defends. If it forges the summary, this is not the one of its table.
    summary: TableSummary,
}

impl Agent {
    pub fn new(player: Player) -> Self {
        let summary = player.summary().clone();
        let player = RefCell::new(player);
        Self { player, summary }
    }

    pub fn summary(&self) -> &TableSummary {
        &self.summary
    }

    pub fn facts(&self) -> RoundFacts {
        self.player.borrow().facts().clone()
    }

    pub fn table(&self) -> ShareTable {
        self.player.borrow().table().clone()
    }

    /// The first thing that it doubts in a table.
    pub fn accuse(&self, theirs: &TableSummary) -> Option<Accusation> {
        self.player.borrow().accuse(theirs)
    }

    pub fn answer(&self, trial: &Trial) -> Option<Answer> {
        self.player.borrow_mut().answer(&mut Reference, trial)
    }

    pub fn pick(&self, theirs: &TableSummary, trial: &Trial) -> Option<Pick> {
        self.player.borrow_mut().pick(&mut Reference, theirs, trial)
    }
}

/// What everybody knows about a round.
pub struct Lab {
    pub facts: RoundFacts,
    pub table: ShareTable,
    base: Vec<i16>,
    held: RoundSamples,
    deltas: Vec<Delta>,
}

impl Lab {
    /// The round of all tests: wide enough that a linear op takes two steps, with several passes, and a merge.
    pub fn get() -> &'static Self {
        static LAB: OnceLock<Lab> = OnceLock::new();
        LAB.get_or_init(|| Self::new(&[2100, 5, 3], 40, 9, SEED))
    }

    /// A round of a language model, whose first weights two ops read.
    pub fn language() -> &'static Self {
        static LAB: OnceLock<Lab> = OnceLock::new();
        LAB.get_or_init(|| {
            let graph = Graph::transformer(&Transformer {
                vocab: 5,
                tokens: 4,
                width: 6,
                heads: 2,
                hidden: 7,
                layers: 1,
                tied: true,
            });
            Self::of(graph, 40, 9, LANGUAGE_SEED)
        })
    }

    /// A round of a model with a gradient that takes a longer trace than one answer shows.
    pub fn wide() -> &'static Self {
        static LAB: OnceLock<Lab> = OnceLock::new();
        LAB.get_or_init(|| Self::new(&[2100, 32, 3], 8, 3, SEED))
    }

    /// A round of a model with more parameters than one answer can show products for, and a longer trace than it shows.
    pub fn large() -> &'static Self {
        static LAB: OnceLock<Lab> = OnceLock::new();
        LAB.get_or_init(|| Self::new(&[10, 22_000, 2], 8, 3, LARGE_SEED))
    }

    /// A round of an MLP with these layers.
    pub fn new(layers: &[u32], samples: u32, deltas: u32, seed: u64) -> Self {
        Self::of(Graph::mlp(layers), samples, deltas, seed)
    }

    /// Its samples are a shard if the seed is even, else drawn from a pool.
    pub fn of(graph: Graph, samples: u32, deltas: u32, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let base: Vec<i16> = (0..graph.parameters())
            .map(|_| dice.below(6001) as i16 - 3000)
            .collect();
        let bytes = graph.vocab().unwrap_or(256);
        let mut records = Vec::new();
        for _ in 0..samples {
            records.extend((0..graph.inputs).map(|_| dice.below(bytes) as u8));
            records.push(dice.below(graph.classes()) as u8);
        }
        let set = Samples::new(graph.inputs, graph.classes(), &records).unwrap();
        let gradient = gradient(&graph, &base, &set);
        let deltas: Vec<Delta> = (0..deltas)
            .map(|_| any_delta(&mut dice, &gradient))
            .collect();
        let stakes = deltas.iter().map(|_| (1 + dice.below(1000), dice.below(2)));
        let entrants: Vec<Entrant> = deltas
            .iter()
            .zip(stakes.collect::<Vec<_>>())
            .map(|(delta, (weight, proven))| Entrant {
                delta,
                weight,
                is_proven: proven == 1,
            })
            .collect();
        let hashes: Vec<_> = deltas
            .iter()
            .map(|delta| Delta::hash_of(&delta.encode()))
            .collect();
        let terms = ShareTerms {
            outer_rate_q8: [256, 512, 128][(seed % 3) as usize],
            ..ShareTerms::default()
        };
        let half_seed = [seed as u8; 32];
        let (_, table) = share_table(
            &mut Reference,
            &graph,
            &base,
            &set,
            &half_seed,
            &entrants,
            &hashes,
            &terms,
        )
        .unwrap();
        let record_len = graph.inputs as usize + 1;
        let (hold_out, held) = match seed % 2 {
            0 => sealed(record_len, records),
            _ => drawn(record_len, samples, &records),
        };
        let facts = RoundFacts {
            terms,
            base_root: MasterWeights::new(base.clone()).unwrap().root(),
            hold_out,
            samples,
            half_seed,
            entrants_root: entrants_tree(&table.records).root().hash,
            entrants: deltas.len() as u32,
            graph,
        };
        Self {
            facts,
            table,
            base,
            held,
            deltas,
        }
    }

    pub fn honest(&self) -> Agent {
        self.standing_for(|_| {})
    }

    fn player(&self, table: ShareTable) -> Player {
        let (facts, base) = (self.facts.clone(), self.base.clone());
        let (held, deltas) = (self.held.clone(), self.deltas.clone());
        Player::new(facts, base, held, deltas, table).unwrap()
    }

    /// A party that defends a different table, and computes everything else honestly.
    pub fn standing_for(&self, change: impl FnOnce(&mut ShareTable)) -> Agent {
        let mut table = self.table.clone();
        change(&mut table);
        Agent::new(self.player(table))
    }

    /// A party whose table is right, but which defends another summary.
    pub fn forging(&self, change: impl FnOnce(&mut TableSummary)) -> Agent {
        let mut forger = self.honest();
        change(&mut forger.summary);
        forger
    }

    /// A party that lies about one value, and computes everything else from the lie. None if the lie changes nothing.
    pub fn try_lie(&self, lie: Lie) -> Option<Agent> {
        let honest = self.player(self.table.clone());
        Some(Agent::new(Player::lying(honest, &mut Reference, lie)?))
    }

    /// The first of these liars.
    pub fn first_liar(&self, lies: impl IntoIterator<Item = Lie>) -> (Lie, Agent) {
        let mut lies = lies.into_iter().peekable();
        let first = lies.peek().copied();
        lies.find_map(|lie| Some((lie, self.try_lie(lie)?)))
            .unwrap_or_else(|| panic!("nothing comes of lies like {first:?}"))
    }

    /// A party that lies about the last bit of a loss of the merge.
    pub fn a_liar(&self) -> Agent {
        self.try_lie(self.off_by_one(Side::Merged, Half::A))
            .unwrap()
    }

    /// The lie that the loss of a sample of a half is one higher than it is.
    pub fn off_by_one(&self, of: Side, half: Half) -> Lie {
        Lie::Word {
            of,
            sample: self.facts.sample(half, 2).unwrap(),
            op: self.last_op(),
            at: 0,
            by: 1,
            carries: true,
        }
    }

    pub fn last_op(&self) -> u32 {
        self.facts.graph.ops.len() as u32 - 1
    }

    /// Lies about words of an op, by a large amount if possible, whatever their width. Some may change nothing, or too much.
    pub fn words(&self, of: Side, half: Half, op: u32) -> impl Iterator<Item = Lie> + '_ {
        let samples =
            (0..half.count(self.facts.samples)).filter_map(move |nth| self.facts.sample(half, nth));
        samples.flat_map(move |sample| {
            let words =
                (0..40).flat_map(|at| [0x0014_0141, 0x4141_4141, 300, -300].map(|by| (at, by)));
            words.map(move |(at, by)| Lie::Word {
                of,
                sample,
                op,
                at,
                by,
                carries: true,
            })
        })
    }

    /// A party that claims that another company followed the first one, and invents the rest: that company is good, and the last
    /// one.
    pub fn with_company(&self, members: Vec<bool>) -> Agent {
        let entrants = entrants_of(&self.table.records, &self.deltas);
        let company = Company::of(members, &entrants, &self.facts.terms);
        let rows = self.table.records.iter().zip(&company.members);
        let rows = rows.map(|(record, is_member)| Row {
            delta_hash: record.delta_hash,
            parts: vec![1 << 30; if *is_member { GROUPS } else { 0 }].into(),
        });
        let invented = TablePass {
            median_norm: company.median_norm,
            last_dropped: None,
            rows: rows.collect(),
            members: company.members,
            ..self.table.passes[1].clone()
        };
        self.standing_for(|table| {
            table.passes.truncate(1);
            table.passes.push(invented);
        })
    }
}

/// The entrants with these records and deltas.
pub fn entrants_of<'a>(records: &[EntrantRecord], deltas: &'a [Delta]) -> Vec<Entrant<'a>> {
    let entrants = records.iter().zip(deltas);
    let entrant = |(record, delta): (&EntrantRecord, &'a Delta)| Entrant {
        delta,
        weight: record.weight,
        is_proven: record.is_proven,
    };
    entrants.map(entrant).collect()
}

/// The gradient of all samples.
fn gradient(graph: &Graph, base: &[i16], samples: &Samples) -> Vec<i64> {
    let mut gradient = Vec::new();
    let all = 0..samples.len();
    let see = &mut |_, words: &[i64]| gradient = words.to_vec();
    Reference
        .gradients(graph, base, samples, &[all], see)
        .unwrap();
    gradient
}

/// A delta down the gradient, up the gradient, or in a random direction.
fn any_delta(dice: &mut Dice, gradient: &[i64]) -> Delta {
    let kind = dice.below(10);
    let size = [600, 900, 1500][dice.below(3) as usize];
    let mut entries = Vec::new();
    for (position, slope) in (0..).zip(gradient) {
        let change = match kind {
            0..=5 => -slope.signum() as i16 * size,
            6 => slope.signum() as i16 * size,
            _ => [-size, size][dice.below(2) as usize],
        };
        if change != 0 && dice.below(3) > 0 {
            entries.push(Entry { position, change });
        }
    }
    if entries.is_empty() {
        let (position, change) = (0, size);
        entries.push(Entry { position, change });
    }
    Delta::new(gradient.len() as u32, entries).unwrap()
}

pub fn merge(table: &mut ShareTable) -> &mut TableMerge {
    table.merge.as_mut().unwrap()
}

pub fn pay(table: &mut ShareTable) -> &mut TablePay {
    merge(table).pay.as_mut().unwrap()
}

fn sealed(record_len: usize, records: Vec<u8>) -> (HoldOut, RoundSamples) {
    let key = [7; 32];
    let root = shard_root(&key, record_len, &records).unwrap();
    (HoldOut::Sealed { key, root }, records.into())
}

/// A pool with these samples at the places that its seed draws, and zeros elsewhere.
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

/// Opens the challenge window of a round in which each account has attested its table.
pub fn seat(id: (TaskId, RoundId), tables: &[(AccountId, &Agent)]) {
    let facts = tables.first().map(|(_, agent)| agent.facts());
    for (who, agent) in tables {
        // The court accepts no other table.
        let is_allowed = facts.as_ref().unwrap().allow(agent.summary());
        assert!(is_allowed, "{who} stands for an impossible table");
    }
    let round = MockRound {
        facts,
        tables: tables
            .iter()
            .map(|(who, agent)| (who.clone(), agent.summary().clone()))
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

/// Opens a dispute about the first thing that `agent` doubts.
pub fn accuse(who: &AccountId, agent: &Agent, accused: &AccountId) -> DisputeId {
    let id = crate::NextDispute::<Test>::get();
    let theirs = Rounds::get()[&ID].tables[accused].clone();
    assert_ok!(open(who, accused, agent.accuse(&theirs).unwrap()));
    id
}

/// A dispute between an accused that defends the table of `of_accused` and a challenger with the doubts of `of_challenger`: only
/// the two of them, in a fresh round.
pub fn dispute(of_accused: &Agent, of_challenger: &Agent) -> DisputeId {
    seat(ID, &[(accused(), of_accused)]);
    accuse(&challenger(), of_challenger, &accused())
}

pub fn get(id: DisputeId) -> Option<Dispute<AccountId>> {
    Disputes::<Test>::get(id)
}

/// Makes the next move of a dispute. Returns whether the party whose turn it is had a move that was accepted.
pub fn step(id: DisputeId, accused: &Agent, challenger: &Agent) -> bool {
    let dispute = get(id).expect("is open");
    let result = if dispute.trial.awaits_answer() {
        let Some(shown) = accused.answer(&dispute.trial) else {
            return false;
        };
        answer(&dispute.accused, id, shown)
    } else {
        let Some(picked) = challenger.pick(&dispute.table, &dispute.trial) else {
            return false;
        };
        pick(&dispute.challenger, id, picked)
    };
    check();
    result.is_ok()
}

/// Plays a dispute to its end, by silence if somebody has no move; returns how it ended.
pub fn play(id: DisputeId, accused: &Agent, challenger: &Agent) -> ClosedDispute<AccountId> {
    while get(id).is_some() && step(id, accused, challenger) {
        next_block();
    }
    time_out(id);
    verdict_of(id).expect("is over")
}

/// Plays a dispute to its end within one block, except for a silence at its end. So no other
/// dispute runs out of time first.
pub fn play_alone(id: DisputeId, accused: &Agent, challenger: &Agent) -> ClosedDispute<AccountId> {
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

/// Root of everything that is stored.
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
