//! One request and its response.

use super::body::{BodyReader, BodyStep};
use super::head::{Fault, Head, HeadReader};
use super::hop::{HttpHop, MAX_REDIRECTS, Redirect};
use super::plan::{DEFAULT_BODY_BYTES, HttpPlan};
use crate::exchange::{Details, Exchange, ExchangeResult, Progress, Warning};
use crate::reason::{Outcome, Reason};
use crate::text::escape;
use crate::transcript::Transcript;
use std::sync::Arc;

/// Interim (1xx) responses that are skipped.
const MAX_INTERIM: u8 = 5;

#[derive(Debug)]
enum State {
    Head(HeadReader),
    Body(BodyReader),
}

/// What a final head leads to.
enum Verdict {
    Body(BodyReader),
    Redirect(HttpHop),
    Fault(Fault),
}

/// The conversation of one hop on a plain stream.
#[derive(Debug)]
pub struct HttpExchange {
    plan: Arc<HttpPlan>,
    hop: HttpHop,
    state: State,
    sent: bool,
    interim: u8,
    /// The part of the body that is matched; empty if nothing is.
    body: Vec<u8>,
    keeps_alive: bool,
    details: Details,
    warnings: Vec<Warning>,
    transcript: Option<Transcript>,
}

impl HttpExchange {
    pub fn new(plan: Arc<HttpPlan>, mut hop: HttpHop, debug: bool) -> Self {
        let details = Details {
            redirects: hop.redirects,
            ..Details::default()
        };
        let transcript = if debug {
            Some(hop.transcript.take().unwrap_or_default())
        } else {
            None
        };
        Self {
            plan,
            hop,
            state: State::Head(HeadReader::new()),
            sent: false,
            interim: 0,
            body: Vec::new(),
            keeps_alive: false,
            details,
            warnings: Vec::new(),
            transcript,
        }
    }

    fn result(
        &mut self,
        outcome: Outcome,
        message: Option<String>,
        reusable: bool,
    ) -> ExchangeResult {
        if let Some(transcript) = &mut self.transcript {
            if let State::Head(head) = &self.state {
                transcript.head('<', head.pending());
            }
            if !self.body.is_empty() {
                transcript.line('<', &self.body);
            }
            if let Some(message) = &message {
                transcript.line('*', message.as_bytes());
            }
        }
        ExchangeResult {
            outcome,
            details: self.details,
            warnings: std::mem::take(&mut self.warnings),
            message: message.map(Into::into),
            transcript: self.transcript.take().map(Transcript::into_text),
            reusable,
        }
    }

    fn done(&mut self, (reason, message): Fault) -> Progress {
        Progress::Done(Box::new(self.fail(reason, message)))
    }

    /// The body was read as far as it is needed.
    fn finish(&mut self, clean_end: bool) -> Progress {
        if let Err(mismatch) = self.plan.expect.check_body(&self.body) {
            return self.done(mismatch);
        }
        let reusable = clean_end && self.keeps_alive && self.plan.keep_alive;
        Progress::Done(Box::new(self.result(Outcome::Ok, None, reusable)))
    }

    /// Reads one head off `bytes`; `None`: go on with what is left of them.
    fn read_head(&mut self, bytes: &mut &[u8]) -> Option<Progress> {
        let State::Head(reader) = &mut self.state else {
            return None;
        };
        let used = match reader.push(bytes) {
            Ok(Some(used)) => used,
            Ok(None) => return Some(Progress::More),
            Err(fault) => return Some(self.done(fault)),
        };
        let (last, rest) = bytes.split_at(used);
        *bytes = rest;
        let mut reader = std::mem::replace(reader, HeadReader::new());
        let head = reader.head(last);
        let length = head.len();
        if let Some(transcript) = &mut self.transcript {
            transcript.head('<', head);
        }
        let verdict = match Head::parse(head, |head| self.judge_head(head)) {
            Ok(verdict) => verdict,
            Err(fault) => Some(Verdict::Fault(fault)),
        };
        match verdict {
            None => {
                reader.next_head(length);
                self.state = State::Head(reader);
                None
            }
            Some(Verdict::Fault(fault)) => Some(self.done(fault)),
            Some(Verdict::Redirect(mut hop)) => {
                self.note(&format!("redirect {} on port {}", hop.redirects, hop.port));
                hop.transcript = self.transcript.take();
                Some(Progress::Redirect(Box::new(hop)))
            }
            Some(Verdict::Body(body)) => {
                self.state = State::Body(body);
                None
            }
        }
    }

