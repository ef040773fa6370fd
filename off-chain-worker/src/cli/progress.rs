//! Progress on standard error, for work that may last longer than two seconds. Nothing is shown if standard error is not a
//! terminal, or with `--output json`. The display disappears when the bar is dropped, and has no colours.

use super::{output::Format, Globals};
use crate::chain::{Call, ChainError, Client, Inclusion, Keypair, Receipt};
use gotong_data::Source;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{borrow::Cow, time::Duration};

/// How often work that cannot be counted shows that it is still under way.
const TICK: Duration = Duration::from_millis(200);

/// A progress bar for `what`, with an estimate of the remaining time. `of` names what is counted, such as rows.
pub fn bar(output: Format, what: impl Into<Cow<'static, str>>, all: u64, of: &str) -> ProgressBar {
    shown(
        output,
        Some(all),
        &format!("{{msg}} [{{bar:30}}] {{pos}}/{{len}} {of}, {{eta}} left"),
    )
    .with_message(what)
}

/// The same for items that can be counted while their total is unknown.
fn counter(output: Format, what: impl Into<Cow<'static, str>>, of: &str) -> ProgressBar {
    let template = format!("{{spinner}} {{msg}} {{pos}} {of}, {{elapsed}}");
    shown(output, None, &template).with_message(what)
}

/// The same for work without parts: it shows how long it has lasted.
pub fn spinner(output: Format, what: impl Into<Cow<'static, str>>) -> ProgressBar {
    ticking(shown(output, None, "{spinner} {msg}, {elapsed}").with_message(what))
}

/// The bar, which shows that work is under way even while nothing is finished. That takes a thread, which a hidden bar does
/// without.
pub fn ticking(bar: ProgressBar) -> ProgressBar {
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    bar
}

fn shown(output: Format, all: Option<u64>, template: &str) -> ProgressBar {
    let target = match output {
        Format::Text => ProgressDrawTarget::stderr(),
        Format::Json => ProgressDrawTarget::hidden(),
    };
    // The templates are the ones above, and the tests parse them.
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(all, target).with_style(style)
}

/// A bar for the rows of `source`, with the total that its files state.
pub fn rows(output: Format, what: &'static str, source: &Source) -> ProgressBar {
    match source.len_hint() {
        Some(rows) => bar(output, what, rows, "rows"),
        None => counter(output, what, "rows"),
    }
}

/// Sends a call, and waits for the block that takes it.
///
/// # Errors
/// Those of [`Client::submit`].
pub async fn submit(
    client: &Client,
    signer: &Keypair,
    call: &Call,
    globals: &Globals,
) -> Result<Receipt, ChainError> {
    let shown = spinner(globals.output, "waiting for a block");
    // If this fails, the call says what is wrong.
    if let Ok(millis) = client.best().await.and_then(|now| now.block_millis()) {
        let seconds = millis.div_ceil(1_000);
        shown.set_message(format!(
            "waiting for a block (there is one about every {seconds} s)"
        ));
    }
    client.submit(signer, call, Inclusion::Best).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    /// A terminal that keeps what is written to it.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<String>>);

    impl TermLike for Kept {
        fn width(&self) -> u16 {
            100
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn drawn(bar: &ProgressBar) -> String {
        let kept = Kept::default();
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(kept.clone())));
        bar.force_draw();
        let text = kept.0.lock().unwrap();
        text.clone()
    }

    #[test]
    fn progress_says_how_much_is_done_and_what_is_left() {
        let rows = bar(Format::Text, "reading", 8, "rows").with_position(2);
        let text = drawn(&rows);
        assert!(text.contains("reading ["), "{text}");
        assert!(
            text.contains("2/8 rows, ") && text.contains(" left"),
            "{text}"
        );
        let text = drawn(&counter(Format::Text, "reading", "rows").with_position(3));
        assert!(text.contains("reading 3 rows, "), "{text}");
        let text = drawn(&spinner(Format::Text, "sealing"));
        assert!(text.contains("sealing, "), "{text}");
        assert!(!text.contains('\u{1b}'), "no colours: {text:?}");
    }

    #[test]
    fn programs_see_no_progress() {
        let hidden = [
            bar(Format::Json, "reading", 8, "rows"),
            counter(Format::Json, "reading", "rows"),
            spinner(Format::Json, "sealing"),
        ];
        assert!(hidden.iter().all(ProgressBar::is_hidden));
    }
}
