//! What to do next, decided without I/O: pure state machines that are told what the chain says
//! and answer with commands.
//!
//! A machine's commands follow from its saved state and the snapshot alone. So the same event
//! twice gives the same commands twice, and a machine that was saved and loaded goes on as if
//! nothing had happened. Whoever executes a command saves the machine first.

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
