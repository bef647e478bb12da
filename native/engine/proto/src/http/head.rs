//! Finds and reads the head of a response.

use crate::reason::Reason;
use crate::text::escape;
use httparse::{Header, ParserConfig, Status};
use memchr::memchr;

/// Bytes of all heads of one exchange together, interim responses included.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
pub const MAX_HEADERS: usize = 128;
const PREFIX: &[u8] = b"HTTP/1.";

/// A reason and one line for people.
pub type Fault = (Reason, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    /// Only a carriage return so far.
    CarriageReturn,
    Text,
}

/// Collects a head; each byte is looked at once, however slowly they come.
#[derive(Debug)]
pub struct HeadReader {
    buffer: Vec<u8>,
    line: Line,
    /// Bytes of earlier (interim) heads.
    spent: usize,
}

impl HeadReader {
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            line: Line::Empty,
            spent: 0,
        }
    }

    /// Bytes received and not yet a whole head.
    pub fn pending(&self) -> &[u8] {
        &self.buffer
    }

    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// True when not a single byte came.
    pub fn is_untouched(&self) -> bool {
        self.spent == 0 && self.buffer.is_empty()
    }

    /// Takes bytes up to the end of the head; `Some(n)`: it ends after `n` of them, and is `head(&bytes[..n])`.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        self.check_prefix(bytes)?;
        let room = MAX_HEAD_BYTES - self.spent - self.buffer.len();
        let within = &bytes[..bytes.len().min(room)];
        if let Some(end) = self.find_end(within) {
            return Ok(Some(end));
        }
        if bytes.len() >= room {
            return Err((
                Reason::ResponseTooLarge,
                format!("the response head is over {MAX_HEAD_BYTES} bytes"),
            ));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(None)
    }

    /// The whole head, given the bytes that completed it: a head that came in one piece is not copied.
    pub fn head<'a>(&'a mut self, last: &'a [u8]) -> &'a [u8] {
        if self.buffer.is_empty() {
            return last;
        }
        self.buffer.extend_from_slice(last);
        &self.buffer
    }

    /// Forgets the head, which had `length` bytes, and begins the next one.
    pub fn next_head(&mut self, length: usize) {
        self.spent += length;
        self.buffer.clear();
        self.line = Line::Empty;
    }

    fn check_prefix(&self, bytes: &[u8]) -> Result<(), Fault> {
        let have = self.buffer.len();
        let Some(wanted) = PREFIX.get(have..) else {
            return Ok(());
        };
        if wanted
            .iter()
            .zip(bytes)
            .all(|(wanted, byte)| wanted == byte)
        {
            return Ok(());
        }
        let seen = [&self.buffer, bytes].concat();
        Err((
            Reason::ProtocolError,
            format!(
                "not an HTTP/1 response: it begins \"{}\"",
                escape(&seen, 32)
            ),
        ))
    }

    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut start = 0;
        loop {
            let rest = &bytes[start..];
            let newline = memchr(b'\n', rest);
            match (self.line, &rest[..newline.unwrap_or(rest.len())]) {
                (_, []) => {}
                (Line::Empty, [b'\r']) => self.line = Line::CarriageReturn,
                _ => self.line = Line::Text,
            }
            start += newline? + 1;
            if self.line != Line::Text {
                return Some(start);
            }
            self.line = Line::Empty;
        }
    }
}

/// The head of a response.
pub struct Head<'a, 'h> {
    pub status: u16,
    pub is_http_11: bool,
    pub headers: &'h [Header<'a>],
}

impl<'a> Head<'a, '_> {
    /// Reads a whole head and hands it to `then`.
    pub fn parse<T>(bytes: &'a [u8], then: impl FnOnce(&Head<'a, '_>) -> T) -> Result<T, Fault> {
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut slots);
        let mut config = ParserConfig::default();
        config.allow_obsolete_multiline_headers_in_responses(true);
        config.allow_multiple_spaces_in_response_status_delimiters(true);
        match config.parse_response(&mut response, bytes) {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) => {
                return Err((
                    Reason::ProtocolError,
                    "the response head is malformed".to_owned(),
                ));
            }
            Err(httparse::Error::TooManyHeaders) => {
                return Err((
                    Reason::ResponseTooLarge,
                    format!("the response has over {MAX_HEADERS} headers"),
                ));
            }
            Err(error) => {
                let line = bytes
                    .split(|&byte| byte == b'\n')
                    .next()
                    .unwrap_or_default();
                let text = format!(
                    "the response head is malformed ({error}); it begins \"{}\"",
                    escape(line, 64)
                );
                return Err((Reason::ProtocolError, text));
            }
        }
        let head = Head {
            status: response.code.unwrap_or_default(),
            is_http_11: response.version == Some(1),
            headers: response.headers,
        };
        Ok(then(&head))
    }

    /// The values of a header, trimmed.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let wanted = move |header: &&Header<'a>| header.name.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .filter(wanted)
            .map(|header| header.value.trim_ascii())
    }

    /// Whether the peer means to keep the connection.
    pub fn keeps_alive(&self) -> bool {
        let lists = |wanted: &str| {
            self.values("connection")
                .flat_map(|value| value.split(|&byte| byte == b','))
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
        };
        if self.is_http_11 {
            !lists("close")
        } else {
            lists("keep-alive")
        }
    }
}
