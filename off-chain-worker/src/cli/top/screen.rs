//! How a view looks on a screen of any size. Whatever a stranger may have written is escaped here.

use super::{
    snapshot::{Snapshot, Standing, TaskRow},
    view::View,
};
use crate::{
    cli::{
        output::{printable, signed_millibits, Amount, SYMBOL, UNIT},
        task::{describe_duty, gain, lasting, stands},
    },
    keys::address,
};
use gotong_protocol::{
    view::{Duty, RoundView, TaskView},
    Phase, SeatState,
};
use ratatui::{
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Row, Table, TableState},
    Frame,
};

/// The maximum number of duties listed.
const MOST_DUTIES: usize = 6;
/// Blocks before the end of a deadline from which on it is highlighted.
const SOON_BLOCKS: u32 = 10;
/// What keys do in the list of tasks.
const KEYS_OF_TASKS: &str = " q quit   up, down select   Enter rounds";
/// What keys do in the list of rounds.
const KEYS_OF_ROUNDS: &str = " q quit   up, down another task   Esc back";
/// Widths of the columns of the list of tasks; the name gets the rest.
const TASK_COLUMNS: [Constraint; 10] = [
    Constraint::Length(4),
    Constraint::Min(6),
    Constraint::Length(9),
    Constraint::Length(5),
    Constraint::Length(12),
    Constraint::Length(11),
    Constraint::Length(7),
    Constraint::Length(7),
    Constraint::Length(5),
    Constraint::Length(7),
];
/// Widths of the columns of the list of rounds; the state gets the rest.
const ROUND_COLUMNS: [Constraint; 9] = [
    Constraint::Length(5),
    Constraint::Min(20),
    Constraint::Length(7),
    Constraint::Length(7),
    Constraint::Length(6),
    Constraint::Length(8),
    Constraint::Length(10),
    Constraint::Length(12),
    Constraint::Length(12),
];

/// The styles of what is shown. Without colours, important things are still bold or reversed.
#[derive(Clone, Copy)]
pub struct Palette {
    is_coloured: bool,
}

impl Palette {
    /// A palette with colours, or without.
    pub fn new(is_coloured: bool) -> Self {
        Self { is_coloured }
    }

    fn coloured(self, style: Style, colour: Color) -> Style {
        match self.is_coloured {
            true => style.fg(colour),
            false => style,
        }
    }

    /// The style of heads of lists.
    fn head(self) -> Style {
        self.coloured(Style::new().add_modifier(Modifier::BOLD), Color::Cyan)
    }

    /// The style of what is wrong, or will soon be too late.
    fn alarm(self) -> Style {
        self.coloured(Style::new().add_modifier(Modifier::BOLD), Color::Red)
    }

    /// The style of the selected line.
    fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Draws the view, and does nothing else: the same view always looks the same.
pub fn draw(frame: &mut Frame, view: &View, palette: Palette) {
    let duties = match view.snapshot.as_deref() {
        Some(snapshot) => duty_lines(snapshot, palette),
        None => Vec::new(),
    };
    let [head, list, below, keys] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Min(3),
        // Lines vanish here before they do in the list.
        Constraint::Max(duties.len() as u16),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(head_lines(view, palette)), head);
    let help = match (view.snapshot.as_deref(), view.opened()) {
        (Some(snapshot), Some(_)) => {
            draw_rounds(frame, list, view, snapshot, palette);
            KEYS_OF_ROUNDS
        }
        (Some(snapshot), None) => {
            draw_tasks(frame, list, view, snapshot, palette);
            KEYS_OF_TASKS
        }
        (None, _) => " q quit",
    };
    frame.render_widget(Paragraph::new(duties), below);
    frame.render_widget(Paragraph::new(help), keys);
}

