//! Finds the data and the end of a response body.

use super::chunked::Chunked;
use super::head::{Fault, Head};
use crate::reason::Reason;

/// How a body ends.
#[derive(Debug)]
pub enum BodyReader {
    /// After this many more bytes.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

/// One step of reading a body.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyStep<'a> {
    Data(&'a [u8]),
    /// All bytes are used up.
    More,
    /// The body is complete; what is left of the bytes is not part of it.
    End,
}

impl BodyReader {
    /// How the body of a final response ends (RFC 9112 section 6.3, and Go's client where it leaves a choice).
    pub fn of(head: &Head<'_, '_>, request_was_head: bool) -> Result<Self, Fault> {
        if request_was_head || matches!(head.status, 204 | 304) {
            return Ok(Self::Length(0));
        }
        // HTTP/1.0 has no transfer encodings.
        let mut encodings = head.values("transfer-encoding");
        if let Some(encoding) = encodings.next().filter(|_| head.is_http_11) {
            if encodings.next().is_some() || !encoding.eq_ignore_ascii_case(b"chunked") {
                return Err(protocol(
                    "the response has a transfer encoding other than chunked",
                ));
            }
            // It overrides a Content-Length.
            return Ok(Self::Chunked(Chunked::new()));
        }
        let mut lengths = head.values("content-length");
        let Some(length) = lengths.next() else {
            return Ok(Self::UntilClose);
        };
        if lengths.any(|other| other != length) {
            return Err(protocol(
                "the response has conflicting Content-Length headers",
            ));
        }
        parse_length(length).map(Self::Length)
    }

    /// The length that was announced.
    pub fn announced(&self) -> Option<u64> {
        if let Self::Length(length) = self {
            Some(*length)
        } else {
            None
        }
    }

    /// Takes the next piece off `bytes`.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<BodyStep<'a>, Fault> {
        match self {
            Self::Length(0) => Ok(BodyStep::End),
            Self::Chunked(chunked) => chunked.next(bytes),
            _ if bytes.is_empty() => Ok(BodyStep::More),
            Self::UntilClose => Ok(BodyStep::Data(std::mem::take(bytes))),
            Self::Length(left) => {
                let data = take(bytes, *left);
                *left -= data.len() as u64;
                Ok(BodyStep::Data(data))
            }
        }
    }
}

/// Splits off at most `limit` bytes.
pub fn take<'a>(bytes: &mut &'a [u8], limit: u64) -> &'a [u8] {
    let (data, rest) =
        bytes.split_at(usize::try_from(limit).map_or(bytes.len(), |limit| limit.min(bytes.len())));
    *bytes = rest;
    data
}

pub fn protocol(text: impl Into<String>) -> Fault {
    (Reason::ProtocolError, text.into())
}

fn parse_length(value: &[u8]) -> Result<u64, Fault> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let length = std::str::from_utf8(value)
        .ok()
        .filter(|_| digits)
        .and_then(|text| text.parse::<i64>().ok());
    length
        .and_then(|length| length.try_into().ok())
        .ok_or_else(|| protocol("the response has a bad Content-Length"))
}
