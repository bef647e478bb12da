//! Which Unix sockets have clients that nobody accepted yet.

use rustc_hash::FxHashSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How long one reading of the table is used: it is as long as the host has sockets.
const FRESH_US: u64 = 1_000_000;

/// Paths with a connection in their backlog. An agent that is not there and a socket that another client holds are
/// both silent; this tells them apart.
#[derive(Default)]
pub struct Backlog {
    read_at_us: Option<u64>,
    paths: FxHashSet<Box<[u8]>>,
}

impl Backlog {
    pub fn holds(&mut self, path: &Path, now_us: u64) -> bool {
        if self.read_at_us.is_none_or(|at| now_us - at > FRESH_US) {
            // Unreadable: nothing is known, so nobody is said to be held up.
            self.paths = parse(&fs::read("/proc/net/unix").unwrap_or_default());
            self.read_at_us = Some(now_us);
        }
        self.paths.contains(path.as_os_str().as_bytes())
    }
}

/// Columns: number, references, protocol, flags, type, state, inode, path. A connection that nobody accepted has no
/// socket yet and shows as state 02, connecting, with the path of its listener.
fn parse(table: &[u8]) -> FxHashSet<Box<[u8]>> {
    table
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let mut columns = line
                .split(|&byte| byte == b' ')
                .filter(|column| !column.is_empty());
            let state = columns.nth(5)?;
            let path = columns.nth(1)?;
            (state == b"02").then(|| Box::from(path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_connection_that_nobody_accepted_is_seen() {
        let directory =
            std::env::temp_dir().join(format!("vmpulse-backlog-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("agent.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let first = UnixStream::connect(&path).unwrap();
        assert!(Backlog::default().holds(&path, 0));
        let accepted = listener.accept().unwrap();
        assert!(!Backlog::default().holds(&path, 0));
        drop((first, accepted, listener));
        fs::remove_dir_all(&directory).unwrap();
    }
}
