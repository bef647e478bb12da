//! One connection of a REST API of a VMM: Cloud Hypervisor, Firecracker.

use crate::channel::{
    ChannelFault, ChannelMessage, ChannelSession, Json, MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES,
    SendError,
};
use crate::http::{BodyReader, BodyStep, Head, HeadReader, USER_AGENT};
use crate::json_frame::{fault, is_shallow};
use crate::reason::Reason;
use crate::text::escape;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;

/// Interim responses before one answer.
const MAX_INTERIM: u8 = 5;
const MAX_PATH_BYTES: usize = 1024;
/// Bytes of an error text that are kept.
const MAX_TEXT: usize = 1024;
/// What an API says when it serves as many clients as it can.
const TOO_MANY_CLIENTS: u16 = 503;

/// An answer that is being read.
#[derive(Debug)]
struct Answer {
    head: HeadReader,
    interim: u8,
    /// Status and reader, once the head is there.
    body: Option<(u16, BodyReader)>,
    keeps_alive: bool,
    bytes: Vec<u8>,
}

impl Answer {
    fn new() -> Self {
        Self {
            head: HeadReader::new(),
            interim: 0,
            body: None,
            keeps_alive: true,
            bytes: Vec::new(),
        }
    }

    fn is_untouched(&self) -> bool {
        self.body.is_none() && self.head.is_untouched()
    }
}

/// HTTP/1.1 with one request at a time, kept alive. Commands are `METHOD /path`, arguments the JSON body.
///
/// A command is answered by `{"status":…,"body":…}` for a status of 200 to 299 (`null` without a body), else by an
/// error of the class `http-<status>`. Requests go one at a time because the answers carry no ids: after a request that
/// was forgotten nothing is sent until its answer came, and was dropped.
#[derive(Debug)]
pub struct RestSession {
    out: Vec<u8>,
    /// The request whose answer is due; `Some(None)`: nobody waits for it any more.
    due: Option<Option<u64>>,
    answer: Answer,
    /// The peer answered on this connection.
    answered: bool,
    spent: bool,
}

impl Default for RestSession {
    fn default() -> Self {
        Self::new()
    }
}

impl RestSession {
    pub fn new() -> Self {
        Self {
            out: Vec::new(),
            due: None,
            answer: Answer::new(),
            answered: false,
            spent: false,
        }
    }

    /// Takes the next piece; true once the answer is complete.
    fn read(&mut self, rest: &mut &[u8]) -> Result<bool, ChannelFault> {
        if self.answer.body.is_none() {
            let wrong = |(reason, text): (Reason, String)| fault(reason, text);
            let Some(used) = self.answer.head.push(rest).map_err(wrong)? else {
                *rest = &[];
                return Ok(false);
            };
            let (last, after) = rest.split_at(used);
            *rest = after;
            let bytes = self.answer.head.head(last);
            let length = bytes.len();
            let (status, keeps_alive, body) = Head::parse(bytes, |head| {
                (head.status, head.keeps_alive(), BodyReader::of(head, false))
            })
            .map_err(wrong)?;
            if status < 200 {
                self.answer.interim += 1;
                if status == 101 || self.answer.interim > MAX_INTERIM {
                    return Err(fault(
                        Reason::ProtocolError,
                        format!("an interim response of status {status}"),
                    ));
                }
                self.answer.head.next_head(length);
                return Ok(false);
            }
            self.answer.keeps_alive = keeps_alive;
            self.answer.body = Some((status, body.map_err(wrong)?));
        }
        let Some((_, body)) = &mut self.answer.body else {
            return Ok(false);
        };
        loop {
            match body
                .next(rest)
                .map_err(|(reason, text)| fault(reason, text))?
            {
                BodyStep::More => return Ok(false),
                BodyStep::End => return Ok(true),
                BodyStep::Data(data) => {
                    if self.answer.bytes.len() + data.len() > MAX_MESSAGE_BYTES {
                        let text = format!("an answer is larger than {MAX_MESSAGE_BYTES} bytes");
                        return Err(fault(Reason::ResponseTooLarge, text));
                    }
                    self.answer.bytes.extend_from_slice(data);
                }
            }
        }
    }

    /// The answer is complete: what it says to whoever asked.
    fn conclude(&mut self, messages: &mut Vec<ChannelMessage>) -> Result<(), ChannelFault> {
        let answer = std::mem::replace(&mut self.answer, Answer::new());
        let status = answer.body.map_or(0, |(status, _)| status);
        if status == TOO_MANY_CLIENTS {
            let text = error_text(&answer.bytes);
            let text = format!("the API serves as many clients as it can: {text}");
            return Err(fault(Reason::ChannelBusy, text));
        }
        let Some(due) = self.due.take() else {
            let text = format!("an answer of status {status} that nobody asked for");
            return Err(fault(Reason::ProtocolError, text));
        };
        if !std::mem::replace(&mut self.answered, true) {
            messages.push(ChannelMessage::Ready);
        }
        self.spent = !answer.keeps_alive;
        let Some(id) = due else { return Ok(()) };
        messages.push(if (200..300).contains(&status) {
            let value = value(status, &answer.bytes)?;
            ChannelMessage::Return { id, value }
        } else {
            ChannelMessage::Error {
                id: Some(id),
                class: format!("http-{status}").into(),
                description: error_text(&answer.bytes).into(),
            }
        });
        Ok(())
    }
}

