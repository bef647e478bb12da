//! A checked script.

use super::pattern::Pattern;
use crate::text::escape;
use crate::tls::TlsPlan;
use std::fmt;
use std::sync::Arc;

const MAX_STEPS: usize = 32;
const MAX_SEND_BYTES: usize = 4 * 1024;
/// Bytes that are read in all, where the spec does not say.
const DEFAULT_MAX_BYTES: u64 = 10 * 1024;
/// Largest `max_bytes`.
const MOST_BYTES: u64 = 1024 * 1024;
/// Bytes of a text that a message shows.
const SHOWN_BYTES: usize = 64;

/// One step, as the user gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Send(Vec<u8>),
    /// A text that may stand anywhere after the last match.
    Expect(Vec<u8>),
    ExpectRegex(String),
    StartTls,
}

/// What to say and what to wait for. Everything but the host.
#[derive(Clone, Debug)]
pub struct ScriptSpec {
    pub steps: Vec<Step>,
    /// Encrypted from the start, or from the step `StartTls` on; `None`: plain.
    pub tls: Option<TlsPlan>,
    /// Longer replies fail with `response-too-large`; `None`: 10 KiB. At most 1 MiB.
    pub max_bytes: Option<u64>,
}

/// A step that is ready to run.
#[derive(Debug)]
pub(super) enum Act {
    Send(Box<[u8]>),
    Expect(Pattern),
    StartTls,
}

/// A compiled [`ScriptSpec`].
#[derive(Debug)]
pub struct ScriptPlan {
    pub(super) acts: Box<[Act]>,
    pub(super) tls: Option<TlsPlan>,
    /// TLS begins with the connection.
    pub(super) tls_first: bool,
    pub(super) max_bytes: u64,
}

/// What is wrong with a [`ScriptSpec`]: the field, by its name in a document, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptSpecError {
    pub field: String,
    pub message: String,
}

impl fmt::Display for ScriptSpecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.field, self.message)
    }
}

impl std::error::Error for ScriptSpecError {}

fn bad(field: impl Into<String>, message: impl Into<String>) -> ScriptSpecError {
    ScriptSpecError {
        field: field.into(),
        message: message.into(),
    }
}

impl ScriptSpec {
    /// Checks every field; the first mistake is the error.
    pub fn compile(self) -> Result<Arc<ScriptPlan>, ScriptSpecError> {
        let max_bytes = self.max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
        if max_bytes == 0 || max_bytes > MOST_BYTES {
            return Err(bad("maxBytes", format!("must be 1 to {MOST_BYTES}")));
        }
        if self.steps.len() > MAX_STEPS {
            return Err(bad("steps", format!("are more than {MAX_STEPS}")));
        }
        let upgrades = self
            .steps
            .iter()
            .filter(|step| **step == Step::StartTls)
            .count();
        if upgrades > 1 {
            return Err(bad("steps", "start TLS more than once"));
        }
        if upgrades == 1 && self.tls.is_none() {
            return Err(bad("steps", "start TLS, but no TLS settings came along"));
        }
        match self.steps.last() {
            Some(Step::Send(_)) => {
                return Err(bad(
                    "steps",
                    "must not end with a send, which nothing can confirm",
                ));
            }
            None if self.tls.is_none() => return Err(bad("steps", "are missing")),
            _ => {}
        }
        let acts = self.steps.into_iter().enumerate();
        let acts: Result<_, _> = acts
            .map(|(index, step)| {
                act(step).map_err(|message| bad(format!("steps[{index}]"), message))
            })
            .collect();
        Ok(Arc::new(ScriptPlan {
            acts: acts?,
            tls_first: self.tls.is_some() && upgrades == 0,
            tls: self.tls,
            max_bytes,
        }))
    }
}

fn act(step: Step) -> Result<Act, String> {
    match step {
        Step::Send(bytes) if bytes.is_empty() || bytes.len() > MAX_SEND_BYTES => {
            Err(format!("must send 1 to {MAX_SEND_BYTES} bytes"))
        }
        Step::Send(bytes) => Ok(Act::Send(bytes.into())),
        Step::Expect(bytes) => {
            let shown = format!("\"{}\"", escape(&bytes, SHOWN_BYTES));
            Pattern::text(&bytes, &shown).map(Act::Expect)
        }
        Step::ExpectRegex(pattern) => Pattern::regex(&pattern).map(Act::Expect),
        Step::StartTls => Ok(Act::StartTls),
    }
}

impl ScriptPlan {
    /// The client speaks before the server does.
    pub fn speaks_first(&self) -> bool {
        self.tls_first || matches!(self.acts.first(), Some(Act::Send(_)))
    }

    /// Whether TLS can ask for this host; the caller tries it before it opens a conversation.
    pub fn takes_host(&self, host: &str) -> bool {
        self.tls
            .as_ref()
            .is_none_or(|tls| tls.setup(host, 0, None).is_some())
    }
}
