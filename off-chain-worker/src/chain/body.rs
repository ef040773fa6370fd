//! Finds the payloads that the chain keeps only as hashes in the bodies of its blocks.
//!
//! Extrinsics are read by the types of the runtime that executed them, so that a call inside of a
//! batch, a proxy or a multisig is found as well, and bytes that only look like one are not. The
//! work is linear in the body, whoever wrote it: what is hashed is as long as the chain says, and
//! no byte of it belongs to two calls.

use super::{call, ChainError, PALLET, REFEREE};
use codec::{Compact, Decode, Encode};
use gotong_protocol::{Graph, TaskTerms};
use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive};
use subxt::{ext::frame_decode::extrinsics::ExtrinsicTypeInfo, metadata::Metadata};

/// A call that carries what the chain does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Graph, weights, recipe and pool of a task. The terms before them are passed over: an upgrade may have changed
    /// how they are encoded, and what the chain shows of them today is not what the block holds.
    OpenTask,
    /// Task, round, delta and salt.
    Reveal,
    /// Task, round, key, records and proof.
    PublishShard,
    /// Task, round, summary of a table, work root and salt.
    RevealAttestation,
    /// Task, round, accused and accusation.
    OpenDispute,
    /// Dispute and answer.
    Answer,
    /// Dispute and pick.
    Pick,
}

impl Kind {
    const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::OpenTask, PALLET, "open_task"),
        (Self::Reveal, PALLET, "reveal"),
        (Self::PublishShard, PALLET, "publish_shard"),
        (Self::RevealAttestation, PALLET, "reveal_attestation"),
        (Self::OpenDispute, REFEREE, "open"),
        (Self::Answer, REFEREE, "answer"),
        (Self::Pick, REFEREE, "pick"),
    ];
}

/// Where in a body a call begins: which extrinsic, and which byte of it.
pub type Position = (usize, usize);

/// A block's extrinsics, and where in them the calls are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    extrinsics: Vec<Vec<u8>>,
    /// In their order.
    calls: Vec<Found>,
    /// Signed extrinsics that are not what the types say.
    misread: usize,
}

/// A call in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    kind: Kind,
    at: Position,
    /// The byte of the extrinsic where its arguments begin, behind those that are passed over.
    arguments: usize,
}

impl Body {
    /// Finds the calls in `extrinsics` of a block that the runtime of `metadata` has executed.
    pub fn read(extrinsics: Vec<Vec<u8>>, metadata: &Metadata) -> Result<Self, ChainError> {
        Ok(Layout::of(metadata)?.read(extrinsics))
    }

    /// Whether every signed extrinsic ends where the types say that it ends. If not, another runtime executed the block:
    /// a runtime takes only what it reads to the end.
    pub fn is_understood(&self) -> bool {
        self.misread == 0
    }

    /// The `length` bytes that follow `start` in the arguments of a call: of the first call of
    /// this `kind` for which `accept` holds.
    pub fn find(
        &self,
        kind: Kind,
        start: &impl Encode,
        length: usize,
        mut accept: impl FnMut(&[u8]) -> bool,
    ) -> Option<&[u8]> {
        let mut candidates = self.arguments(kind, start).filter_map(|(_, mut bytes)| {
            let Compact(found) = Compact::<u32>::decode(&mut bytes).ok()?;
            (found as usize == length).then_some(())?;
            bytes.get(..length)
        });
        candidates.find(|bytes| accept(bytes))
    }

    /// What follows `start` in the arguments of every call of this `kind`, and where the call is.
    pub fn find_all<T: Decode>(&self, kind: Kind, start: &impl Encode) -> Vec<(Position, T)> {
        self.arguments(kind, start)
            .filter_map(|(at, mut bytes)| Some((at, T::decode(&mut bytes).ok()?)))
            .collect()
    }

    /// The recipe of a task that these terms and this graph opened; empty if the terms name none.
    pub fn recipe(&self, terms: &TaskTerms, graph: &Graph) -> Option<Vec<u8>> {
        // The weights are in between. Whether they are right does not matter: the terms have the hash of the recipe.
        let start = graph.encode();
        let found = self.find_all::<(Vec<u8>, Vec<u8>)>(Kind::OpenTask, &start);
        let mut recipes = found.into_iter().map(|(_, (_, recipe))| recipe);
        recipes.find(|recipe| terms.check_recipe(recipe).is_ok())
    }

