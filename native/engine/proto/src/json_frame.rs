//! Splits a stream into JSON objects by counting brackets, so that neither line ends nor pretty-printing matter.

use crate::channel::ChannelFault;
use crate::reason::Reason;
use crate::text::escape;

/// Nesting that is accepted; serde_json recurses at most as deep.
const MAX_DEPTH: u16 = 100;
/// Bytes of a stream that is not ours which an error shows.
const SEEN_BYTES: usize = 64;

/// Collects one object at a time. Memory: at most `max_bytes`, released after an unusually large object.
#[derive(Debug)]
pub struct JsonFramer {
    buffer: Vec<u8>,
    max_bytes: usize,
    depth: u16,
    in_string: bool,
    escaped: bool,
}

impl JsonFramer {
    pub fn new(max_bytes: usize) -> Self {
        Self {
            buffer: Vec::new(),
            max_bytes,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    /// Takes bytes up to the end of the current object. `Some(n)`: the object is complete after `n` of them.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<usize>, ChannelFault> {
        let start = if self.depth > 0 {
            0
        } else {
            let blank = bytes
                .iter()
                .take_while(|byte| byte.is_ascii_whitespace())
                .count();
            match bytes.get(blank) {
                None => return Ok(None),
                Some(b'{') => blank,
                Some(_) => return Err(not_json(&bytes[blank..])),
            }
        };
        for (index, &byte) in bytes.iter().enumerate().skip(start) {
            self.step(byte)?;
            if self.depth == 0 {
                self.keep(&bytes[start..=index])?;
                return Ok(Some(index + 1));
            }
        }
        self.keep(&bytes[start..])?;
        Ok(None)
    }

    /// The complete object that `push` reported.
    pub fn object(&self) -> &[u8] {
        &self.buffer
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        if self.buffer.capacity() > 64 * 1024 {
            self.buffer = Vec::new();
        } else {
            self.buffer.clear();
        }
        self.depth = 0;
        self.in_string = false;
        self.escaped = false;
    }

    fn step(&mut self, byte: u8) -> Result<(), ChannelFault> {
        if self.in_string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
            }
            return Ok(());
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' if self.depth == MAX_DEPTH => {
                return Err(fault(
                    Reason::ProtocolError,
                    format!("JSON nested deeper than {MAX_DEPTH}"),
                ));
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), ChannelFault> {
        if self.buffer.len() + bytes.len() > self.max_bytes {
            let text = format!("a message is larger than {} bytes", self.max_bytes);
            return Err(fault(Reason::ResponseTooLarge, text));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }
}

/// Whether a JSON text is nested as deep as is accepted, or less. What is no JSON is for the parser to find.
pub fn is_shallow(text: &[u8]) -> bool {
    let mut framer = JsonFramer::new(0);
    for &byte in text {
        let closes = !framer.in_string && matches!(byte, b'}' | b']');
        if closes && framer.depth == 0 {
            return true;
        }
        if framer.step(byte).is_err() {
            return false;
        }
    }
    true
}

pub fn fault(reason: Reason, message: impl Into<Box<str>>) -> ChannelFault {
    ChannelFault {
        reason,
        message: message.into(),
    }
}

/// The fault for bytes that cannot be a message.
pub fn not_json(seen: &[u8]) -> ChannelFault {
    fault(
        Reason::ProtocolError,
        format!(
            "expected a JSON object, received \"{}\"",
            escape(seen, SEEN_BYTES)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(stream: &[u8], step: usize, max: usize) -> Result<Vec<Vec<u8>>, ChannelFault> {
        let mut framer = JsonFramer::new(max);
        let mut objects = Vec::new();
        for chunk in stream.chunks(step) {
            let mut rest = chunk;
            while let Some(used) = framer.push(rest)? {
                objects.push(framer.object().to_vec());
                framer.reset();
                rest = &rest[used..];
            }
        }
        Ok(objects)
    }

    #[test]
    fn splits_by_brackets_outside_strings_whatever_the_chunks() {
        let stream = b"{\"a\": \"}{\\\"\"}\r\n{\n \"b\": [1, {}]\n}{}";
        for step in 1..=stream.len() {
            let objects = split(stream, step, 64).unwrap();
            assert_eq!(
                objects,
                [&b"{\"a\": \"}{\\\"\"}"[..], b"{\n \"b\": [1, {}]\n}", b"{}"]
            );
        }
    }

    #[test]
    fn names_what_is_not_json() {
        let error = split(b"QEMU 7.2 monitor\r\n", 100, 64).unwrap_err();
        assert_eq!(error.reason, Reason::ProtocolError);
        assert_eq!(
            &*error.message,
            "expected a JSON object, received \"QEMU 7.2 monitor\\r\\n\""
        );
    }

    #[test]
    fn bounds_size_and_depth() {
        assert_eq!(
            split(b"{\"a\":\"0123456789\"}", 4, 10).unwrap_err().reason,
            Reason::ResponseTooLarge
        );
        let deep = format!("{{\"a\":{}", "[".repeat(200));
        assert_eq!(
            split(deep.as_bytes(), 7, 1000).unwrap_err().reason,
            Reason::ProtocolError
        );
    }
}
