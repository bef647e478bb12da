//! What an answer means.

use crate::http2::{Fault, Fields};
use crate::reason::Reason;
use crate::text::escape;

/// Of a message; the one that is expected has two bytes.
const MAX_MESSAGE: usize = 4 * 1024;
/// In front of each message: whether it is compressed, and its length.
const PREFIX: usize = 5;
const SHOWN_BYTES: usize = 128;

const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const STATES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING: u64 = 1;

fn bad_status(message: String) -> Fault {
    Fault {
        reason: Reason::BadStatus,
        message,
    }
}

/// The head of a response. False: one on the way to it, which says nothing.
pub fn judge_head(fields: &Fields) -> Result<bool, Fault> {
    let status = fields.get(":status").and_then(number);
    match status {
        Some(200) => {}
        Some(100..=199) => return Ok(false),
        Some(status @ 100..=999) => {
            return Err(bad_status(format!("HTTP status {status}, not 200")));
        }
        _ => return Err(Fault::protocol("an answer without an HTTP status")),
    }
    let kind = fields.get("content-type").unwrap_or_default();
    if kind.starts_with(b"application/grpc") {
        return Ok(true);
    }
    Err(Fault::protocol(format!(
        "the content type is \"{}\", not application/grpc",
        escape(kind, SHOWN_BYTES)
    )))
}

/// Data so far: more than a message can be is not waited for.
pub fn check_body(body: &[u8]) -> Result<(), Fault> {
    let Some((prefix, message)) = body.split_first_chunk::<PREFIX>() else {
        return Ok(());
    };
    let length = length(prefix)?;
    if length > MAX_MESSAGE {
        return Err(Fault::too_large(format!(
            "a message of {length} bytes; at most {MAX_MESSAGE} are read"
        )));
    }
    if message.len() > length {
        return Err(Fault::protocol("more than one message"));
    }
    Ok(())
}

fn length([compressed, length @ ..]: &[u8; PREFIX]) -> Result<usize, Fault> {
    if *compressed != 0 {
        return Err(Fault::protocol(
            "a compressed message, which was not asked for",
        ));
    }
    Ok(u32::from_be_bytes(*length) as usize)
}

/// The whole answer: its trailers, and its data. Ok: the service serves.
pub fn judge(trailers: &Fields, body: &[u8]) -> Result<(), Fault> {
    let Some(code) = trailers.get("grpc-status") else {
        return Err(Fault::protocol("the answer has no grpc-status"));
    };
    match number(code) {
        Some(0) => judge_message(body),
        Some(code) => Err(refusal(code, trailers.get("grpc-message"))),
        None => Err(Fault::protocol(format!(
            "the grpc-status is \"{}\"",
            escape(code, SHOWN_BYTES)
        ))),
    }
}

fn refusal(code: u32, message: Option<&[u8]>) -> Fault {
    let mut text = match CODES.get(code as usize) {
        Some(name) => format!("gRPC status {name}"),
        None => format!("gRPC status {code}"),
    };
    match code {
        5 => text.push_str(" (the server does not know the service)"),
        12 => text.push_str(" (the server has no health service)"),
        _ => {}
    }
    let message = percent_decoded(message.unwrap_or_default());
    if !message.is_empty() {
        text.push_str(&format!(": {}", escape(&message, SHOWN_BYTES)));
    }
    let reason = match code {
        7 | 16 => Reason::AuthenticationFailed,
        _ => Reason::BadStatus,
    };
    Fault {
        reason,
        message: text,
    }
}

fn judge_message(body: &[u8]) -> Result<(), Fault> {
    let Some((prefix, message)) = body.split_first_chunk::<PREFIX>() else {
        return Err(Fault::protocol("the answer has no message"));
    };
    if message.len() != length(prefix)? {
        return Err(Fault::protocol("the message is cut"));
    }
    let state = state(message).ok_or_else(|| Fault::protocol("the message cannot be read"))?;
    if state == SERVING {
        return Ok(());
    }
    let name = usize::try_from(state).ok().and_then(|at| STATES.get(at));
    Err(bad_status(match name {
        Some(name) => format!("the service is {name}"),
        None => format!("the service has the status {state}"),
    }))
}

/// `HealthCheckResponse { ServingStatus status = 1; }`; fields that are not known are skipped.
fn state(mut message: &[u8]) -> Option<u64> {
    let mut state = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (0, _) => return None,
            (1, 0) => state = varint(&mut message)?,
            (1, _) => return None,
            (_, 0) => drop(varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(state)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Up to nine digits.
fn number(text: &[u8]) -> Option<u32> {
    let fits = (1..10).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    fits.then(|| {
        text.iter()
            .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    })
}

/// What is not percent-encoded as it should be stays as it is.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        match (first, digit(0).zip(digit(1))) {
            (b'%', Some((high, low))) => {
                out.push((high << 4 | low) as u8);
                rest = &after[2..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}
