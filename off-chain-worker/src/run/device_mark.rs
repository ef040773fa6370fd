//! The mark of a device that was found wrong. It is kept on disk, so that no restart forgets it. While it is there, the processor
//! evaluates in the device's place, and nothing that the device computed before counts. Only the user removes it: a program cannot
//! know whether whatever flipped a word once will do so again, and the device had passed the self-test before.

use crate::state::{Folder, StateError};
use gotong_evaluation::{DistrustRecord, Mismatch};
use std::{error::Error, path::PathBuf};

/// Where a device is marked if it is found wrong.
#[derive(Clone, Debug)]
pub struct DeviceMark {
    folder: Folder,
    name: String,
}

impl DeviceMark {
    /// The mark of the device that is chosen by the name `device`, in the folder of state.
    ///
    /// # Errors
    /// Fails if the folder of marks cannot be made.
    pub fn of(device: &str, folder: &Folder) -> Result<Self, StateError> {
        Ok(Self {
            folder: folder.sub("distrusted-devices")?,
            name: device.to_owned(),
        })
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// How the device was found wrong, if it was. A file that cannot be read counts as a mark.
    pub fn found(&self) -> Option<String> {
        let found: Result<Option<String>, _> = self.folder.load(&self.name);
        found.unwrap_or_else(|error| Some(error.to_string()))
    }
}

impl DistrustRecord for DeviceMark {
    fn found_wrong(&self, why: Mismatch) -> Result<(), Box<dyn Error>> {
        Ok(self.folder.save(&self.name, &why.to_string())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_after_a_restart_whatever_is_in_it_and_is_of_one_device() {
        let temporary = tempfile::tempdir().unwrap();
        let mark = |device| {
            let folder = Folder::open(temporary.path()).unwrap();
            DeviceMark::of(device, &folder).unwrap()
        };
        assert_eq!(mark("wgpu").found(), None);
        mark("wgpu").found_wrong(Mismatch::Order).unwrap();
        assert_eq!(mark("wgpu").found(), Some(Mismatch::Order.to_string()));
        assert_eq!(mark("cuda").found(), None);
        for bytes in [&[][..], &[7, 0]] {
            std::fs::write(mark("wgpu").path(), bytes).unwrap();
            assert!(mark("wgpu").found().is_some(), "damaged");
        }
        std::fs::remove_file(mark("wgpu").path()).unwrap();
        assert_eq!(mark("wgpu").found(), None);
    }
}
