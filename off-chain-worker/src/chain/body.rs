//! Finds payloads in the bodies of blocks. The chain's state keeps only their hashes.
//!
//! Extrinsics are read by the types of the runtime that executed them. So calls inside a batch, a
//! proxy or a multisig are found as well, and bytes that only look like a call are not. The work is
//! linear in the length of the body, whoever wrote it: the hashed part is as long as the chain
//! says, and no byte of it belongs to two calls.

use super::{call, ChainError, PALLET, REFEREE};
use codec::{Compact, Decode, Encode};
use gotong_protocol::{Graph, TaskTerms};
use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive};
use subxt::{ext::frame_decode::extrinsics::ExtrinsicTypeInfo, metadata::Metadata};

/// A call that carries bytes that the chain's state does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Graph, weights, recipe and pool of a task. The terms before them are skipped: an upgrade may have changed their encoding, so
    /// what the chain shows today is not what the block holds.
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
    /// Signed extrinsics that do not match the types.
    misread: usize,
}

/// A call in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    kind: Kind,
    at: Position,
    /// The byte of the extrinsic where its arguments begin, after those that are skipped.
    arguments: usize,
}

impl Body {
    /// Finds the calls in the `extrinsics` of a block that the runtime of `metadata` has executed.
    pub fn read(extrinsics: Vec<Vec<u8>>, metadata: &Metadata) -> Result<Self, ChainError> {
        Ok(Layout::of(metadata)?.read(extrinsics))
    }

    /// Whether every signed extrinsic ends where the types say that it ends. If not, another runtime executed the block, because a
    /// runtime accepts only extrinsics that it can read to the end.
    pub fn is_understood(&self) -> bool {
        self.misread == 0
    }

    /// The `length` bytes that follow `start` in the arguments of a call. It takes the first call
    /// of this `kind` that `accept` accepts.
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

    /// Everything that follows `start` in the arguments of every call of this `kind`, up to the end of the extrinsic.
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
/// The first byte of a signed extrinsic, after its length: format 4, with a signature.
const SIGNED: u8 = 0x84;

/// What extrinsics are made of.
struct Layout<'a> {
    types: &'a PortableRegistry,
    /// Type of a call.
    call: u32,
    /// Types of what is signed, in order: address, signature, extensions, call.
    signed: Vec<u32>,
    /// The first bytes of the calls to look for.
    prefixes: Vec<Prefix>,
}

/// How a call begins.
struct Prefix {
    bytes: [u8; PREFIX_BYTES],
    kind: Kind,
    /// Type of the first argument, if it is skipped.
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
                tracing::warn!("extrinsic {nth} of a block does not match the runtime's types");
                misread += 1;
            }
            if calls.len() == before {
                // It is not needed, and it may be long.
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

    /// Tells `found` where calls begin in a signed extrinsic. Unsigned extrinsics contain none of
    /// the calls to look for. `None` if the extrinsic does not end where the types say.
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

/// Walks through `bytes`, which begin with values of the types `first`, one after another. It tells `visit` the type of every value
/// inside and where it begins, except for numbers. Returns how many bytes are left after the values; `None` if the bytes end before
/// the values do.
///
/// It keeps its own stack, because the sender decides how deep calls nest.
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
                // No runtime has sequences of empty items: each item takes a byte or more.
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

/// Length of the compact number that `bytes` start with. It may also be a compact unit value, as in
/// the address of an account by its index.
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
mod tests;
