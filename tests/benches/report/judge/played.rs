//! A dispute that was played to its end.

use super::referee::Referee;
use anyhow::{bail, Context, Result};
use codec::Encode;
use gotong_evaluation::FastCpu;
use gotong_scoring::share::trial::{Player, Ruling, Trial};

/// What a dispute took. An answer that the referee refuses does not count: its party loses by
/// silence.
#[derive(Default)]
pub struct Played {
    /// Answers.
    pub reveals: u32,
    /// Bytes of all answers.
    pub bytes: usize,
    /// Milliseconds that the referee takes for the slowest answer.
    pub referee_ms: f64,
}

impl Played {
    /// Plays the accused against an honest challenger. The accused has to lose.
    pub fn of(mut accused: Player, mut challenger: Player, referee: &Referee) -> Result<Self> {
        let (facts, summary) = (challenger.facts().clone(), accused.summary().clone());
        let accusation = challenger.accuse(&summary).context("the lie shows")?;
        let mut trial = Trial::open(&facts, &summary, accusation)?;
        let mut played = Self::default();
        loop {
            if !trial.awaits_answer() {
                let pick = challenger.pick(&mut FastCpu, &summary, &trial);
                let pick = pick.context("there is more to doubt")?;
                trial = trial.pick(&facts, &summary, &pick)?;
                continue;
            }
            let answer = accused.answer(&mut FastCpu, &trial);
            let answer = answer.context("the accused answers")?;
            let ruling = trial.answer(&facts, &summary, &answer);
            let took = referee.milliseconds(&facts, &summary, &trial, &answer, &ruling)?;
            played.referee_ms = played.referee_ms.max(took);
            let Ok(ruling) = ruling else {
                return Ok(played);
            };
            played.reveals += 1;
            played.bytes += answer.encoded_size();
            match ruling {
                Ruling::Continues(next) => trial = next,
                Ruling::Refuted(_) => return Ok(played),
                Ruling::Upheld => bail!("the liar got away"),
            }
        }
    }
}
