//! The client's side of a connection that carries one request, on stream 1.

use super::control::{STREAM, check_setting, on_goaway, on_our_stream, on_reset, on_window};
use super::fault::Fault;
use super::frame::{self, HEAD, Head, MAX_PAYLOAD};
use super::hpack::{Decoder, Fields, HpackError, MAX_LIST};
use crate::text::escape;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frames that are read.
const MAX_FRAMES: usize = 256;
/// Bytes that are read. The data among them fits into the first window, so that none has to be opened.
const MAX_BYTES: usize = 64 * 1024;
/// Bytes of a block of headers as it is sent.
const MAX_BLOCK: usize = 16 * 1024;

/// What came for the request. `end`: nothing follows.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Headers { fields: Fields, end: bool },
    Data { bytes: Vec<u8>, end: bool },
}

/// Reads frames, answers those that are about the connection, and gives the rest as events.
#[derive(Debug, Default)]
pub struct Connection {
    /// The frame that is being read, from its head on.
    pending: Vec<u8>,
    frames: usize,
    bytes: usize,
    decoder: Decoder,
    /// Headers that go on in the next frame, and whether they end the stream.
    block: Option<(Vec<u8>, bool)>,
    /// To be sent.
    outgoing: Vec<u8>,
}

impl Connection {
    /// A connection that asks: `block` are the request's headers, `data` is its body.
    pub fn asking(block: &[u8], data: &[u8]) -> Self {
        let mut settings = Vec::new();
        // ENABLE_PUSH, MAX_HEADER_LIST_SIZE
        for (id, value) in [(2u16, 0u32), (6, MAX_LIST as u32)] {
            settings.extend(id.to_be_bytes());
            settings.extend(value.to_be_bytes());
        }
        let mut out = PREFACE.to_vec();
        frame::write(frame::SETTINGS, 0, 0, &settings, &mut out);
        frame::write(frame::HEADERS, frame::END_HEADERS, STREAM, block, &mut out);
        frame::write(frame::DATA, frame::END_STREAM, STREAM, data, &mut out);
        Self {
            outgoing: out,
            ..Self::default()
        }
    }

