//! How the numbers of an array are stored.

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::read) enum Number {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

impl Number {
    /// Bytes of one number.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The number that little-endian `bytes` hold. Integers beyond 2^53 are rounded to nearest.
    pub(super) fn value(self, bytes: [u8; 8]) -> f64 {
        let [a, b, c, d, ..] = bytes;
        match self {
            Self::Bool => f64::from(u8::from(a != 0)),
            Self::U8 => a.into(),
            Self::I8 => (a as i8).into(),
            Self::U16 => u16::from_le_bytes([a, b]).into(),
            Self::I16 => i16::from_le_bytes([a, b]).into(),
            Self::F16 => half(u16::from_le_bytes([a, b])),
            Self::Bf16 => f32::from_le_bytes([0, 0, a, b]).into(),
            Self::U32 => u32::from_le_bytes([a, b, c, d]).into(),
            Self::I32 => i32::from_le_bytes([a, b, c, d]).into(),
            Self::F32 => f32::from_le_bytes([a, b, c, d]).into(),
            Self::U64 => u64::from_le_bytes(bytes) as f64,
            Self::I64 => i64::from_le_bytes(bytes) as f64,
            Self::F64 => f64::from_le_bytes(bytes),
        }
    }
}

/// The value of IEEE half-precision `bits`, exact.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x3ff);
    match i32::from((bits >> 10) & 0x1f) {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        exponent => sign * (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}
