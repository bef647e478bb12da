//! One conversation on its connection: moves bytes between the socket and the protocol.

use crate::endpoint::Endpoint;
use crate::errno;
use crate::poller::{ERROR, HANG_UP, PEER_CLOSED, READ, WRITE};
use crate::socket;
use crate::stream_pool::Stream;
use crate::talk::{Conversation, Talk};
use std::os::fd::{AsFd, BorrowedFd};
use vmpulse_proto::{
    Door, ExchangeResult, HttpConversation, HttpHop, HybridDoor, OpenOptions, Outcome, Progress,
    Reason,
};

/// Reads of one turn, so that a flood of one peer does not hold up the others.
const READS_A_TURN: usize = 8;

enum Stage {
    /// With the request to be made, where it is HTTP.
    Connecting(Option<HttpHop>),
    /// The hypervisor is asked for the guest's port.
    Knocking(HybridDoor, Option<HttpHop>),
    Talking(Conversation),
    /// Decided; nothing more is fed.
    Over,
}

/// Owns the connection of its current hop.
pub struct StreamRun {
    stream: Stream,
    pub endpoint: Endpoint,
    pub talk: Talk,
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
    pub stream: Stream,
    pub conversation: HttpConversation,
}

impl StreamRun {
    pub fn new(
        stream: Stream,
        endpoint: Endpoint,
        talk: Talk,
        hop: Option<HttpHop>,
        debug: bool,
    ) -> Self {
        Self {
            stream,
            endpoint,
            talk,
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
        stream: Stream,
        endpoint: Endpoint,
        talk: Talk,
        conversation: HttpConversation,
    ) -> Self {
        Self {
            stage: Stage::Talking(Conversation::Http(conversation)),
            reused: true,
            ..Self::new(stream, endpoint, talk, None, false)
        }
    }

    /// The next hop on a new connection; the old one closes.
    pub fn follow(&mut self, stream: Stream, hop: HttpHop) {
        self.stream = stream;
        self.stage = Stage::Connecting(Some(hop));
        self.out = Vec::new();
        self.written = 0;
        self.reused = false;
        self.received = false;
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// The connection for the next probe, after a result that said `reusable`.
    pub fn keep(self) -> Option<Kept> {
        match self.stage {
            Stage::Talking(Conversation::Http(conversation)) => Some(Kept {
                stream: self.stream,
                conversation,
            }),
            _ => None,
        }
    }

    /// The socket is ready as `flags` say.
    pub fn step(&mut self, flags: u32, buffer: &mut [u8], now_unix_s: u64) -> Step {
        if let Stage::Connecting(_) = self.stage {
            if flags & (ERROR | HANG_UP) != 0 {
                let errno = socket::pending_errno(self.stream.as_fd());
                if errno != 0 {
                    return Step::Failed(errno::of_connect(&self.endpoint, errno));
                }
            }
            if flags & WRITE == 0 {
                return Step::Wait;
            }
            if let Some(decided) = self.connected(now_unix_s) {
                return decided;
            }
        }
        if let Stage::Knocking(..) = self.stage {
            return self.knock(flags, buffer, now_unix_s);
        }
        self.talk(flags, buffer)
    }

    /// The deadline passed.
    pub fn on_timeout(&mut self) -> Result<Box<ExchangeResult>, Reason> {
        match &mut self.stage {
            Stage::Talking(conversation) => Ok(Box::new(conversation.exchange().on_timeout())),
            Stage::Knocking(..) => {
                let text = "the hypervisor did not answer CONNECT".to_owned();
                let outcome = Outcome::of(Reason::ConnectTimeout);
                Ok(Box::new(ExchangeResult::bare(outcome, Some(text))))
            }
            _ => Err(Reason::ConnectTimeout),
        }
    }

    /// The socket is connected; `Some`: decided.
    fn connected(&mut self, now_unix_s: u64) -> Option<Step> {
        let Stage::Connecting(hop) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return None;
        };
        let Endpoint::Hybrid { port, .. } = &self.endpoint else {
            return self.begin(hop, now_unix_s);
        };
        let line = HybridDoor::knock(*port);
        self.stage = Stage::Knocking(HybridDoor::new(), hop);
        match socket::write(self.stream.as_fd(), &line) {
            Ok(count) if count == line.len() => None,
            // A fresh socket has room for a line.
            Ok(_) => Some(Step::Failed(Reason::ProberResources)),
            Err(_) => Some(self.shut()),
        }
    }

    /// The door stayed shut because the stream ended.
    fn shut(&self) -> Step {
        match &self.stage {
            Stage::Knocking(door, _) => refused(door.on_end()),
            _ => Step::Failed(Reason::ConnectionRefused),
        }
    }

    fn knock(&mut self, flags: u32, buffer: &mut [u8], now_unix_s: u64) -> Step {
        if flags & (READ | PEER_CLOSED | ERROR | HANG_UP) == 0 {
            return Step::Wait;
        }
        let count = match socket::read(self.stream.as_fd(), buffer) {
            Ok(None) => return Step::Wait,
            Ok(Some(0)) | Err(_) => return self.shut(),
            Ok(Some(count)) => count,
        };
        let Stage::Knocking(door, hop) = &mut self.stage else {
            return Step::Wait;
        };
        let used = match door.on_bytes(&buffer[..count]) {
            Door::Closed => return Step::Again,
            Door::Open { used } => used,
            refusal @ Door::Refused(..) => return refused(refusal),
        };
        let hop = hop.take();
        if let Some(decided) = self.begin(hop, now_unix_s) {
            return decided;
        }
        // The guest may have spoken right behind the answer.
        let progress = match &mut self.stage {
            Stage::Talking(conversation) if used < count => {
                self.received = true;
                conversation.exchange().on_bytes(&buffer[used..count])
            }
            _ => Progress::More,
        };
        match progress {
            Progress::Done(result) => Step::Done(result),
            Progress::Redirect(hop) => Step::Redirect(hop),
            Progress::More => match self.talk(READ | WRITE, buffer) {
                Step::Wait => Step::Again,
                step => step,
            },
        }
    }

    /// The stream stands: opens the conversation. `Some`: there is nothing to say, or it cannot begin.
    fn begin(&mut self, hop: Option<HttpHop>, now_unix_s: u64) -> Option<Step> {
        let options = OpenOptions {
            now_unix_s,
            debug: self.debug,
        };
        match self.talk.open(&self.endpoint, hop, options) {
            Ok(mut conversation) => {
                if let Endpoint::Hybrid { port, .. } = &self.endpoint {
                    let text = format!("connected to port {port} of the guest by its hypervisor");
                    conversation.exchange().note(&text);
                }
                self.stage = Stage::Talking(conversation);
                None
            }
            Err(result) => Some(Step::Done(result)),
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
        let exchange = conversation.exchange();
        for _ in 0..READS_A_TURN {
            let progress = match socket::read(self.stream.as_fd(), buffer) {
                Ok(None) => return Step::Wait,
                Ok(Some(0)) if self.reused && !self.received => return Step::Stale,
                Ok(Some(0)) => match exchange.on_eof() {
                    Progress::More => {
                        Progress::Done(Box::new(exchange.on_abort(Reason::ConnectionClosed)))
                    }
                    progress => progress,
                },
                Ok(Some(count)) => {
                    self.received = true;
                    exchange.on_bytes(&buffer[..count])
                }
                Err(error) => return self.abort(&error),
            };
            match progress {
                Progress::Done(result) => return Step::Done(result),
                Progress::Redirect(hop) => return Step::Redirect(hop),
                Progress::More => {}
            }
            exchange.pull(&mut self.out);
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
            Stage::Talking(conversation) => {
                Step::Done(Box::new(conversation.exchange().on_abort(reason)))
            }
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
                    conversation.exchange().pull(&mut self.out);
                }
                if self.out.is_empty() {
                    return Ok(());
                }
            }
            match socket::write(self.stream.as_fd(), &self.out[self.written..])? {
                0 => return Ok(()),
                count => self.written += count,
            }
        }
    }
}

fn refused(door: Door) -> Step {
    match door {
        Door::Refused(reason, text) => Step::Done(Box::new(ExchangeResult::bare(
            Outcome::of(reason),
            Some(text),
        ))),
        _ => Step::Wait,
    }
}