    pub fn pull(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.outgoing);
    }

    /// Takes bytes up to the next event; `None`: all are taken.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, Fault> {
        while let Some((head, payload)) = self.frame(bytes)? {
            let event = self.on_frame(&head, &payload)?;
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// The next whole frame. What is wrong with its head shows before its payload came.
    fn frame(&mut self, bytes: &mut &[u8]) -> Result<Option<(Head, Vec<u8>)>, Fault> {
        let had_head = self.pending.len() >= HEAD;
        if !self.fill(bytes, HEAD) {
            return Ok(None);
        }
        let Some(head) = self.pending.first_chunk().map(Head::read) else {
            return Ok(None);
        };
        if !had_head {
            self.admit(&head)?;
        }
        if !self.fill(bytes, HEAD + head.length) {
            return Ok(None);
        }
        let mut payload = std::mem::take(&mut self.pending);
        payload.drain(..HEAD);
        Ok(Some((head, payload)))
    }

    fn fill(&mut self, bytes: &mut &[u8], length: usize) -> bool {
        let missing = length.saturating_sub(self.pending.len());
        let (now, rest) = bytes.split_at(missing.min(bytes.len()));
        self.pending.extend_from_slice(now);
        *bytes = rest;
        now.len() == missing
    }

    fn admit(&mut self, head: &Head) -> Result<(), Fault> {
        let is_first = self.frames == 0;
        let is_settings = head.kind == frame::SETTINGS && !head.has(frame::ACK) && head.stream == 0;
        if is_first && !is_settings {
            let said = escape(&self.pending, HEAD);
            return Err(Fault::protocol(format!(
                "the server does not speak HTTP/2, it said \"{said}\""
            )));
        }
        if head.length > MAX_PAYLOAD {
            return Err(Fault::protocol(format!(
                "a frame of {} bytes; {MAX_PAYLOAD} were allowed",
                head.length
            )));
        }
        self.frames += 1;
        self.bytes += HEAD + head.length;
        if self.frames > MAX_FRAMES || self.bytes > MAX_BYTES {
            return Err(Fault::too_large(format!(
                "more than {MAX_FRAMES} frames or {MAX_BYTES} bytes"
            )));
        }
        Ok(())
    }

    fn on_frame(&mut self, head: &Head, payload: &[u8]) -> Result<Option<Event>, Fault> {
        if self.block.is_some() && head.kind != frame::CONTINUATION {
            return Err(Fault::protocol("a block of headers does not go on"));
        }
        match head.kind {
            frame::HEADERS => self.on_headers(head, payload),
            frame::CONTINUATION => self.on_continuation(head, payload),
            frame::DATA => on_data(head, payload).map(Some),
            frame::RST_STREAM => Err(on_reset(head, payload)),
            frame::SETTINGS => self.on_settings(head, payload).map(|()| None),
            frame::PING => self.on_ping(head, payload).map(|()| None),
            frame::GOAWAY => on_goaway(head, payload).map(|()| None),
            frame::WINDOW_UPDATE => on_window(payload).map(|()| None),
            frame::PRIORITY if payload.len() != 5 => {
                Err(Fault::protocol("a PRIORITY frame of a wrong length"))
            }
            frame::PUSH_PROMISE => Err(Fault::protocol("a push, which was not allowed")),
            // Unknown kinds are to be ignored.
            _ => Ok(None),
        }
    }

    fn on_headers(&mut self, head: &Head, payload: &[u8]) -> Result<Option<Event>, Fault> {
        on_our_stream(head, "HEADERS")?;
        let mut block = unpadded(head, payload)?;
        if head.has(frame::WITH_PRIORITY) {
            block = block
                .get(5..)
                .ok_or_else(|| Fault::protocol("a HEADERS frame without its priority"))?;
        }
        self.block = Some((block.to_vec(), head.has(frame::END_STREAM)));
        self.finish_block(head)
    }

    fn on_continuation(&mut self, head: &Head, payload: &[u8]) -> Result<Option<Event>, Fault> {
        on_our_stream(head, "CONTINUATION")?;
        let Some((block, _)) = &mut self.block else {
            return Err(Fault::protocol("a CONTINUATION frame of nothing"));
        };
        if block.len() + payload.len() > MAX_BLOCK {
            return Err(Fault::too_large(format!(
                "headers of more than {MAX_BLOCK} bytes"
            )));
        }
        block.extend_from_slice(payload);
        self.finish_block(head)
    }

    fn finish_block(&mut self, head: &Head) -> Result<Option<Event>, Fault> {
        if !head.has(frame::END_HEADERS) {
            return Ok(None);
        }
        let Some((block, end)) = self.block.take() else {
            return Ok(None);
        };
        match self.decoder.decode(&block) {
            Ok(fields) => Ok(Some(Event::Headers { fields, end })),
            Err(HpackError::Malformed) => Err(Fault::protocol("headers that cannot be read")),
            Err(HpackError::TooLarge) => Err(Fault::too_large(format!(
                "headers of more than {MAX_LIST} bytes"
            ))),
        }
    }

    fn on_settings(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        let wrong = || Fault::protocol("a SETTINGS frame that is none");
        if head.has(frame::ACK) && payload.is_empty() && head.stream == 0 {
            return Ok(());
        }
        if head.has(frame::ACK) || head.stream != 0 || !payload.len().is_multiple_of(6) {
            return Err(wrong());
        }
        for setting in payload.chunks_exact(6) {
            let [a, b, value @ ..] = setting else {
                return Err(wrong());
            };
            let value = value.try_into().map_err(|_| wrong())?;
            check_setting(u16::from_be_bytes([*a, *b]), u32::from_be_bytes(value))?;
        }
        frame::write(frame::SETTINGS, frame::ACK, 0, &[], &mut self.outgoing);
        Ok(())
    }

    fn on_ping(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        if payload.len() != 8 || head.stream != 0 {
            return Err(Fault::protocol("a PING frame that is none"));
        }
        if !head.has(frame::ACK) {
            frame::write(frame::PING, frame::ACK, 0, payload, &mut self.outgoing);
        }
        Ok(())
    }
}

fn unpadded<'a>(head: &Head, payload: &'a [u8]) -> Result<&'a [u8], Fault> {
    if !head.has(frame::PADDED) {
        return Ok(payload);
    }
    let split = payload.split_first();
    split
        .and_then(|(&padding, rest)| rest.get(..rest.len().checked_sub(padding.into())?))
        .ok_or_else(|| Fault::protocol("a frame of nothing but padding"))
}

fn on_data(head: &Head, payload: &[u8]) -> Result<Event, Fault> {
    on_our_stream(head, "DATA")?;
    Ok(Event::Data {
        bytes: unpadded(head, payload)?.to_vec(),
        end: head.has(frame::END_STREAM),
    })
}
