//! Errors that leave the engine: a stable code of the project's table and a message for people.

use std::fmt;

/// Codes that the engine uses; a subset of `src/model/errors.ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    Argument,
    Closed,
    Aborted,
    Timeout,
    Syscall,
    Channel,
    Command,
    Unsupported,
    Internal,
}

impl ErrorCode {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Argument => "ERR_VMPULSE_ARGUMENT",
            Self::Closed => "ERR_VMPULSE_CLOSED",
            Self::Aborted => "ERR_VMPULSE_ABORTED",
            Self::Timeout => "ERR_VMPULSE_TIMEOUT",
            Self::Syscall => "ERR_VMPULSE_SYSCALL",
            Self::Channel => "ERR_VMPULSE_CHANNEL",
            Self::Command => "ERR_VMPULSE_COMMAND",
            Self::Unsupported => "ERR_VMPULSE_UNSUPPORTED",
            Self::Internal => "ERR_VMPULSE_INTERNAL",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    pub code: ErrorCode,
    pub message: String,
}

impl EngineError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Argument, message)
    }

    pub fn closed() -> Self {
        Self::new(ErrorCode::Closed, "the engine is closed")
    }

    /// A call that a panic of its reactor ended.
    pub fn restarted() -> Self {
        Self::new(
            ErrorCode::Internal,
            "a reactor of the engine panicked and was restarted; ask again",
        )
    }

    /// A call to a reactor that stays down.
    pub fn down() -> Self {
        Self::new(
            ErrorCode::Internal,
            "a reactor of the engine stays down after repeated panics; make a new engine and report its output",
        )
    }

    /// A failed system call with its errno.
    pub fn syscall(name: &str, error: &std::io::Error) -> Self {
        Self::new(ErrorCode::Syscall, format!("{name}: {error}"))
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code.code(), self.message)
    }
}

impl std::error::Error for EngineError {}
