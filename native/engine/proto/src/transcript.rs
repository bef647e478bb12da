//! The bounded transcript of one probe, for `--debug`.

use crate::text::escape;

/// Characters that are kept.
const MAX_CHARS: usize = 16 * 1024;
/// Bytes of one line that are shown.
const MAX_LINE: usize = 1024;

/// Lines begin with `>` (sent), `<` (received) or `*` (what happened).
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    text: String,
    full: bool,
}

impl Transcript {
    /// Adds one line.
    pub fn line(&mut self, mark: char, bytes: &[u8]) {
        if self.full {
            return;
        }
        if self.text.len() + bytes.len().min(MAX_LINE) * 4 > MAX_CHARS {
            self.full = true;
            self.text.push_str("* transcript cut here\n");
            return;
        }
        self.text.push(mark);
        self.text.push(' ');
        self.text.push_str(&escape(bytes, MAX_LINE));
        self.text.push('\n');
    }

    /// Adds a head, a line each.
    pub fn head(&mut self, mark: char, head: &[u8]) {
        for line in head.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                self.line(mark, line);
            }
        }
    }

    pub fn into_text(self) -> Box<str> {
        self.text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_lines_and_stays_bounded() {
        let mut transcript = Transcript::default();
        transcript.head('>', b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(transcript.text, "> GET / HTTP/1.1\n> Host: a\n");
        for _ in 0..1000 {
            transcript.line('<', &[0xff; 4096]);
        }
        assert!(transcript.text.ends_with("* transcript cut here\n"));
        assert!(transcript.into_text().len() <= MAX_CHARS + 64);
    }
}
