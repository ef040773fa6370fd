//! The options that say how to train.

use gotong_scoring::Graph;
use gotong_training::{usual_keep_permille, TrainingOptions};

/// How to train in a round, and how much of the change to submit.
#[derive(Clone, Debug, clap::Args)]
pub struct TrainingArgs {
    /// Weight updates per round [default: suits the architecture; `contribute` makes more for a single task if the Commit window
    /// leaves time for them]
    #[arg(long, value_parser = at_least_one)]
    steps: Option<usize>,
    /// Samples per update [default: suits the architecture]
    #[arg(long, value_parser = at_least_one)]
    batch: Option<usize>,
    /// Highest learning rate of the schedule [default: suits the architecture]
    #[arg(long, value_parser = learning_rate)]
    learning_rate: Option<f64>,
    #[command(flatten)]
    kept: KeptArg,
}

/// How much of a change to submit.
#[derive(Clone, Debug, clap::Args)]
pub struct KeptArg {
    /// How many of each 1,000 parameters a delta keeps, as far as the task's longest delta allows. The rest goes into the next
    /// delta [default: 500 for a language model, 100 for others, all of up to 4,096 parameters]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    keep_permille: Option<u32>,
}

impl KeptArg {
    /// The number that was asked for, or the one that suits the graph.
    pub fn permille(&self, graph: &Graph) -> u32 {
        self.keep_permille
            .unwrap_or_else(|| usual_keep_permille(graph))
    }
}

impl TrainingArgs {
    /// Parameters to keep in a delta, in thousandths, if it was asked for.
    pub fn kept(&self) -> Option<u32> {
        self.kept.keep_permille
    }

    /// Parameters to keep in a delta, in thousandths.
    pub fn keep_permille(&self, graph: &Graph) -> u32 {
        self.kept.permille(graph)
    }

    /// The options that were given; the rest suits the architecture.
    pub fn options(&self) -> TrainingOptions {
        TrainingOptions {
            steps: self.steps,
            batch: self.batch,
            learning_rate: self.learning_rate,
        }
    }
}

/// A number that is at least 1.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    let number: Option<usize> = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{text}` is not a whole number of at least 1"))
}

fn learning_rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    let rate = rate.filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| format!("`{text}` is not a learning rate such as 0.003"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_train_is_refused() {
        assert_eq!(at_least_one("7"), Ok(7));
        assert_eq!(learning_rate("3e-3"), Ok(0.003));
        for wrong in ["0", "-1", "nan", "inf", "x"] {
            assert!(at_least_one(wrong).is_err(), "{wrong}");
            assert!(learning_rate(wrong).is_err(), "{wrong}");
        }
    }
}
