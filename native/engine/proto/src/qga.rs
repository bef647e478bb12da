//! One connection of a QEMU guest agent (QGA).
//!
//! The stream survives clients and reboots of the guest, so answers to questions of an earlier client may come first.
//! A sync fences them: 0xFF (never part of JSON) resets the agent's parser, and everything up to a 0xFF followed by the
//! number that was asked for is thrown away.

use crate::channel::{
    ChannelFault, ChannelMessage, ChannelSession, Incoming, Json, MAX_MESSAGE_BYTES, SendError,
    request_text, unexpected,
};
use crate::json_frame::JsonFramer;
use crate::reason::Reason;

const DELIMITER: u8 = 0xff;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for the answer to the sync. `delimited`: a 0xFF came, what follows may be it.
    Syncing {
        delimited: bool,
    },
    Idle,
    /// One request is outstanding.
    Waiting(u64),
}

/// Sync on connect and after each forgotten request; one request at a time.
#[derive(Debug)]
pub struct QgaSession {
    phase: Phase,
    sync_id: u64,
    framer: JsonFramer,
    out: Vec<u8>,
}

impl QgaSession {
    /// `seed`: any number that differs between connections, so that a stale sync reply is not taken for ours.
    pub fn new(seed: u32) -> Self {
        let mut session = Self {
            phase: Phase::Idle,
            sync_id: u64::from(seed) << 16,
            framer: JsonFramer::new(MAX_MESSAGE_BYTES),
            out: Vec::new(),
        };
        session.sync();
        session
    }

    fn sync(&mut self) {
        self.sync_id += 1;
        self.phase = Phase::Syncing { delimited: false };
        self.framer.reset();
        // What was not even pulled yet is void, so this never grows.
        self.out.clear();
        self.out.push(DELIMITER);
        let id = self.sync_id;
        let text =
            format!("{{\"execute\":\"guest-sync-delimited\",\"arguments\":{{\"id\":{id}}}}}\n");
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Bytes without a delimiter in them.
    fn on_segment(
        &mut self,
        segment: &[u8],
        messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), ChannelFault> {
        let mut rest = segment;
        while self.phase != (Phase::Syncing { delimited: false }) {
            let step = match self.framer.push(rest) {
                Ok(None) => return Ok(()),
                Ok(Some(used)) => {
                    rest = &rest[used..];
                    self.on_object()
                }
                Err(fault) => Err(fault),
            };
            self.framer.reset();
            match (step, self.phase) {
                (Ok(message), _) => messages.extend(message),
                // Noise of an earlier conversation.
                (Err(_), Phase::Syncing { .. }) => self.phase = Phase::Syncing { delimited: false },
                (Err(fault), _) => return Err(fault),
            }
        }
        Ok(())
    }

    fn on_object(&mut self) -> Result<Option<ChannelMessage>, ChannelFault> {
        let object = self.framer.object();
        let message = Incoming::parse(object)?;
        let value = message.value;
        match self.phase {
            Phase::Syncing { .. } => {
                let ours = value.is_some_and(|value| value.get().parse() == Ok(self.sync_id));
                self.phase = if ours {
                    Phase::Idle
                } else {
                    Phase::Syncing { delimited: false }
                };
                Ok(ours.then_some(ChannelMessage::Ready))
            }
            // Nothing was asked.
            Phase::Idle => Ok(None),
            Phase::Waiting(id) => {
                let answer = match value {
                    Some(value) => Some(ChannelMessage::Return {
                        id,
                        value: Json::from(value.to_owned()),
                    }),
                    None => message.into_error(Some(id)),
                };
                if answer.is_none() {
                    return Err(unexpected(object, "an answer of the guest agent"));
                }
                self.phase = Phase::Idle;
                Ok(answer)
            }
        }
    }
}

impl ChannelSession for QgaSession {
    fn pull(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.out);
    }

    fn send(&mut self, id: u64, command: &str, arguments: Option<&str>) -> Result<(), SendError> {
        let request = request_text(command, arguments, None)?;
        if !self.is_ready() {
            return Err(SendError::Busy);
        }
        self.phase = Phase::Waiting(id);
        self.out.extend_from_slice(request.as_bytes());
        Ok(())
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), ChannelFault> {
        let mut segments = bytes.split(|&byte| byte == DELIMITER);
        if let Some(first) = segments.next() {
            self.on_segment(first, messages)?;
        }
        for segment in segments {
            self.framer.reset();
            if let Phase::Syncing { delimited } = &mut self.phase {
                *delimited = true;
            }
            self.on_segment(segment, messages)?;
        }
        Ok(())
    }

    fn forget(&mut self, id: u64) {
        match self.phase {
            Phase::Waiting(open) if open == id => self.sync(),
            // The agent may have started, or restarted, after our last sync was lost.
            Phase::Syncing { .. } => self.sync(),
            _ => {}
        }
    }

    fn is_ready(&self) -> bool {
        self.phase == Phase::Idle
    }

    fn timeout_reason(&self) -> Reason {
        if matches!(self.phase, Phase::Syncing { .. }) {
            Reason::AgentNotConnected
        } else {
            Reason::ResponseTimeout
        }
    }
}

#[cfg(test)]
#[path = "qga_tests.rs"]
mod tests;