    /// What follows `start` in the arguments of every call of this `kind`, and all behind it.
    fn arguments(
        &self,
        kind: Kind,
        start: &impl Encode,
    ) -> impl Iterator<Item = (Position, &[u8])> {
        let start = start.encode();
        let calls = self.calls.iter().filter(move |found| found.kind == kind);
        calls.filter_map(move |found| {
            let (nth, _) = found.at;
            let arguments = self.extrinsics.get(nth)?.get(found.arguments..)?;
            Some((found.at, arguments.strip_prefix(&*start)?))
        })
    }
}

/// What a call starts with: pallet, call.
const PREFIX_BYTES: usize = 2;
/// What a signed extrinsic starts with, behind its length: format 4, with a signature.
const SIGNED: u8 = 0x84;

/// What extrinsics are made of.
struct Layout<'a> {
    types: &'a PortableRegistry,
    /// Type of a call.
    call: u32,
    /// Types of what is signed, in order: address, signature, extensions, call.
    signed: Vec<u32>,
    /// What the calls start with that are looked for.
    prefixes: Vec<Prefix>,
}

/// How a call begins.
struct Prefix {
    bytes: [u8; PREFIX_BYTES],
    kind: Kind,
    /// Type of the first argument, if it is passed over.
    passed_over: Option<u32>,
}

impl<'a> Layout<'a> {
    fn of(metadata: &'a Metadata) -> Result<Self, ChainError> {
        let unknown = |_| ChainError::incompatible("extrinsics that can be read");
        let signature = metadata.extrinsic_signature_info().map_err(unknown)?;
        let extensions = metadata.extrinsic_extension_info(None).map_err(unknown)?;
        let call = metadata.outer_enums().call_enum_ty();
        let signed = [signature.address_id, signature.signature_id]
            .into_iter()
            .chain(
                extensions
                    .extension_ids
                    .iter()
                    .map(|extension| extension.id),
            )
            .chain([call])
            .collect();
        let mut prefixes = Vec::new();
        for (kind, pallet, name) in Kind::ALL {
            let (pallet_index, call_index) = call::indices(metadata, pallet, name)?;
            prefixes.push(Prefix {
                bytes: [pallet_index, call_index],
                kind,
                passed_over: match kind {
                    Kind::OpenTask => Some(first_argument(metadata, pallet, name)?),
                    _ => None,
                },
            });
        }
        Ok(Self {
            types: metadata.types(),
            call,
            signed,
            prefixes,
        })
    }

    fn read(&self, mut extrinsics: Vec<Vec<u8>>) -> Body {
        let mut calls = Vec::new();
        let mut misread = 0;
        for (nth, extrinsic) in extrinsics.iter_mut().enumerate() {
            let before = calls.len();
            let bytes = extrinsic.as_slice();
            let is_read = self.read_signed(bytes, |at| {
                calls.extend(self.found(bytes, (nth, at)));
            });
            if is_read.is_none() {
                tracing::warn!("extrinsic {nth} of a block is not what the runtime's types say");
                misread += 1;
            }
            if calls.len() == before {
                // Nobody asks for it, and it may be long.
                *extrinsic = Vec::new();
            }
        }
        Body {
            extrinsics,
            calls,
            misread,
        }
    }

    /// The call that begins there, if it is looked for.
    fn found(&self, extrinsic: &[u8], at: Position) -> Option<Found> {
        let (_, begin) = at;
        let call = extrinsic.get(begin..)?;
        let mut prefixes = self.prefixes.iter();
        let prefix = prefixes.find(|prefix| call.starts_with(&prefix.bytes))?;
        let passed_over = prefix.passed_over.as_slice();
        let left = walk(self.types, passed_over, &call[PREFIX_BYTES..], |_, _| ())?;
        Some(Found {
            kind: prefix.kind,
            at,
            arguments: extrinsic.len() - left,
        })
    }

