//! Newtypes for what is counted, so that a round is never taken for a task.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug,
        )]
        pub struct $name(pub u32);

        impl $name {
            /// The one after this; `None` when ids have run out.
            pub fn next(self) -> Option<Self> {
                self.0.checked_add(1).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A task, counted from 0 over the whole chain. SCALE: 4 bytes, little endian.
    TaskId
);
id!(
    /// A round, counted from 0 within its task. SCALE: 4 bytes, little endian.
    RoundId
);
id!(
    /// A dispute, counted from 0 over the whole chain. SCALE: 4 bytes, little endian.
    DisputeId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_and_end() {
        assert_eq!(TaskId(7).next(), Some(TaskId(8)));
        assert_eq!(RoundId(u32::MAX).next(), None);
    }

    #[test]
    fn golden_bytes() {
        let first_arguments = (TaskId(1), RoundId(0x0203)).encode();
        assert_eq!(first_arguments, [1, 0, 0, 0, 3, 2, 0, 0]);
        assert_eq!(RoundId(9).to_string(), "9");
    }
}
