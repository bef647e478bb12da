//! The steps of a script over one stream, plain or encrypted.

use super::pattern::{Found, Pattern, Search};
use super::plan::{Act, ScriptPlan};
use crate::exchange::{Details, Exchange, ExchangeResult, Progress};
use crate::reason::{Outcome, Reason};
use crate::text::escape;
use crate::transcript::Transcript;
use std::sync::Arc;

/// Bytes of an unexpected reply that a message shows.
const SHOWN_BYTES: usize = 64;

#[derive(Debug)]
pub struct ScriptExchange {
    plan: Arc<ScriptPlan>,
    /// The step that is being done; past the last one: all are done.
    step: usize,
    search: Option<Search>,
    /// Written by steps and not pulled yet.
    outgoing: Vec<u8>,
    received: u64,
    /// What came since the last match: its first bytes, and how many in all.
    unmatched: Vec<u8>,
    unmatched_bytes: u64,
    transcript: Option<Transcript>,
}

impl ScriptExchange {
    pub fn new(plan: Arc<ScriptPlan>, debug: bool) -> Self {
        let mut exchange = Self {
            plan,
            step: 0,
            search: None,
            outgoing: Vec::new(),
            received: 0,
            unmatched: Vec::new(),
            unmatched_bytes: 0,
            transcript: debug.then(Transcript::default),
        };
        exchange.begin_step();
        exchange
    }

    /// The next step is to encrypt the stream; bytes go to the TLS layer from here on.
    pub(super) fn wants_tls(&self) -> bool {
        matches!(self.plan.acts.get(self.step), Some(Act::StartTls))
    }

    pub(super) fn plan(&self) -> &Arc<ScriptPlan> {
        &self.plan
    }

    /// Takes what was to be sent before the stream is encrypted.
    pub(super) fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    /// Does what needs no answer, up to the next step that waits for something.
    fn begin_step(&mut self) {
        let plan = Arc::clone(&self.plan);
        while let Some(Act::Send(bytes)) = plan.acts.get(self.step) {
            self.outgoing.extend_from_slice(bytes);
            if let Some(transcript) = &mut self.transcript {
                transcript.line('>', bytes);
            }
            self.step += 1;
        }
        self.search = match plan.acts.get(self.step) {
            Some(Act::Expect(pattern)) => Some(pattern.begin()),
            _ => None,
        };
    }

    fn finish_if_done(&mut self) -> Progress {
        if self.step < self.plan.acts.len() {
            return Progress::More;
        }
        Progress::Done(Box::new(self.result(Outcome::Ok, None)))
    }

    /// Takes bytes off the stream, up to a step that encrypts it.
    pub(super) fn take(&mut self, bytes: &mut &[u8]) -> Progress {
        let plan = Arc::clone(&self.plan);
        while !bytes.is_empty() {
            let (Some(Act::Expect(pattern)), Some(search)) =
                (plan.acts.get(self.step), &mut self.search)
            else {
                return Progress::More;
            };
            // A match beyond the bound is none.
            let room = usize::try_from(plan.max_bytes - self.received).unwrap_or(usize::MAX);
            let window = &bytes[..bytes.len().min(room)];
            let found = pattern.look(search, window);
            let used = match found {
                Found::At(used) | Found::Never(used) => used,
                Found::NotYet => window.len(),
            };
            self.keep(&window[..used]);
            *bytes = &bytes[used..];
            match found {
                Found::At(_) => {
                    self.unmatched.clear();
                    self.unmatched_bytes = 0;
                    self.step += 1;
                    self.begin_step();
                    if let done @ Progress::Done(_) = self.finish_if_done() {
                        return done;
                    }
                }
                Found::Never(_) => {
                    let text = self.mismatch(pattern, "");
                    return self.done(Reason::BadBody, text);
                }
                Found::NotYet if !bytes.is_empty() => {
                    let text = format!(
                        "step {} expected {} within {} bytes in all",
                        self.step + 1,
                        pattern.shown,
                        plan.max_bytes
                    );
                    return self.done(Reason::ResponseTooLarge, text);
                }
                Found::NotYet => {}
            }
        }
        Progress::More
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        self.unmatched_bytes += bytes.len() as u64;
        let room = SHOWN_BYTES + 1 - self.unmatched.len();
        self.unmatched
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        if let Some(transcript) = &mut self.transcript {
            transcript.line('<', bytes);
        }
    }

    fn mismatch(&self, pattern: &Pattern, end: &str) -> String {
        format!(
            "step {} expected {}, not \"{}\"{end}",
            self.step + 1,
            pattern.shown,
            escape(&self.unmatched, SHOWN_BYTES)
        )
    }

    fn done(&mut self, reason: Reason, message: String) -> Progress {
        Progress::Done(Box::new(self.fail(reason, message)))
    }

    fn result(&mut self, outcome: Outcome, message: Option<String>) -> ExchangeResult {
        if let (Some(transcript), Some(message)) = (&mut self.transcript, &message) {
            transcript.line('*', message.as_bytes());
        }
        ExchangeResult {
            outcome,
            details: Details::default(),
            warnings: Vec::new(),
            message: message.map(Into::into),
            transcript: self.transcript.take().map(Transcript::into_text),
            reusable: false,
        }
    }

    /// What the step was waiting for when it ended, and what came instead.
    fn place(&self, end: &str) -> String {
        match self.plan.acts.get(self.step) {
            Some(Act::Expect(pattern)) if self.unmatched_bytes > 0 => {
                self.mismatch(pattern, &format!(" ({end})"))
            }
            Some(Act::Expect(pattern)) => {
                format!("step {} expected {}: {end}", self.step + 1, pattern.shown)
            }
            _ => format!("step {}: {end}", self.step + 1),
        }
    }
}

impl Exchange for ScriptExchange {
    fn pull(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.outgoing);
    }

    fn on_bytes(&mut self, mut bytes: &[u8]) -> Progress {
        self.take(&mut bytes)
    }

    fn on_eof(&mut self) -> Progress {
        let text = self.place("closed by the server");
        let reason = if self.unmatched_bytes > 0 {
            Reason::BadBody
        } else {
            Reason::ConnectionClosed
        };
        self.done(reason, text)
    }

    /// The step `StartTls` is done, or the stream was encrypted from its start.
    fn on_secure(&mut self) -> Progress {
        if self.wants_tls() {
            self.step += 1;
            self.begin_step();
        }
        self.finish_if_done()
    }

    fn on_abort(&mut self, reason: Reason) -> ExchangeResult {
        let end = if reason == Reason::BadBody {
            "and no more came in time"
        } else {
            reason.code()
        };
        let text = self.place(end);
        self.fail(reason, text)
    }

    fn fail(&mut self, reason: Reason, message: String) -> ExchangeResult {
        self.result(Outcome::of(reason), Some(message))
    }

    fn note(&mut self, text: &str) {
        if let Some(transcript) = &mut self.transcript {
            transcript.line('*', text.as_bytes());
        }
    }

    /// A reply that is not the expected one is an answer, a silence is none.
    fn timeout_reason(&self) -> Reason {
        if self.unmatched_bytes > 0 {
            Reason::BadBody
        } else {
            Reason::ResponseTimeout
        }
    }
}
