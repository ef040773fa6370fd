//! Proofs that nodes sent, and some that nobody should believe. The fixtures are answers of `gotong-node` about three authorities
//! (`--chain=local`), and about a round of a small task on a development chain.

use super::{
    finality::{hash_of, justification_of, target, AuthoritySet, Header, Trust},
    grounds::{Grounds, Verdict},
    state::{key, placed, read},
    ProofError,
};
use codec::{Decode, DecodeAll, Encode};
use finality_grandpa::{Commit, Message, Precommit, SignedPrecommit};
use gotong_protocol::{
    id::DisputeId,
    stored::{StoredRound, StoredTask},
    view::DisputeView,
    Graph, Hash, RoundId, TableSummary, TaskId,
};
use gotong_scoring::share::{
    trial::{Accusation, Statement, Trial},
    Half, Stage,
};
use serde_json::Value;
use sp_core::{
    ed25519::{Pair, Public, Signature},
    Pair as _,
};
use subxt::config::substrate::DigestItem;

const THREE_AUTHORITIES: &str = include_str!("fixtures/three_authorities.json");
const DRAW_UNDER_WAY: &str = include_str!("fixtures/draw_under_way.json");
const TABLE_REVEALED: &str = include_str!("fixtures/table_revealed.json");

/// What a node answered about a finalized block.
struct Answer(Value);

