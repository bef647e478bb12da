//! What the long-lived conversations (monitor, agent, API) have in common.

use crate::json_frame::{fault, not_json};
use crate::reason::Reason;
use crate::text::escape;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Largest message that is accepted from a monitor or agent, bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// Largest request that is sent, bytes.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// Characters of a peer's error text that are kept.
const MAX_TEXT: usize = 1024;

/// Untrusted JSON text, checked for syntax, size and depth (at most 100) but kept unparsed.
pub type Json = Box<RawValue>;

/// What a session received.
#[derive(Debug)]
pub enum ChannelMessage {
    /// The peer is ready for requests: QMP capabilities are negotiated, the agent answered the sync, or the API gave its
    /// first answer. An agent session says so again after each resynchronisation.
    Ready,
    /// The answer to the request `id`.
    Return { id: u64, value: Json },
    /// The peer refused the request `id`. `None`: an error that answers no request. Texts are bounded and escaped.
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
    /// An event that was damaged or too large.
    EventLost,
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
    /// Not ready yet, or too many requests are outstanding (agent: one, monitor: 256): keep it queued.
    Busy,
    /// The name or the arguments are not valid, or the request is larger than 1 MiB.
    Invalid,
}

/// One connection of a monitor, agent or API. The caller owns the socket, the queue and the deadlines.
pub trait ChannelSession {
    /// Appends what is to be sent now. Call it after the connect and after every other call, but only once all that
    /// it gave before is written: what is not pulled yet is bounded here.
    fn pull(&mut self, out: &mut Vec<u8>);

    /// Adds a request. `arguments` must be a JSON object.
    fn send(&mut self, id: u64, command: &str, arguments: Option<&str>) -> Result<(), SendError>;

    /// The peer sent `bytes`. Messages before a fault are valid.
    fn on_bytes(
        &mut self,
        bytes: &[u8],
        messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), ChannelFault>;

    /// The peer closed its side in order: what that completes.
    fn on_eof(&mut self, messages: &mut Vec<ChannelMessage>) -> Result<(), ChannelFault> {
        let _ = messages;
        Ok(())
    }

    /// The deadline of the request `id` passed, whether it was sent or is still queued: a late answer will be dropped,
    /// and an agent that owes us an answer is resynchronised.
    fn forget(&mut self, id: u64);

    /// True when `send` would take a request.
    fn is_ready(&self) -> bool;

    /// What a deadline means now: before the greeting `channel-busy` (monitor), before the sync
    /// `agent-not-connected`, else `response-timeout`.
    fn timeout_reason(&self) -> Reason;

    /// The peer showed on this connection that it speaks the protocol, as far as a new connection may be told before.
    fn is_proven(&self) -> bool {
        true
    }

    /// The connection did its work and owes nothing: if the peer closes it now, a new one may take its place unnoticed.
    fn is_replaceable(&self) -> bool {
        false
    }

    /// An answer that nobody waits for any more is still due, and holds up the others.
    fn is_stuck(&self) -> bool {
        false
    }

    /// The peer will close: a new connection must take the place of this one.
    fn is_spent(&self) -> bool {
        false
    }
}

/// Any message of a monitor or agent.
#[derive(Deserialize)]
pub(crate) struct Incoming<'a> {
    #[serde(borrow, default, rename = "QMP", deserialize_with = "even_null")]
    pub greeting: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "return", deserialize_with = "even_null")]
    pub value: Option<&'a RawValue>,
    #[serde(default)]
    pub error: Option<PeerError>,
    #[serde(default)]
    pub event: Option<String>,
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
    #[serde(default)]
    pub timestamp: Option<Timestamp>,
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(crate) struct PeerError {
    #[serde(default)]
    class: String,
    #[serde(default)]
    desc: String,
}

#[derive(Deserialize)]
pub(crate) struct Timestamp {
    seconds: i64,
    microseconds: i64,
}

/// `null` is an answer too, not a missing one.
fn even_null<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl<'a> Incoming<'a> {
    pub fn parse(object: &'a [u8]) -> Result<Self, ChannelFault> {
        serde_json::from_slice(object).map_err(|_| not_json(object))
    }

    /// The message as an error of the request `id`.
    pub fn into_error(self, id: Option<u64>) -> Option<ChannelMessage> {
        let PeerError { class, desc } = self.error?;
        Some(ChannelMessage::Error {
            id,
            class: escape(class.as_bytes(), 64).into(),
            description: escape(desc.as_bytes(), MAX_TEXT).into(),
        })
    }

    /// The message as an event.
    pub fn into_event(self) -> Option<ChannelMessage> {
        let timestamp_us = self.timestamp.and_then(|at| {
            // QEMU says -1 when it could not read its clock.
            if at.seconds < 0 {
                None
            } else {
                at.seconds
                    .checked_mul(1_000_000)?
                    .checked_add(at.microseconds)
            }
        });
        Some(ChannelMessage::Event {
            name: escape(self.event?.as_bytes(), 128).into(),
            data: self.data.map(ToOwned::to_owned),
            timestamp_us,
        })
    }
}

/// The text of a request, or `Invalid`. `id` is left out for agents, which do not all echo it.
pub(crate) fn request_text(
    command: &str,
    arguments: Option<&str>,
    id: Option<u64>,
) -> Result<String, SendError> {
    let name_ok = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if command.is_empty() || command.len() > 128 || !command.bytes().all(name_ok) {
        return Err(SendError::Invalid);
    }
    let mut text = format!("{{\"execute\":\"{command}\"");
    if let Some(arguments) = arguments {
        let object: &RawValue = serde_json::from_str(arguments).map_err(|_| SendError::Invalid)?;
        if !object.get().starts_with('{') {
            return Err(SendError::Invalid);
        }
        text.push_str(",\"arguments\":");
        text.push_str(object.get());
    }
    if let Some(id) = id {
        text.push_str(&format!(",\"id\":{id}"));
    }
    text.push_str("}\n");
    if text.len() > MAX_REQUEST_BYTES {
        Err(SendError::Invalid)
    } else {
        Ok(text)
    }
}

/// The fault for a well-formed object that is no message of this protocol, or comes at the wrong time.
pub(crate) fn unexpected(object: &[u8], wanted: &str) -> ChannelFault {
    fault(
        Reason::ProtocolError,
        format!("expected {wanted}, received \"{}\"", escape(object, 64)),
    )
}
