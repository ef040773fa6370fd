//! Numbers in decimal.

/// The powers of ten up to 10^15, all of which `f64` holds exactly.
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// Integers up to here are numbers. Larger ones stay text, because `f64` cannot tell all of them apart.
const MAX_EXACT: u64 = 1 << 53;

/// The number of an integer that `f64` holds exactly.
pub(crate) fn exact(integer: i128) -> Option<f64> {
    let integer = i64::try_from(integer).ok()?;
    (integer.unsigned_abs() <= MAX_EXACT).then_some(integer as f64)
}

/// The number nearest to what `text` says, just as [`str::parse`] returns it, including `inf` and
/// `NaN`, but faster if it has at most 15 characters and no exponent. Spaces around it do not
/// count.
#[inline]
pub(crate) fn parse(text: &str) -> Option<f64> {
    short(text.as_bytes()).or_else(|| text.trim().parse().ok())
}

/// A number of at most 15 digits is the quotient of two numbers that `f64` holds exactly, so it is
/// rounded only once.
#[inline]
fn short(text: &[u8]) -> Option<f64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 15 {
        return None;
    }
    let (before, rest) = leading(0, digits);
    let (whole, places, rest) = match rest {
        [b'.', rest @ ..] => {
            let (whole, after) = leading(before, rest);
            (whole, rest.len() - after.len(), after)
        }
        rest => (before, 0, rest),
    };
    let has_digit = !matches!(digits, [] | [b'.']);
    let size = whole as f64 / POWERS.get(places)?;
    let number = if is_negative { -size } else { size };
    (rest.is_empty() && has_digit).then_some(number)
}

/// The digits of `whole` and those that `text` begins with as one integer, and what follows them.
#[inline]
fn leading(mut whole: u64, mut text: &[u8]) -> (u64, &[u8]) {
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        whole = whole * 10 + u64::from(digit - b'0');
        text = rest;
    }
    (whole, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        let texts = [
            "0",
            " 1.5\t",
            "-0",
            "7",
            "-12.5",
            "0.1",
            ".5",
            "5.",
            "3.14159265358979",
            "123456789012345",
            "1234567890123456789",
            "0.000000000000001",
            "1e5",
            "-1.5E-3",
            "+2",
            "inf",
            "-infinity",
            "9007199254740993",
            "179769313486231570000",
            "0.30000000000000004",
        ];
        for text in texts {
            let expected: f64 = text.trim().parse().unwrap();
            let found = parse(text).unwrap();
            assert_eq!(found.to_bits(), expected.to_bits(), "{text}");
        }
        for number in 0..100_000u64 {
            let text = format!(
                "{}.{:05}",
                number * 7919 % 100_003,
                number * 104_729 % 100_000
            );
            assert_eq!(parse(&text), text.parse().ok(), "{text}");
        }
        assert!(parse("NaN").unwrap().is_nan());
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "", "-", ".", "-.", "1.2.3", "1,5", "0x10", "1 2", "--1", "five", "1-",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
