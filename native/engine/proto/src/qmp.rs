//! One connection of a QEMU monitor (QMP).

use crate::channel::{
    ChannelFault, ChannelMessage, ChannelSession, Incoming, Json, MAX_MESSAGE_BYTES,
    MAX_REQUEST_BYTES, SendError, request_text, unexpected,
};
use crate::json_frame::{JsonFramer, fault};
use crate::reason::Reason;

/// Requests that may be outstanding at once.
const MAX_OUTSTANDING: usize = 256;
const NEGOTIATE: &[u8] = b"{\"execute\":\"qmp_capabilities\",\"id\":\"vmpulse\"}\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    Negotiating,
    Ready,
}

/// Greeting, capabilities, then requests in any number, and events.
#[derive(Debug)]
pub struct QmpSession {
    phase: Phase,
    framer: JsonFramer,
    out: Vec<u8>,
    outstanding: Vec<u64>,
}

impl Default for QmpSession {
    fn default() -> Self {
        Self::new()
    }
}

impl QmpSession {
    pub fn new() -> Self {
        Self {
            phase: Phase::Greeting,
            framer: JsonFramer::new(MAX_MESSAGE_BYTES),
            out: Vec::new(),
            outstanding: Vec::new(),
        }
    }

    fn on_object(&mut self) -> Result<Option<ChannelMessage>, ChannelFault> {
        let object = self.framer.object();
        let message = Incoming::parse(object)?;
        match self.phase {
            Phase::Greeting if message.greeting.is_some() => {
                self.phase = Phase::Negotiating;
                self.out.extend_from_slice(NEGOTIATE);
                Ok(None)
            }
            Phase::Greeting => Err(unexpected(object, "the greeting of a QMP monitor")),
            _ if message.event.is_some() => Ok(message.into_event()),
            Phase::Negotiating if message.value.is_some() => {
                self.phase = Phase::Ready;
                Ok(Some(ChannelMessage::Ready))
            }
            Phase::Negotiating if message.error.is_some() => Err(fault(
                Reason::ApiError,
                "the monitor refused qmp_capabilities",
            )),
            Phase::Negotiating => Err(unexpected(object, "the answer to qmp_capabilities")),
            Phase::Ready => {
                let id = message.id.and_then(|id| id.get().parse::<u64>().ok());
                let answers =
                    id.and_then(|id| self.outstanding.iter().position(|&open| open == id));
                if let Some(place) = answers {
                    self.outstanding.swap_remove(place);
                } else if message.id.is_some()
                    && (message.value.is_some() || message.error.is_some())
                {
                    // The late answer to a request that was forgotten.
                    return Ok(None);
                }
                match (message.value, id) {
                    (Some(value), Some(id)) => Ok(Some(ChannelMessage::Return {
                        id,
                        value: Json::from(value.to_owned()),
                    })),
                    _ if message.error.is_some() => Ok(message.into_error(id)),
                    _ => Err(unexpected(object, "an answer or an event")),
                }
            }
        }
    }
}

impl ChannelSession for QmpSession {
    fn pull(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.out);
    }

    fn send(&mut self, id: u64, command: &str, arguments: Option<&str>) -> Result<(), SendError> {
        let request = request_text(command, arguments, Some(id))?;
        if !self.is_ready() || self.out.len() + request.len() > MAX_REQUEST_BYTES {
            return Err(SendError::Busy);
        }
        self.outstanding.push(id);
        self.out.extend_from_slice(request.as_bytes());
        Ok(())
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), ChannelFault> {
        let mut rest = bytes;
        while let Some(used) = self.framer.push(rest)? {
            rest = &rest[used..];
            let message = self.on_object()?;
            self.framer.reset();
            messages.extend(message);
        }
        Ok(())
    }

    fn forget(&mut self, id: u64) {
        self.outstanding.retain(|&open| open != id);
    }

    fn is_ready(&self) -> bool {
        self.phase == Phase::Ready && self.outstanding.len() < MAX_OUTSTANDING
    }

    fn timeout_reason(&self) -> Reason {
        // A monitor that is held by another client accepts and stays silent.
        if self.phase == Phase::Greeting {
            Reason::ChannelBusy
        } else {
            Reason::ResponseTimeout
        }
    }
}

#[cfg(test)]
#[path = "qmp_tests.rs"]
mod tests;
