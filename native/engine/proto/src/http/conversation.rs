//! The conversation of one hop, plain or over TLS.

use super::exchange::HttpExchange;
use super::hop::HttpHop;
use super::plan::HttpPlan;
use crate::exchange::{Exchange, ExchangeResult, Progress};
use crate::reason::Reason;
use crate::tls::{Tls, TlsSetup};
use std::sync::Arc;

/// What may differ between two probes of one target.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Seconds since 1970, for the dates of certificates.
    pub now_unix_s: u64,
    /// Keep a bounded transcript.
    pub debug: bool,
}

/// The conversation of one hop.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the plain one is the common one and saves its allocation"
)]
pub enum HttpConversation {
    Plain(HttpExchange),
    Secure(Box<Tls<HttpExchange>>),
}

impl HttpConversation {
    /// Begins a hop on a fresh connection. Fails only when the system gives no random numbers.
    pub fn open(
        plan: &Arc<HttpPlan>,
        hop: HttpHop,
        options: OpenOptions,
    ) -> Result<Self, Box<ExchangeResult>> {
        let server_name = if hop.is_tls() {
            hop.server_name(plan)
        } else {
            None
        };
        let exchange = HttpExchange::new(Arc::clone(plan), hop, options.debug);
        let Some(server_name) = server_name else {
            return Ok(Self::Plain(exchange));
        };
        let setup = TlsSetup {
            client: &plan.tls_client,
            server_name,
            now_unix_s: options.now_unix_s,
            certificate_expires_within_days: plan.certificate_expires_within_days,
        };
        Ok(Self::Secure(Box::new(Tls::open(setup, exchange)?)))
    }

    /// The next probe of the same target on the same connection, after a result that said `reusable`.
    pub fn reopen(&mut self, plan: &Arc<HttpPlan>, hop: HttpHop, options: OpenOptions) {
        let exchange = HttpExchange::new(Arc::clone(plan), hop, options.debug);
        match self {
            Self::Plain(plain) => *plain = exchange,
            Self::Secure(tls) => tls.reopen(exchange),
        }
    }

    fn inner(&mut self) -> &mut dyn Exchange {
        match self {
            Self::Plain(plain) => plain,
            Self::Secure(tls) => &mut **tls,
        }
    }
}

impl Exchange for HttpConversation {
    fn pull(&mut self, out: &mut Vec<u8>) {
        self.inner().pull(out);
    }

    fn on_bytes(&mut self, bytes: &[u8]) -> Progress {
        self.inner().on_bytes(bytes)
    }

    fn on_eof(&mut self) -> Progress {
        self.inner().on_eof()
    }

    fn on_abort(&mut self, reason: Reason) -> ExchangeResult {
        self.inner().on_abort(reason)
    }

    fn fail(&mut self, reason: Reason, message: String) -> ExchangeResult {
        self.inner().fail(reason, message)
    }

    fn note(&mut self, text: &str) {
        self.inner().note(text);
    }

    fn timeout_reason(&self) -> Reason {
        match self {
            Self::Plain(plain) => plain.timeout_reason(),
            Self::Secure(tls) => tls.timeout_reason(),
        }
    }
}