impl Answer {
    fn of(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    fn bytes(value: &Value) -> Option<Vec<u8>> {
        let text = value.as_str()?.strip_prefix("0x")?;
        Some(hex::decode(text).unwrap())
    }

    fn hash(&self, name: &str) -> Hash {
        Self::bytes(&self.0[name]).unwrap().try_into().unwrap()
    }

    fn header(&self, name: &str) -> Header {
        serde_json::from_value(self.0[name].clone()).unwrap()
    }

    fn nodes(&self, name: &str) -> Vec<Vec<u8>> {
        let nodes = self.0[name].as_array().unwrap().iter();
        nodes.map(|node| Self::bytes(node).unwrap()).collect()
    }

    fn justification(&self) -> Vec<u8> {
        Self::bytes(&self.0["justification"]).unwrap()
    }

    fn key(&self, name: &str) -> Vec<u8> {
        Self::bytes(&self.0["keys"][name]).unwrap()
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        Self::bytes(&self.0["values"][name])
    }
}

/// The three authorities, as the first block's state has them.
fn three() -> AuthoritySet {
    let answer = Answer::of(THREE_AUTHORITIES);
    let genesis = answer.header("genesis_header");
    assert_eq!(hash_of(&genesis), answer.hash("genesis"));
    let keys = [key("Grandpa", "Authorities")];
    let values = read(&genesis.state_root.0, answer.nodes("genesis_proof"), &keys).unwrap();
    let authorities = values[0].as_ref().unwrap();
    AuthoritySet {
        id: 0,
        authorities: Decode::decode(&mut &authorities[..]).unwrap(),
    }
}

fn trust_in(set: AuthoritySet) -> Trust {
    Trust {
        set,
        number: 0,
        hash: Hash::default(),
        is_one_word: false,
    }
}

#[test]
fn what_three_authorities_finalized_is_believed() {
    let answer = Answer::of(THREE_AUTHORITIES);
    let header = answer.header("header");
    let mut trust = trust_in(three());
    trust.accept(&answer.justification(), &header).unwrap();
    assert_eq!(u64::from(trust.number), header.number);
    assert_eq!(trust.hash, answer.hash("hash"));
    assert_eq!(trust.set, three(), "nobody replaced them");
    assert_eq!(
        target(&answer.justification()),
        Ok((trust.number, trust.hash))
    );
    // Twice does no harm.
    trust.accept(&answer.justification(), &header).unwrap();
}

#[test]
fn one_flipped_bit_of_a_justification_is_noticed_wherever_it_is() {
    let (set, sound) = (three(), Answer::of(THREE_AUTHORITIES).justification());
    for place in 0..sound.len() {
        let mut flipped = sound.clone();
        flipped[place] ^= 1;
        let error = set.verify(&flipped).expect_err("flipped");
        assert!(error.is_a_lie(), "byte {place}: {error}");
    }
    for cut in [0, 1, sound.len() - 1] {
        let error = set.verify(&sound[..cut]).unwrap_err();
        assert_eq!(error, ProofError::Undecodable("a justification"));
    }
}

#[test]
fn another_set_or_another_header_is_not_believed() {
    let answer = Answer::of(THREE_AUTHORITIES);
    let (justification, header) = (answer.justification(), answer.header("header"));
    let later = AuthoritySet { id: 1, ..three() };
    assert_eq!(
        later.verify(&justification),
        Err(ProofError::BadSignature(1))
    );
    let mut fewer = three();
    fewer.authorities.pop();
    // The remaining two are all authorities, although the vote of the third is signed, too.
    assert!(fewer.verify(&justification).is_ok());
    let mut others = three();
    others.authorities[0].0 = keys(1)[0].public();
    assert_eq!(
        others.verify(&justification),
        Err(ProofError::NoMajority(0))
    );
    let none = AuthoritySet {
        id: 0,
        authorities: Vec::new(),
    };
    assert_eq!(none.verify(&justification), Err(ProofError::NoMajority(0)));

    let mut forged = header.clone();
    forged.state_root.0[0] ^= 1;
    let mut trust = trust_in(three());
    let before = trust.clone();
    for wrong in [forged, answer.header("genesis_header")] {
        assert_eq!(
            trust.accept(&justification, &wrong),
            Err(ProofError::WrongHeader)
        );
    }
    assert_eq!(trust, before);
    trust.number = u32::MAX;
    let stale = trust.accept(&justification, &header).unwrap_err();
    assert!(matches!(stale, ProofError::Stale { .. }));
    assert!(!stale.is_a_lie(), "the node may only be behind");
}

#[test]
fn the_justification_is_found_in_a_proof_of_finality() {
    let justification = Answer::of(THREE_AUTHORITIES).justification();
    let headers = vec![Answer::of(THREE_AUTHORITIES).header("header")];
    let answer = ([7u8; 32], &justification, headers).encode();
    assert_eq!(justification_of(&answer), Ok(justification));
    let cut = justification_of(&answer[..100]);
    assert_eq!(cut, Err(ProofError::Undecodable("a proof of finality")));
}

pub(in crate::chain) fn keys(count: u8) -> Vec<Pair> {
    let seeds = (1..=count).map(|seed| [seed; 32]);
    seeds.map(|seed| Pair::from_seed(&seed)).collect()
}

pub(in crate::chain) fn set_of(id: u64, keys: &[Pair]) -> AuthoritySet {
    AuthoritySet {
        id,
        authorities: keys.iter().map(|key| (key.public(), 1)).collect(),
    }
}

/// Block `number` on top of `parent`, with entries for GRANDPA.
pub(in crate::chain) fn block(number: u32, parent: &Header, entries: &[Vec<u8>]) -> Header {
    let mut header = parent.clone();
    header.number = number.into();
    header.parent_hash.0 = hash_of(parent);
    let entries = entries.iter();
    header.digest.logs = entries
        .map(|entry| DigestItem::Consensus(*b"FRNK", entry.clone()))
        .collect();
    header
}

pub(in crate::chain) fn first() -> Header {
    let mut header = Answer::of(THREE_AUTHORITIES).header("header");
    header.number = 1;
    header.digest.logs.clear();
    header
}

/// Votes in round 5, each of a key for a block, that say that `target` is final.
pub(in crate::chain) fn votes(
    set: u64,
    target: &Header,
    votes: &[(&Pair, &Header)],
    ancestries: &[Header],
) -> Vec<u8> {
    let number = |header: &Header| u32::try_from(header.number).unwrap();
    let precommits = votes.iter().map(|(key, header)| {
        let precommit = Precommit::new(hash_of(header), number(header));
        let message = Message::Precommit(precommit.clone());
        SignedPrecommit {
            precommit,
            signature: key.sign(&(message, 5u64, set).encode()),
            id: key.public(),
        }
    });
    let commit: Commit<Hash, u32, Signature, Public> = Commit {
        target_hash: hash_of(target),
        target_number: number(target),
        precommits: precommits.collect(),
    };
    (5u64, commit, ancestries).encode()
}

#[test]
fn more_than_two_thirds_have_to_vote_and_each_counts_once() {
    let keys = keys(5);
    let (four, stranger) = (&keys[..4], &keys[4]);
    let (set, one) = (set_of(3, four), first());
    let all: Vec<_> = four.iter().map(|key| (key, &one)).collect();
    for (count, is_enough) in [(1, false), (2, false), (3, true), (4, true)] {
        let found = set.verify(&votes(3, &one, &all[..count], &[]));
        assert_eq!(found.is_ok(), is_enough, "{count} of four: {found:?}");
    }
    let twice = [all[0], all[1], all[1]];
    let stranger = [all[0], all[1], (stranger, &one)];
    for few in [twice, stranger] {
        let found = set.verify(&votes(3, &one, &few, &[]));
        assert_eq!(found, Err(ProofError::NoMajority(3)));
    }
    let mut heavy = set.clone();
    heavy.authorities[0].1 = 9;
    assert!(heavy.verify(&votes(3, &one, &all[..2], &[])).is_ok());
    assert!(heavy.verify(&votes(3, &one, &all[1..], &[])).is_err());
    // It was signed for the set before.
    let outdated = set.verify(&votes(2, &one, &all, &[]));
    assert_eq!(outdated, Err(ProofError::BadSignature(3)));
}

#[test]
fn votes_for_later_blocks_count_if_headers_lead_to_them() {
    let keys = keys(3);
    let set = set_of(0, &keys);
    let one = first();
    let two = block(2, &one, &[]);
    let three = block(3, &two, &[]);
    let ahead = [(&keys[0], &one), (&keys[1], &three), (&keys[2], &one)];
    let route = [three.clone(), two.clone()];
    let proof = |headers: &[Header]| set.verify(&votes(0, &one, &ahead, headers));
    assert_eq!(proof(&route), Ok((1, hash_of(&one))));
    assert_eq!(proof(&route[..1]), Err(ProofError::NoMajority(0)));
    let unused = block(9, &two, &[]);
    for more in [unused, two.clone()] {
        let headers = [&route[..], &[more]].concat();
        assert_eq!(proof(&headers), Err(ProofError::BadAncestry));
    }
    // They did not all vote for what comes later.
    let later = set.verify(&votes(0, &three, &ahead, &route));
    assert_eq!(later, Err(ProofError::NoMajority(0)));
}

#[test]
fn one_set_hands_over_to_the_next() {
    let keys = keys(6);
    let (old, new) = (&keys[..3], &keys[3..]);
    let change = |kind: u8, delay: u32| {
        let next = (set_of(1, new).authorities, delay).encode();
        [vec![kind], next].concat()
    };
    let all = |keys: &[Pair], id: u64, header: &Header| {
        let by_all: Vec<_> = keys.iter().map(|key| (key, header)).collect();
        votes(id, header, &by_all, &[])
    };
    let mut trust = trust_in(set_of(0, old));
    let one = first();
    // An authority that is disabled is still one.
    let last = block(2, &one, &[vec![3, 0, 0, 0, 0, 0, 0, 0, 0], change(1, 0)]);
    trust.accept(&all(old, 0, &one), &one).unwrap();
    trust.accept(&all(old, 0, &last), &last).unwrap();
    assert_eq!(trust.set, set_of(1, new));
    let after = block(3, &last, &[]);
    let before = trust.clone();
    let outdated = trust.accept(&all(old, 0, &after), &after);
    assert_eq!(outdated, Err(ProofError::NoMajority(1)));
    assert_eq!(trust, before);
    trust.accept(&all(new, 1, &after), &after).unwrap();
    assert_eq!((trust.number, trust.set.id), (3, 1));

    for entry in [change(1, 5), [vec![2, 0, 0, 0, 0], change(1, 0)].concat()] {
        let replaced = block(4, &after, &[entry]);
        let accepted = trust.accept(&all(new, 1, &replaced), &replaced);
        assert_eq!(accepted, Err(ProofError::Unfollowable));
    }
    let unreadable = block(4, &after, &[vec![1, 255]]);
    let accepted = trust.accept(&all(new, 1, &unreadable), &unreadable);
    assert_eq!(
        accepted,
        Err(ProofError::Undecodable("a change of authorities"))
    );
    assert_eq!(trust.number, 3);

    // What is kept on disk is read again.
    assert_eq!(Trust::decode_all(&mut &trust.encode()[..]), Ok(trust));
}

#[test]
fn values_and_their_absence_are_proved() {
    for (text, names) in [
        (
            THREE_AUTHORITIES,
            &["authorities", "set_id", "no_round"][..],
        ),
        (
            DRAW_UNDER_WAY,
            &["task", "graph", "round", "no_round", "table"],
        ),
        (
            TABLE_REVEALED,
            &["task", "graph", "round", "no_round", "table"],
        ),
    ] {
        let answer = Answer::of(text);
        let root = answer.header("header").state_root.0;
        let keys: Vec<_> = names.iter().map(|name| answer.key(name)).collect();
        let expected: Vec<_> = names.iter().map(|name| answer.value(name)).collect();
        let nodes = answer.nodes("proof");
        assert_eq!(read(&root, nodes.clone(), &keys), Ok(expected));

        // Another block's state, and keys that nothing was sent for.
        let bad = Err(ProofError::BadState);
        assert_eq!(read(&[7; 32], nodes.clone(), &keys), bad);
        assert_eq!(read(&root, [], &keys), bad);
        let other = [key("Balances", "TotalIssuance")];
        assert_eq!(read(&root, nodes.clone(), &other), bad);
        for place in 0..nodes.len() {
            let mut fewer = nodes.clone();
            fewer.remove(place);
            assert_eq!(read(&root, fewer, &keys), bad, "without node {place}");
        }
    }
}

#[test]
fn one_flipped_bit_of_a_trie_is_noticed_wherever_it_is() {
    let answer = Answer::of(TABLE_REVEALED);
    let root = answer.header("header").state_root.0;
    let names = ["task", "graph", "round", "no_round", "table"];
    let keys = names.map(|name| answer.key(name));
    let nodes = answer.nodes("proof");
    for (number, node) in nodes.iter().enumerate() {
        for place in 0..node.len() {
            let mut flipped = nodes.clone();
            flipped[number][place] ^= 1;
            let found = read(&root, flipped, &keys);
            assert_eq!(found, Err(ProofError::BadState), "{number}, byte {place}");
        }
    }
}

const TASK: TaskId = TaskId(0);
const ROUND: RoundId = RoundId(1);

/// What a recorded state says about a round and a table.
struct Recorded {
    answer: Answer,
    task: StoredTask,
    graph: Graph,
    inputs: Hash,
    accused: ([u8; 32], Hash),
}

impl Recorded {
    fn new() -> Self {
        let answer = Answer::of(TABLE_REVEALED);
        let value = |name| answer.value(name).unwrap();
        let task = StoredTask::decode(&mut &value("task")[..]).unwrap();
        let graph = Vec::<u8>::decode(&mut &value("graph")[..]).unwrap();
        let round = StoredRound::decode(&mut &value("round")[..]).unwrap();
        let table = TableSummary::decode_all(&mut &value("table")[..]).unwrap();
        let key = answer.key("table");
        let account = key[key.len() - 32..].try_into().unwrap();
        Self {
            task,
            graph: Graph::from_bytes(&graph).unwrap(),
            inputs: round.inputs(TASK, ROUND).unwrap(),
            accused: (account, table.root()),
            answer,
        }
    }

