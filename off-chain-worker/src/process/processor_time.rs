//! How much processor time a child has used. It is measured only on Linux.

/// The processor seconds that the process has used, all threads together, or `None` if it is gone.
#[cfg(target_os = "linux")]
pub fn seconds_of(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    linux::seconds(&stat.ok()?)
}

/// Not measured on this system.
#[cfg(not(target_os = "linux"))]
pub fn seconds_of(_process: u32) -> Option<f64> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    /// User and system time from a `/proc/PID/stat`: fields 14 and 15, in hundredths of a second. Field 2, the program's name in
    /// brackets, may contain spaces.
    pub fn seconds(stat: &str) -> Option<f64> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_whitespace().skip(11);
        let mut hundredths = || fields.next()?.parse::<u64>().ok();
        Some((hundredths()? + hundredths()?) as f64 / 100.0)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn processor_time_is_read_whatever_a_program_is_called() {
            let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 9 0 0 0 1234 66 0 0 20 0 9";
            assert_eq!(seconds(stat), Some(13.0));
            assert_eq!(seconds("42 (a) S 1"), None);
            assert_eq!(seconds(""), None);
        }
    }
}
