//! `gotong register`, `unstake` and `withdraw`.

use super::{
    means::{Force, Means},
    offer,
    output::{Amount, SYMBOL},
    progress::submit,
    Globals,
};
use crate::{chain::Call, keys::address};
use gotong_protocol::Roles;
use serde_json::json;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong register --dev Bob --role contributor --stake 1000")]
pub struct Register {
    /// What to register for; if you are registered already, the same role as before
    #[arg(long, value_enum)]
    role: Role,
    /// Stake in GTG to put on hold
    #[arg(long)]
    stake: Amount,
    #[command(flatten)]
    force: Force,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Submits deltas
    Contributor,
    /// Evaluates rounds
    Attester,
    /// Both, though never in the same round
    Both,
}

impl From<Role> for Roles {
    fn from(role: Role) -> Self {
        match role {
            Role::Contributor => Self::CONTRIBUTOR,
            Role::Attester => Self::ATTESTER,
            Role::Both => Self::BOTH,
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong unstake --dev Bob --amount 250.5\n\n\
                  An account that cannot pay the fee can take out its whole stake, and withdraw it, free of charge.")]
pub struct Unstake {
    /// Stake in GTG to take out
    #[arg(long)]
    amount: Amount,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong withdraw --dev Bob")]
pub struct Withdraw {}

pub async fn register(args: Register, globals: &Globals) -> anyhow::Result<()> {
    let account = globals.signer()?.public_key().0;
    let now = globals.client().await?.best().await?;
    let roles = Roles::from(args.role);
    let call = match now.stake(&account).await? {
        Some(stake) => {
            anyhow::ensure!(
                stake.roles == roles,
                "already registered as {}. To change the role, unstake everything, then withdraw it",
                match (stake.roles.contributor, stake.roles.attester) {
                    (true, true) => "a contributor and an attester",
                    (true, false) => "a contributor",
                    _ => "an attester",
                }
            );
            Call::add_stake(args.stake.0)
        }
        None => Call::register(roles, args.stake.0),
    };
    let means = Means::of(&account, &now).await?.taking(roles);
    args.force.check(&means, args.stake.0)?;
    act(&call, globals).await
}

pub async fn unstake(args: Unstake, globals: &Globals) -> anyhow::Result<()> {
    act(&Call::unstake(args.amount.0), globals).await
}

pub async fn withdraw(_: Withdraw, globals: &Globals) -> anyhow::Result<()> {
    act(&Call::withdraw(), globals).await
}

/// Sends the call, and prints the stake after it, and what is offered to attest.
async fn act(call: &Call, globals: &Globals) -> anyhow::Result<()> {
    let signer = globals.signer()?;
    let client = globals.client().await?;
    let receipt = submit(&client, &signer, call, globals).await?;
    let account = signer.public_key().0;
    let now = client.best().await?;
    let (stake, offer) = (now.stake(&account).await?, now.offer(&account).await?);
    let attests = stake.as_ref().is_some_and(|stake| stake.roles.attester);
    let json = json!({
        "account": address(&account),
        "block": receipt.block,
        "stake": stake.as_ref().map(|stake| stake.stake.to_string()),
        "contributor": stake.as_ref().map(|stake| stake.roles.contributor),
        "attester": stake.as_ref().map(|stake| stake.roles.attester),
        "unbonding": stake.as_ref().and_then(|stake| stake.unbonding)
            .map(|(amount, until)| json!({ "amount": amount.to_string(), "until": until })),
        "offer": offer::json(offer.as_ref()),
    });
    globals.output.print(json, || match &stake {
        None => format!("{}: not registered any more", address(&account)),
        Some(stake) => {
            let leaving = stake.unbonding.map_or(String::new(), |(amount, until)| {
                format!(
                    ", {} {SYMBOL} can be withdrawn from block {until}",
                    Amount(amount)
                )
            });
            let offered = match attests || offer.is_some() {
                true => format!("\nOffer: {}", offer::describe(offer.as_ref())),
                false => String::new(),
            };
            format!(
                "{}: {} {SYMBOL} at stake{leaving}{offered}",
                address(&account),
                Amount(stake.stake)
            )
        }
    });
    Ok(())
}
