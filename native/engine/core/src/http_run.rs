//! One HTTP probe on its connection: moves bytes between the socket and the conversation.

use crate::check::HttpShared;
use crate::endpoint::Endpoint;
use crate::errno;
use crate::poller::{ERROR, HANG_UP, PEER_CLOSED, READ, WRITE};
use crate::socket::{self, ConnectOptions};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use vmpulse_proto::{
    Exchange, ExchangeResult, HttpConversation, HttpHop, OpenOptions, Progress, Reason,
};

/// Reads of one turn, so that a flood of one peer does not hold up the others.
const READS_A_TURN: usize = 8;

enum Stage {
    Connecting(HttpHop),
    Talking(HttpConversation),
    /// Decided; nothing more is fed.
    Over,
}

/// Owns the connection of its current hop.
pub struct HttpRun {
    fd: OwnedFd,
    pub endpoint: Endpoint,
    pub shared: Arc<HttpShared>,
    pub debug: bool,
    stage: Stage,
    out: Vec<u8>,
    written: usize,
    /// The connection served an earlier probe.
    reused: bool,
    received: bool,
}

/// What a step leads to.
pub enum Step {
    /// Until the socket is ready again.
    Wait,
    /// More can be read at once; others first.
    Again,
    Done(Box<ExchangeResult>),
    /// Before anything was said.
    Failed(Reason),
    Redirect(Box<HttpHop>),
    /// A kept connection had died in the meantime: a fresh one decides.
    Stale,
}

/// A connection that is kept for the next probe.
pub struct Kept {
    pub fd: OwnedFd,
    pub conversation: HttpConversation,
}

impl HttpRun {
    pub fn new(
        fd: OwnedFd,
        endpoint: Endpoint,
        shared: Arc<HttpShared>,
        hop: HttpHop,
        debug: bool,
    ) -> Self {
        Self {
            fd,
            endpoint,
            shared,
            debug,
            stage: Stage::Connecting(hop),
            out: Vec::new(),
            written: 0,
            reused: false,
            received: false,
        }
    }

    /// The next probe on a kept connection.
    pub fn reuse(
        mut kept: Kept,
        endpoint: Endpoint,
        shared: Arc<HttpShared>,
        hop: HttpHop,
        options: OpenOptions,
    ) -> Self {
        kept.conversation.reopen(&shared.plan, hop, options);
        Self {
            fd: kept.fd,
            endpoint,
            shared,
            debug: options.debug,
            stage: Stage::Talking(kept.conversation),
            out: Vec::new(),
            written: 0,
            reused: true,
            received: false,
        }
    }

    /// What a connection for this hop needs.
    pub fn connect_options(hop: &HttpHop) -> ConnectOptions {
        ConnectOptions {
            reset: true,
            no_delay: hop.is_tls(),
        }
    }

    /// The next hop on a new connection; the old one closes.
    pub fn follow(&mut self, fd: OwnedFd, hop: HttpHop) {
        self.fd = fd;
        self.stage = Stage::Connecting(hop);
        self.out = Vec::new();
        self.written = 0;
        self.reused = false;
        self.received = false;
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The connection for the next probe, after a result that said `reusable`.
    pub fn keep(self, conversation: HttpConversation) -> Kept {
        Kept {
            fd: self.fd,
            conversation,
        }
    }

    /// The conversation, if there is one, once decided.
    pub fn take_conversation(&mut self) -> Option<HttpConversation> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Talking(conversation) => Some(conversation),
            _ => None,
        }
    }

    /// The socket is ready as `flags` say.
    pub fn step(&mut self, flags: u32, buffer: &mut [u8], now_unix_s: u64) -> Step {
        if let Stage::Connecting(_) = self.stage {
            if flags & (ERROR | HANG_UP) != 0 {
                let errno = socket::pending_errno(self.fd.as_fd());
                if errno != 0 {
                    return Step::Failed(errno::of_connection(errno));
                }
            }
            if flags & WRITE == 0 {
                return Step::Wait;
            }
            if let Some(result) = self.begin(now_unix_s) {
                return Step::Done(result);
            }
        }
        self.talk(flags, buffer)
    }

    /// The deadline passed.
    pub fn on_timeout(&mut self) -> Result<Box<ExchangeResult>, Reason> {
        match &mut self.stage {
            Stage::Talking(conversation) => Ok(Box::new(conversation.on_timeout())),
            _ => Err(Reason::ConnectTimeout),
        }
    }

    /// Connected: opens the conversation. Gives a result if it cannot even begin.
    fn begin(&mut self, now_unix_s: u64) -> Option<Box<ExchangeResult>> {
        let Stage::Connecting(hop) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return None;
        };
        let options = OpenOptions {
            now_unix_s,
            debug: self.debug,
        };
        match HttpConversation::open(&self.shared.plan, hop, options) {
            Ok(conversation) => {
                self.stage = Stage::Talking(conversation);
                None
            }
            Err(result) => Some(result),
        }
    }

    fn talk(&mut self, flags: u32, buffer: &mut [u8]) -> Step {
        if let Err(error) = self.flush() {
            // A server may answer and close without reading all: its answer counts, so look for it first.
            if !matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)) {
                return self.abort(&error);
            }
        }
        if flags & (READ | PEER_CLOSED | ERROR | HANG_UP) == 0 {
            return Step::Wait;
        }
        let Stage::Talking(conversation) = &mut self.stage else {
            return Step::Wait;
        };
        for _ in 0..READS_A_TURN {
            let progress = match socket::read(self.fd.as_fd(), buffer) {
                Ok(None) => return Step::Wait,
                Ok(Some(0)) if self.reused && !self.received => return Step::Stale,
                Ok(Some(0)) => match conversation.on_eof() {
                    Progress::More => {
                        Progress::Done(Box::new(conversation.on_abort(Reason::ConnectionClosed)))
                    }
                    progress => progress,
                },
                Ok(Some(count)) => {
                    self.received = true;
                    conversation.on_bytes(&buffer[..count])
                }
                Err(error) => return self.abort(&error),
            };
            match progress {
                Progress::Done(result) => return Step::Done(result),
                Progress::Redirect(hop) => return Step::Redirect(hop),
                Progress::More => {}
            }
            conversation.pull(&mut self.out);
            if self.out.len() > self.written {
                return self
                    .flush()
                    .map_or_else(|error| self.abort(&error), |()| Step::Again);
            }
        }
        Step::Again
    }

    fn abort(&mut self, error: &std::io::Error) -> Step {
        if self.reused && !self.received {
            return Step::Stale;
        }
        let reason = errno::of_connection(error.raw_os_error().unwrap_or(0));
        match &mut self.stage {
            Stage::Talking(conversation) => Step::Done(Box::new(conversation.on_abort(reason))),
            _ => Step::Failed(reason),
        }
    }

    /// Writes what is to be said; what does not fit waits for the socket.
    fn flush(&mut self) -> std::io::Result<()> {
        loop {
            if self.written == self.out.len() {
                self.out.clear();
                self.written = 0;
                if let Stage::Talking(conversation) = &mut self.stage {
                    conversation.pull(&mut self.out);
                }
                if self.out.is_empty() {
                    return Ok(());
                }
            }
            match socket::write(self.fd.as_fd(), &self.out[self.written..])? {
                0 => return Ok(()),
                count => self.written += count,
            }
        }
    }
}