impl ChannelSession for RestSession {
    fn pull(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.out);
    }

    fn send(&mut self, id: u64, command: &str, arguments: Option<&str>) -> Result<(), SendError> {
        let request = request_text(command, arguments)?;
        if !self.is_ready() {
            return Err(SendError::Busy);
        }
        self.due = Some(Some(id));
        self.out.extend_from_slice(request.as_bytes());
        Ok(())
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), ChannelFault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.spent {
                // What follows an answer that closes the connection belongs to nobody.
                return Ok(());
            }
            if self.read(&mut rest)? {
                self.conclude(messages)?;
            }
        }
        Ok(())
    }

    fn on_eof(&mut self, messages: &mut Vec<ChannelMessage>) -> Result<(), ChannelFault> {
        if let Some((_, BodyReader::UntilClose)) = self.answer.body {
            self.conclude(messages)?;
            self.spent = true;
        }
        Ok(())
    }

    fn forget(&mut self, id: u64) {
        if self.due == Some(Some(id)) {
            self.due = Some(None);
        }
    }

    fn is_ready(&self) -> bool {
        self.due.is_none() && !self.spent && self.answer.is_untouched()
    }

    fn timeout_reason(&self) -> Reason {
        Reason::ResponseTimeout
    }

    fn is_proven(&self) -> bool {
        self.answered
    }

    fn is_replaceable(&self) -> bool {
        self.answered && self.due.is_none() && self.answer.is_untouched()
    }

    fn is_stuck(&self) -> bool {
        match self.due {
            Some(due) => due.is_none(),
            None => !self.answer.is_untouched(),
        }
    }

    fn is_spent(&self) -> bool {
        self.spent
    }
}

#[derive(Serialize)]
struct Value<'a> {
    status: u16,
    body: Option<&'a RawValue>,
}

fn value(status: u16, body: &[u8]) -> Result<Json, ChannelFault> {
    let body = match body.trim_ascii() {
        [] => None,
        text => Some(json(text)?),
    };
    to_raw_value(&Value { status, body }).map_err(|_| not_json(b""))
}

fn json(text: &[u8]) -> Result<&RawValue, ChannelFault> {
    if !is_shallow(text) {
        return Err(fault(
            Reason::ProtocolError,
            "the answer is JSON nested too deeply",
        ));
    }
    serde_json::from_slice(text).map_err(|_| not_json(text))
}

fn not_json(seen: &[u8]) -> ChannelFault {
    fault(
        Reason::ProtocolError,
        format!("expected JSON, received \"{}\"", escape(seen, 64)),
    )
}

/// Error bodies of Firecracker and of the HTTP server that both are built on.
#[derive(Deserialize)]
struct ErrorObject<'a> {
    #[serde(borrow)]
    fault_message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
}

/// The error body in one bounded, escaped line. Cloud Hypervisor sends the chain of its errors as a list.
fn error_text(body: &[u8]) -> String {
    let text = if let Ok(chain) = serde_json::from_slice::<Vec<Cow<'_, str>>>(body) {
        chain.join(": ")
    } else if let Ok(object) = serde_json::from_slice::<ErrorObject<'_>>(body)
        && let Some(text) = object.fault_message.or(object.error)
    {
        text.into_owned()
    } else {
        return escape(body.trim_ascii(), MAX_TEXT);
    };
    escape(text.as_bytes(), MAX_TEXT)
}

/// The text of a request, or `Invalid`.
fn request_text(command: &str, arguments: Option<&str>) -> Result<String, SendError> {
    let (method, path) = command.split_once(' ').ok_or(SendError::Invalid)?;
    let path_ok = path.starts_with('/')
        && path.len() <= MAX_PATH_BYTES
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !matches!(method, "GET" | "PUT" | "PATCH" | "POST" | "DELETE") || !path_ok {
        return Err(SendError::Invalid);
    }
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {USER_AGENT}\r\nAccept: application/json\r\n"
    );
    // Cloud Hypervisor refuses a body, even an empty one, where it wants none.
    match arguments {
        None => text.push_str("\r\n"),
        Some(arguments) => {
            let object: &RawValue =
                serde_json::from_str(arguments).map_err(|_| SendError::Invalid)?;
            let body = object.get();
            if !body.starts_with('{') {
                return Err(SendError::Invalid);
            }
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    }
    if text.len() > MAX_REQUEST_BYTES {
        Err(SendError::Invalid)
    } else {
        Ok(text)
    }
}

#[cfg(test)]
#[path = "rest_tests.rs"]
mod tests;
