//! One conversation over one byte stream, driven by the caller.

use crate::http::HttpHop;
use crate::reason::{Outcome, Reason};

/// A client conversation over one byte stream.
///
/// The caller connects, then loops: [`pull`](Exchange::pull) and send; read and [`on_bytes`](Exchange::on_bytes), until
/// `Done` or `Redirect`, after which the conversation must not be fed again. How a stream is cut into calls of
/// `on_bytes` never changes the outcome.
///
/// A send that fails (`ECONNRESET`, `EPIPE`) is no verdict yet: an answer may be waiting to be read. If reading ends
/// undecided after it, even in order, that is `on_abort(connection-reset)`: the failed send took the error with it.
pub trait Exchange {
    /// Appends what is to be sent now. Called once after the connect and after each `on_bytes` that said `More`.
    fn pull(&mut self, out: &mut Vec<u8>);

    /// The peer sent `bytes` (never empty).
    fn on_bytes(&mut self, bytes: &[u8]) -> Progress;

    /// The peer closed its side in order.
    fn on_eof(&mut self) -> Progress;

    /// The stream is encrypted from here on: the TLS handshake was completed, and the certificate does.
    fn on_secure(&mut self) -> Progress {
        Progress::More
    }

    /// The conversation ends for a cause outside it, for example `connection-reset`.
    fn on_abort(&mut self, reason: Reason) -> ExchangeResult;

    /// The conversation fails for a reason that a layer below found; `message` is bounded and escaped.
    fn fail(&mut self, reason: Reason, message: String) -> ExchangeResult;

    /// Adds a line to the transcript, if one is kept.
    fn note(&mut self, text: &str);

    /// What a deadline means now: `tls-timeout` during the handshake, else usually `response-timeout`.
    fn timeout_reason(&self) -> Reason;

    /// The deadline passed.
    fn on_timeout(&mut self) -> ExchangeResult {
        self.on_abort(self.timeout_reason())
    }
}

/// What to do after a step.
#[derive(Debug)]
pub enum Progress {
    /// Go on: pull, send, read.
    More,
    /// Decided; close the connection, or keep it if the result says `reusable`.
    Done(Box<ExchangeResult>),
    /// Close, connect to the same address at the hop's port (or the same Unix socket), and open the hop there.
    Redirect(Box<HttpHop>),
}

/// Something worth telling that does not change the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Warning {
    /// A redirect to another host was judged as the answer.
    RedirectNotFollowed,
    /// A redirect status without `Location` was judged as the answer.
    RedirectWithoutLocation,
}

impl Warning {
    /// The stable code, for example `redirect-not-followed`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RedirectNotFollowed => "redirect-not-followed",
            Self::RedirectWithoutLocation => "redirect-without-location",
        }
    }
}

/// What was measured on the way, as far as it got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Status of the last final response.
    pub status: Option<u16>,
    /// Body bytes received of it, chunk framing not counted; at most the limit that was read to.
    pub body_bytes: u64,
    /// Redirects followed before it.
    pub redirects: u8,
    /// For example `TLSv1.3`.
    pub tls_version: Option<&'static str>,
    /// End of the leaf certificate's validity, seconds since 1970.
    pub certificate_not_after: Option<i64>,
    /// Of raw probes: packets sent and answered, and the mean time that an answer took.
    pub packets: Option<(u8, u8)>,
    pub round_trip_us: Option<u32>,
    /// Who has the address, by ARP or NDP.
    pub mac: Option<[u8; 6]>,
}

/// The verdict of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeResult {
    pub outcome: Outcome,
    pub details: Details,
    pub warnings: Vec<Warning>,
    /// One bounded, escaped line for people, when not ok.
    pub message: Option<Box<str>>,
    /// Bounded, escaped protocol transcript, only when asked for.
    pub transcript: Option<Box<str>>,
    /// The response ended cleanly and the peer keeps the connection open: a next exchange may run on it.
    pub reusable: bool,
}

impl ExchangeResult {
    /// A result without anything measured, for what ends before a conversation began; `message` is bounded and escaped.
    pub fn bare(outcome: Outcome, message: Option<String>) -> Self {
        Self {
            outcome,
            details: Details::default(),
            warnings: Vec::new(),
            message: message.map(Into::into),
            transcript: None,
            reusable: false,
        }
    }
}
