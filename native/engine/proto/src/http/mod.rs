//! HTTP/1.1 probes with the kubelet's semantics.

use crate::exchange::{Exchange, ExchangeResult, Progress};
use crate::reason::Reason;
use crate::tls::TlsClient;
use std::sync::Arc;

/// What to ask and what to expect. Everything but the host, so that targets of the same spec share one [`HttpPlan`].
#[derive(Clone, Debug)]
pub struct HttpSpec {
    /// `https`.
    pub tls: bool,
    pub port: u16,
    /// Path and query; a fragment is cut off; default `/`.
    pub path: String,
    /// Default `GET`.
    pub method: String,
    /// User headers: one of ours is replaced, and removed when given empty. `Host` sets the host and SNI.
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    /// Keep the connection for the next probe; default false.
    pub keep_alive: bool,
    pub tls_client: TlsClient,
    /// Fails with `certificate-expired` when the leaf ends sooner than this, whether verified or not.
    pub certificate_expires_within_days: Option<u32>,
    /// Accepted statuses as inclusive ranges; empty means 200–399.
    pub expect_status: Vec<(u16, u16)>,
    pub expect_body_contains: Option<Vec<u8>>,
    /// On bytes, linear time; a pattern over the compiled-size limit is refused.
    pub expect_body_regex: Option<String>,
    /// Name and value of headers that must be there; an empty value takes any.
    pub expect_headers: Vec<(String, String)>,
    /// A larger body fails with `response-too-large`; `None`: 10 KiB are read and the rest dropped without failing.
    pub max_body_bytes: Option<u64>,
}

/// What is wrong with an [`HttpSpec`]: the field and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSpecError {
    pub field: &'static str,
    pub message: String,
}

/// A checked, compiled [`HttpSpec`].
#[derive(Debug)]
pub struct HttpPlan {}

impl HttpPlan {
    pub fn compile(_spec: HttpSpec) -> Result<Arc<Self>, HttpSpecError> {
        todo!()
    }

    /// The first request. `host`: a name or IP literal without brackets, or `localhost` for a Unix socket.
    pub fn first_hop(&self, _host: &str) -> Result<HttpHop, HttpSpecError> {
        todo!()
    }
}

/// One request of a probe: the first one or a redirect.
#[derive(Clone, Debug)]
pub struct HttpHop {
    tls: bool,
    port: u16,
}

impl HttpHop {
    /// Connect to this port of the same address.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }
}

/// What may differ between two probes of one target.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Seconds since 1970, for the dates of certificates.
    pub now_unix_s: u64,
    /// Keep a bounded transcript.
    pub debug: bool,
}

/// The conversation of one hop, plain or over TLS.
#[derive(Debug)]
pub struct HttpConversation {}

impl HttpConversation {
    pub fn open(_plan: &Arc<HttpPlan>, _hop: HttpHop, _options: OpenOptions) -> Self {
        todo!()
    }

    /// The next probe on the same connection, after a result that said `reusable`.
    pub fn reopen(&mut self, _plan: &Arc<HttpPlan>, _hop: HttpHop, _options: OpenOptions) {
        todo!()
    }
}

impl Exchange for HttpConversation {
    fn pull(&mut self, _out: &mut Vec<u8>) {
        todo!()
    }
    fn on_bytes(&mut self, _bytes: &[u8]) -> Progress {
        todo!()
    }
    fn on_eof(&mut self) -> Progress {
        todo!()
    }
    fn on_abort(&mut self, _reason: Reason) -> ExchangeResult {
        todo!()
    }
    fn timeout_reason(&self) -> Reason {
        todo!()
    }
}
