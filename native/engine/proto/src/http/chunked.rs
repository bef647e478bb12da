//! The chunked transfer coding (RFC 9112 section 7.1).

use super::body::{BodyStep, protocol, take};
use super::head::Fault;
use crate::reason::Reason;

/// Bytes of one chunk-size line.
const MAX_LINE: u32 = 4096;
/// Bytes of all trailers together.
const MAX_TRAILERS: u32 = 8 * 1024;
/// Framing bytes beyond a fair share of the data; a peer cannot feed us extensions without end.
const MAX_EXCESS: i64 = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    /// Blanks or an extension after the size, up to the line's end.
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerText,
    EndLf,
    End,
}

#[derive(Debug)]
pub struct Chunked {
    state: State,
    /// The size being read, then the data bytes left of the chunk.
    left: u64,
    digits: u8,
    /// Bytes of the current size line, or of the trailers.
    line: u32,
    excess: i64,
}

impl Chunked {
    pub fn new() -> Self {
        Self {
            state: State::Size,
            left: 0,
            digits: 0,
            line: 0,
            excess: 0,
        }
    }

    /// Takes the next piece of data off `bytes`.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<BodyStep<'a>, Fault> {
        loop {
            if self.state == State::End {
                return Ok(BodyStep::End);
            }
            if self.state == State::Data && !bytes.is_empty() {
                let data = take(bytes, self.left);
                self.left -= data.len() as u64;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                return Ok(BodyStep::Data(data));
            }
            let Some((&byte, rest)) = bytes.split_first() else {
                return Ok(BodyStep::More);
            };
            *bytes = rest;
            self.state = self.step(byte)?;
        }
    }

    fn step(&mut self, byte: u8) -> Result<State, Fault> {
        match (self.state, byte) {
            (State::Size, _) if byte.is_ascii_hexdigit() => self.digit(byte),
            (State::Size, _) if self.digits == 0 => Err(protocol("a chunk has no size")),
            (State::Size, b';' | b' ' | b'\t') => self.extension(),
            (State::Size, b'\r') => Ok(State::SizeLf),
            (State::Size, _) => Err(protocol("a chunk has a bad size")),
            (State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, b'\n') => {
                Err(protocol("a chunk size line ends without a carriage return"))
            }
            (State::Extension, _) => self.extension(),
            (State::SizeLf, b'\n') => self.size_done(),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                (self.left, self.digits, self.line) = (0, 0, 0);
                Ok(State::Size)
            }
            (State::DataCr | State::DataLf, _) => Err(protocol("a chunk is longer than its size")),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::TrailerStart, b'\n') | (State::SizeLf, _) => {
                Err(protocol("a chunk has a bad line end"))
            }
            (State::TrailerStart | State::TrailerText, _) => self.trailer(byte),
            (State::EndLf, b'\n') => Ok(State::End),
            (State::EndLf | State::Data | State::End, _) => {
                Err(protocol("the last chunk has a bad end"))
            }
        }
    }

    fn digit(&mut self, byte: u8) -> Result<State, Fault> {
        self.digits += 1;
        if self.digits > 16 {
            return Err(protocol("a chunk size is too long"));
        }
        let value = char::from(byte).to_digit(16).unwrap_or_default();
        self.left = self.left * 16 + u64::from(value);
        self.line += 1;
        Ok(State::Size)
    }

    fn extension(&mut self) -> Result<State, Fault> {
        self.line += 1;
        if self.line > MAX_LINE {
            return Err((
                Reason::ResponseTooLarge,
                format!("a chunk size line is over {MAX_LINE} bytes"),
            ));
        }
        Ok(State::Extension)
    }

    fn size_done(&mut self) -> Result<State, Fault> {
        // Sixteen bytes a chunk and twice its data are fair: even one byte a chunk passes.
        let fair = i64::try_from(self.left)
            .unwrap_or(i64::MAX)
            .saturating_mul(2)
            .saturating_add(16);
        self.excess = (self.excess + i64::from(self.line) + 4 - fair).max(0);
        if self.excess > MAX_EXCESS {
            return Err((
                Reason::ResponseTooLarge,
                "the chunks are mostly framing".to_owned(),
            ));
        }
        if self.left > 0 {
            return Ok(State::Data);
        }
        self.line = 0;
        Ok(State::TrailerStart)
    }

    fn trailer(&mut self, byte: u8) -> Result<State, Fault> {
        self.line += 1;
        if self.line > MAX_TRAILERS {
            return Err((
                Reason::ResponseTooLarge,
                format!("the trailers are over {MAX_TRAILERS} bytes"),
            ));
        }
        Ok(if byte == b'\n' {
            State::TrailerStart
        } else {
            State::TrailerText
        })
    }
}