    /// The grounds of a commitment.
    fn grounds(&self) -> Grounds<'_> {
        Grounds {
            task: TASK,
            terms: &self.task.terms,
            graph: &self.graph,
            round: ROUND,
            inputs: &self.inputs,
            accused: None,
            dispute: None,
        }
    }

    /// The grounds of an accusation.
    fn accusation(&self) -> Grounds<'_> {
        Grounds {
            accused: Some(self.accused),
            ..self.grounds()
        }
    }
}

fn values(answer: &Answer) -> Vec<Option<Vec<u8>>> {
    let names = ["task", "graph", "round", "table"];
    names.map(|name| answer.value(name)).to_vec()
}

#[test]
fn grounds_are_looked_for_where_the_chain_keeps_them() {
    let recorded = Recorded::new();
    let names = ["task", "graph", "round", "table"];
    let expected = names.map(|name| recorded.answer.key(name));
    assert_eq!(recorded.accusation().keys(), expected);
    assert_eq!(recorded.grounds().keys(), expected[..3]);
}

#[test]
fn what_a_node_said_is_compared_with_what_is_proved() {
    let recorded = Recorded::new();
    let all = values(&recorded.answer);
    let accusation = recorded.accusation();
    assert_eq!(accusation.compare(&all), Ok(Verdict::Same));
    assert_eq!(recorded.grounds().compare(&all[..3]), Ok(Verdict::Same));

    let mut terms = recorded.task.terms.clone();
    terms.share.outer_rate_q8 += 1;
    let mut graph = recorded.graph.clone();
    graph.inputs += 1;
    let accused = Some((recorded.accused.0, [7; 32]));
    let lies = [
        Grounds {
            terms: &terms,
            ..accusation
        },
        Grounds {
            graph: &graph,
            ..accusation
        },
        Grounds {
            inputs: &[7; 32],
            ..accusation
        },
        Grounds {
            accused,
            ..accusation
        },
    ];
    for lie in lies {
        assert_eq!(lie.compare(&all), Ok(Verdict::Other), "{lie:?}");
    }

    // A runtime that encodes something else.
    for place in 0..all.len() {
        let mut other = all.clone();
        other[place] = Some(vec![255]);
        let error = accusation.compare(&other).unwrap_err();
        assert!(matches!(error, ProofError::OtherLayout(_)), "{error}");
        assert!(!error.is_a_lie());
    }
}

