//! A script with the TLS that it begins with or comes to.

use super::exchange::ScriptExchange;
use super::plan::ScriptPlan;
use crate::exchange::{Exchange, ExchangeResult, Progress};
use crate::http::OpenOptions;
use crate::reason::Reason;
use crate::tls::Wire;
use std::sync::Arc;

/// A scripted conversation. What comes after the last match before `StartTls` goes to the TLS layer, so nothing that was
/// slipped in before the encryption is ever taken for a reply within it.
#[derive(Debug)]
pub struct ScriptConversation {
    /// `None` only while the stream is being encrypted.
    wire: Option<Wire<ScriptExchange>>,
    /// To be sent before TLS begins.
    plain: Vec<u8>,
    host: Box<str>,
    now_unix_s: u64,
}

impl ScriptConversation {
    /// Begins on a fresh stream. `host`: for SNI and verification where the plan has no name. Fails only when the system
    /// gives no random numbers, or TLS cannot ask for the host.
    pub fn open(
        plan: &Arc<ScriptPlan>,
        host: &str,
        options: OpenOptions,
    ) -> Result<Self, Box<ExchangeResult>> {
        let exchange = ScriptExchange::new(Arc::clone(plan), options.debug);
        let mut conversation = Self {
            wire: None,
            plain: Vec::new(),
            host: host.into(),
            now_unix_s: options.now_unix_s,
        };
        if plan.tls_first {
            conversation.encrypt(exchange)?;
        } else {
            conversation.wire = Some(Wire::Plain(exchange));
            conversation.upgrade()?;
        }
        Ok(conversation)
    }

    /// Begins TLS if the script has come to it.
    fn upgrade(&mut self) -> Result<(), Box<ExchangeResult>> {
        match self.wire.take() {
            Some(Wire::Plain(exchange)) if exchange.wants_tls() => self.encrypt(exchange),
            wire => {
                self.wire = wire;
                Ok(())
            }
        }
    }

    fn encrypt(&mut self, mut exchange: ScriptExchange) -> Result<(), Box<ExchangeResult>> {
        if !exchange.plan().tls_first {
            self.plain.append(&mut exchange.take_outgoing());
        }
        let plan = Arc::clone(exchange.plan());
        let setup = plan
            .tls
            .as_ref()
            .and_then(|tls| tls.setup(&self.host, self.now_unix_s, None));
        if setup.is_none() {
            let text = "TLS cannot ask for the name of this host".to_owned();
            return Err(Box::new(exchange.fail(Reason::NameMismatch, text)));
        }
        self.wire = Some(Wire::over(setup, exchange)?);
        Ok(())
    }

    fn with<T>(&mut self, call: impl FnOnce(&mut dyn Exchange) -> T, gone: T) -> T {
        match &mut self.wire {
            Some(wire) => call(wire),
            None => gone,
        }
    }
}

fn over(reason: Reason, message: String) -> ExchangeResult {
    ExchangeResult::bare(crate::reason::Outcome::of(reason), Some(message))
}

impl Exchange for ScriptConversation {
    fn pull(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.plain);
        self.with(|wire| wire.pull(out), ());
    }

    fn on_bytes(&mut self, mut bytes: &[u8]) -> Progress {
        if let Some(Wire::Plain(exchange)) = &mut self.wire {
            if let done @ Progress::Done(_) = exchange.take(&mut bytes) {
                return done;
            }
            if let Err(result) = self.upgrade() {
                return Progress::Done(result);
            }
        }
        match &mut self.wire {
            Some(Wire::Secure(tls)) if !bytes.is_empty() => tls.on_bytes(bytes),
            _ => Progress::More,
        }
    }

    fn on_eof(&mut self) -> Progress {
        self.with(|wire| wire.on_eof(), Progress::More)
    }

    fn on_abort(&mut self, reason: Reason) -> ExchangeResult {
        let gone = over(reason, reason.code().to_owned());
        self.with(|wire| wire.on_abort(reason), gone)
    }

    fn fail(&mut self, reason: Reason, message: String) -> ExchangeResult {
        match &mut self.wire {
            Some(wire) => wire.fail(reason, message),
            None => over(reason, message),
        }
    }

    fn note(&mut self, text: &str) {
        self.with(|wire| wire.note(text), ());
    }

    fn timeout_reason(&self) -> Reason {
        match &self.wire {
            Some(wire) => wire.timeout_reason(),
            None => Reason::ResponseTimeout,
        }
    }
}