    /// Tells `found` where calls begin in a signed extrinsic: what nobody has signed has none that
    /// is looked for. `None` if it does not end where the types say.
    fn read_signed(&self, extrinsic: &[u8], mut found: impl FnMut(usize)) -> Option<()> {
        let mut rest = extrinsic;
        Compact::<u32>::decode(&mut rest).ok()?;
        let (format, rest) = rest.split_first()?;
        if *format != SIGNED {
            return Some(());
        }
        let start = extrinsic.len() - rest.len();
        let left = walk(self.types, &self.signed, rest, |id, at| {
            if id == self.call {
                found(start + at);
            }
        })?;
        (left == 0).then_some(())
    }
}

/// Type of the first argument of the call named `call` of `pallet`.
fn first_argument(metadata: &Metadata, pallet: &str, call: &str) -> Result<u32, ChainError> {
    metadata
        .pallet_by_name(pallet)
        .and_then(|found| Some(found.call_variant_by_name(call)?.fields.first()?.ty.id))
        .ok_or_else(|| ChainError::incompatible(format!("arguments of {pallet}.{call}")))
}

/// Walks through `bytes`, which begin with values of the types `first`, one behind the other, and tells
/// `visit` the type of every value inside and where it begins; numbers are not told. How many bytes are
/// left behind the values; `None` if the bytes end before the values do.
///
/// It keeps a stack of its own, because how deep calls nest is up to who sends them.
fn walk(
    types: &PortableRegistry,
    first: &[u32],
    bytes: &[u8],
    mut visit: impl FnMut(u32, usize),
) -> Option<usize> {
    let mut rest = bytes;
    // Types to come, and how often each.
    let mut stack: Vec<(u32, usize)> = first.iter().rev().map(|id| (*id, 1)).collect();
    while let Some((id, times)) = stack.pop() {
        let Some(more) = times.checked_sub(1) else {
            continue;
        };
        let definition = &types.resolve(id)?.type_def;
        if let Some(width) = width(definition) {
            rest = rest.get(width.checked_mul(times)?..)?;
            continue;
        }
        if more > 0 {
            stack.push((id, more));
        }
        visit(id, bytes.len() - rest.len());
        match definition {
            TypeDef::Composite(of) => stack.extend(of.fields.iter().rev().map(|of| (of.ty.id, 1))),
            TypeDef::Tuple(of) => stack.extend(of.fields.iter().rev().map(|of| (of.id, 1))),
            TypeDef::Variant(of) => {
                let index = u8::decode(&mut rest).ok()?;
                let chosen = of.variants.iter().find(|of| of.index == index)?;
                stack.extend(chosen.fields.iter().rev().map(|of| (of.ty.id, 1)));
            }
            TypeDef::Array(of) => stack.push((of.type_param.id, of.len as usize)),
            TypeDef::Sequence(of) => {
                let Compact(length) = Compact::<u32>::decode(&mut rest).ok()?;
                // No runtime has sequences of nothing: each item takes a byte or more.
                (length as usize <= rest.len()).then_some(())?;
                stack.push((of.type_param.id, length as usize));
            }
            TypeDef::Compact(of) => {
                rest = rest.get(compact_width(types, of.type_param.id, rest)?..)?;
            }
            // Text.
            TypeDef::Primitive(_) => {
                let Compact(length) = Compact::<u32>::decode(&mut rest).ok()?;
                rest = rest.get(length as usize..)?;
            }
            TypeDef::BitSequence(_) => return None,
        }
    }
    Some(rest.len())
}

/// Bytes of a primitive; `None` of what has no fixed width.
fn width(definition: &TypeDef<scale_info::form::PortableForm>) -> Option<usize> {
    use TypeDefPrimitive::*;
    let TypeDef::Primitive(primitive) = definition else {
        return None;
    };
    match primitive {
        Str => None,
        Bool | U8 | I8 => Some(1),
        U16 | I16 => Some(2),
        Char | U32 | I32 => Some(4),
        U64 | I64 => Some(8),
        U128 | I128 => Some(16),
        U256 | I256 => Some(32),
    }
}

