//! What deltas left out, on disk.

use crate::state::{Folder, StateError};
use codec::{Decode, Encode};
use gotong_protocol::RoundId;

/// The part of a round's change that its delta leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Residual {
    pub round: RoundId,
    pub left_out: Vec<i32>,
}

/// What deltas left out, on disk. This is error feedback: it is sent with the next delta, even if a round merged nothing. The
/// leftovers then add up to a larger delta, which gets a model above the noise.
pub(super) struct Residuals(Folder);

/// What the newest delta left out, and the one before it.
const FILES: [&str; 2] = ["residual", "residual-before"];

impl Residuals {
    pub fn new(folder: Folder) -> Self {
        Self(folder)
    }

    /// What the delta of the round `of` left out, if it is known.
    pub fn load(&self, of: Option<RoundId>) -> Result<Option<Vec<i32>>, StateError> {
        for name in FILES {
            match self.0.load::<Residual>(name)? {
                Some(found) if Some(found.round) == of => return Ok(Some(found.left_out)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Stores what the newest delta leaves out and, because that delta may never be revealed, what the last `revealed` one left
    /// out.
    pub fn save(&self, revealed: Option<RoundId>, residual: &Residual) -> Result<(), StateError> {
        let [newest, before] = FILES;
        if let (Some(round), Some(left_out)) = (revealed, self.load(revealed)?) {
            self.0.save(before, &Residual { round, left_out })?;
        }
        self.0.save(newest, residual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_residual_of_the_last_revealed_delta_survives_unrevealed_ones() {
        let temporary = tempfile::tempdir().unwrap();
        let residuals = Residuals::new(Folder::open(temporary.path()).unwrap());
        let revealed = Some(RoundId(3));
        let of = |round: u32, value: i32| Residual {
            round: RoundId(round),
            left_out: vec![value],
        };
        residuals.save(None, &of(3, 3)).unwrap();
        assert_eq!(residuals.load(revealed).unwrap(), Some(vec![3]));
        for unrevealed in 4..7 {
            residuals.save(revealed, &of(unrevealed, 0)).unwrap();
            assert_eq!(residuals.load(revealed).unwrap(), Some(vec![3]));
        }
        residuals.save(Some(RoundId(6)), &of(7, 7)).unwrap();
        assert_eq!(residuals.load(Some(RoundId(6))).unwrap(), Some(vec![0]));
        assert_eq!(residuals.load(revealed).unwrap(), None);
        assert_eq!(residuals.load(None).unwrap(), None);
    }
}
