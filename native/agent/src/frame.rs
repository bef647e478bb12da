//! Cuts what a host sends into requests: JSON objects, each on one line, as the QEMU guest agent reads them.

/// Longest line that is read; what is longer is answered with an error.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;
/// Never part of JSON: whoever sends it wants everything before forgotten.
const RESET: u8 = 0xff;

/// What came of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    Line(Vec<u8>),
    TooLong,
}

/// Collects one line at a time, at most `MAX_REQUEST_BYTES` of it.
#[derive(Debug, Default)]
pub struct Framer {
    line: Vec<u8>,
    too_long: bool,
}

impl Framer {
    /// Takes bytes as they came, and says which lines they complete. Blank lines are none.
    pub fn push(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|&byte| byte == b'\n' || byte == RESET) {
            let (head, tail) = rest.split_at(at);
            rest = &tail[1..];
            if tail[0] == RESET {
                self.begin();
                continue;
            }
            self.keep(head);
            frames.extend(self.take());
        }
        self.keep(rest);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.too_long {
            return;
        }
        if self.line.len() + bytes.len() > MAX_REQUEST_BYTES {
            self.begin();
            self.too_long = true;
            return;
        }
        self.line.extend_from_slice(bytes);
    }

    fn take(&mut self) -> Option<Frame> {
        if self.too_long {
            self.begin();
            return Some(Frame::TooLong);
        }
        let line = std::mem::take(&mut self.line);
        (!line.trim_ascii().is_empty()).then_some(Frame::Line(line))
    }

    fn begin(&mut self) {
        self.line = Vec::new();
        self.too_long = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(bytes: &[u8], step: usize) -> Vec<Frame> {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for chunk in bytes.chunks(step.max(1)) {
            framer.push(chunk, &mut frames);
        }
        frames
    }

    fn line(text: &str) -> Frame {
        Frame::Line(text.as_bytes().to_vec())
    }

    #[test]
    fn a_request_is_a_line_and_ff_forgets() {
        let bytes = b"{\"a\":1}\n\r\n  \nnoise\xff{\"b\":2}\n{\"half\"";
        for step in 1..bytes.len() {
            assert_eq!(
                frames(bytes, step),
                [line("{\"a\":1}"), line("{\"b\":2}")],
                "{step}"
            );
        }
    }

    #[test]
    fn what_is_too_long_is_told_once_and_what_follows_is_read() {
        let mut bytes = vec![b'x'; MAX_REQUEST_BYTES + 1];
        bytes.extend_from_slice(b"\n{}\n");
        assert_eq!(frames(&bytes, 4096), [Frame::TooLong, line("{}")]);
        let longest = [vec![b'x'; MAX_REQUEST_BYTES], b"\n".to_vec()].concat();
        assert_eq!(
            frames(&longest, 1000),
            [Frame::Line(vec![b'x'; MAX_REQUEST_BYTES])]
        );
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..400), step in 1usize..50) {
            prop_assert_eq!(frames(&bytes, bytes.len().max(1)), frames(&bytes, step));
        }
    }
}
