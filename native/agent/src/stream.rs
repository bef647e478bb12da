//! A conversation with one peer: bytes in, answers out, each write within a time.

use crate::agent::{Agent, Peer};
use crate::frame::Framer;
use crate::sys;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

/// A peer that takes no answer for this long gets none.
const WRITE: Duration = Duration::from_secs(10);
/// How long a port without a host waits before it is asked again.
const AWAY: Duration = Duration::from_millis(250);

/// What the end of the peer's bytes means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The conversation is over.
    Closes,
    /// Nobody is at the other end of a port now; somebody may come.
    MayComeBack,
}

/// Talks until the peer has gone (`End::Closes`), or is silent for `idle`. The file must not block.
pub fn serve(
    file: &mut File,
    agent: &Agent,
    peer: Peer,
    end: End,
    idle: Duration,
) -> io::Result<()> {
    let mut framer = Framer::default();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let ready = sys::poll(&[(file.as_fd(), false)], idle)?;
        let ready = ready.first().copied().unwrap_or_default();
        if end == End::Closes && !ready.readable && !ready.hung_up {
            return Ok(());
        }
        let count = match file.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // A port whose host is away is "hung up" all the time.
                if ready.hung_up {
                    thread::sleep(AWAY);
                }
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if count == 0 {
            if end == End::Closes {
                return Ok(());
            }
            framer = Framer::default();
            thread::sleep(AWAY);
            continue;
        }
        let answer = agent.hear(&mut framer, &buffer[..count], peer);
        match write_all(file, &answer) {
            Err(error) if end == End::MayComeBack => {
                eprintln!("vmpulse-agent: an answer to {peer} was not taken: {error}");
            }
            written => written?,
        }
    }
}

fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let deadline = Instant::now() + WRITE;
    let mut rest = bytes;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let ready = sys::poll(&[(file.as_fd(), true)], left)?;
                // Without its host a port is never writable, and poll returns at once.
                if ready
                    .first()
                    .is_some_and(|ready| ready.hung_up && !ready.writable)
                {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn talks_until_the_peer_has_gone() {
        let (mut host, guest) = UnixStream::pair().unwrap();
        guest.set_nonblocking(true).unwrap();
        let mut file = File::from(OwnedFd::from(guest));
        let server = thread::spawn(move || {
            let agent = Agent::new(Config::default());
            serve(
                &mut file,
                &agent,
                Peer::VirtioPort,
                End::Closes,
                Duration::from_secs(30),
            )
        });
        for _ in 0..3 {
            host.write_all(b"{\"execute\":\"guest-").unwrap();
            host.write_all(b"ping\"}\n").unwrap();
            let mut answer = [0; 14];
            host.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"{\"return\":{}}\n");
        }
        drop(host);
        server.join().unwrap().unwrap();
    }

    #[test]
    fn a_silent_peer_is_not_kept() {
        let (_host, guest) = UnixStream::pair().unwrap();
        guest.set_nonblocking(true).unwrap();
        let mut file = File::from(OwnedFd::from(guest));
        let agent = Agent::new(Config::default());
        let idle = Duration::from_millis(50);
        serve(&mut file, &agent, Peer::Vsock { cid: 2 }, End::Closes, idle).unwrap();
    }
}
