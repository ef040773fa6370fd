//! What the user looks at: the newest snapshot, and what is selected in it.

use super::{
    follow::News,
    snapshot::{Snapshot, TaskRow},
};
use crate::chain::ChainError;
use gotong_protocol::TaskId;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::ops::ControlFlow;

/// What the user looks at.
#[derive(Default)]
pub struct View {
    /// The newest snapshot.
    pub snapshot: Option<Box<Snapshot>>,
    /// Why nothing newer comes, if nothing does.
    pub trouble: Option<ChainError>,
    /// The selected task: it stays selected wherever its line moves.
    selected: Option<TaskId>,
    /// Whether its rounds are shown.
    is_open: bool,
}

impl View {
    /// Takes news. An old snapshot stays until there is a newer one.
    pub fn take(&mut self, news: News) {
        match news {
            Ok(snapshot) => (self.snapshot, self.trouble) = (Some(snapshot), None),
            Err(error) => self.trouble = Some(error),
        }
    }

    /// Does what the key asks for; breaks if it asks to quit.
    pub fn press(&mut self, key: KeyEvent) -> ControlFlow<()> {
        if key.kind == KeyEventKind::Release {
            return ControlFlow::Continue(());
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return ControlFlow::Break(()),
            KeyCode::Char('q') => return ControlFlow::Break(()),
            KeyCode::Up => self.select(|at, _| at.saturating_sub(1)),
            KeyCode::Down => self.select(|at, last| at.saturating_add(1).min(last)),
            KeyCode::Home => self.select(|_, _| 0),
            KeyCode::End => self.select(|_, last| last),
            KeyCode::Enter => self.is_open = !self.tasks().is_empty(),
            KeyCode::Esc => self.is_open = false,
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// The line of the selected task among those of the snapshot: the first line until a task is selected, and if the selected task
    /// is gone.
    pub fn line(&self) -> Option<usize> {
        let tasks = self.tasks();
        let found = tasks
            .iter()
            .position(|row| Some(row.task.id) == self.selected);
        found.or((!tasks.is_empty()).then_some(0))
    }

    /// The selected task.
    pub fn task(&self) -> Option<&TaskRow> {
        self.tasks().get(self.line()?)
    }

    /// The task whose rounds are shown.
    pub fn opened(&self) -> Option<TaskId> {
        let task = self.task().filter(|_| self.is_open);
        task.map(|row| row.task.id)
    }

    fn tasks(&self) -> &[TaskRow] {
        let snapshot = self.snapshot.as_ref();
        snapshot.map_or(&[][..], |snapshot| snapshot.tasks.as_slice())
    }

    /// Selects the line that `choose` returns, given the selected line and the last one.
    fn select(&mut self, choose: impl Fn(usize, usize) -> usize) {
        let Some(line) = self.line() else { return };
        let last = self.tasks().len().saturating_sub(1);
        let chosen = self.tasks().get(choose(line, last));
        self.selected = chosen.map(|row| row.task.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::snapshot::tests::snapshot;

    fn view() -> View {
        let mut view = View::default();
        view.take(Ok(Box::new(snapshot(&[3, 5, 8]))));
        view
    }

    fn press(view: &mut View, codes: &[KeyCode]) {
        for &code in codes {
            assert!(view.press(code.into()).is_continue(), "{code:?}");
        }
    }

    #[test]
    fn arrows_select_a_task_and_stop_at_the_ends() {
        let mut view = view();
        let selected = |view: &View| view.task().map(|row| row.task.id.0);
        assert_eq!(selected(&view), Some(3));
        for (code, expected) in [
            (KeyCode::Up, 3),
            (KeyCode::Down, 5),
            (KeyCode::Down, 8),
            (KeyCode::Down, 8),
            (KeyCode::Home, 3),
            (KeyCode::End, 8),
            (KeyCode::Up, 5),
        ] {
            press(&mut view, &[code]);
            assert_eq!(selected(&view), Some(expected), "{code:?}");
        }
        // It stays selected wherever it moves.
        view.take(Ok(Box::new(snapshot(&[1, 2, 5]))));
        assert_eq!((selected(&view), view.line()), (Some(5), Some(2)));
        view.take(Ok(Box::new(snapshot(&[1, 2]))));
        assert_eq!(selected(&view), Some(1));
    }

    #[test]
    fn enter_shows_the_rounds_of_what_is_selected() {
        let mut view = view();
        assert_eq!(view.opened(), None);
        press(&mut view, &[KeyCode::Down, KeyCode::Enter]);
        assert_eq!(view.opened(), Some(TaskId(5)));
        press(&mut view, &[KeyCode::Esc]);
        assert_eq!(view.opened(), None);
        // Where there is no task, there is nothing to show or to select.
        let mut empty = View::default();
        press(&mut empty, &[KeyCode::Enter, KeyCode::Down]);
        assert_eq!((empty.opened(), empty.line()), (None, None));
    }

    #[test]
    fn q_and_control_c_quit() {
        let mut view = view();
        assert!(view.press(KeyCode::Char('q').into()).is_break());
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(view.press(control_c).is_break());
        press(&mut view, &[KeyCode::Char('c'), KeyCode::Tab]);
        // Windows also reports keys that are released.
        let mut released = KeyEvent::from(KeyCode::Char('q'));
        released.kind = KeyEventKind::Release;
        assert!(view.press(released).is_continue());
    }

    #[test]
    fn an_old_snapshot_stays_while_the_node_is_silent() {
        let mut view = view();
        view.take(Err(ChainError::Disconnected("gone".into())));
        assert!(view.trouble.is_some() && view.snapshot.is_some());
        view.take(Ok(Box::new(snapshot(&[3]))));
        assert!(view.trouble.is_none());
    }
}
