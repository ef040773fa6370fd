//! The option that limits tips.

use super::output::Amount;

/// What calls with a deadline may cost.
#[derive(Debug, clap::Args)]
pub struct Tipping {
    /// The highest tip, in GTG, for a call that blocks pass over. Tips start at 0.01 and double each time
    #[arg(long, default_value = "1", value_name = "AMOUNT")]
    max_tip: Amount,
}

impl Tipping {
    /// The highest tip, in planck.
    pub fn max_tip(&self) -> u128 {
        self.max_tip.0
    }
}
