//! The commands of README.md and docs/tour.md, as they have them: five that lead from a file to a paid improvement, and those by
//! which each role is played by hand.

use crate::{
    own_data::{csv, flowers},
    ROUND_LIMIT,
};
use anyhow::{bail, ensure, Context, Result};
use gotong::process::sibling;
use gotong_protocol::TaskId;
use gotong_tests::{
    assert_settled,
    terminal::{
        self,
        Step::{Expect, Press},
    },
    Network, OF_ATTESTERS,
};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// A part of a page with commands.
pub struct Section {
    /// The text of the page.
    pub page: &'static str,
    /// The line over the section. The next heading ends it.
    pub heading: &'static str,
}

const README: Section = Section {
    page: include_str!("../../../README.md"),
    heading: "## Your own file",
};
const TOUR: Section = Section {
    page: include_str!("../../../docs/tour.md"),
    heading: "## From a file to a paid improvement",
};
const SPONSORS: Section = Section {
    page: include_str!("../../../docs/sponsors.md"),
    heading: "## You have a file",
};
const BY_HAND: Section = Section {
    page: include_str!("../../../docs/tour.md"),
    heading: "## By hand",
};

impl Section {
    /// The words of each command for one of our programs in the section's blocks of code, without what explains it.
    pub fn commands(&self) -> Vec<Vec<&'static str>> {
        let lines = self.page.lines().skip_while(|line| *line != self.heading);
        let lines = lines.skip(1).take_while(|line| !line.starts_with('#'));
        let words = |line: &'static str| -> Vec<&'static str> {
            let command = line.split('#').next().unwrap_or(line);
            command.split_whitespace().collect()
        };
        let is_ours = |words: &Vec<&str>| {
            let program = words.first();
            program.is_some_and(|program| ["gotong", "gotong-node"].contains(program))
        };
        let code = lines.filter(|line| line.starts_with("    "));
        code.map(words).filter(is_ours).collect()
    }
}

/// Somebody who follows a page, in a folder, and has told the shell where the node is and where to keep state.
struct Reader<'a> {
    network: &'a Network,
    folder: PathBuf,
}

/// Stopped when it is dropped.
struct Daemon {
    child: Child,
    log: PathBuf,
}

impl<'a> Reader<'a> {
    fn new(network: &'a Network) -> Result<Self> {
        let folder = network.folder().join("reader");
        fs::create_dir(&folder)?;
        Ok(Self { network, folder })
    }

