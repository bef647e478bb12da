//! Bounded, escaped text of untrusted bytes.

use std::fmt::Write;

/// Printable ASCII stays, the rest becomes `\n`, `\xff` and so on; at most `max` input bytes, then `…`.
pub fn escape(bytes: &[u8], max: usize) -> String {
    let shown = &bytes[..bytes.len().min(max)];
    let mut text = String::with_capacity(shown.len() + 4);
    for &byte in shown {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    if shown.len() < bytes.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn escapes_and_bounds() {
        assert_eq!(
            escape(b"ok\r\n\t\\\x1b[2J\xff", 64),
            "ok\\r\\n\\t\\\\\\x1b[2J\\xff"
        );
        assert_eq!(escape(b"abcdef", 3), "abc…");
        assert_eq!(escape(b"", 3), "");
    }
}
