//! How data is printed: tables for people, JSON for programs, amounts of money as decimals.

use serde::{de::Error, Deserialize, Deserializer};
use serde_json::Value;
use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    io::{self, Write},
    str::FromStr,
};

/// Planck in a unit.
pub const UNIT: u128 = 1_000_000_000_000;
const DECIMALS: usize = 12;
/// Symbol of a unit.
pub const SYMBOL: &str = "GTG";

/// How to print data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables, for people
    Text,
    /// JSON, for programs; money in planck as strings
    Json,
}

impl Format {
    /// Prints `json`, or what `text` gives.
    pub fn print(self, json: Value, text: impl FnOnce() -> String) {
        match self {
            Self::Text => print_line(text().trim_end()),
            Self::Json => print_line(printable_json(&format!("{json:#}"))),
        }
    }

    /// Tells people what is happening; if standard output is for programs, it carries nothing but data.
    pub fn say(self, line: impl fmt::Display) {
        match self {
            Self::Text => print_line(line),
            Self::Json => tell(line),
        }
    }
}

/// Text that may come from a stranger, such as a name on the chain, for one line of a terminal: characters that could control the
/// terminal, begin a new line or change the direction of writing are escaped as in Rust, and the rest stays as it is.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe, escape)
}

/// The same for several lines, which may have tabs.
fn printable_lines(text: &str) -> Cow<'_, str> {
    let is_unsafe = |c| is_unsafe(c) && !is_layout(c);
    escaped(text, is_unsafe, escape)
}

/// The same for JSON that was already written: programs read the original text. Outside of strings it has none of these characters.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let is_unsafe = |c| is_unsafe(c) && !is_layout(c);
    escaped(json, is_unsafe, |c, safe| {
        // Writing to memory does not fail, and all of these characters are below 2^16.
        let _ = write!(safe, "\\u{:04x}", u32::from(c));
    })
}

/// Adds the character as it is escaped in Rust.
fn escape(c: char, safe: &mut String) {
    safe.extend(c.escape_default());
}

fn escaped(
    text: &str,
    is_unsafe: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    if !text.contains(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_unsafe(c) {
            true => escape(c, &mut safe),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Whether a terminal could take the character for a command, or show its neighbours elsewhere: controls, ends of lines, and marks,
/// embeddings, overrides and isolates of the direction of writing.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Whether the character gives lines of text their shape.
fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

/// A line of data on standard output. The program continues if nobody reads it any more, as in `gotong task list | head -1`.
///
/// # Panics
/// On any other error, such as a full disk: the data would be missing. What the program has started is stopped.
pub fn print_line(line: impl fmt::Display) {
    let line = line.to_string();
    match writeln!(io::stdout(), "{}", printable_lines(&line)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            panic!("cannot write to standard output: {error}")
        }
        _ => {}
    }
}

/// A line for people on standard error, whether or not anybody reads it. An error may also contain a stranger's text.
pub fn tell(line: impl fmt::Display) {
    let line = line.to_string();
    let _ = writeln!(io::stderr(), "{}", printable_lines(&line));
}

/// A number with a limited number of decimals, in units of the last decimal.
pub fn fixed_point(text: &str, decimals: usize) -> Option<u128> {
    let (units, rest) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let fits = is_number(units) && is_number(rest) && rest.len() <= decimals;
    fits.then(|| format!("{units}{rest:0<decimals$}").parse().ok())?
}

/// Reads a value that a file gives as a number, or as a text if it has more decimals than a float can hold.
///
/// # Errors
/// A value that is neither, or not a `T`.
pub fn decimal<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number such as 12.5")]
    enum Written {
        Whole(u64),
        Decimal(f64),
        Text(String),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Whole(number) => number.to_string(),
        Written::Decimal(number) => number.to_string(),
        Written::Text(text) => text,
    };
    text.parse().map_err(D::Error::custom)
}

/// A number with up to three decimals, in 1/256, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Q8(pub u16);

/// Why text is not a number in 1/256.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number from 0 to 255 with up to three decimals, such as 1.5")]
pub struct NotQ8(String);

impl FromStr for Q8 {
    type Err = NotQ8;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let thousandths = fixed_point(text, 3)?;
            u16::try_from(thousandths.checked_mul(256)? / 1000).ok()
        };
        read().map(Self).ok_or_else(|| NotQ8(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Q8 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decimal(deserializer)
    }
}

/// An amount of money in planck, read and written in units: `12.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub u128);

/// Why text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount: write units with up to 12 decimals, such as 12.5")]
pub struct NotAnAmount(String);

impl FromStr for Amount {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        fixed_point(text, DECIMALS)
            .map(Self)
            .ok_or_else(|| NotAnAmount(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decimal(deserializer)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:0DECIMALS$}", self.0 % UNIT);
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        f.pad(&format!("{}{point}{decimals}", self.0 / UNIT))
    }
}

/// Lines up `rows` under `head`. Columns of numbers are flush right.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max();
        widest.unwrap_or(0).max(head[column].chars().count())
    };
    let is_number = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column)).peekable();
        let starts_as_number = |cell: &String| {
            let digits = cell.trim_start_matches(['-', '+']);
            digits.is_empty() || digits.starts_with(|c: char| c.is_ascii_digit())
        };
        cells.peek().is_some() && cells.all(starts_as_number)
    };
    let columns: Vec<_> = (0..head.len())
        .map(|column| (width(column), is_number(column)))
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<_> = cells
            .zip(&columns)
            .map(|(cell, &(width, is_number))| match is_number {
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            })
            .collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let rule: Vec<_> = columns
        .iter()
        .map(|&(width, _)| "-".repeat(width))
        .collect();
    let mut text = line(&mut head.iter().copied());
    text += &line(&mut rule.iter().map(String::as_str));
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// An error and its causes on one line, each stated once.
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}

