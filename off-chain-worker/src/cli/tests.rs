//! What holds for every command: it has an example, it can print data as JSON, and its options exclude each other where they
//! should.

mod pages;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_an_example() {
    fn check(command: &clap::Command) {
        if command.has_subcommands() {
            command.get_subcommands().for_each(check);
        } else if command.get_name() != "help" {
            let example = command.get_after_help().map(ToString::to_string);
            assert!(
                example.is_some_and(|text| text.contains("gotong ")),
                "{} has no example",
                command.get_name()
            );
        }
    }
    check(&Cli::command());
}

/// Commands that print data, by the file that prints it.
const PRINT_DATA: [(&str, &[&str]); 25] = [
    ("challenge", &["challenge"]),
    ("claim", &["claim"]),
    ("data/inspect", &["data inspect"]),
    ("data/seal", &["data seal"]),
    ("data/split", &["data split"]),
    ("disputes", &["disputes"]),
    ("finding", &["doctor", "task check"]),
    ("generate", &["generate"]),
    ("lab", &["lab"]),
    ("predict", &["predict"]),
    ("prove", &["prove"]),
    ("publish_credits", &["publish-credits"]),
    ("rewards", &["rewards"]),
    ("stake", &["register", "unstake", "withdraw"]),
    ("submit", &["submit"]),
    (
        "task",
        &["task top-up", "task close", "task release", "task list"],
    ),
    ("task/new", &["task new"]),
    ("task/open", &["task open"]),
    ("task/recipe", &["task recipe"]),
    ("task/report", &["task report"]),
    ("task/show", &["task show"]),
    ("top", &["top"]),
    ("transfer", &["transfer"]),
    ("verify", &["verify"]),
    ("weights", &["weights"]),
];
/// Commands that print no data, or the same in any format, and why.
const PRINT_NO_DATA: [(&str, &str); 7] = [
    ("sponsor", "a daemon: it logs"),
    ("contribute", "a daemon: it logs"),
    ("attest", "a daemon: it logs"),
    ("watch", "a daemon: it logs"),
    ("demo", "its last line is JSON in any case"),
    ("completions", "a shell reads the script"),
    ("man-pages", "it writes files, and prints nothing"),
];

