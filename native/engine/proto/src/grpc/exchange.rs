//! One check over one stream.

use super::answer::{check_body, judge, judge_head};
use super::plan::{GrpcPlan, PATH};
use crate::exchange::{Details, Exchange, ExchangeResult, Progress};
use crate::http::OpenOptions;
use crate::http2::{Connection, Event, Fault, Fields};
use crate::reason::{Outcome, Reason};
use crate::tls::Wire;
use crate::transcript::Transcript;
use std::sync::Arc;

/// The protocol that TLS asks for.
const ALPN: &[u8] = b"h2";

#[derive(Debug)]
pub struct GrpcExchange {
    connection: Connection,
    /// The head of the response came.
    answered: bool,
    body: Vec<u8>,
    transcript: Option<Transcript>,
}

/// A check on its stream, plain or encrypted.
pub type GrpcConversation = Wire<GrpcExchange>;

impl GrpcConversation {
    /// Begins on a fresh stream. `host`: for the authority, SNI and verification where the plan has no names. Fails only
    /// when the system gives no random numbers, or TLS cannot ask for the host.
    pub fn open(
        plan: &Arc<GrpcPlan>,
        host: &str,
        options: OpenOptions,
    ) -> Result<Self, Box<ExchangeResult>> {
        let mut exchange = GrpcExchange::new(plan, host, options.debug);
        let Some(tls) = &plan.tls else {
            return Self::over(None, exchange);
        };
        match tls.setup(host, options.now_unix_s, Some(ALPN)) {
            Some(setup) => Self::over(Some(setup), exchange),
            None => {
                let text = "TLS cannot ask for the name of this host".to_owned();
                Err(Box::new(exchange.fail(Reason::NameMismatch, text)))
            }
        }
    }
}

impl GrpcExchange {
    fn new(plan: &GrpcPlan, host: &str, debug: bool) -> Self {
        let authority = plan.authority(host);
        let mut exchange = Self {
            connection: plan.ask(&authority),
            answered: false,
            body: Vec::new(),
            transcript: debug.then(Transcript::default),
        };
        let asked = format!("POST {PATH} of {authority}, service \"{}\"", plan.service);
        exchange.line('>', asked.as_bytes());
        exchange
    }

    fn line(&mut self, mark: char, bytes: &[u8]) {
        if let Some(transcript) = &mut self.transcript {
            transcript.line(mark, bytes);
        }
    }

    fn show(&mut self, fields: &Fields) {
        for (name, value) in &fields.0 {
            self.line('<', &[name, &b": "[..], value].concat());
        }
    }

    /// Takes the bytes; true: the service serves.
    fn take(&mut self, mut bytes: &[u8]) -> Result<bool, Fault> {
        while let Some(event) = self.connection.next(&mut bytes)? {
            if self.on_event(event)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn on_event(&mut self, event: Event) -> Result<bool, Fault> {
        match event {
            Event::Headers { fields, end } => {
                self.show(&fields);
                self.on_headers(&fields, end)
            }
            Event::Data { bytes, end } => {
                self.line('<', &bytes);
                if !self.answered {
                    return Err(Fault::protocol("data before the head of the answer"));
                }
                self.body.extend(bytes);
                check_body(&self.body)?;
                if end {
                    return Err(Fault::protocol("the answer has no grpc-status"));
                }
                Ok(false)
            }
        }
    }

    fn on_headers(&mut self, fields: &Fields, end: bool) -> Result<bool, Fault> {
        let is_final = self.answered || judge_head(fields)?;
        match (is_final, end) {
            // Trailers; or a head that is all there is.
            (true, true) => judge(fields, &self.body).map(|()| true),
            (true, false) if !self.answered => {
                self.answered = true;
                Ok(false)
            }
            (true, false) => Err(Fault::protocol("headers in the middle of the answer")),
            (false, true) => Err(Fault::protocol("an answer without a final status")),
            (false, false) => Ok(false),
        }
    }

    fn result(&mut self, outcome: Outcome, message: Option<String>) -> ExchangeResult {
        if let Some(message) = &message {
            self.line('*', message.as_bytes());
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
}

impl Exchange for GrpcExchange {
    fn pull(&mut self, out: &mut Vec<u8>) {
        self.connection.pull(out);
    }

    fn on_bytes(&mut self, bytes: &[u8]) -> Progress {
        let result = match self.take(bytes) {
            Ok(false) => return Progress::More,
            Ok(true) => self.result(Outcome::Ok, None),
            Err(Fault { reason, message }) => self.fail(reason, message),
        };
        Progress::Done(Box::new(result))
    }

    fn on_eof(&mut self) -> Progress {
        let text = "closed by the server before the end of its answer".to_owned();
        Progress::Done(Box::new(self.fail(Reason::ConnectionClosed, text)))
    }

    fn on_abort(&mut self, reason: Reason) -> ExchangeResult {
        self.fail(
            reason,
            format!("{} before the end of the answer", reason.code()),
        )
    }

    fn fail(&mut self, reason: Reason, message: String) -> ExchangeResult {
        self.result(Outcome::of(reason), Some(message))
    }

    fn note(&mut self, text: &str) {
        self.line('*', text.as_bytes());
    }

    fn timeout_reason(&self) -> Reason {
        Reason::ResponseTimeout
    }
}
