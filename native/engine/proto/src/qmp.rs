//! One connection of a QEMU monitor (QMP).

use crate::channel::{ChannelFault, ChannelMessage, ChannelSession, SendError};
use crate::reason::Reason;

/// Greeting, capabilities, then requests in any number, and events.
#[derive(Debug, Default)]
pub struct QmpSession {}

impl QmpSession {
    pub fn new() -> Self {
        Self::default()
    }
}

impl ChannelSession for QmpSession {
    fn pull(&mut self, _out: &mut Vec<u8>) {
        todo!()
    }
    fn send(
        &mut self,
        _id: u64,
        _command: &str,
        _arguments: Option<&str>,
    ) -> Result<(), SendError> {
        todo!()
    }
    fn on_bytes(
        &mut self,
        _bytes: &[u8],
        _messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), ChannelFault> {
        todo!()
    }
    fn forget(&mut self, _id: u64) {
        todo!()
    }
    fn is_ready(&self) -> bool {
        todo!()
    }
    fn timeout_reason(&self) -> Reason {
        todo!()
    }
}
