//! What is asked, checked.

use crate::http::USER_AGENT;
use crate::http2::{Connection, post_block};
use crate::tls::TlsPlan;
use std::fmt;
use std::sync::Arc;

pub(super) const PATH: &str = "/grpc.health.v1.Health/Check";
const CONTENT_TYPE: &str = "application/grpc";
const MAX_SERVICE_BYTES: usize = 256;
const MAX_AUTHORITY_BYTES: usize = 300;

/// What to ask. Everything but the host.
#[derive(Clone, Debug, Default)]
pub struct GrpcSpec {
    /// Empty: the server as a whole. At most 256 bytes.
    pub service: String,
    /// `None`: the host, with the port where there is one.
    pub authority: Option<String>,
    /// That the authority names.
    pub port: Option<u16>,
    /// `None`: plain, with prior knowledge.
    pub tls: Option<TlsPlan>,
}

/// A checked [`GrpcSpec`].
#[derive(Debug)]
pub struct GrpcPlan {
    pub(super) service: Box<str>,
    authority: Option<Box<str>>,
    port: Option<u16>,
    pub(super) tls: Option<TlsPlan>,
}

/// What is wrong with a [`GrpcSpec`]: the field, by its name in a document, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcSpecError {
    pub field: &'static str,
    pub message: String,
}

impl fmt::Display for GrpcSpecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.field, self.message)
    }
}

impl std::error::Error for GrpcSpecError {}

impl GrpcSpec {
    pub fn compile(self) -> Result<Arc<GrpcPlan>, GrpcSpecError> {
        let bad = |field, message: String| Err(GrpcSpecError { field, message });
        if self.service.len() > MAX_SERVICE_BYTES {
            return bad(
                "service",
                format!("is longer than {MAX_SERVICE_BYTES} bytes"),
            );
        }
        if let Some(authority) = &self.authority {
            let fits = (1..=MAX_AUTHORITY_BYTES).contains(&authority.len())
                && authority.bytes().all(|byte| byte.is_ascii_graphic());
            if !fits {
                return bad("authority", "is not a host, perhaps with a port".to_owned());
            }
        }
        Ok(Arc::new(GrpcPlan {
            service: self.service.into(),
            authority: self.authority.map(Into::into),
            port: self.port,
            tls: self.tls,
        }))
    }
}

impl GrpcPlan {
    /// Whether TLS can ask for this host; the caller tries it before it opens a conversation.
    pub fn takes_host(&self, host: &str) -> bool {
        self.tls
            .as_ref()
            .is_none_or(|tls| tls.setup(host, 0, None).is_some())
    }

    pub(super) fn authority(&self, host: &str) -> String {
        if let Some(authority) = &self.authority {
            return authority.to_string();
        }
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// The whole request.
    pub(super) fn ask(&self, authority: &str) -> Connection {
        let tls = self.tls.is_some();
        let block = post_block(tls, authority, PATH, CONTENT_TYPE, USER_AGENT);
        Connection::asking(&block, &self.message())
    }

    /// `HealthCheckRequest { string service = 1; }` in its frame.
    fn message(&self) -> Vec<u8> {
        let mut request = Vec::new();
        if !self.service.is_empty() {
            let length = self.service.len();
            request.push(0x0a);
            if length >= 0x80 {
                request.push(length as u8 | 0x80);
                request.push((length >> 7) as u8);
            } else {
                request.push(length as u8);
            }
            request.extend_from_slice(self.service.as_bytes());
        }
        let mut framed = vec![0];
        framed.extend((request.len() as u32).to_be_bytes());
        framed.append(&mut request);
        framed
    }
}
