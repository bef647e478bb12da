//! The conversation of one hop, plain or over TLS.

use super::exchange::HttpExchange;
use super::hop::HttpHop;
use super::plan::HttpPlan;
use crate::exchange::ExchangeResult;
use crate::tls::{TlsSetup, Wire};
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
pub type HttpConversation = Wire<HttpExchange>;

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
        let setup = server_name.map(|server_name| TlsSetup {
            client: &plan.tls_client,
            server_name,
            now_unix_s: options.now_unix_s,
            certificate_expires_within_days: plan.certificate_expires_within_days,
            protocol: None,
        });
        Self::over(setup, exchange)
    }

    /// The next probe of the same target on the same connection, after a result that said `reusable`.
    pub fn reopen(&mut self, plan: &Arc<HttpPlan>, hop: HttpHop, options: OpenOptions) {
        self.next(HttpExchange::new(Arc::clone(plan), hop, options.debug));
    }
}
