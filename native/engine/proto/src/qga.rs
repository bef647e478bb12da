//! One connection of a QEMU guest agent (QGA).

use crate::channel::{ChannelFault, ChannelMessage, ChannelSession, SendError};
use crate::reason::Reason;

/// Sync on connect and after each forgotten request; one request at a time.
#[derive(Debug)]
pub struct QgaSession {}

impl QgaSession {
    /// `seed`: any number that differs between connections, so that a stale sync reply is not taken for ours.
    pub fn new(_seed: u32) -> Self {
        Self {}
    }
}

impl ChannelSession for QgaSession {
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
