//! `gotong transfer`.

use super::{
    means::{Force, Means},
    output::{Amount, SYMBOL},
    progress::submit,
    Globals,
};
use crate::{
    chain::Call,
    keys::{self, address},
};
use serde_json::json;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong transfer --dev Bob --to Charlie --amount 12.5\n\n\
                  An account with money on hold keeps what its roles need: `gotong doctor` shows how much."
)]
pub struct Transfer {
    /// Who gets it: SS58, 0x and 64 hex digits, or a development name
    #[arg(long, value_name = "ACCOUNT")]
    to: String,
    /// GTG to send
    #[arg(long)]
    amount: Amount,
    #[command(flatten)]
    force: Force,
}

pub async fn run(args: Transfer, globals: &Globals) -> anyhow::Result<()> {
    let to = keys::account(&args.to)?;
    let signer = globals.signer()?;
    let account = signer.public_key().0;
    let client = globals.client().await?;
    let means = Means::of(&account, &client.best().await?).await?;
    args.force.check(&means, args.amount.0)?;
    let call = Call::transfer(to, args.amount.0);
    let receipt = submit(&client, &signer, &call, globals).await?;
    let free = client.best().await?.balance(&account).await?.free;
    let json = json!({
        "account": address(&account),
        "to": address(&to),
        "amount": args.amount.0.to_string(),
        "block": receipt.block,
        "free": free.to_string(),
    });
    globals.output.print(json, || {
        format!(
            "{} {SYMBOL} sent to {}, {} {SYMBOL} left free",
            args.amount,
            address(&to),
            Amount(free)
        )
    });
    Ok(())
}
