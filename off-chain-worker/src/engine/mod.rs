//! Decides what to do next, without I/O: pure state machines that are told what the chain says and
//! answer with commands.
//!
//! A machine's commands follow from its saved state and the snapshot alone. So the same event gives
//! the same commands when it comes a second time, and a machine that was saved and loaded continues
//! as if nothing had happened. The machine has to be saved before a command is executed.

mod attester;
mod contributor;
mod disputer;
mod sponsor;

pub use attester::{
    Attester, AttesterCommand, AttesterSnapshot, AttesterVersion5, Evaluated, Seat,
};
pub use contributor::{
    Contributor, ContributorCommand, ContributorSnapshot, ContributorVersion5, PreparedDelta,
    Submission,
};
pub use disputer::{Disputer, DisputerCommand, DisputerSnapshot, OpenDispute};
pub use sponsor::{Sponsor, SponsorCommand, SponsorSnapshot};
