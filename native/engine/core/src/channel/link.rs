//! One connection of a channel.

use super::event_source::{self, EventSource};
use super::{ChannelOptions, Protocol, Reply};
use crate::errno;
use crate::poller::{ERROR, HANG_UP, Poller, READ, WRITE};
use crate::socket;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use vmpulse_proto::{
    ChannelFault, ChannelMessage, ChannelSession, EventSession, HybridAgentSession, QgaSession,
    QmpSession, Reason, RestSession,
};

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
    /// A plain file, which epoll does not take: the channel looks at it by its timer.
    file: Option<EventSource>,
}

impl Link {
    /// `is_first`: of its channel. What a file of events held before that is history.
    pub fn open(options: &ChannelOptions, seed: u32, is_first: bool) -> io::Result<Self> {
        let (fd, file) = match options.protocol {
            Protocol::CloudHypervisorEvents => event_source::open(&options.path, is_first)?,
            _ => (socket::connect_unix(&options.path)?, None),
        };
        Ok(Self {
            fd,
            session: match options.protocol {
                Protocol::Qmp => Box::new(QmpSession::new()),
                Protocol::Qga => match options.vsock_port {
                    Some(port) => Box::new(HybridAgentSession::new(port, seed)),
                    None => Box::new(QgaSession::new(seed)),
                },
                Protocol::CloudHypervisor | Protocol::Firecracker => Box::new(RestSession::new()),
                Protocol::CloudHypervisorEvents => Box::new(EventSession::new()),
            },
            out: Vec::new(),
            written: 0,
            wants_write: false,
            busy: false,
            file,
        })
    }

    pub fn register(&self, poller: &Poller, token: u64) -> io::Result<()> {
        if self.is_polled() {
            return Ok(());
        }
        poller.add(self.fd.as_fd(), token, READ)
    }

    /// Looked at by a timer, because epoll cannot wait for it.
    pub fn is_polled(&self) -> bool {
        self.file.is_some()
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
                Ok(Some(0)) => return self.end_of_stream(messages),
                Ok(Some(count)) => {
                    let bytes = &buffer[..count];
                    if let Some(file) = &mut self.file {
                        file.position += count as u64;
                    }
                    self.session.on_bytes(bytes, messages).map_err(Down::of)?;
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(Down::lost(&error)),
            }
        }
        Ok(())
    }

    fn end_of_stream(&mut self, messages: &mut Vec<ChannelMessage>) -> Result<(), Down> {
        match &self.file {
            // Nothing was added to it since the last look.
            Some(file) if file.is_current() => Ok(()),
            Some(_) => Err(Down::closed()),
            None => {
                self.session.on_eof(messages).map_err(Down::of)?;
                Err(Down::closed())
            }
        }
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

    pub fn silent_agent() -> Self {
        Self {
            reason: Reason::AgentNotConnected,
            detail: "the guest agent does not answer".into(),
        }
    }

    fn of(fault: ChannelFault) -> Self {
        Self {
            reason: fault.reason,
            detail: fault.message,
        }
    }

    pub fn connecting(error: &io::Error, protocol: Protocol) -> Self {
        // EAGAIN: the backlog of a socket that serves one client is full.
        let reason = match error.raw_os_error() {
            Some(libc::EAGAIN) if !protocol.is_rest() => Reason::ChannelBusy,
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
