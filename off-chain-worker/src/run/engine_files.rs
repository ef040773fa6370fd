//! Files of engines whose encoding has changed, read whichever version of the program wrote them.

use crate::{
    engine::{Attester, AttesterVersion5, Contributor, ContributorVersion5},
    state::{Folder, StateError},
};

/// The attester that was saved as `name`, if any.
pub(super) fn load_attester(folder: &Folder, name: &str) -> Result<Option<Attester>, StateError> {
    folder.load_or_convert::<AttesterVersion5, _>(5, name)
}

/// The contributor that was saved as `name`, if any.
pub(super) fn load_contributor(
    folder: &Folder,
    name: &str,
) -> Result<Option<Contributor>, StateError> {
    folder.load_or_convert::<ContributorVersion5, _>(5, name)
}

#[cfg(test)]
mod tests;
