use super::*;
use crate::{keys::address, run::views, test_lab::Lab};
use gotong_protocol::{claim::Claimed, SeatState};

const GTG: u128 = 1_000_000_000_000;

/// A round that merged something, and one that has not ended yet.
fn report() -> TaskReport {
    let table = Lab::small().table();
    let mut view = RoundView {
        round: RoundId(0),
        fees: GTG,
        pot: 9 * GTG,
        paid: 2 * GTG,
        released: 3 * GTG,
        ..views::settled(&table)
    };
    view.seats = vec![views::seat(7, SeatState::Sitting, Some(table.summary()))];
    view.seats[0].fee = GTG;
    let mut submissions: Vec<_> = (0..3)
        .map(|index| views::submission(index, index < 2))
        .collect();
    submissions[1].claimed = Some(Claimed {
        credit: 32 << 16,
        proved: 16 << 16,
        paid: 2 * GTG,
    });
    let settled = RoundReport {
        view,
        submissions,
        fall: table.summary().fall(Half::B).copied(),
    };
    let open = RoundReport {
        view: RoundView {
            round: RoundId(1),
            ..views::round()
        },
        submissions: vec![],
        fall: None,
    };
    TaskReport {
        task: views::task(),
        rounds: vec![settled, open],
    }
}

#[test]
fn every_round_says_what_was_paid_for_what() {
    let report = report();
    let gained = report.rounds[0].view.claim.unwrap().merged.unwrap().gain;
    assert_ne!(gained, 0);
    assert_eq!(report.gain(), gained);
    // The losses differ by the gain, and the open round changes nothing.
    let losses = report.losses();
    let fell = (losses[0] - losses[1]) * 65_536.0 * f64::from(report.samples());
    assert!((fell - gained as f64).abs() < 1e-3, "{losses:?}");
    assert_eq!((losses.len(), losses[2]), (3, losses[1]));
    let text = report.markdown(Some("report.svg"));
    let gain = crate::cli::output::signed_millibits(gained, 32);
    let row = format!(
        "| 0 | Settled | 4 | {gain} | {:.4} | {:.4} | 1 | 9 | 2 | 3 |\n",
        losses[0], losses[1]
    );
    assert!(text.contains(&row), "{text}");
    assert!(text.contains("| 1 | AttestCommit, drawing attesters | 2 |  |  |  | 0 | 0 | 0 | 0 |\n"));
    assert!(
        text.contains("3 GTG paid, 2 to contributors and 1 to attesters"),
        "{text}"
    );
    assert!(text.contains("](report.svg)"));
    assert!(!report.markdown(None).contains("!["));
}

#[test]
fn a_name_is_text_and_no_markdown() {
    let mut report = report();
    report.task.terms.name = gotong_protocol::TaskName::new("a|`b`\n# Paid\u{1b}[2K").unwrap();
    let text = report.markdown(None);
    let title = "# Task 1 \"a\\|\\`b\\`\\\\n# Paid\\\\u{1b}\\[2K\": what was paid";
    assert!(text.starts_with(title), "{text}");
}

#[test]
fn every_account_says_what_it_got() {
    let report = report();
    let text = report.markdown(None);
    // The third account did not reveal.
    let paid = format!(
        "| {} | 1 | +1000.00 | +500.00 | 2 | 0 |\n",
        address(&[1; 32])
    );
    let unclaimed = format!("| {} | 1 | +0.00 | +0.00 | 0 | 1 |\n", address(&[0; 32]));
    let lines = [paid.as_str(), unclaimed.as_str()].concat();
    assert!(text.contains(&lines), "{text}");
    assert!(!text.contains(&address(&[2; 32])));
    assert!(
        text.contains(&format!("| {} | 1 | 1 |\n", address(&[7; 32]))),
        "{text}"
    );
    let json = report.json();
    assert_eq!(json["contributors"][0]["paid"], (2 * GTG).to_string());
    assert_eq!(json["attesters"][0]["fees"], GTG.to_string());
    assert_eq!(json["rounds"][1]["loss_after"], Value::Null);
    assert!(json["rounds"][0]["loss_before"].is_number());
    assert_eq!(json["gain_q16"], report.gain().to_string());
}

#[test]
fn a_task_that_merged_nothing_has_no_curve() {
    let mut report = report();
    report.rounds.remove(0);
    assert!(report.losses().is_empty());
    assert!(report.markdown(None).contains("0 GTG paid"));
}
