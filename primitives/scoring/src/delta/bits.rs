//! A stream of bits, the lowest bit of each byte first.

use super::DeltaError;
use alloc::vec::Vec;

/// Bits that one window of a [`Reader`] is sure to hold.
const WINDOW: usize = 57;

/// Writes bits; the last byte is filled with zeros.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
    pending: u64,
    filled: u32,
}

impl Writer {
    /// Writes the lowest `width` bits of `value`; `width <= 32`, and `value` has no higher bits.
    pub fn put(&mut self, value: u32, width: u32) {
        self.pending |= u64::from(value) << self.filled;
        self.filled += width;
        if self.filled >= 32 {
            self.bytes
                .extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.filled -= 32;
        }
    }

    /// Writes `zeros` zeros and a one.
    pub fn put_unary(&mut self, mut zeros: u32) {
        while zeros >= 31 {
            self.put(0, 31);
            zeros -= 31;
        }
        self.put(1 << zeros, zeros + 1);
    }

    /// Writes a number below 2^15: its bit length in 4 bits, then the bits after its leading one.
    pub fn put_number(&mut self, number: u32) {
        let length = number.checked_ilog2().map_or(0, |whole| whole + 1);
        self.put(length, 4);
        if length > 1 {
            self.put(number & !(1 << (length - 1)), length - 1);
        }
    }

    /// All bytes.
    pub fn finish(mut self) -> Vec<u8> {
        let whole = self.filled.div_ceil(8) as usize;
        self.bytes
            .extend_from_slice(&self.pending.to_le_bytes()[..whole]);
        self.bytes
    }
}

/// Reads bits, never past the end.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the first bit.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bits that are left.
    pub fn left(&self) -> usize {
        8 * self.bytes.len() - self.at
    }

    /// At least [`WINDOW`] bits from here on, with zeros past the end.
    fn window(&self) -> u64 {
        let rest = &self.bytes[self.at / 8..];
        let word = match rest.first_chunk() {
            Some(word) => u64::from_le_bytes(*word),
            None => rest
                .iter()
                .rfold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        word >> (self.at % 8)
    }

    /// The next `width` bits; `width <= 32`.
    pub fn take(&mut self, width: u32) -> Result<u32, DeltaError> {
        if self.left() < width as usize {
            return Err(DeltaError::Truncated);
        }
        let value = self.window() & ((1 << width) - 1);
        self.at += width as usize;
        Ok(value as u32)
    }

    /// The zeros before the next one, and that one; an error if there are more than `most`.
    pub fn take_unary(&mut self, most: u32) -> Result<u32, DeltaError> {
        let mut zeros = 0;
        loop {
            let sure = self.left().min(WINDOW);
            let run = self.window().trailing_zeros() as usize;
            zeros += run.min(sure) as u32;
            if zeros > most {
                return Err(DeltaError::PositionOutOfRange);
            }
            if run < sure {
                self.at += run + 1;
                return Ok(zeros);
            }
            if sure < WINDOW {
                return Err(DeltaError::Truncated);
            }
            self.at += sure;
        }
    }

    /// [`Self::take_unary`], then [`Self::take`]: from one window if it holds both.
    pub fn take_unary_and(&mut self, most: u32, width: u32) -> Result<(u32, u32), DeltaError> {
        let window = self.window();
        let zeros = window.trailing_zeros();
        let taken = (zeros + 1 + width) as usize;
        if zeros <= most && taken <= self.left().min(WINDOW) {
            self.at += taken;
            let value = window >> (zeros + 1) & ((1 << width) - 1);
            return Ok((zeros, value as u32));
        }
        Ok((self.take_unary(most)?, self.take(width)?))
    }

    /// Reads what [`Writer::put_number`] wrote.
    pub fn take_number(&mut self) -> Result<u32, DeltaError> {
        match self.take(4)? {
            0 => Ok(0),
            length => Ok(1 << (length - 1) | self.take(length - 1)?),
        }
    }
}