/// The chain, the account, and what is wrong.
fn head_lines(view: &View, palette: Palette) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match view.snapshot.as_deref() {
        None => lines.push(Line::raw(" waiting for the node")),
        Some(snapshot) => {
            let node = printable(&snapshot.node).into_owned();
            lines.push(Line::from(vec![
                Span::styled(" gotong top", palette.head()),
                Span::raw(format!(
                    "  block {}, final {}: {} behind  {node}",
                    snapshot.block,
                    snapshot.finalized,
                    snapshot.finality_lag()
                )),
            ]));
            match &snapshot.standing {
                Some(own) => lines.extend(account_lines(snapshot, own).map(Line::raw)),
                None => lines.push(Line::raw(
                    " no account: name one, as in `gotong top --dev Bob`",
                )),
            }
        }
    }
    if let Some(trouble) = &view.trouble {
        // A node may have written it.
        let text = format!(" {trouble}; trying again");
        let text = printable(&text).into_owned();
        lines.push(Line::styled(text, palette.alarm()));
    }
    lines
}

/// The account, and what it has.
fn account_lines(snapshot: &Snapshot, own: &Standing) -> [String; 2] {
    let stake = match &own.stake {
        None => "not registered".to_owned(),
        Some(stake) => {
            let roles = match (stake.roles.contributor, stake.roles.attester) {
                (true, true) => "contributor and attester",
                (_, true) => "attester",
                _ => "contributor",
            };
            let inactive = match stake.active {
                true => "",
                false => ", inactive",
            };
            format!(
                "{} {SYMBOL} at stake, {roles}{inactive}",
                Amount(stake.stake)
            )
        }
    };
    let seats = own.offer.as_ref().map_or(String::new(), |offer| {
        format!(", {} of {} seats held", offer.seats_held, offer.seats)
    });
    let (pays, unknown) = snapshot.claimable();
    let unknown = match unknown {
        0 => String::new(),
        rounds => {
            format!(" and an unknown amount (rounds with unpublished credits: {rounds})")
        }
    };
    let (free, pays) = (Amount(own.balance.free), Amount(pays));
    [
        format!(" {}  {stake}{seats}", address(&own.account)),
        format!(" {free} {SYMBOL} free, {pays} {SYMBOL} to claim{unknown}"),
    ]
}

/// What the account may do now, the most urgent first.
fn duty_lines(snapshot: &Snapshot, palette: Palette) -> Vec<Line<'static>> {
    let Some(own) = &snapshot.standing else {
        return Vec::new();
    };
    if own.duties.is_empty() {
        return vec![Line::raw(" nothing is expected of the account now")];
    }
    let line = |duty: &Duty| {
        let (blocks, _) = snapshot.left(duty.ends_at);
        let style = match blocks <= SOON_BLOCKS {
            true => palette.alarm(),
            false => Style::new(),
        };
        let text = format!(
            " {} in task {}, round {}: {} left",
            describe_duty(duty.what),
            duty.task,
            duty.round,
            left(snapshot, duty.ends_at)
        );
        Line::styled(text, style)
    };
    let mut lines: Vec<_> = own.duties.iter().take(MOST_DUTIES).map(line).collect();
    if own.duties.len() > MOST_DUTIES {
        let more = own.duties.len() - MOST_DUTIES;
        lines.push(Line::raw(format!(" and {more} more")));
    }
    lines
}

fn draw_tasks(frame: &mut Frame, area: Rect, view: &View, snapshot: &Snapshot, palette: Palette) {
    let head = [
        "task", "name", "state", "round", "phase", "left", "commits", "reveals", "seats", "budget",
    ];
    let rows = snapshot.tasks.iter().map(|row| task_row(row, snapshot));
    let table = Table::new(rows, TASK_COLUMNS)
        .header(Row::new(head).style(palette.head()))
        .row_highlight_style(palette.selected())
        .block(titled(format!(" tasks: {} ", snapshot.tasks.len())));
    let mut state = TableState::new().with_selected(view.line());
    frame.render_stateful_widget(table, area, &mut state);
}

