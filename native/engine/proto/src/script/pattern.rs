//! What a step waits for, found while the bytes come: one state a search, nothing is kept and nothing is read twice.

use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, nfa::thompson};

/// Bytes of a text or of a regular expression.
const MAX_BYTES: usize = 1024;
/// Memory of a compiled expression.
const MAX_COMPILED_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub struct Pattern {
    /// As people read it.
    pub shown: Box<str>,
    matcher: Matcher,
}

#[derive(Debug)]
enum Matcher {
    /// The text, and for each length that has matched the longest part of it that may still begin one.
    Text { bytes: Box<[u8]>, back: Box<[u16]> },
    /// With the state that a search begins in.
    Regex(Box<dense::DFA<Vec<u32>>>, StateID),
}

/// Where a search stands.
#[derive(Clone, Copy, Debug)]
pub enum Search {
    /// So many bytes of the text have matched.
    Text(usize),
    Regex(StateID),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// After so many of the bytes.
    At(usize),
    NotYet,
    /// No byte that may come can complete it; so many were looked at.
    Never(usize),
}

impl Pattern {
    /// A text that may stand anywhere.
    pub fn text(bytes: &[u8], shown: &str) -> Result<Self, String> {
        if bytes.is_empty() || bytes.len() > MAX_BYTES {
            return Err(format!("must have 1 to {MAX_BYTES} bytes"));
        }
        let mut back = vec![0u16; bytes.len() + 1];
        for length in 2..=bytes.len() {
            let mut part = usize::from(back[length - 1]);
            while part > 0 && bytes[part] != bytes[length - 1] {
                part = usize::from(back[part]);
            }
            back[length] = (part + usize::from(bytes[part] == bytes[length - 1])) as u16;
        }
        Ok(Self {
            shown: shown.into(),
            matcher: Matcher::Text {
                bytes: bytes.into(),
                back: back.into(),
            },
        })
    }

    /// A regular expression over bytes, with ASCII classes. It matches as soon as what has come does, so a `$` means
    /// "here".
    pub fn regex(pattern: &str) -> Result<Self, String> {
        if pattern.len() > MAX_BYTES {
            return Err(format!("is longer than {MAX_BYTES} bytes"));
        }
        let dfa = dense::Builder::new()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(
                thompson::Config::new()
                    .utf8(false)
                    .nfa_size_limit(Some(MAX_COMPILED_BYTES)),
            )
            .configure(
                dense::Config::new()
                    .accelerate(false)
                    .dfa_size_limit(Some(MAX_COMPILED_BYTES))
                    .determinize_size_limit(Some(MAX_COMPILED_BYTES)),
            )
            .build(pattern)
            .map_err(|error| describe(&error))?;
        let begin = dfa
            .start_state(&start::Config::new().anchored(Anchored::No))
            .map_err(|error| error.to_string())?;
        if dfa.is_match_state(dfa.next_eoi_state(begin)) {
            return Err("matches nothing at all; it would expect nothing".to_owned());
        }
        Ok(Self {
            shown: format!("/{pattern}/").into(),
            matcher: Matcher::Regex(Box::new(dfa), begin),
        })
    }

    pub fn begin(&self) -> Search {
        match &self.matcher {
            Matcher::Text { .. } => Search::Text(0),
            Matcher::Regex(_, begin) => Search::Regex(*begin),
        }
    }

