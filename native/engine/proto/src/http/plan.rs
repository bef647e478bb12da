//! A checked, compiled spec, and the request it makes.

use super::expect::Expectations;
use super::hop::HttpHop;
use super::spec::{HttpSpec, HttpSpecError, bad};
use crate::tls::TlsClient;

/// `User-Agent` of every probe that does not set its own.
pub const USER_AGENT: &str = concat!("vmpulse/", env!("CARGO_PKG_VERSION"));
/// Body bytes that are read when the spec sets no limit, as the kubelet does.
pub const DEFAULT_BODY_BYTES: u64 = 10 * 1024;

/// A checked, compiled [`HttpSpec`]; share one among all targets that differ only in their host.
#[derive(Debug)]
pub struct HttpPlan {
    pub(super) tls: bool,
    pub(super) port: u16,
    pub(super) target: Box<str>,
    pub(super) method: Box<str>,
    /// The user's `Host` header.
    pub(super) host_header: Option<Box<str>>,
    /// Every other header line that a request carries, `Content-Length` apart.
    header_lines: Box<str>,
    body: Box<[u8]>,
    sends_length: bool,
    pub(super) keep_alive: bool,
    pub(super) tls_client: TlsClient,
    pub(super) certificate_expires_within_days: Option<u32>,
    pub(super) expect: Expectations,
    pub(super) follows_redirects: bool,
    pub(super) max_body_bytes: Option<u64>,
}

impl HttpPlan {
    pub(super) fn new(
        spec: HttpSpec,
        method: Box<str>,
        target: Box<str>,
        expect: Expectations,
    ) -> Result<Self, HttpSpecError> {
        let host_header = spec
            .headers
            .iter()
            .find(|(name, value)| name.eq_ignore_ascii_case("host") && !value.is_empty())
            .map(|(_, value)| Box::<str>::from(value.trim()));
        if host_header
            .as_deref()
            .is_some_and(|host| host.contains([' ', '\t', '/']))
        {
            return Err(bad("headers", "Host is not a host name"));
        }
        let body: Box<[u8]> = spec.body.unwrap_or_default().into();
        let sends_length = !body.is_empty() || matches!(&*method, "POST" | "PUT" | "PATCH");
        Ok(Self {
            tls: spec.tls,
            port: spec.port,
            target,
            host_header,
            header_lines: header_lines(&spec.headers, spec.keep_alive).into(),
            body,
            sends_length,
            method,
            keep_alive: spec.keep_alive,
            tls_client: spec.tls_client,
            certificate_expires_within_days: spec.certificate_expires_within_days,
            follows_redirects: expect.follows_redirects(),
            expect,
            max_body_bytes: spec.max_body_bytes,
        })
    }

    /// The first request. `host`: a name or IP literal without brackets, or `localhost` for a Unix socket.
    pub fn first_hop(&self, host: &str) -> Result<HttpHop, HttpSpecError> {
        HttpHop::first(self, host)
    }

    /// True when the response to the hop's request has no body by its method.
    pub(super) fn is_head(&self) -> bool {
        self.method.eq_ignore_ascii_case("HEAD")
    }

    /// Appends the hop's request head; `write_body` appends the rest.
    pub(super) fn write_head(&self, hop: &HttpHop, out: &mut Vec<u8>) {
        let first = hop.redirects == 0;
        let method = if first || self.is_head() {
            &self.method
        } else {
            "GET"
        };
        let target = hop.target.as_deref().unwrap_or(&self.target);
        for part in [
            method,
            " ",
            target,
            " HTTP/1.1\r\nHost: ",
            &hop.host_line(self),
            "\r\n",
            &self.header_lines,
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        if first && self.sends_length {
            out.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the request body; a redirect is followed without it.
    pub(super) fn write_body(&self, hop: &HttpHop, out: &mut Vec<u8>) {
        if hop.redirects == 0 {
            out.extend_from_slice(&self.body);
        }
    }
}

/// Our defaults unless the user replaced or removed them, then the user's headers.
fn header_lines(headers: &[(String, String)], keep_alive: bool) -> String {
    let close = if keep_alive { "" } else { "close" };
    let ours = [
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("Connection", close),
    ];
    let given = |ours: &str| {
        headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(ours))
    };
    let mut lines = String::new();
    for (name, value) in ours {
        if !value.is_empty() && !given(name) {
            lines.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    for (name, value) in headers {
        let removes =
            value.is_empty() && ours.iter().any(|(ours, _)| name.eq_ignore_ascii_case(ours));
        if !removes && !name.eq_ignore_ascii_case("host") {
            lines.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    lines
}
