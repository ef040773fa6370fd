//! The commands that pages show: each is understood as it stands there.

use crate::cli::Cli;
use clap::{
    error::{Error, ErrorKind},
    Parser,
};
use std::{
    collections::BTreeMap,
    fs, iter,
    path::{Path, PathBuf},
};

/// The folders of pages, from the root of the repository on.
const FOLDERS: [&str; 5] = [
    "",
    "docs/",
    "docs/decisions/",
    "examples/pytorch/",
    "examples/sklearn/",
];
/// It tells of commands as they were.
const HISTORY: &str = "CHANGELOG.md";

/// How many commands some pages have at least in blocks of code. If fewer are found, they are not looked for in the right way.
const LEAST: [(&str, usize); 10] = [
    ("README.md", 5),
    ("docs/attesters.md", 2),
    ("docs/contributors.md", 3),
    ("docs/disputes.md", 6),
    ("docs/nodes.md", 2),
    ("docs/operators.md", 4),
    ("docs/scaling.md", 3),
    ("docs/sponsors.md", 6),
    ("docs/tour.md", 16),
    ("examples/pytorch/README.md", 3),
];
/// The same of all pages together, within sentences.
const LEAST_IN_SENTENCES: usize = 50;

/// Names of files that are read as soon as they are given, and which of ours stand for them.
const FILES: [(&str, &str); 2] = [
    ("FILE", "docs/models/mlp.toml"),
    ("demo-lm/model.toml", "docs/models/transformer.toml"),
];

/// No command has it: what stands before it is understood if it is what is wrong.
const END: &str = "--no-such-option";

/// A page, by its path in the repository.
struct Page {
    name: String,
    text: String,
}

/// A command on a page, without the program.
struct Shown {
    /// The page and the line.
    place: String,
    arguments: Vec<String>,
}

impl Page {
    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.name)
    }

    /// The commands in blocks of code, which are complete.
    fn in_blocks(&self) -> Vec<Shown> {
        let mut lines = self.text.lines().zip(1..);
        let (mut shown, mut is_fenced) = (Vec::new(), false);
        while let Some((line, number)) = lines.next() {
            let mut command = line.trim().to_owned();
            if command.starts_with("```") {
                is_fenced = !is_fenced;
                continue;
            }
            if !is_fenced && !line.starts_with("    ") {
                continue;
            }
            while let Some(start) = command.strip_suffix('\\') {
                let more = lines.next().map_or("", |(line, _)| line.trim());
                command = format!("{start}{more}");
            }
            if let Some(arguments) = arguments(&command) {
                let place = self.place(number);
                shown.push(Shown { place, arguments });
            }
        }
        shown
    }

    /// The commands within sentences, which may lack what a command needs.
    fn in_sentences(&self) -> Vec<Shown> {
        let starts = self.text.match_indices("`gotong ");
        let shown = starts.filter_map(|(start, mark)| {
            let (before, _) = self.text.split_at(start + mark.len());
            let (command, _) = self.text[start + 1..].split_once('`')?;
            let place = self.place(before.lines().count());
            let arguments = arguments(command)?;
            Some(Shown { place, arguments })
        });
        shown.collect()
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(repository().join(folder)).unwrap() {
            let entry = entry.unwrap();
            let file = entry.file_name().into_string().unwrap();
            if file.ends_with(".md") && file != HISTORY {
                let text = fs::read_to_string(entry.path()).unwrap();
                let name = format!("{folder}{file}");
                pages.push(Page { name, text });
            }
        }
    }
    pages
}

/// The words of a line as a shell reads them, up to a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match quote {
            Some(mark) if letter == mark => quote = None,
            None if letter == '\'' || letter == '"' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            None if letter == '#' && word.is_none() => break,
            None if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// The arguments of `gotong` if a line runs it, as whoever and with whatever variables.
fn arguments(line: &str) -> Option<Vec<String>> {
    let as_other = line.strip_prefix("sudo -u ");
    let as_other = as_other.and_then(|rest| rest.split_once(' '));
    let line = as_other.map_or(line, |(_, rest)| rest);
    let is_variable = |word: &String| word.contains('=');
    let mut words = words(line).into_iter().skip_while(is_variable);
    let program = words.next()?;
    let is_ours = ["gotong", "target/debug/gotong"].contains(&program.as_str());
    is_ours.then(|| words.map(here).collect())
}