/// Q16 bits summed over samples, as millibits per sample.
pub fn millibits(units: i64, samples: u32) -> f64 {
    units as f64 * 1000.0 / 65536.0 / f64::from(samples.max(1))
}

/// The same as text, with a sign.
pub fn signed_millibits(units: i64, samples: u32) -> String {
    format!("{:+.2}", millibits(units, samples))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A colour, a terminal title, and a name that reads backwards.
    const HOSTILE: &str = "\u{1b}[31ma\u{1b}]0;b\u{7}\u{9b}c\u{202e}d\u{2066}\u{7f}\r";

    fn is_safe(text: &str) -> bool {
        !text.contains(|c: char| is_unsafe(c) && !is_layout(c))
    }

    #[test]
    fn a_strangers_text_cannot_command_a_terminal() {
        let expected = "\\u{1b}[31ma\\u{1b}]0;b\\u{7}\\u{9b}c\\u{202e}d\\u{2066}\\u{7f}\\r";
        assert_eq!(printable(HOSTILE), expected);
        assert_eq!(printable_lines(HOSTILE), expected);
        assert!(is_safe(expected) && !is_safe(HOSTILE));
        // No name begins a new line.
        assert_eq!(printable("a\nstate: paid\t"), "a\\nstate: paid\\t");
        assert_eq!(printable_lines("a\n\tb"), "a\n\tb");
        for harmless in ["clothes", "Ünïcode 花 שלום", "a\\b \"c\" 'd'"] {
            assert_eq!(printable(harmless), harmless);
        }
    }

    #[test]
    fn programs_read_what_the_text_was() {
        let json = serde_json::json!({ "name": HOSTILE, "lines": "a\n\tb" });
        for written in [format!("{json:#}"), json.to_string()] {
            let printed = printable_json(&written);
            assert!(is_safe(&printed), "{printed}");
            let read: Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(read, json);
        }
    }

    #[test]
    fn amounts_are_units_with_decimals() {
        let parse = |text: &str| text.parse::<Amount>().map(|amount| amount.0);
        assert_eq!(parse("12.5"), Ok(12_500_000_000_000));
        assert_eq!(parse("0.000000000001"), Ok(1));
        assert_eq!(parse("7"), Ok(7 * UNIT));
        for wrong in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1.0000000000001",
            "a",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("999999999999999999999999999999").is_err());
        assert_eq!(Amount(12_500_000_000_000).to_string(), "12.5");
        assert_eq!(Amount(UNIT).to_string(), "1");
        assert_eq!(Amount(1).to_string(), "0.000000000001");
    }

    proptest! {
        #[test]
        fn amounts_are_read_as_written(planck: u128) {
            prop_assert_eq!(Amount(planck).to_string().parse(), Ok(Amount(planck)));
        }
    }

    #[test]
    fn decimals_are_read_in_q8() {
        let q8 = |text: &str| text.parse::<Q8>().map(|read| read.0).ok();
        assert_eq!(q8("1"), Some(256));
        assert_eq!(q8("0.5"), Some(128));
        assert_eq!(q8("2.25"), Some(576));
        for wrong in ["", "-1", "1e2", "300", "x", "1.2345"] {
            assert_eq!(q8(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_writes_decimals_as_numbers_or_text() {
        #[derive(Deserialize)]
        struct File {
            amount: Amount,
        }
        let read = |value: &str| toml::from_str::<File>(&format!("amount = {value}"));
        assert_eq!(read("12").unwrap().amount, Amount(12 * UNIT));
        assert_eq!(read("0.01").unwrap().amount, Amount(UNIT / 100));
        assert_eq!(read("\"0.000000000001\"").unwrap().amount, Amount(1));
        for wrong in ["-1", "nan", "true", "[1]", "\"many\""] {
            let error = read(wrong).err().map(|error| error.to_string());
            assert!(
                error.is_some_and(|error| error.contains("amount")),
                "{wrong}"
            );
        }
    }

    #[test]
    fn causes_are_said_once() {
        let cause = anyhow::anyhow!("no such file").context("cannot read a: no such file");
        assert_eq!(
            explain(&cause.context("no key")),
            "no key: cannot read a: no such file"
        );
    }

    #[test]
    fn millibits_are_of_one_sample() {
        assert_eq!(signed_millibits(400 << 16, 400), "+1000.00");
        assert_eq!(signed_millibits(-(1 << 15), 1), "-500.00");
        assert_eq!(signed_millibits(0, 0), "+0.00");
    }

    #[test]
    fn tables_line_up() {
        let rows = [
            vec!["a".to_owned(), "1".to_owned()],
            vec!["bcd".to_owned(), "12.5".to_owned()],
        ];
        let expected = "name  paid\n----  ----\na        1\nbcd   12.5\n";
        assert_eq!(table(&["name", "paid"], &rows), expected);
    }
}
