//! What an HTTP probe asks and expects, as the user gave it, and its checks.

use super::expect::Expectations;
use super::plan::HttpPlan;
use crate::tls::TlsClient;
use std::sync::Arc;

/// Largest request that a spec may ask for: path, each of header names, values and the body, bytes.
const MAX_PATH_BYTES: usize = 8 * 1024;
const MAX_HEADERS: usize = 64;
const MAX_HEADER_VALUE_BYTES: usize = 8 * 1024;
const MAX_REQUEST_BODY_BYTES: usize = 64 * 1024;
/// Largest `max_body_bytes`.
pub const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// What to ask and what to expect. Everything but the host, so that targets of the same spec share one [`HttpPlan`].
#[derive(Clone, Debug)]
pub struct HttpSpec {
    /// `https`.
    pub tls: bool,
    pub port: u16,
    /// Path and query; a fragment is cut off; a missing first `/` is added; what a URL cannot hold is
    /// percent-encoded.
    pub path: String,
    /// Default `GET`. `CONNECT` is refused.
    pub method: String,
    /// User headers: one of ours (`User-Agent`, `Accept`, `Connection`) is replaced, and removed when given empty.
    /// `Host` sets the host and SNI; given empty it stays the default.
    pub headers: Vec<(String, String)>,
    /// Sent with a `Content-Length`; at most 64 KiB.
    pub body: Option<Vec<u8>>,
    /// Keep the connection for the next probe; default false.
    pub keep_alive: bool,
    pub tls_client: TlsClient,
    /// Fails with `certificate-expired` when the leaf ends sooner than this, whether verified or not.
    pub certificate_expires_within_days: Option<u32>,
    /// Accepted statuses as inclusive ranges; empty means 200–399. If all lie within 300–399, redirects are the answer
    /// and are not followed.
    pub expect_status: Vec<(u16, u16)>,
    pub expect_body_contains: Option<Vec<u8>>,
    /// On bytes, linear time; a pattern over the compiled-size limit (1 MiB) is refused.
    pub expect_body_regex: Option<String>,
    /// Name and value of headers that must be there, values compared exactly; an empty value takes any.
    pub expect_headers: Vec<(String, String)>,
    /// A larger body fails with `response-too-large`; `None`: 10 KiB are read and the rest dropped without failing.
    /// At most 1 MiB.
    pub max_body_bytes: Option<u64>,
}

impl HttpSpec {
    /// A plain `GET` of `path` with the defaults.
    pub fn get(port: u16, path: &str) -> Self {
        Self {
            tls: false,
            port,
            path: path.to_owned(),
            method: "GET".to_owned(),
            headers: Vec::new(),
            body: None,
            keep_alive: false,
            tls_client: TlsClient::insecure(),
            certificate_expires_within_days: None,
            expect_status: Vec::new(),
            expect_body_contains: None,
            expect_body_regex: None,
            expect_headers: Vec::new(),
            max_body_bytes: None,
        }
    }

    /// Checks every field; the first mistake is the error.
    pub fn compile(self) -> Result<Arc<HttpPlan>, HttpSpecError> {
        if self.port == 0 {
            return Err(bad("port", "must be 1 to 65535"));
        }
        if self
            .max_body_bytes
            .is_some_and(|max| max == 0 || max > MAX_BODY_BYTES)
        {
            return Err(bad(
                "maxBodyBytes",
                format!("must be 1 to {MAX_BODY_BYTES}"),
            ));
        }
        let method = check_method(&self.method)?;
        if self
            .body
            .as_ref()
            .is_some_and(|body| body.len() > MAX_REQUEST_BODY_BYTES)
        {
            return Err(bad(
                "body",
                format!("is larger than {MAX_REQUEST_BODY_BYTES} bytes"),
            ));
        }
        check_headers(&self.headers)?;
        let target = request_target(&self.path)?;
        let expect = Expectations::compile(&self)?;
        HttpPlan::new(self, method, target, expect).map(Arc::new)
    }
}

/// What is wrong with an [`HttpSpec`]: the field, by its name in a manifest, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSpecError {
    pub field: &'static str,
    pub message: String,
}

impl std::fmt::Display for HttpSpecError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.field, self.message)
    }
}

impl std::error::Error for HttpSpecError {}

pub fn bad(field: &'static str, message: impl Into<String>) -> HttpSpecError {
    HttpSpecError {
        field,
        message: message.into(),
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn check_method(method: &str) -> Result<Box<str>, HttpSpecError> {
    if !is_token(method) || method.len() > 32 {
        return Err(bad("method", "must be an HTTP method, for example GET"));
    }
    if method.eq_ignore_ascii_case("CONNECT") {
        return Err(bad("method", "must not be CONNECT"));
    }
    Ok(method.into())
}

fn check_headers(headers: &[(String, String)]) -> Result<(), HttpSpecError> {
    if headers.len() > MAX_HEADERS {
        return Err(bad("headers", format!("are more than {MAX_HEADERS}")));
    }
    for (name, value) in headers {
        check_header_name("headers", name)?;
        if ["content-length", "transfer-encoding"]
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours))
        {
            return Err(bad(
                "headers",
                format!("{name} follows from the body and cannot be given"),
            ));
        }
        // Line ends would let a value add headers or a second request.
        if value
            .bytes()
            .any(|byte| byte != b'\t' && (byte < b' ' || byte == 0x7f))
        {
            return Err(bad(
                "headers",
                format!("the value of {name} has a control character"),
            ));
        }
        if value.len() > MAX_HEADER_VALUE_BYTES {
            return Err(bad(
                "headers",
                format!("the value of {name} is longer than {MAX_HEADER_VALUE_BYTES} bytes"),
            ));
        }
    }
    Ok(())
}

pub fn check_header_name(field: &'static str, name: &str) -> Result<(), HttpSpecError> {
    if is_token(name) && name.len() <= 256 {
        return Ok(());
    }
    Err(bad(
        field,
        format!(
            "{:?} is not a header name",
            name.chars().take(64).collect::<String>()
        ),
    ))
}

/// The request target of a path: no fragment, a leading slash, percent-encoded where needed.
fn request_target(path: &str) -> Result<Box<str>, HttpSpecError> {
    if path.len() > MAX_PATH_BYTES {
        return Err(bad(
            "path",
            format!("is longer than {MAX_PATH_BYTES} bytes"),
        ));
    }
    if path.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(bad("path", "has a control character"));
    }
    let path = path.split('#').next().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(format!("{slash}{}", percent_encode(path.as_bytes())).into())
}

/// Encodes what a URL cannot hold and leaves the rest, valid escapes included, alone.
pub fn percent_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for (index, &byte) in bytes.iter().enumerate() {
        let escape = bytes
            .get(index + 1..index + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let stays = if byte == b'%' {
            escape
        } else {
            byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
        };
        if stays {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
