//! The encoding of a delta, as the docs of [`super`] give it.

use super::bits::{Reader, Writer};
use super::{in_chunk, magnitudes, Delta, DeltaError, Entry, MAX_CHANGE};
use crate::CHUNK;
use alloc::vec::Vec;

/// Largest Rice parameter: for gaps below 2^12 it leaves quotients of at most 1.
const MAX_RICE: u32 = 11;

/// Encodes a delta.
pub fn encode(delta: &Delta) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut entries = delta.entries.as_slice();
    for start in (0..delta.parameters).step_by(CHUNK) {
        let (here, rest) = entries.split_at(in_chunk(entries, start));
        encode_chunk(&mut writer, here, start);
        entries = rest;
    }
    writer.finish()
}

/// Encodes the entries of the chunk at `start` alone.
pub fn encode_one(entries: &[Entry], start: u32) -> Vec<u8> {
    let mut writer = Writer::default();
    encode_chunk(&mut writer, entries, start);
    writer.finish()
}

fn encode_chunk(writer: &mut Writer, entries: &[Entry], start: u32) {
    writer.put_number(entries.len() as u32);
    if entries.is_empty() {
        return;
    }
    let (low, high) = magnitudes(entries);
    let gaps = gaps(entries, start);
    let rice = best_rice(&gaps);
    writer.put(rice, 4);
    writer.put_number(low.into());
    writer.put_number((high - low).into());
    let value_bits = 1 + u32::from(high > low);
    for (entry, gap) in entries.iter().zip(gaps) {
        let negative = u32::from(entry.change < 0);
        let larger = u32::from(high > low && entry.change.unsigned_abs() == high);
        let value = larger << 1 | negative;
        writer.put_unary(gap >> rice);
        writer.put(value << rice | gap & ((1 << rice) - 1), rice + value_bits);
    }
}

/// Parameters between each entry and the one before, or the start of the chunk.
fn gaps(entries: &[Entry], start: u32) -> Vec<u32> {
    let mut next = start;
    let gap = |entry: &Entry| {
        let gap = entry.position - next;
        next = entry.position + 1;
        gap
    };
    entries.iter().map(gap).collect()
}

/// The Rice parameter that codes these gaps in the fewest bits; the smallest if several do.
///
/// One more adds a bit to each gap and takes `ceil(q / 2)` off each quotient `q`. Quotients only
/// fall, so the first that takes off no more than it adds ends the search.
fn best_rice(gaps: &[u32]) -> u32 {
    let taken = |rice: u32| {
        gaps.iter()
            .map(|gap| (gap >> rice).div_ceil(2))
            .sum::<u32>()
    };
    (0..MAX_RICE)
        .find(|rice| taken(*rice) <= gaps.len() as u32)
        .unwrap_or(MAX_RICE)
}

/// Decodes what [`encode`] wrote for `parameters`, and nothing else.
pub fn decode(bytes: &[u8], parameters: u32) -> Result<Delta, DeltaError> {
    let mut reader = Reader::new(bytes);
    let mut entries = Vec::new();
    for start in (0..parameters).step_by(CHUNK) {
        let end = parameters.min(start.saturating_add(CHUNK as u32));
        decode_chunk(&mut reader, start, end, &mut entries)?;
    }
    if reader.left() >= 8 {
        return Err(DeltaError::TrailingBytes);
    }
    if entries.is_empty() {
        return Err(DeltaError::Empty);
    }
    // By construction the entries form a valid delta.
    let delta = Delta {
        parameters,
        entries,
    };
    if encode(&delta) != bytes {
        return Err(DeltaError::NonCanonical);
    }
    Ok(delta)
}

/// Decodes what [`encode_one`] wrote for the chunk at `start` of `parameters`, and nothing else.
pub fn decode_one(bytes: &[u8], start: u32, parameters: u32) -> Result<Vec<Entry>, DeltaError> {
    let mut entries = Vec::new();
    let end = parameters.min(start.saturating_add(CHUNK as u32));
    decode_chunk(&mut Reader::new(bytes), start, end, &mut entries)?;
    if encode_one(&entries, start) != bytes {
        return Err(DeltaError::NonCanonical);
    }
    Ok(entries)
}

/// Reads the entries of the parameters `start..end`.
fn decode_chunk(
    reader: &mut Reader,
    start: u32,
    end: u32,
    entries: &mut Vec<Entry>,
) -> Result<(), DeltaError> {
    let count = reader.take_number()?;
    if count == 0 {
        return Ok(());
    }
    let rice = reader.take(4)?;
    let (low, more) = (reader.take_number()?, reader.take_number()?);
    if rice > MAX_RICE {
        return Err(DeltaError::NonCanonical);
    }
    if low == 0 {
        return Err(DeltaError::ZeroChange);
    }
    if low + more > MAX_CHANGE {
        return Err(DeltaError::ChangeOutOfRange);
    }
    let value_bits = 1 + u32::from(more > 0);
    let mut next = start;
    for _ in 0..count {
        let (quotient, fields) = reader.take_unary_and((end - next) >> rice, rice + value_bits)?;
        let gap = quotient << rice | fields & ((1 << rice) - 1);
        if gap >= end - next {
            return Err(DeltaError::PositionOutOfRange);
        }
        let position = next + gap;
        let value = fields >> rice;
        // At most MAX_CHANGE, so an i16.
        let magnitude = (low + more * (value >> 1)) as i16;
        let change = if value & 1 == 1 {
            -magnitude
        } else {
            magnitude
        };
        entries.push(Entry { position, change });
        next = position + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec as any_vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_rice_parameter_is_better(gaps in any_vec((0u32..12, 0u32..4096), 1..60)) {
            let gaps: Vec<u32> = gaps.iter().map(|(down, gap)| gap >> down).collect();
            let bits = |rice: &u32| gaps.iter().map(|gap| (gap >> rice) + rice).sum::<u32>();
            prop_assert_eq!(Some(best_rice(&gaps)), (0..=15).min_by_key(bits));
        }
    }
}
