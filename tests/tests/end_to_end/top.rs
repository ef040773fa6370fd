//! `gotong top`, in a terminal of its own.

use crate::small_task;
use anyhow::Result;
use gotong::process::sibling;
use gotong_tests::{
    terminal::{
        self,
        Step::{Expect, Press, Signal},
    },
    Network, UNIT,
};
use std::process::Command;

/// What keys send.
const DOWN: &str = "\u{1b}[B";
const ENTER: &str = "\r";
const ESCAPE: &str = "\u{1b}";
const CONTROL_C: &str = "\u{3}";
/// The signal by which the system asks a program to end.
const SIGTERM: u8 = 15;

#[tokio::test(flavor = "multi_thread")]
async fn a_live_view_shows_the_chain_and_leaves_the_terminal_as_it_was() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let title = format!("rounds of task {} \"test\"", task.0);
    let duty = format!("commit to a delta in task {}, round 0", task.0);
    let ended = network
        .in_terminal(
            "One",
            "top",
            &[],
            &[
                Expect("tasks: 1"),
                Expect(&duty),
                Expect("100 GTG at stake, contributor"),
                Press(DOWN),
                Press(ENTER),
                Expect(&title),
                Expect("Commit"),
                Press(ESCAPE),
                Expect("tasks: 1"),
                Press("q"),
            ],
        )
        .await?;
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.was_raw && ended.used_other_screen, "{ended:?}");
    assert!(ended.is_as_before() && ended.has_colours, "{ended:?}");

    // It ends the same way whoever ends it, and without colours.
    for end in [Press(CONTROL_C), Signal(SIGTERM)] {
        let no_colour = [("NO_COLOR", "1")];
        let steps = [Expect("tasks: 1"), end];
        let ended = network
            .in_terminal("One", "top", &no_colour, &steps)
            .await?;
        assert_eq!(ended.status, 0, "{ended:?}");
        assert!(ended.is_as_before() && !ended.has_colours, "{ended:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_and_pipes_have_no_live_view() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let task = small_task(&network, &["One"], &["Judith"]).await?;
    let seen = network.run("One", "top").await?;
    assert_eq!(seen["tasks"][0]["task"], task.0);
    assert_eq!(seen["tasks"][0]["round"]["phase"], "Commit");
    assert_eq!(seen["account"]["stake"], (100 * UNIT).to_string());
    assert_eq!(seen["account"]["duties"][0]["what"], "Commit");
    assert!(seen["block"].as_u64() >= seen["finalized"].as_u64());

    let node = format!("--node={}", network.node.url());
    let piped = Command::new(sibling("gotong")?)
        .args(["top", &node])
        .output()?;
    assert_eq!(piped.status.code(), Some(1));
    assert!(piped.stdout.is_empty(), "nothing was drawn");
    let told = String::from_utf8(piped.stderr)?;
    assert!(told.contains("needs a terminal"), "{told}");
    assert!(told.contains("gotong top --output json"), "{told}");
    Ok(())
}

#[tokio::test]
async fn errors_follow_no_color_too() -> Result<()> {
    let program = sibling("gotong")?;
    let arguments = ["top", "--abacus"].map(str::to_owned);
    for (variables, has_colours) in [
        (&[][..], true),
        (&[("NO_COLOR", "1")][..], false),
        (&[("CLICOLOR", "0")][..], false),
    ] {
        let ended = terminal::run(&program, &arguments, variables, &[]).await?;
        assert_eq!(ended.status, 2, "{ended:?}");
        assert_eq!(ended.has_colours, has_colours, "{variables:?}: {ended:?}");
        assert!(ended.is_as_before(), "{ended:?}");
    }
    Ok(())
}