/// Bytes of the compact number that `bytes` start with, or of a compact nothing, as in the address
/// of an account by its index.
fn compact_width(types: &PortableRegistry, id: u32, bytes: &[u8]) -> Option<usize> {
    if matches!(&types.resolve(id)?.type_def, TypeDef::Tuple(of) if of.fields.is_empty()) {
        return Some(0);
    }
    let first = *bytes.first()?;
    Some(match first & 0b11 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => 5 + usize::from(first >> 2),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use scale_info::{meta_type, Registry, TypeInfo};

    /// Calls such as a runtime has.
    #[derive(Clone, Debug, Encode, TypeInfo)]
    enum Call {
        #[codec(index = 0)]
        System(System),
        #[codec(index = 10)]
        Utility(Utility),
        #[codec(index = 20)]
        Contribution(Contribution),
    }

    #[derive(Clone, Debug, Encode, TypeInfo)]
    enum System {
        Remark(Vec<u8>),
        Transfer(Address, Compact<u128>, Option<(bool, String)>, [u64; 2]),
    }

    #[derive(Clone, Debug, Encode, TypeInfo)]
    enum Utility {
        Batch(Vec<Call>),
        #[codec(index = 7)]
        Derived(u16, Box<Call>),
    }

    #[derive(Clone, Debug, Encode, TypeInfo)]
    enum Contribution {
        #[codec(index = 8)]
        Reveal {
            task: u32,
            round: u32,
            delta: Vec<u8>,
            salt: [u8; 32],
        },
    }

    #[derive(Clone, Debug, Encode, TypeInfo)]
    enum Address {
        Id([u8; 32]),
        Index(Compact<()>),
    }

    const ROUND: (u32, u32) = (3, 9);

    fn reveal(delta: &[u8]) -> Call {
        let (task, round) = ROUND;
        Call::Contribution(Contribution::Reveal {
            task,
            round,
            delta: delta.to_vec(),
            salt: [1; 32],
        })
    }

    fn remark(bytes: Vec<u8>) -> Call {
        Call::System(System::Remark(bytes))
    }

    fn batch(calls: impl Into<Vec<Call>>) -> Call {
        Call::Utility(Utility::Batch(calls.into()))
    }

    fn signed(call: &[u8]) -> Vec<u8> {
        let signature = (Address::Id([4; 32]), [5u8; 64], (0u8, Compact(7u32)));
        let bytes = (SIGNED, signature).encode();
        [bytes, call.to_vec()].concat().encode()
    }

    fn body(extrinsics: Vec<Vec<u8>>) -> Body {
        let mut registry = Registry::new();
        let mut id = |of| registry.register_type(&of).id;
        let call = id(meta_type::<Call>());
        let signed = vec![
            id(meta_type::<Address>()),
            id(meta_type::<[u8; 64]>()),
            id(meta_type::<(u8, Compact<u32>)>()),
            call,
        ];
        let layout = Layout {
            types: &registry.into(),
            call,
            signed,
            prefixes: vec![Prefix {
                bytes: [20, 8],
                kind: Kind::Reveal,
                passed_over: None,
            }],
        };
        layout.read(extrinsics)
    }

    /// The delta that is found, and how many were looked at.
    fn find(body: &Body, wanted: &[u8]) -> (bool, usize) {
        let mut candidates = 0;
        let found = body.find(Kind::Reveal, &ROUND, wanted.len(), |bytes| {
            candidates += 1;
            bytes == wanted
        });
        (found == Some(wanted), candidates)
    }

    fn any_call() -> impl Strategy<Value = Call> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..80);
        let address = prop_oneof![
            any::<[u8; 32]>().prop_map(Address::Id),
            Just(Address::Index(Compact(()))),
        ];
        let transfer = (address, any::<u128>(), any::<Option<(bool, String)>>());
        let simple = prop_oneof![
            bytes().prop_map(remark),
            bytes().prop_map(|delta| reveal(&delta)),
            transfer.prop_map(|(to, amount, note)| {
                Call::System(System::Transfer(to, Compact(amount), note, [8; 2]))
            }),
        ];
        simple.prop_recursive(4, 30, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(batch),
                inner.prop_map(|call| Call::Utility(Utility::Derived(1, Box::new(call)))),
            ]
        })
    }

    fn wraps(call: &Call, delta: &[u8]) -> bool {
        match call {
            Call::Utility(Utility::Batch(calls)) => calls.iter().any(|call| wraps(call, delta)),
            Call::Utility(Utility::Derived(_, call)) => wraps(call, delta),
            Call::Contribution(Contribution::Reveal { delta: found, .. }) => found == delta,
            Call::System(_) => false,
        }
    }

    proptest! {
        #[test]
        fn a_call_is_found_wherever_it_is_wrapped(
            calls in prop::collection::vec(any_call(), 0..4),
            delta in prop::collection::vec(any::<u8>(), 1..40),
        ) {
            let extrinsic = |call: &Call| signed(&call.encode());
            let others: Vec<_> = calls.iter().map(extrinsic).collect();
            let is_there = calls.iter().any(|call| wraps(call, &delta));
            prop_assert_eq!(find(&body(others.clone()), &delta).0, is_there);
            let wanted = extrinsic(&batch([batch(calls), reveal(&delta)]));
            prop_assert!(find(&body([others, vec![wanted]].concat()), &delta).0);
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            extrinsics in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4),
        ) {
            let wrapped = extrinsics.iter().map(|bytes| signed(bytes)).collect();
            for extrinsics in [extrinsics, wrapped] {
                prop_assert!(find(&body(extrinsics), &[1; 50]).1 <= 1);
            }
        }
    }

    #[test]
    fn bytes_that_only_look_like_calls_cost_nothing() {
        // The longest delta, and junk in which every 14 bytes begin another one of its length.
        let delta = vec![7; 1 << 20];
        let fake = ([20u8, 8], ROUND, Compact(delta.len() as u32)).encode();
        let junk = fake.repeat((7 << 20) / fake.len());
        let [hidden, wanted] = [remark(junk.clone()), reveal(&delta)];
        let of = |call: &Call| signed(&call.encode());
        for extrinsics in [
            vec![of(&hidden), of(&wanted)],
            vec![of(&batch([hidden, wanted.clone()]))],
            vec![signed(&junk), of(&wanted)],
        ] {
            let (is_found, candidates) = find(&body(extrinsics), &delta);
            assert!(is_found);
            assert!(candidates <= 2, "{candidates} candidates were looked at");
        }
    }

    #[test]
    fn depth_takes_no_stack() {
        let derived = [10, 7, 1, 0];
        let call = [derived.repeat(1 << 18), reveal(&[6; 9]).encode()].concat();
        assert_eq!(find(&body(vec![signed(&call)]), &[6; 9]), (true, 1));
    }

    #[test]
    fn what_differs_is_not_looked_at() {
        let found = body(vec![signed(&reveal(&[6; 9]).encode())]);
        assert_eq!(find(&found, &[6; 8]), (false, 0));
        let other_round = (3u32, 8u32);
        assert_eq!(found.find(Kind::Reveal, &other_round, 9, |_| true), None);
        assert_eq!(found.find(Kind::PublishShard, &ROUND, 9, |_| true), None);
    }

    #[test]
    fn a_recipe_is_found_by_its_hash() {
        const RECIPE: &[u8] = b"kind = \"bytes\"";
        let graph = Graph::mlp(&[4, 3, 2]);
        // Zeros are terms, too.
        let none = TaskTerms::<u128>::decode(&mut &[0u8; 512][..]).unwrap();
        let named = none.clone().with_recipe(RECIPE);
        let open = |terms: &TaskTerms, recipe: &[u8]| {
            let weights = vec![7u8; 9];
            let bytes = ([20u8, 4], terms, graph.encode(), weights, recipe, 5u128).encode();
            (bytes, PREFIX_BYTES + terms.encoded_size())
        };
        let body = |opened: Vec<(Vec<u8>, usize)>| {
            let found = |(nth, (_, arguments)): (usize, &(Vec<u8>, usize))| Found {
                kind: Kind::OpenTask,
                at: (nth, 0),
                arguments: *arguments,
            };
            let calls = opened.iter().enumerate().map(found).collect();
            let extrinsics = opened.into_iter().map(|(bytes, _)| bytes).collect();
            Body {
                extrinsics,
                calls,
                misread: 0,
            }
        };
        // The chain refused the first two.
        let found = body(vec![
            open(&named, b"kind = \"other\""),
            open(&named, &[]),
            open(&none, &[]),
            open(&named, RECIPE),
        ]);
        assert_eq!(found.recipe(&named, &graph).as_deref(), Some(RECIPE));
        assert_eq!(found.recipe(&none, &graph).as_deref(), Some(&[][..]));
        assert_eq!(found.recipe(&named, &Graph::mlp(&[4, 2])), None);
        let refused = body(vec![open(&named, &RECIPE[1..])]);
        assert_eq!(refused.recipe(&named, &graph), None);
    }

    #[test]
    fn all_calls_are_found_with_their_places() {
        let calls = batch([reveal(&[1]), remark(vec![9]), reveal(&[2, 3])]).encode();
        let body = body(vec![vec![1, 2], signed(&calls)]);
        let found = body.find_all::<Vec<u8>>(Kind::Reveal, &ROUND);
        // Behind the batch's two indices and its length.
        let first = signed(&[]).len() + 3;
        let second = first + reveal(&[1]).encode().len() + remark(vec![9]).encode().len();
        assert_eq!(found, [((1, first), vec![1]), ((1, second), vec![2, 3])]);
    }

    /// Calls of two releases, between which the terms of a task got another encoding.
    #[derive(Encode, TypeInfo)]
    enum Release<Terms> {
        #[codec(index = 20)]
        Contribution(Opening<Terms>),
    }

    #[derive(Encode, TypeInfo)]
    enum Opening<Terms> {
        #[codec(index = 4)]
        OpenTask {
            terms: Terms,
            graph: Vec<u8>,
            weights: Vec<u8>,
        },
    }

    fn read_by_release<Terms: TypeInfo + 'static>(extrinsic: &[u8]) -> Body {
        let mut registry = Registry::new();
        let mut id = |of| registry.register_type(&of).id;
        let call = id(meta_type::<Release<Terms>>());
        let signed = vec![
            id(meta_type::<Address>()),
            id(meta_type::<[u8; 64]>()),
            id(meta_type::<(u8, Compact<u32>)>()),
            call,
        ];
        let terms = id(meta_type::<Terms>());
        let layout = Layout {
            types: &registry.into(),
            call,
            signed,
            prefixes: vec![Prefix {
                bytes: [20, 4],
                kind: Kind::OpenTask,
                passed_over: Some(terms),
            }],
        };
        layout.read(vec![extrinsic.to_vec()])
    }

    #[test]
    fn a_task_of_before_an_upgrade_is_found_by_the_types_of_its_own_runtime() {
        let (graph, weights) = (vec![1u8, 2, 3], vec![7u8; 9]);
        let call = Release::Contribution(Opening::OpenTask {
            terms: [200u8; 32],
            graph: graph.clone(),
            weights: weights.clone(),
        });
        let extrinsic = signed(&call.encode());
        let find = |body: &Body| {
            let found = body.find(Kind::OpenTask, &graph, weights.len(), |_| true);
            found.map(<[u8]>::to_vec)
        };
        let own = read_by_release::<[u8; 32]>(&extrinsic);
        assert!(own.is_understood());
        assert_eq!(find(&own).as_ref(), Some(&weights));
        let other = read_by_release::<Vec<u8>>(&extrinsic);
        assert!(!other.is_understood());
        assert_eq!(find(&other), None);
    }

    #[test]
    fn what_another_runtime_signed_is_told_from_what_nobody_signed() {
        let reveal = reveal(&[6; 9]).encode();
        let longer = signed(&[reveal.as_slice(), &[0]].concat());
        let shorter = signed(&reveal[..reveal.len() - 1]);
        for other in [longer, shorter] {
            assert!(!body(vec![signed(&reveal), other]).is_understood());
        }
        let inherent = [4u8, 4, 0, 0, 0].to_vec();
        assert!(body(vec![inherent, signed(&reveal)]).is_understood());
    }
}
