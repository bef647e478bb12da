//! What a response must be.

use super::spec::{HttpSpec, HttpSpecError, bad, check_header_name};
use crate::reason::Reason;
use crate::text::escape;
use memchr::memmem;
use regex::bytes::{Regex, RegexBuilder};

const DEFAULT_STATUS: (u16, u16) = (200, 399);
const MAX_RANGES: usize = 64;
const MAX_PATTERN_BYTES: usize = 4 * 1024;
const REGEX_SIZE_BYTES: usize = 1024 * 1024;
/// Bytes of a body or header that a message shows.
const SHOWN_BYTES: usize = 64;

/// Why a response does not do.
pub type Mismatch = (Reason, String);

#[derive(Debug)]
pub struct Expectations {
    status: Box<[(u16, u16)]>,
    contains: Option<Box<[u8]>>,
    regex: Option<Regex>,
    headers: Box<[(String, String)]>,
}

impl Expectations {
    pub fn compile(spec: &HttpSpec) -> Result<Self, HttpSpecError> {
        let valid =
            |&(from, to): &(u16, u16)| (100..=999).contains(&from) && from <= to && to <= 999;
        if spec.expect_status.len() > MAX_RANGES || !spec.expect_status.iter().all(valid) {
            return Err(bad(
                "expect.status",
                format!("must be at most {MAX_RANGES} ranges within 100 to 999"),
            ));
        }
        for (name, _) in &spec.expect_headers {
            check_header_name("expect.headers", name)?;
        }
        let wants_body = spec.expect_body_contains.is_some() || spec.expect_body_regex.is_some();
        if wants_body && spec.method.eq_ignore_ascii_case("HEAD") {
            return Err(bad("expect", "cannot look at a body: HEAD has none"));
        }
        Ok(Self {
            status: spec.expect_status.as_slice().into(),
            contains: spec.expect_body_contains.as_deref().map(Into::into),
            regex: spec
                .expect_body_regex
                .as_deref()
                .map(compile_regex)
                .transpose()?,
            headers: spec.expect_headers.as_slice().into(),
        })
    }

    fn ranges(&self) -> &[(u16, u16)] {
        if self.status.is_empty() {
            &[DEFAULT_STATUS]
        } else {
            &self.status
        }
    }

    /// False when only redirect statuses are expected: then the redirect itself is the answer.
    pub fn follows_redirects(&self) -> bool {
        self.ranges()
            .iter()
            .any(|&(from, to)| from < 300 || to > 399)
    }

    /// True when the body must be kept for matching.
    pub fn needs_body(&self) -> bool {
        self.contains.is_some() || self.regex.is_some()
    }

    /// Judges the status, then the headers.
    pub fn check_head(
        &self,
        status: u16,
        headers: &[httparse::Header<'_>],
    ) -> Result<(), Mismatch> {
        if !self
            .ranges()
            .iter()
            .any(|&(from, to)| (from..=to).contains(&status))
        {
            let wanted: Vec<String> = self
                .ranges()
                .iter()
                .map(|&(from, to)| {
                    if from == to {
                        from.to_string()
                    } else {
                        format!("{from}-{to}")
                    }
                })
                .collect();
            return Err((
                Reason::BadStatus,
                format!("status {status}, expected {}", wanted.join(", ")),
            ));
        }
        for (name, value) in &self.headers {
            let mut seen = None;
            let found = headers
                .iter()
                .filter(|header| header.name.eq_ignore_ascii_case(name))
                .any(|header| {
                    seen = Some(header.value);
                    value.is_empty() || header.value.trim_ascii() == value.as_bytes()
                });
            if !found {
                let shown = seen.map_or("is missing".to_owned(), |value| {
                    format!("is \"{}\"", escape(value, SHOWN_BYTES))
                });
                return Err((Reason::BadHeader, format!("header {name} {shown}")));
            }
        }
        Ok(())
    }

    /// Judges the part of the body that was read.
    pub fn check_body(&self, body: &[u8]) -> Result<(), Mismatch> {
        let contained = self
            .contains
            .as_ref()
            .is_none_or(|text| memmem::find(body, text).is_some());
        let matched = self.regex.as_ref().is_none_or(|regex| regex.is_match(body));
        if contained && matched {
            return Ok(());
        }
        let what = if contained {
            "does not match"
        } else {
            "does not contain the expected text"
        };
        let text = format!(
            "the body ({} bytes read) {what}; it begins \"{}\"",
            body.len(),
            escape(body, SHOWN_BYTES)
        );
        Err((Reason::BadBody, text))
    }
}

fn compile_regex(pattern: &str) -> Result<Regex, HttpSpecError> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(bad(
            "expect.bodyRegex",
            format!("is longer than {MAX_PATTERN_BYTES} bytes"),
        ));
    }
    RegexBuilder::new(pattern)
        .size_limit(REGEX_SIZE_BYTES)
        .dfa_size_limit(REGEX_SIZE_BYTES)
        .build()
        .map_err(|error| bad("expect.bodyRegex", error.to_string()))
}
