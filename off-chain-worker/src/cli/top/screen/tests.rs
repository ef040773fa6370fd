//! Screens as a user sees them, on a terminal in memory.

use super::*;
use crate::{
    chain::ChainError,
    cli::top::snapshot::tests::{snapshot, standing},
    run::views,
};
use gotong_protocol::{view::DutyKind, Outcome, RoundId, TaskId, TaskName};
use ratatui::{
    backend::TestBackend,
    buffer::Buffer,
    crossterm::event::{KeyCode, KeyEvent},
    Terminal,
};

fn drawn(view: &View, palette: Palette, size: (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(frame, view, palette)).unwrap();
    terminal.backend().buffer().clone()
}

/// The lines of a screen of 120 columns.
fn lines(view: &View) -> Vec<String> {
    let buffer = drawn(view, Palette::new(false), (120, 24));
    let cells = buffer.content().chunks(120);
    cells
        .map(|line| {
            let line: String = line.iter().map(|cell| cell.symbol()).collect();
            line.trim_end().to_owned()
        })
        .collect()
}

fn view(snapshot: Snapshot) -> View {
    let mut view = View::default();
    view.take(Ok(Box::new(snapshot)));
    view
}

fn open(view: &mut View) {
    assert!(view.press(KeyEvent::from(KeyCode::Enter)).is_continue());
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn tasks_and_their_rounds_have_a_line_each() {
    let mut snapshot = snapshot(&[3, 5]);
    snapshot.tasks[0].task.pool = 1_500_000_000_000;
    let round = snapshot.tasks[1].round.as_mut().unwrap();
    let seat = |account, state, committed| {
        let mut seat = views::seat(account, state, None);
        seat.committed = committed;
        seat
    };
    round.seats = vec![
        seat(1, SeatState::Sitting, true),
        seat(2, SeatState::Sitting, false),
        seat(3, SeatState::Missed, true),
    ];
    let lines = lines(&view(snapshot));
    assert_eq!(
        lines[0],
        " gotong top  block 1000, final 997: 3 behind  ws://127.0.0.1:9944"
    );
    assert!(lines[1].contains("--dev Bob"), "{lines:#?}");
    assert!(lines[4].contains(" tasks: 2 "), "{lines:#?}");
    let head = "task name state round phase left commits reveals seats budget";
    assert_eq!(words(&lines[5]).join(" "), head);
    let row = [
        "3",
        "clothes",
        "Running",
        "2",
        "AttestCommit",
        "3",
        "minutes",
        "2",
        "2",
        "1",
    ];
    assert_eq!(words(&lines[6]), row, "without seats");
    let row = [
        "5",
        "clothes",
        "Running",
        "2",
        "AttestCommit",
        "3",
        "minutes",
        "2",
        "2",
        "1/2",
        "0",
    ];
    assert_eq!(words(&lines[7]), row);
    assert!(lines[23].contains("q quit"), "{lines:#?}");
}

#[test]
fn an_account_sees_its_money_and_what_is_urgent() {
    let mut snapshot = snapshot(&[1]);
    let mut own = standing();
    own.duties.push(Duty {
        what: DutyKind::Claim,
        ends_at: 2_000,
        ..own.duties[0].clone()
    });
    snapshot.standing = Some(own);
    let mut view = view(snapshot);
    let text = lines(&view);
    assert!(
        text[1].ends_with("  100 GTG at stake, contributor"),
        "{text:#?}"
    );
    let money = " 12.5 GTG free, 0.383 GTG to claim and an unknown amount";
    assert!(text[2].starts_with(money), "{text:#?}");
    let reveal = " reveal the delta in task 1, round 2: 5 blocks, 30 s left";
    let claim = " claim in task 1, round 2: 1000 blocks, 100 minutes left";
    assert_eq!(&text[21..23], [reveal, claim]);
    // What will soon be too late is highlighted, with colours and without.
    for (is_coloured, colour) in [(true, Color::Red), (false, Color::Reset)] {
        let buffer = drawn(&view, Palette::new(is_coloured), (120, 24));
        let urgent = buffer[(1, 21)].style();
        assert_eq!(urgent.fg, Some(colour));
        assert!(urgent.add_modifier.contains(Modifier::BOLD));
        let later = buffer[(1, 22)].style();
        assert_eq!(later.fg, Some(Color::Reset));
    }
    let own = view.snapshot.as_mut().unwrap().standing.as_mut();
    own.unwrap().duties.clear();
    assert!(lines(&view)[22].contains("nothing is expected"));
}

#[test]
fn only_so_many_duties_are_listed() {
    let mut snapshot = snapshot(&[1]);
    let mut own = standing();
    own.duties = vec![own.duties[0].clone(); MOST_DUTIES + 3];
    snapshot.standing = Some(own);
    let text = lines(&view(snapshot));
    assert_eq!(text[22], " and 3 more");
    let listed = text.iter().filter(|line| line.contains("reveal the delta"));
    assert_eq!(listed.count(), MOST_DUTIES);
}

#[test]
fn without_colours_there_is_none() {
    let mut snapshot = snapshot(&[1, 2]);
    snapshot.standing = Some(standing());
    let mut view = view(snapshot);
    view.take(Err(ChainError::Disconnected("gone".into())));
    let colours = |palette| {
        let buffer = drawn(&view, palette, (120, 24));
        let coloured =
            |cell: &&ratatui::buffer::Cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset);
        buffer.content().iter().filter(coloured).count()
    };
    assert_eq!(colours(Palette::new(false)), 0);
    assert!(colours(Palette::new(true)) > 0);
}

