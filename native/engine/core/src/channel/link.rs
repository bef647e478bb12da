//! One connection of a channel.

use super::{Protocol, Reply};
use crate::errno;
use crate::poller::{ERROR, HANG_UP, Poller, READ, WRITE};
use crate::socket;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use vmpulse_proto::{ChannelMessage, ChannelSession, QgaSession, QmpSession, Reason};

/// Reads of one turn, so that a flood of one peer does not hold up the others.
const READS_A_TURN: usize = 4;

/// Why there is no connection.
pub struct Down {
    pub reason: Reason,
    pub detail: Box<str>,
}

/// Owns the socket; dropping the link closes it, which takes it out of epoll.
pub struct Link {
    fd: OwnedFd,
    pub session: Box<dyn ChannelSession + Send>,
    out: Vec<u8>,
    written: usize,
    wants_write: bool,
    /// Another client is served.
    pub busy: bool,
}

impl Link {
    pub fn new(fd: OwnedFd, protocol: Protocol, seed: u32) -> Self {
        Self {
            fd,
            session: match protocol {
                Protocol::Qmp => Box::new(QmpSession::new()),
                Protocol::Qga => Box::new(QgaSession::new(seed)),
            },
            out: Vec::new(),
            written: 0,
            wants_write: false,
            busy: false,
        }
    }

    pub fn register(&self, poller: &Poller, token: u64) -> io::Result<()> {
        poller.add(self.fd.as_fd(), token, READ)
    }

    /// Reads what came. Messages before the end of the connection are valid.
    pub fn receive(
        &mut self,
        flags: u32,
        buffer: &mut [u8],
        messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), Down> {
        if flags & (READ | HANG_UP | ERROR) == 0 {
            return Ok(());
        }
        for _ in 0..READS_A_TURN {
            match socket::read(self.fd.as_fd(), buffer) {
                Ok(None) => return Ok(()),
                Ok(Some(0)) => return Err(Down::closed()),
                Ok(Some(count)) => {
                    let bytes = &buffer[..count];
                    if let Err(fault) = self.session.on_bytes(bytes, messages) {
                        return Err(Down {
                            reason: fault.reason,
                            detail: fault.message,
                        });
                    }
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(Down::lost(&error)),
            }
        }
        Ok(())
    }

    /// Writes what the session wants to say; what does not fit waits for the socket.
    pub fn flush(&mut self, poller: &Poller, token: u64) -> Result<(), Down> {
        loop {
            if self.written == self.out.len() {
                self.out = Vec::new();
                self.written = 0;
                self.session.pull(&mut self.out);
                if self.out.is_empty() {
                    break;
                }
            }
            match socket::write(self.fd.as_fd(), &self.out[self.written..]) {
                Ok(0) => break,
                Ok(count) => self.written += count,
                Err(error) => return Err(Down::lost(&error)),
            }
        }
        let wants_write = !self.out.is_empty();
        if wants_write != self.wants_write {
            let flags = if wants_write { READ | WRITE } else { READ };
            poller
                .modify(self.fd.as_fd(), token, flags)
                .map_err(|error| Down::lost(&error))?;
            self.wants_write = wants_write;
        }
        Ok(())
    }
}

impl Down {
    pub fn reply(&self) -> Reply {
        Reply::Lost {
            reason: self.reason,
            detail: self.detail.clone(),
        }
    }

    pub fn busy() -> Self {
        Self {
            reason: Reason::ChannelBusy,
            detail: "the socket accepts but does not answer: another client holds it, or the VMM is stopped"
                .into(),
        }
    }

    pub fn connecting(error: &io::Error) -> Self {
        // EAGAIN: the backlog of a socket that serves one client is full.
        let reason = match error.raw_os_error() {
            Some(libc::EAGAIN) => Reason::ChannelBusy,
            _ => errno::of_unix_call(error),
        };
        Self {
            reason,
            detail: format!("connect: {error}").into(),
        }
    }

    fn closed() -> Self {
        Self {
            reason: Reason::ConnectionClosed,
            detail: "the peer closed the connection".into(),
        }
    }

    fn lost(error: &io::Error) -> Self {
        Self {
            reason: errno::of_connection(error.raw_os_error().unwrap_or(0)),
            detail: error.to_string().into(),
        }
    }
}