    /// What the shell was told.
    fn variables(&self) -> [(&'static str, String); 2] {
        let state = self.folder.join("state").display().to_string();
        let node = self.network.node.url();
        [("GOTONG_NODE", node), ("GOTONG_BASE_PATH", state)]
    }

    /// `gotong` with these arguments.
    fn gotong(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(sibling("gotong")?);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .envs(self.variables())
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs it to its end, and returns what it prints.
    async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.gotong(arguments)?;
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let told = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {told}{said}");
        Ok(told.into_owned())
    }

    /// Starts it, and lets it run.
    fn start(&self, arguments: &[&str]) -> Result<Daemon> {
        let name = arguments.first().context("a command")?;
        let log = self.folder.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let mut command = self.gotong(arguments)?;
        if *name == "attest" {
            command.args(OF_ATTESTERS);
        }
        command.stdout(out.try_clone()?).stderr(out);
        let child = command.spawn()?;
        Ok(Daemon { child, log })
    }

    /// Runs it in a terminal until the screen has these texts, and quits.
    async fn look(&self, arguments: &[&str], texts: &[&str]) -> Result<()> {
        let program = sibling("gotong")?;
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let told = self.variables();
        let variables = told.each_ref().map(|(name, value)| (*name, &value[..]));
        let mut steps: Vec<_> = texts.iter().map(|&text| Expect(text)).collect();
        steps.push(Press("q"));
        let ended = terminal::run(&program, &arguments, &variables, &steps).await?;
        ensure!(ended.status == 0, "{arguments:?}: {ended:?}");
        Ok(())
    }
}

impl Daemon {
    /// An error if it does not run any more.
    fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let said = fs::read_to_string(&self.log)?;
            bail!("{} ended with {status}: {said}", self.log.display());
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Either fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Rounds of which one has to pay: all that `gotong task new` makes of a table of this length.
const ROUNDS: u32 = 2;

/// Runs five commands, each as it stands on a page, and waits until a round has paid.
async fn lead_from_a_file_to_a_paid_round(section: &Section) -> Result<()> {
    let commands = section.commands();
    let [new, check, open, sponsor, contribute] = &commands[..] else {
        panic!("five commands: {commands:?}");
    };
    let attesters = ["Judith", "Judas", "Jude"];
    let network = Network::start(&["Bob", "Judith", "Judas", "Jude"]).await?;
    network.register(&["Bob"], &attesters).await?;
    let reader = Reader::new(&network)?;
    let table = csv(&flowers(1_200));
    fs::write(reader.folder.join("flowers.csv"), table)?;
    for command in [new, check, open] {
        reader.run(&command[1..]).await?;
    }
    let mut daemons = Vec::new();
    for name in attesters {
        daemons.push(network.daemon(name, "attest")?);
    }
    let mut readers = Vec::new();
    for command in [sponsor, contribute] {
        readers.push(reader.start(&command[1..])?);
    }
    let mut unpaid = Vec::new();
    // What a round proves is up to chance, too: training, and which samples are in its exam.
    for number in 0..ROUNDS {
        let round = network.ended(TaskId(0), number, ROUND_LIMIT).await;
        let round = round.with_context(|| format!("earlier rounds were not paid: {unpaid:?}"))?;
        assert_settled(&round)?;
        let submissions = network.all_claimed(&round, ROUND_LIMIT).await?;
        let claimed = submissions[0].claimed.context("it was claimed")?;
        eprintln!("round {number}: {claimed:?}");
        if claimed.paid > 0 {
            return Ok(());
        }
        unpaid.push(claimed);
    }
    bail!("none of {ROUNDS} rounds has paid: {unpaid:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readme_lead_from_a_file_to_a_paid_round() -> Result<()> {
    lead_from_a_file_to_a_paid_round(&README).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_tour_lead_from_a_file_to_a_paid_round() -> Result<()> {
    lead_from_a_file_to_a_paid_round(&TOUR).await
}

#[test]
fn sponsors_are_given_the_same_five_commands() {
    assert_eq!(README.commands().len(), 5);
    assert_eq!(SPONSORS.commands(), README.commands());
}

/// What the page promises that a command prints, and whether it is about a round that has settled.
fn promised(arguments: &[&str]) -> Result<(&'static str, bool)> {
    Ok(match arguments {
        ["doctor", ..] => ("ok    account", false),
        ["register", ..] => ("GTG at stake", false),
        ["task", "open", ..] => ("task 0 is open", false),
        ["rewards", ..] => ("task 0: credited", true),
        ["verify", ..] => ("task 0, round 0: equal", true),
        ["task", "report", ..] => ("report.md: ", true),
        ["disputes"] => ("no open disputes", false),
        _ => bail!("it is not known what {arguments:?} prints"),
    })
}

/// Waits until the first round has settled and is claimed. Its windows are the usual ones, and attesters may come late.
async fn first_round_is_claimed(network: &Network) -> Result<()> {
    let round = network.ended(TaskId(0), 0, ROUND_LIMIT * 2).await?;
    assert_settled(&round)?;
    network.all_claimed(&round, ROUND_LIMIT).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_commands_of_the_tour_each_role_is_played_by_hand() -> Result<()> {
    // Accounts have what they have on any such chain.
    let network = Network::start(&[]).await?;
    let reader = Reader::new(&network)?;
    let (mut daemons, mut is_claimed) = (Vec::new(), false);
    for command in BY_HAND.commands() {
        match &command[..] {
            // The network has such a node.
            ["gotong-node", "--dev"] => {}
            ["gotong", arguments @ ..] => match arguments {
                ["sponsor" | "attest" | "contribute" | "watch", ..] => {
                    daemons.push(reader.start(arguments)?);
                }
                ["top", ..] => {
                    let texts = ["tasks: 1", "100 GTG at stake, contributor"];
                    reader.look(arguments, &texts).await?;
                }
                _ => {
                    let (text, is_about_round) = promised(arguments)?;
                    if is_about_round && !is_claimed {
                        first_round_is_claimed(&network).await?;
                        is_claimed = true;
                    }
                    let told = reader.run(arguments).await?;
                    ensure!(told.contains(text), "{arguments:?}: {told}");
                }
            },
            _ => bail!("it is not known how to run {command:?}"),
        }
    }
    ensure!(is_claimed, "no command was about a round");
    for daemon in &mut daemons {
        daemon.check()?;
    }
    let report = fs::read_to_string(reader.folder.join("report.md"))?;
    ensure!(report.contains("## Contributors"), "{report}");
    Ok(())
}
