//! Why a connection ends without an answer.

use crate::reason::Reason;

/// Why the connection is of no use: a reason, and a bounded, escaped line for people.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub reason: Reason,
    pub message: String,
}

impl Fault {
    pub fn protocol(message: impl Into<String>) -> Self {
        Self {
            reason: Reason::ProtocolError,
            message: message.into(),
        }
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self {
            reason: Reason::ResponseTooLarge,
            message: message.into(),
        }
    }
}
