//! `gotong top`: a live view of tasks, rounds and an account in the terminal.
//!
//! | part | what it does |
//! | --- | --- |
//! | `snapshot` | asks the chain for everything that is shown |
//! | `follow` | takes a snapshot of every new block, from one node after another |
//! | `view` | what is selected, and how keys change that |
//! | `screen` | draws a view; nothing else does |

mod follow;
mod screen;
mod snapshot;
mod view;

use super::{colours, output::Format, Globals};
use crate::run::Stop;
use anyhow::{ensure, Context, Result};
use follow::{follow, News};
use gotong_protocol::TaskId;
use ratatui::{
    crossterm::event::{self, Event},
    DefaultTerminal,
};
use screen::Palette;
use snapshot::Snapshot;
use std::{
    io::{self, IsTerminal},
    thread,
};
use tokio::sync::{
    mpsc::{unbounded_channel, UnboundedReceiver},
    watch,
};
use view::View;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong top\n  gotong top --dev Bob\n  gotong top Bob --output json\n\n\
                  Arrows select a task, Enter shows its rounds, Esc goes back, q or Ctrl-C quits. It signs nothing. With \
                  `--output json`, it prints what it would show, once, and ends."
)]
pub struct Top {
    /// An SS58 address or a development name [default: the signing account, if an option names one]
    account: Option<String>,
}

pub async fn run(args: Top, globals: &Globals) -> Result<()> {
    let account = match args.account.as_deref() {
        None if !globals.identity.is_given() => None,
        named => Some(globals.account(named)?),
    };
    if globals.output == Format::Json {
        let client = globals.client().await?;
        let now = client.best().await?;
        let snapshot = Snapshot::at(&client, &now, account.as_ref(), None).await?;
        globals.output.print(snapshot.json(), String::new);
        return Ok(());
    }
    ensure!(
        io::stdout().is_terminal(),
        "a live view needs a terminal; `gotong top --output json` prints once what it would show"
    );
    // If no node can be reached, the error and what to do are shown before the screen is taken over.
    globals.client().await?;
    let stop = Stop::on_signals()?;
    let (opened, wanted) = watch::channel(None);
    let (tell, news) = unbounded_channel();
    let mut screen = Screen::take()?;
    tokio::select! {
        shown = show(&mut screen.0, news, &opened, &stop) => shown,
        () = follow(globals.nodes(), account, wanted, tell) => Ok(()),
    }
}

/// Shows what comes until the user quits.
async fn show(
    terminal: &mut DefaultTerminal,
    mut news: UnboundedReceiver<News>,
    opened: &watch::Sender<Option<TaskId>>,
    stop: &Stop,
) -> Result<()> {
    let palette = Palette::new(colours::are_wanted());
    let mut keys = keys();
    let mut view = View::default();
    loop {
        terminal.draw(|frame| screen::draw(frame, &view, palette))?;
        tokio::select! {
            () = stop.told() => return Ok(()),
            pressed = keys.recv() => {
                let event = pressed.context("the keyboard input ended")?;
                if let Event::Key(key) = event.context("the terminal cannot be read")? {
                    if view.press(key).is_break() {
                        return Ok(());
                    }
                }
            }
            Some(told) = news.recv() => view.take(told),
        }
        opened.send_if_modified(|before| {
            let now = view.opened();
            let is_new = *before != now;
            *before = now;
            is_new
        });
    }
}

/// Keys that are pressed, and changes of the terminal's size. Reading blocks, so it has a thread of its own, which ends with the
/// program.
fn keys() -> UnboundedReceiver<io::Result<Event>> {
    let (tell, told) = unbounded_channel();
    thread::spawn(move || loop {
        let event = event::read();
        let is_last = event.is_err();
        if tell.send(event).is_err() || is_last {
            return;
        }
    });
    told
}

/// The terminal, taken over: its former content comes back when this is dropped, and when the program panics.
struct Screen(DefaultTerminal);

impl Screen {
    fn take() -> Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                // Half of it may be set up already.
                ratatui::restore();
                Err(error).context("cannot set up the terminal")
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A panic has already given it back, and may have printed its reason by now.
        if !thread::panicking() {
            ratatui::restore();
        }
    }
}