#[test]
fn whatever_prints_data_prints_json_if_asked() {
    let mut listed: Vec<&str> = PRINT_NO_DATA.iter().map(|(name, _)| *name).collect();
    for (file, commands) in PRINT_DATA {
        let path = format!("{}/src/cli/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(&path).unwrap();
        // Nothing else chooses between text and JSON.
        let source: String = source.split_whitespace().collect();
        assert!(source.contains("output.print("), "{file}");
        listed.extend(commands);
    }
    let count = listed.len();
    let listed: BTreeSet<String> = listed.into_iter().map(str::to_owned).collect();
    assert_eq!(listed.len(), count, "none is in two lists");
    assert_eq!(command_names(), listed);
}

fn parses(line: &str) -> bool {
    Cli::try_parse_from(line.split_whitespace()).is_ok()
}

#[test]
fn what_is_disputed_and_proved_is_named_in_full() {
    for right in [
        "gotong watch --dev Dave",
        "gotong watch --task 1 --device flex",
        "gotong challenge --task 0 --round 3 --accused Charlie",
        "gotong disputes --task 0 --output json",
        "gotong verify --task 0 --round 3 --device flex",
        "gotong prove --task 0 --round 3 --sample 17 --out file",
        "gotong prove --task 0 --round 3 --step word:merged:sample=1:op=0:at=5 --out file",
        "gotong prove --task 0 --round 3 --step row:pass=0:entrant=2 --out file",
        "gotong task show --task 0 --round 3",
        "gotong task open --name a --budget 1 --newcomer-floor 1.5 --proven-floor 0 --gain-floor 0.5 --doubt 3",
        "gotong task open --name a --budget 1 --outer-rate 1.5",
        "gotong prove --dispute 4 --out file",
        "gotong prove --dispute 4 --out file --chain",
        "gotong prove --check file --chain",
        "gotong attest --device flex",
        "gotong attest --stall",
        "gotong attest --task 0 --task 3",
        "gotong generate --task 0 --prompt To --temperature 0.8 --seed 1 --length 9",
        "gotong generate --task 0 --prompt To --weights file --data shakespeare",
        "gotong generate --model mlp:2,2 --prompt To --weights file",
        "gotong weights --task 0 --out model.onnx",
        "gotong weights --task 0 --out model --format onnx",
        "gotong predict --task 0 --data a.csv b.csv --out c.csv",
        "gotong predict --model mlp:2,2 --weights file --recipe r.toml --data a.jsonl --field text",
        "gotong task report --task 0 --out report.md",
        "gotong contribute --task 0 --data shakespeare-bpe --data-dir folder --part 1/3",
        "gotong contribute --task 0 --checkpoint-every 0",
        "gotong task open --name a --budget 1 --data shakespeare",
        "gotong task open task.toml",
        "gotong task open task.toml --budget 5 --rounds 3 --data-dir folder",
        "gotong task open task.toml --sealed 0000000000000000000000000000000000000000000000000000000000000000",
        "gotong task open --name a --budget 1 --recipe r.toml --exam e.records",
        "gotong task new a.csv b.csv --label y --drop id,name --by-group who --out folder --budget 12.5",
        "gotong task new images --size 28x28 --grey --out folder",
        "gotong task check task.toml --output json",
        "gotong data inspect a.jsonl --field text",
        "gotong data split a.npz --inputs x --label y --exam 200 --report 0 --seed 7 --out folder",
        "gotong data seal e.records --recipe r.toml --model mlp:2,2 --shards 3 --samples 64",
        "gotong contribute --task 0 --train a.csv b.csv --label y",
        "gotong contribute --task auto --train a.records --part 1/2",
        "gotong task open --name a --pool 1",
        "gotong attest --pool-file one --pool-file other",
        "gotong verify --task 0 --round 3 --pool-file pool",
        "gotong task open --name x --budget 5 --hold-out drawn --pool-out pool --rounds 9",
        "gotong claim --task 0 --forfeit 7",
        "gotong transfer --dev Bob --to Charlie --amount 12.5",
        "gotong transfer --to Charlie --amount 1 --force",
        "gotong register --role both --stake 100 --force",
        "gotong task release --task 0 --round 3",
        "gotong lab --hands 1,2,4 --seeds 1,2,3 --rounds 5 --steps 80",
        "gotong top",
        "gotong top Bob --output json",
        "gotong completions zsh",
        "gotong man-pages --out folder",
        "gotong lab --model mlp:784,9,10 --exam 64 --forget --outer-rate 2 --folder lab",
    ] {
        assert!(parses(right), "{right}");
    }
    for wrong in [
        "gotong challenge --task 0 --round 3",
        "gotong challenge --round 3 --accused Charlie",
        "gotong verify --task 0",
        "gotong prove",
        "gotong prove --out file",
        "gotong prove --task 0 --round 3 --out file",
        "gotong prove --sample 17 --out file",
        "gotong prove --task 0 --round 3 --sample 17",
        "gotong prove --task 0 --round 3 --sample 17 --step losses:b --out file",
        "gotong prove --task 0 --round 3 --step word --out file",
        "gotong prove --task 0 --round 3 --step header --out file",
        "gotong task open --name a --budget 1 --doubt many",
        "gotong task open --name a --budget 1 --recipe r.toml --data shakespeare",
        "gotong task open --budget 1",
        "gotong task open --name a",
        "gotong task open task.toml --sealed 12",
        "gotong task new a.csv",
        "gotong task new --out folder",
        "gotong task new a.csv --out folder --by-group a --by-time b",
        "gotong task new a.csv --out folder --size 28",
        "gotong task check",
        "gotong data inspect",
        "gotong data split a.csv",
        "gotong data seal e.records",
        "gotong contribute --task 0 --train",
        "gotong contribute --task 0 --train a.csv --data shakespeare",
        "gotong task open --name a --budget 1 --outer-rate=4",
        "gotong prove --dispute 4",
        "gotong prove --dispute 4 --task 0 --round 3 --out file",
        "gotong prove --check file --out file",
        "gotong prove --check file --dispute 4",
        "gotong attest --device abacus",
        "gotong attest --lie nothing",
        "gotong generate --prompt To",
        "gotong generate --task 0",
        "gotong generate --model mlp:2,2 --prompt To",
        "gotong generate --task 0 --model mlp:2,2 --weights file --prompt To",
        "gotong generate --task 0 --prompt To --temperature hot",
        "gotong weights --task 0 --out model --format pickle",
        "gotong predict --task 0",
        "gotong predict --data a.csv",
        "gotong predict --model mlp:2,2 --data a.csv",
        "gotong task report --task 0",
        "gotong contribute --task 0 --data mnist",
        "gotong contribute --task 0 --checkpoint-every -1",
        "gotong task open --name x --budget 5 --hold-out drawn",
        "gotong task open --name x --budget 5 --hold-out drawn --pool-out pool --shards 3",
        "gotong claim --forfeit 7",
        "gotong transfer --to Charlie",
        "gotong transfer --amount 1",
        "gotong task release --task 0",
        "gotong completions",
        "gotong completions abacus",
        "gotong man-pages",
        "gotong lab --hands 0",
        "gotong lab --hands 1,two",
        "gotong lab --rounds 0",
    ] {
        assert!(!parses(wrong), "{wrong}");
    }
}

#[test]
fn drills_are_hidden_and_their_lies_are_named() {
    for lie in [
        "loss", "word", "weight", "term", "part", "gradient", "backward", "error",
    ] {
        assert!(parses(&format!("gotong attest --lie {lie}")), "{lie}");
        assert!(parses(&format!("gotong watch --lie {lie}")), "{lie}");
    }
    for command in ["attest", "watch", "challenge", "verify", "prove"] {
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut(command).unwrap().render_long_help();
        let help = help.to_string();
        assert!(
            !help.contains("--lie") && !help.contains("--stall"),
            "{command}"
        );
    }
}

#[test]
fn the_old_name_of_a_budget_is_hidden() {
    let mut cli = Cli::command();
    let task = cli.find_subcommand_mut("task").unwrap();
    let open = task.find_subcommand_mut("open").unwrap();
    let help = open.render_long_help().to_string();
    assert!(
        help.contains("--budget") && !help.contains("--pool <"),
        "{help}"
    );
}

#[test]
fn several_nodes_may_be_named() {
    let hash = format!("0x{}", "07".repeat(32));
    for line in [
        "gotong rewards --node ws://a --node ws://b",
        "gotong rewards --node ws://a,ws://b --trust-nodes",
        "gotong attest --node ws://a,ws://b --require-finality",
        &format!("gotong --node ws://a,ws://b --genesis {hash} rewards"),
    ] {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        assert_eq!(cli.globals.node, ["ws://a", "ws://b"], "{line}");
        assert_eq!(cli.globals.trust_nodes, line.ends_with("--trust-nodes"));
        let require_finality = line.ends_with("--require-finality");
        assert_eq!(cli.globals.require_finality, require_finality);
        let genesis = line.contains(&hash).then_some([7; 32]);
        assert_eq!(cli.globals.genesis, genesis, "{line}");
    }
    assert!(!parses("gotong rewards --genesis 0x07"));
}

#[test]
fn global_flags_may_follow_the_subcommand() {
    let cli = Cli::try_parse_from(["gotong", "rewards", "--dev", "Bob", "--output", "json"]);
    let cli = cli.unwrap();
    assert_eq!(cli.globals.identity.dev.as_deref(), Some("Bob"));
    assert_eq!(cli.globals.output, Format::Json);
}