/// A word with the path of a file that is here.
fn here(word: String) -> String {
    let mut files = FILES.iter();
    let ours = files.find_map(|(name, ours)| (*name == word).then_some(*ours));
    let word = ours.map_or(word, str::to_owned);
    match word.starts_with("docs/") {
        true => repository().join(word).display().to_string(),
        false => word,
    }
}

/// What is wrong with a command that should be complete.
fn wrong_in(arguments: Vec<String>) -> Option<Error> {
    let line = iter::once("gotong".to_owned()).chain(arguments);
    let error = Cli::try_parse_from(line).err()?;
    let shows = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
    (!shows.contains(&error.kind())).then_some(error)
}

/// What is wrong with a command that may lack what it needs.
fn wrong_in_part(arguments: Vec<String>) -> Option<Error> {
    let end = END.to_owned();
    let longer = arguments.iter().cloned().chain([end]).collect();
    let before = wrong_in(longer).filter(|error| !error.to_string().contains(END));
    // The last value is looked at only if no unknown option follows.
    let is_of_last = |error: &Error| error.kind() == ErrorKind::ValueValidation;
    before.or_else(|| wrong_in(arguments).filter(is_of_last))
}

#[test]
fn commands_in_blocks_of_code_are_understood() {
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for page in pages() {
        let shown = page.in_blocks();
        counts.insert(page.name, shown.len());
        for Shown { place, arguments } in shown {
            let error = wrong_in(arguments);
            wrong.extend(error.map(|error| format!("{place}: {error}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, least) in LEAST {
        assert!(counts.get(name) >= Some(&least), "{name}: {counts:?}");
    }
}

#[test]
fn commands_within_sentences_are_understood_as_far_as_they_go() {
    let (mut count, mut wrong) = (0, Vec::new());
    for shown in pages().iter().flat_map(Page::in_sentences) {
        let Shown { place, arguments } = shown;
        count += 1;
        let error = wrong_in_part(arguments);
        wrong.extend(error.map(|error| format!("{place}: {error}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= LEAST_IN_SENTENCES, "only {count} are found");
}

#[test]
fn commands_are_found_with_their_lines_and_words() {
    let text = "`gotong rewards Bob` and, in two lines, `gotong claim\n--task 0`:\n\n    \
                A=b gotong generate --prompt 'To be, ' \\\n        --task 0  # continues\n    \
                sudo -u judith gotong claim\n    gotong-node --dev\n    # gotong top\n\n\
                ```sh\ntarget/debug/gotong task list\n```\ngotong is a program\n";
    let page = Page {
        name: "page".into(),
        text: text.into(),
    };
    let told = |shown: Vec<Shown>| -> Vec<String> {
        let told = |shown: &Shown| format!("{} {}", shown.place, shown.arguments.join("|"));
        shown.iter().map(told).collect()
    };
    assert_eq!(
        told(page.in_blocks()),
        [
            "page:4 generate|--prompt|To be, |--task|0",
            "page:6 claim",
            "page:11 task|list",
        ]
    );
    assert_eq!(
        told(page.in_sentences()),
        ["page:1 rewards|Bob", "page:1 claim|--task|0"]
    );
}

#[test]
fn what_no_command_takes_is_found() {
    let wrong = |line: &str| {
        let arguments = arguments(line).unwrap();
        let is_wrong = wrong_in(arguments.clone()).is_some();
        (is_wrong, wrong_in_part(arguments).is_some())
    };
    for (line, expected) in [
        ("gotong task list", (false, false)),
        ("gotong task --help", (false, false)),
        ("gotong unstake", (true, false)),
        ("gotong unstake --amount", (true, false)),
        ("gotong unstake --amount much", (true, true)),
        ("gotong unstake --sum 7", (true, true)),
        ("gotong task lists", (true, true)),
    ] {
        assert_eq!(wrong(line), expected, "{line}");
    }
}
