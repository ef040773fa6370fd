//! What Linux says about memory, and about the programs that share it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Bytes that the system gives without taking them from another program, or `None` if it does not tell: of the machine, or of
/// the container or the service that this runs in, whichever is less.
pub fn available() -> Option<u64> {
    let of_machine = field(&read("/proc/meminfo"), "MemAvailable:").map(|kib| kib << 10);
    let own = read("/proc/self/cgroup");
    let of_groups = groups(&own).filter_map(|group| {
        let told = |name| read(group.join(name));
        in_group(
            &told("memory.max"),
            &told("memory.current"),
            &told("memory.stat"),
        )
    });
    of_machine.into_iter().chain(of_groups).min()
}

/// How many programs attest on this machine, or in the container that this program runs in.
pub fn attesting() -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_process = processes.filter(|entry| {
        let name = entry.file_name();
        name.to_str()
            .is_some_and(|name| name.parse::<u32>().is_ok())
    });
    let attest = of_process.filter(|entry| attests(&read(entry.path().join("cmdline"))));
    attest.count() as u64
}

/// Whether this is the command line of a program that attests. Each word of a command line ends with a zero byte.
fn attests(command: &str) -> bool {
    let mut words = command.split('\0');
    let program = words.next().and_then(|path| path.rsplit('/').next());
    program == Some("gotong") && words.any(|word| word == "attest")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The folders of the control groups that the process is in, as `/proc/self/cgroup` names them: its own, such as a service of
/// systemd, and those around it. A container has one of its own, or sees itself at the root.
fn groups(own: &str) -> impl Iterator<Item = PathBuf> + '_ {
    let path = own.lines().find_map(|line| line.strip_prefix("0::"));
    let around = Path::new(path.unwrap_or("/")).ancestors();
    around.map(|group| Path::new("/sys/fs/cgroup").join(group.strip_prefix("/").unwrap_or(group)))
}

/// What a control group may still take. Pages of files that nobody uses are given back when memory is short.
fn in_group(most: &str, taken: &str, statistics: &str) -> Option<u64> {
    let (most, taken): (u64, u64) = (most.trim().parse().ok()?, taken.trim().parse().ok()?);
    let unused = field(statistics, "inactive_file").unwrap_or(0);
    Some(most.saturating_sub(taken.saturating_sub(unused)))
}

/// The number after `name` at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let is_it = words.next() == Some(name);
        is_it.then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_read() {
        let text = "MemTotal:       16 kB\nMemAvailable:    7 kB\n";
        assert_eq!(field(text, "MemAvailable:"), Some(7));
        assert_eq!(field(text, "MemFree:"), None);
        assert_eq!(field("MemAvailable: many", "MemAvailable:"), None);
        let group = |most| in_group(most, "70\n", "anon 9\ninactive_file 30\n");
        assert_eq!(group("100\n"), Some(60));
        assert_eq!(group("30\n"), Some(0));
        assert_eq!(group("max\n"), None, "it has no bound of its own");
    }

    #[test]
    fn the_bound_of_a_service_counts_and_that_of_a_container() {
        let folders = |own: &str| -> Vec<String> {
            let all = groups(own).map(|group| group.display().to_string());
            all.map(|group| group.trim_end_matches('/').to_owned())
                .collect()
        };
        let service = "1:name=systemd:/\n0::/system.slice/gotong@judith.service\n";
        assert_eq!(
            folders(service),
            [
                "/sys/fs/cgroup/system.slice/gotong@judith.service",
                "/sys/fs/cgroup/system.slice",
                "/sys/fs/cgroup",
            ]
        );
        for container in ["0::/\n", ""] {
            assert_eq!(folders(container), ["/sys/fs/cgroup"]);
        }
    }

    #[test]
    fn a_program_that_attests_is_told_by_its_command_line() {
        for command in [
            "gotong\0attest\0",
            "/usr/bin/gotong\0--node=ws://one\0attest\0--speed=1\0",
        ] {
            assert!(attests(command), "{command}");
        }
        for command in [
            "",
            "gotong\0watch\0",
            "gotong-node\0attest\0",
            "/bin/bash\0-c\0gotong attest\0",
        ] {
            assert!(!attests(command), "{command}");
        }
    }
}