    /// `None`: an interim response.
    fn judge_head(&mut self, head: &Head<'_, '_>) -> Option<Verdict> {
        if head.status == 101 {
            return Some(Verdict::Fault((
                Reason::ProtocolError,
                "the server switched protocols unasked".to_owned(),
            )));
        }
        if (100..200).contains(&head.status) {
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                let text = format!("more than {MAX_INTERIM} interim responses");
                return Some(Verdict::Fault((Reason::ProtocolError, text)));
            }
            return None;
        }
        self.details.status = Some(head.status);
        self.keeps_alive = head.keeps_alive();
        let verdict = self.judge_final(head);
        Some(verdict.unwrap_or_else(Verdict::Fault))
    }

    fn judge_final(&mut self, head: &Head<'_, '_>) -> Result<Verdict, Fault> {
        let body = BodyReader::of(head, self.plan.is_head())?;
        if matches!(head.status, 301 | 302 | 303 | 307 | 308) && self.plan.follows_redirects {
            match head
                .values("location")
                .next()
                .filter(|location| !location.is_empty())
            {
                None => self.warnings.push(Warning::RedirectWithoutLocation),
                Some(location) => match self.hop.redirect(&self.plan, location) {
                    Redirect::OtherHost => self.warnings.push(Warning::RedirectNotFollowed),
                    Redirect::Bad => {
                        let text =
                            format!("cannot follow a redirect to \"{}\"", escape(location, 128));
                        return Err((Reason::BadHeader, text));
                    }
                    Redirect::Follow(hop) if hop.redirects > MAX_REDIRECTS => {
                        return Err((
                            Reason::ProtocolError,
                            format!("more than {MAX_REDIRECTS} redirects"),
                        ));
                    }
                    Redirect::Follow(hop) => return Ok(Verdict::Redirect(hop)),
                },
            }
        }
        self.plan.expect.check_head(head.status, head.headers)?;
        match (self.plan.max_body_bytes, body.announced()) {
            (Some(max), Some(length)) if length > max => Err(too_large(max)),
            _ => Ok(Verdict::Body(body)),
        }
    }

    fn read_body(&mut self, mut bytes: &[u8]) -> Progress {
        let limit = self.plan.max_body_bytes.unwrap_or(DEFAULT_BODY_BYTES);
        loop {
            let State::Body(body) = &mut self.state else {
                return Progress::More;
            };
            match body.next(&mut bytes) {
                Err(fault) => return self.done(fault),
                Ok(BodyStep::More) => return Progress::More,
                Ok(BodyStep::End) => return self.finish(bytes.is_empty()),
                Ok(BodyStep::Data(data)) => {
                    let room = limit - self.details.body_bytes;
                    let kept = &data
                        [..usize::try_from(room).map_or(data.len(), |room| room.min(data.len()))];
                    self.details.body_bytes += kept.len() as u64;
                    if self.plan.expect.needs_body() || self.transcript.is_some() {
                        self.body.extend_from_slice(kept);
                    }
                    if kept.len() < data.len() && self.plan.max_body_bytes.is_some() {
                        return self.done(too_large(limit));
                    }
                    if self.details.body_bytes == limit && self.plan.max_body_bytes.is_none() {
                        return self.finish(false);
                    }
                }
            }
        }
    }

    /// Memory that the response has claimed.
    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        let head = if let State::Head(head) = &self.state {
            head.held_bytes()
        } else {
            0
        };
        head + self.body.capacity()
    }

    /// Where the conversation stands.
    fn place(&self) -> String {
        match &self.state {
            State::Head(head) if head.is_untouched() => {
                "before any byte of the response".to_owned()
            }
            State::Head(head) => format!(
                "within the response head, after {} bytes of it",
                head.pending().len()
            ),
            State::Body(body) => match body.announced() {
                Some(left) => format!(
                    "{} bytes into the body, {left} short",
                    self.details.body_bytes
                ),
                None => format!("{} bytes into the body", self.details.body_bytes),
            },
        }
    }
}

impl Exchange for HttpExchange {
    fn pull(&mut self, out: &mut Vec<u8>) {
        if self.sent {
            return;
        }
        self.sent = true;
        let start = out.len();
        self.plan.write_head(&self.hop, out);
        if let Some(transcript) = &mut self.transcript {
            transcript.head('>', &out[start..]);
        }
        self.plan.write_body(&self.hop, out);
    }

    fn on_bytes(&mut self, bytes: &[u8]) -> Progress {
        let mut rest = bytes;
        while matches!(self.state, State::Head(_)) {
            // Empty again only between two heads.
            if rest.is_empty() {
                return Progress::More;
            }
            if let Some(progress) = self.read_head(&mut rest) {
                return progress;
            }
        }
        self.read_body(rest)
    }

    fn on_eof(&mut self) -> Progress {
        if matches!(self.state, State::Body(BodyReader::UntilClose)) {
            return self.finish(false);
        }
        let text = format!("closed by the server {}", self.place());
        self.done((Reason::ConnectionClosed, text))
    }

    fn on_abort(&mut self, reason: Reason) -> ExchangeResult {
        let text = format!("{} {}", reason.code(), self.place());
        self.fail(reason, text)
    }

    fn fail(&mut self, reason: Reason, message: String) -> ExchangeResult {
        self.result(Outcome::of(reason), Some(message), false)
    }

    fn note(&mut self, text: &str) {
        if let Some(transcript) = &mut self.transcript {
            transcript.line('*', text.as_bytes());
        }
    }

    fn timeout_reason(&self) -> Reason {
        Reason::ResponseTimeout
    }
}

fn too_large(max: u64) -> Fault {
    (
        Reason::ResponseTooLarge,
        format!("the body is larger than {max} bytes"),
    )
}
