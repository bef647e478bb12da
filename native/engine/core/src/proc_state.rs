//! Whether a VMM process runs.

use crate::check::Process;
use crate::poller::{READ, poll_once};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use vmpulse_proto::{Outcome, Reason};

/// A pidfd is readable once its process ended, zombie or not.
pub fn has_ended(process: &Process) -> bool {
    poll_once(process.pidfd.as_fd(), READ) != 0
}

/// Looks at the process. The pid is trusted only while the pidfd says, after the reading, that it still lives.
pub fn look(process: &Process) -> Outcome {
    if has_ended(process) {
        return Outcome::Failed(Reason::ProcessGone);
    }
    let mut text = [0u8; 512];
    let path = format!("/proc/{}/stat", process.pid);
    let count = File::open(path).and_then(|mut file| file.read(&mut text));
    if has_ended(process) {
        return Outcome::Failed(Reason::ProcessGone);
    }
    match count.ok().and_then(|count| state(&text[..count])) {
        Some(b'T' | b't') => Outcome::Failed(Reason::ProcessStopped),
        Some(b'Z' | b'X') => Outcome::Failed(Reason::ProcessGone),
        Some(_) => Outcome::Ok,
        // Alive by its pidfd, but /proc does not show it (hidepid) or no descriptor is left.
        None => Outcome::Inconclusive(Reason::ProberResources),
    }
}

/// When the process with this PID started, in ticks since the host's boot; `None`: there is none, or it is not shown.
pub fn start_time_ticks(pid: i32) -> Option<u64> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(text.get(end + 2..)?).ok()?;
    // Field 22; the first one behind the command is the third.
    fields.split(' ').nth(22 - 3)?.parse().ok()
}

/// The letter after the command, which is in parentheses and may hold any byte, parentheses too.
fn state(stat: &[u8]) -> Option<u8> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    stat.get(end + 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_found_behind_any_command_name() {
        assert_eq!(state(b"77 (qemu) S 1 2"), Some(b'S'));
        assert_eq!(state(b"77 (a) R (b) T 1 2"), Some(b'T'));
        assert_eq!(state(b"77 (cut"), None);
    }
}