fn task_row(row: &TaskRow, snapshot: &Snapshot) -> Row<'static> {
    let (task, round) = (&row.task, row.round.as_ref());
    let mut cells = vec![task.id.to_string(), name(task), format!("{:?}", task.state)];
    match round {
        None => cells.extend(["", "", "", "", "", ""].map(str::to_owned)),
        Some(round) => cells.extend([
            round.round.to_string(),
            phase(round),
            time_left(round, snapshot),
            round.commits.to_string(),
            round.reveals.to_string(),
            seats(round),
        ]),
    }
    // Whole units: a truncated amount would look like a different one.
    cells.push((task.pool / UNIT).to_string());
    Row::new(cells)
}

fn draw_rounds(frame: &mut Frame, area: Rect, view: &View, snapshot: &Snapshot, palette: Palette) {
    let Some(row) = view.task() else { return };
    let task = &row.task;
    let head = [
        "round",
        "stands",
        "commits",
        "reveals",
        "seats",
        "disputes",
        "millibits",
        "fees",
        "paid",
    ];
    let title = format!(" rounds of task {} \"{}\" ", task.id, name(task));
    // Those of another task may still be there when the selection has just moved.
    let rounds = snapshot.rounds.iter().filter(|it| it.task == task.id);
    let rows = rounds.map(|round| round_row(round, task));
    let table = Table::new(rows, ROUND_COLUMNS)
        .header(Row::new(head).style(palette.head()))
        .block(titled(title));
    frame.render_widget(table, area);
}

fn round_row(round: &RoundView, task: &TaskView) -> Row<'static> {
    let samples = task.terms.hold_out.samples() / 2;
    Row::new([
        round.round.to_string(),
        stands(round),
        round.commits.to_string(),
        round.reveals.to_string(),
        seats(round),
        round.open_disputes.to_string(),
        gain(round).map_or(String::new(), |gain| signed_millibits(gain, samples)),
        Amount(round.fees).to_string(),
        Amount(round.paid).to_string(),
    ])
}

fn titled(title: String) -> Block<'static> {
    Block::new().borders(Borders::TOP).title(title)
}

/// The name of a task, which anybody may have chosen.
fn name(task: &TaskView) -> String {
    printable(task.terms.name.as_str().unwrap_or("?")).into_owned()
}

fn phase(round: &RoundView) -> String {
    match round.outcome {
        Some(outcome) => format!("{outcome:?}"),
        None if round.awaits_attesters => "waits".to_owned(),
        None => format!("{:?}", round.phase),
    }
}

fn time_left(round: &RoundView, snapshot: &Snapshot) -> String {
    match round.phase {
        Phase::Ended => String::new(),
        _ => match snapshot.left(round.ends_at) {
            (0, _) => "a block".to_owned(),
            (_, seconds) => lasting(seconds as f64),
        },
    }
}

/// How many of the seats that count have done what their phase asks for: committed, or later revealed their tables.
fn seats(round: &RoundView) -> String {
    let sitting = || {
        let seats = round.seats.iter();
        seats.filter(|seat| seat.state == SeatState::Sitting)
    };
    let have_done = sitting().filter(|seat| match round.phase {
        Phase::Commit | Phase::Reveal | Phase::AttestCommit => seat.committed,
        Phase::AttestReveal | Phase::Challenge | Phase::Ended => seat.claim.is_some(),
    });
    match sitting().count() {
        0 => String::new(),
        all => format!("{}/{all}", have_done.count()),
    }
}

/// Blocks until `block`, and how long they take if none is full.
fn left(snapshot: &Snapshot, block: u32) -> String {
    match snapshot.left(block) {
        (0, _) => "less than a block".to_owned(),
        (blocks, seconds) => format!("{blocks} blocks, {}", lasting(seconds as f64)),
    }
}

#[cfg(test)]
mod tests;