#[test]
fn the_selected_line_is_turned_around() {
    let mut view = view(snapshot(&[1, 2]));
    assert!(view.press(KeyEvent::from(KeyCode::Down)).is_continue());
    let buffer = drawn(&view, Palette::new(false), (120, 24));
    let is_reversed = |line: u16| buffer[(0, line)].modifier.contains(Modifier::REVERSED);
    assert!(!is_reversed(6) && is_reversed(7));
}

#[test]
fn the_rounds_of_a_task_are_shown_with_what_became_of_them() {
    let mut all = snapshot(&[1]);
    let ended = RoundView {
        round: RoundId(1),
        phase: Phase::Ended,
        outcome: Some(Outcome::Unattested),
        fees: 250_000_000_000,
        ..views::round()
    };
    // The last one belongs to the task that was open before.
    let of_another = RoundView {
        task: TaskId(9),
        ..views::round()
    };
    all.rounds = vec![views::round(), ended, of_another];
    let mut view = view(all);
    open(&mut view);
    let text = lines(&view);
    assert!(
        text[4].contains(" rounds of task 1 \"clothes\" "),
        "{text:#?}"
    );
    assert!(text[5].starts_with("round stands"), "{text:#?}");
    assert!(
        text[6].starts_with("2     AttestCommit, drawing attesters"),
        "{text:#?}"
    );
    assert_eq!(
        words(&text[7]),
        ["1", "Unattested", "2", "2", "0", "0.25", "0"]
    );
    assert_eq!(text[8], "");
    assert!(text[23].contains("Esc back"), "{text:#?}");
}

#[test]
fn a_strangers_text_stays_text() {
    let hostile = "a\n\u{1b}[2Kb\u{202e}";
    let mut all = snapshot(&[1]);
    all.tasks[0].task.terms.name = TaskName::new(hostile).unwrap();
    all.node = format!("ws://{hostile}");
    let mut view = view(all);
    view.take(Err(ChainError::Disconnected(hostile.into())));
    for is_open in [false, true] {
        if is_open {
            open(&mut view);
        }
        let text = lines(&view);
        let escaped = "a\\n\\u{1b}[2Kb\\u{202e}";
        assert!(text[0].contains(escaped), "{text:#?}");
        assert!(
            text[2].contains(escaped) && text[2].ends_with("; trying again"),
            "{text:#?}"
        );
        let of_task = text[4..7].iter().any(|line| line.contains(escaped));
        assert!(of_task, "{text:#?}");
        let is_unsafe = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!text.iter().any(|line| line.contains(is_unsafe)));
    }
}

#[test]
fn every_size_of_a_terminal_is_drawn() {
    let mut all = snapshot(&[1, 2, 3]);
    all.standing = Some(standing());
    let mut view = view(all);
    for is_open in [false, true] {
        if is_open {
            open(&mut view);
        }
        for width in [1, 7, 40, 80, 300] {
            for height in [1, 2, 5, 9, 60] {
                drawn(&view, Palette::new(true), (width, height));
            }
        }
    }
    drawn(&View::default(), Palette::new(true), (80, 24));
}