    /// Goes on with a search that `begin` began: it ends at the first byte after which there is a match.
    pub fn look(&self, search: &mut Search, bytes: &[u8]) -> Found {
        match (&self.matcher, search) {
            (Matcher::Text { bytes: text, back }, Search::Text(matched)) => {
                for (index, byte) in bytes.iter().enumerate() {
                    while *matched > 0 && text[*matched] != *byte {
                        *matched = usize::from(back[*matched]);
                    }
                    *matched += usize::from(text[*matched] == *byte);
                    if *matched == text.len() {
                        return Found::At(index + 1);
                    }
                }
                Found::NotYet
            }
            (Matcher::Regex(dfa, _), Search::Regex(state)) => {
                for (index, byte) in bytes.iter().enumerate() {
                    *state = dfa.next_state(*state, *byte);
                    // A condition such as `\B` held only now that this byte is known, which does not belong to the match.
                    if dfa.is_match_state(*state) {
                        return Found::At(index);
                    }
                    // A match state tells of a match that ended one byte before; the end of input tells it at once.
                    if dfa.is_match_state(dfa.next_eoi_state(*state)) {
                        return Found::At(index + 1);
                    }
                    if dfa.is_dead_state(*state) {
                        return Found::Never(index + 1);
                    }
                }
                Found::NotYet
            }
            // A search is only ever given to the pattern that began it.
            _ => Found::NotYet,
        }
    }
}

fn describe(error: &dense::BuildError) -> String {
    if error.is_size_limit_exceeded() {
        return format!("needs more than {MAX_COMPILED_BYTES} bytes compiled; simplify it");
    }
    let cause = std::error::Error::source(error).map_or(error.to_string(), |cause| {
        std::error::Error::source(cause)
            .unwrap_or(cause)
            .to_string()
    });
    format!("is not a regular expression: {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &Pattern, bytes: &[u8]) -> Found {
        let whole = pattern.look(&mut pattern.begin(), bytes);
        let mut search = pattern.begin();
        for (index, byte) in bytes.iter().enumerate() {
            match pattern.look(&mut search, std::slice::from_ref(byte)) {
                Found::NotYet => {}
                Found::At(used) => {
                    assert_eq!(whole, Found::At(index + used));
                    return whole;
                }
                Found::Never(_) => {
                    assert_eq!(whole, Found::Never(index + 1));
                    return whole;
                }
            }
        }
        assert_eq!(whole, Found::NotYet);
        whole
    }

    #[test]
    fn finds_a_text_that_begins_within_a_false_start() {
        let text = Pattern::text(b"aabaaac", "").unwrap();
        assert_eq!(found(&text, b"xaabaabaaacx"), Found::At(11));
        assert_eq!(found(&text, b"aabaaab"), Found::NotYet);
        assert_eq!(
            found(&Pattern::text(b"\0\xff", "").unwrap(), b"\0\0"),
            Found::NotYet
        );
        assert!(Pattern::text(b"", "").is_err());
    }

    #[test]
    fn an_expression_matches_as_soon_as_it_does() {
        let code = Pattern::regex("^220[ -][^\n]*\n").unwrap();
        assert_eq!(found(&code, b"220 mx\r\nmore"), Found::At(8));
        assert_eq!(found(&code, b"554 no"), Found::Never(1));
        assert_eq!(found(&Pattern::regex("a+").unwrap(), b"xaaa"), Found::At(2));
        assert_eq!(
            found(&Pattern::regex("^PONG$").unwrap(), b"PONGX"),
            Found::At(4)
        );
        assert_eq!(
            found(&Pattern::regex("\\bok\\b").unwrap(), b"xok ok"),
            Found::At(6)
        );
        assert_eq!(
            found(&Pattern::regex("(^|\n)250 ").unwrap(), b"250-a\n250 b"),
            Found::At(10)
        );
        assert_eq!(
            found(&Pattern::regex("\\xff\\x00").unwrap(), b"\xff\0"),
            Found::At(2)
        );
        assert_eq!(
            found(&Pattern::regex("a\\B").unwrap(), b"a-ab"),
            Found::At(3)
        );
    }

    #[test]
    fn bad_expressions_are_refused_with_the_cause() {
        for (pattern, text) in [
            ("(", "unclosed group"),
            ("a*", "matches nothing at all"),
            ("(a|b)*c.{500}", "simplify it"),
            ("\\p{L}", "Unicode not allowed here"),
        ] {
            let error = Pattern::regex(pattern).unwrap_err();
            assert!(error.contains(text), "{pattern}: {error}");
        }
        assert!(Pattern::regex(&"a".repeat(1025)).is_err());
    }
}