/// How the chain stores what a node shows, with another deadline: that one does not count full blocks.
fn stored(dispute: &DisputeView) -> Vec<u8> {
    let DisputeView {
        task,
        round,
        accused,
        challenger,
        bond,
        accusation,
        table,
        trial,
        opened_at,
        answers,
        picks,
        bytes,
        ..
    } = dispute;
    let parties = (task, round, accused, challenger);
    let doubted = (bond, accusation, table, trial);
    (parties, doubted, opened_at, 77u32, answers, picks, bytes).encode()
}

/// A move relies on the state of its dispute: on what was shown, and in how many moves.
#[test]
fn the_state_of_a_dispute_is_compared_with_what_is_proved() {
    let recorded = Recorded::new();
    let statement = Statement::Gradients(Stage::Pay);
    let said = DisputeView {
        id: DisputeId(5),
        task: TASK,
        round: ROUND,
        accused: recorded.accused.0,
        challenger: [2; 32],
        bond: 3,
        accusation: Accusation::Gradients(Stage::Pay),
        table: TableSummary::decode(&mut &recorded.answer.value("table").unwrap()[..]).unwrap(),
        trial: Trial {
            statement,
            shown: None,
        },
        awaits_answer: true,
        opened_at: 4,
        deadline: 104,
        answers: 2,
        picks: 2,
        bytes: 6,
    };
    let grounds = Grounds {
        dispute: Some(&said),
        ..recorded.grounds()
    };
    let place = [key("Referee", "Disputes"), placed(&said.id.encode())].concat();
    assert_eq!(grounds.keys()[3..], [place]);
    let found = |dispute: &DisputeView| {
        let mut values = values(&recorded.answer);
        values[3] = Some(stored(dispute));
        grounds.compare(&values)
    };
    assert_eq!(found(&said), Ok(Verdict::Same));

    let (mut other_statement, mut other_table) = (said.clone(), said.clone());
    other_statement.trial.statement = Statement::Losses(Half::A);
    other_table.table = TableSummary {
        passes: vec![].into(),
        merge: None,
    };
    let later = DisputeView {
        answers: 3,
        ..said.clone()
    };
    for lie in [other_statement, other_table, later] {
        assert_eq!(found(&lie), Ok(Verdict::Other), "{lie:?}");
    }

    // What is final lags behind, or the dispute was just opened.
    let earlier = DisputeView {
        picks: 1,
        ..said.clone()
    };
    assert_eq!(found(&earlier), Ok(Verdict::NotYet));
    let mut unopened = values(&recorded.answer);
    unopened[3] = None;
    assert_eq!(grounds.compare(&unopened), Ok(Verdict::NotYet));
    unopened[3] = Some(vec![255]);
    let error = grounds.compare(&unopened).unwrap_err();
    assert!(matches!(error, ProofError::OtherLayout(_)), "{error}");
}

/// Something that is not there yet may still come, so it does not count as a lie, whatever the node says about it.
#[test]
fn a_block_that_is_too_early_proves_nothing() {
    let recorded = Recorded::new();
    let accusation = recorded.accusation();
    let all = values(&recorded.answer);
    for place in 0..all.len() {
        let mut early = all.clone();
        early[place] = None;
        assert_eq!(accusation.compare(&early), Ok(Verdict::NotYet));
    }
    // The same round five blocks before, with its seed not drawn.
    let early = Answer::of(DRAW_UNDER_WAY);
    assert_eq!(accusation.compare(&values(&early)), Ok(Verdict::NotYet));
    let stored = early.value("round").unwrap();
    let undrawn = StoredRound::decode(&mut &stored[..]).unwrap();
    assert!(undrawn.seed.is_none() && undrawn.entrants_root.is_some());
    let unrevealed = StoredRound {
        seed: Some([7; 32]),
        entrants_root: None,
        ..undrawn
    };
    assert_eq!(unrevealed.inputs(TASK, ROUND), None);
}
