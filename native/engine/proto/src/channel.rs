//! What the long-lived conversations (monitor, agent) have in common.

use crate::reason::Reason;
use serde_json::value::RawValue;

/// Untrusted JSON text, checked for syntax, size and depth (at most 128) but kept unparsed.
pub type Json = Box<RawValue>;

/// What a session received.
#[derive(Debug)]
pub enum ChannelMessage {
    /// The peer is ready for requests: QMP capabilities are negotiated, or the agent answered the sync.
    /// An agent session says so again after each resynchronisation.
    Ready,
    /// The answer to the request `id`.
    Return { id: u64, value: Json },
    /// The peer refused the request `id`. `None`: an error that answers no request.
    Error {
        id: Option<u64>,
        class: Box<str>,
        description: Box<str>,
    },
    /// An asynchronous event. `timestamp_us`: microseconds since 1970 by the peer's clock.
    Event {
        name: Box<str>,
        data: Option<Json>,
        timestamp_us: Option<i64>,
    },
}

/// The connection is of no more use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFault {
    pub reason: Reason,
    /// One bounded, escaped line for people.
    pub message: Box<str>,
}

/// Why a request could not be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Not ready yet, or (agent) a request is outstanding: keep it queued.
    Busy,
    /// The name or the arguments are not valid, or the request is larger than 1 MiB.
    Invalid,
}

/// One connection of a monitor or agent. The caller owns the socket, the queue and the deadlines.
pub trait ChannelSession {
    /// Appends what is to be sent now. Called after the connect and after every other call.
    fn pull(&mut self, out: &mut Vec<u8>);

    /// Adds a request. `arguments` must be a JSON object.
    fn send(&mut self, id: u64, command: &str, arguments: Option<&str>) -> Result<(), SendError>;

    /// The peer sent `bytes`. Messages before a fault are valid.
    fn on_bytes(
        &mut self,
        bytes: &[u8],
        messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), ChannelFault>;

    /// The deadline of the request `id` passed: its late answer, if any, will be dropped.
    fn forget(&mut self, id: u64);

    /// True when `send` would take a request.
    fn is_ready(&self) -> bool;

    /// What a deadline means now: before the greeting `channel-busy` (monitor), before the sync
    /// `agent-not-connected`, else `response-timeout`.
    fn timeout_reason(&self) -> Reason;
}
