#!/usr/bin/env python3
"""Writes src/lut.rs, the normative tables of the machine: tools/lut.py > src/lut.rs

Decimal arithmetic at 60 digits decides every rounding; no floating point is involved.
"""
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from hashlib import blake2b

getcontext().prec = 60
LN2 = Decimal(2).ln()
hashed = []


def nearest(value):
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def table(doc, name, values):
    hashed.extend(values)
    rows = [values[at : at + 16] for at in range(0, len(values), 16)]
    print(f"\n/// {doc}")
    print("#[rustfmt::skip]")
    print(f"pub const {name}: [u16; {len(values)}] = [")
    for row in rows:
        print("    " + " ".join(f"{value}," for value in row))
    print("];")


print("//! Normative tables of the machine; their bytes are the definition.")
print("//!")
print("//! Written by `tools/lut.py`: change that, not this.")
table(
    "`EXP2[i]`: 2^-(i/64) in Q14, rounded to nearest.",
    "EXP2",
    [nearest((LN2 * (14 - Decimal(i) / 64)).exp()) for i in range(64)],
)
table(
    "`LOG2[m]`: log2(1 + m/1024) in Q16, rounded to nearest.",
    "LOG2",
    [nearest((1 + Decimal(m) / 1024).ln() / LN2 * 65536) for m in range(1024)],
)
table(
    "`RSQRT[m - 64]`: 1 / sqrt((m + 1/2)/64) in Q15, rounded to nearest.",
    "RSQRT",
    [nearest(32768 / ((Decimal(m) + Decimal(1) / 2) / 64).sqrt()) for m in range(64, 256)],
)

digest = blake2b(b"".join(v.to_bytes(2, "little") for v in hashed), digest_size=32).hexdigest()
print(
    """
#[cfg(test)]
mod tests {
    use super::*;
    use crate::blake2_256;
    use alloc::vec::Vec;

    #[test]
    fn the_bytes_are_the_definition() {
        let values = EXP2.iter().chain(&LOG2).chain(&RSQRT);
        let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        let digest = "DIGEST";
        assert_eq!(hex::encode(blake2_256(&[&bytes])), digest);
    }
}""".replace("DIGEST", digest)
)
