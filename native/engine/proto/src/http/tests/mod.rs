//! Each rule of HTTP probes, fed whole, byte by byte and in halves.

mod expect;
mod lifecycle;
mod properties;
mod redirect;
mod request;
mod response;

use super::{HttpConversation, HttpHop, HttpSpec, OpenOptions};
use crate::exchange::{Exchange, ExchangeResult, Progress};
use crate::reason::{Outcome, Reason};

/// How the peer ends after its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Eof,
    Silence,
}

/// What a conversation came to.
#[derive(Debug)]
enum Came {
    Result(Box<ExchangeResult>),
    Redirect(Box<HttpHop>),
}

impl Came {
    fn result(self) -> ExchangeResult {
        match self {
            Self::Result(result) => *result,
            Self::Redirect(hop) => panic!("redirected to {hop:?}"),
        }
    }

    fn hop(self) -> HttpHop {
        match self {
            Self::Redirect(hop) => *hop,
            Self::Result(result) => panic!("ended as {result:?}"),
        }
    }
}

fn open(spec: &HttpSpec) -> HttpConversation {
    let plan = spec.clone().compile().expect("a valid spec");
    let hop = plan.first_hop("10.0.0.1").expect("a valid host");
    HttpConversation::open(&plan, hop, OpenOptions::default()).expect("a conversation")
}

fn feed<'a>(spec: &HttpSpec, chunks: impl Iterator<Item = &'a [u8]>, end: End) -> Came {
    let mut conversation = open(spec);
    conversation.pull(&mut Vec::new());
    for chunk in chunks {
        match conversation.on_bytes(chunk) {
            Progress::More => {}
            Progress::Done(result) => return Came::Result(result),
            Progress::Redirect(hop) => return Came::Redirect(hop),
        }
    }
    match end {
        End::Silence => Came::Result(Box::new(conversation.on_timeout())),
        End::Eof => match conversation.on_eof() {
            Progress::Done(result) => Came::Result(result),
            other => panic!("after the end: {other:?}"),
        },
    }
}

/// Feeds a response in several cuts, which must agree, and gives the result of the whole.
fn answer(spec: &HttpSpec, response: &[u8], end: End) -> ExchangeResult {
    let whole = feed(
        spec,
        std::iter::once(response).filter(|bytes| !bytes.is_empty()),
        end,
    )
    .result();
    for step in [1, 2, 7, response.len() / 2 + 1] {
        let cut = feed(spec, response.chunks(step), end).result();
        assert_eq!(cut.outcome, whole.outcome, "in steps of {step}");
        assert_eq!(cut.details, whole.details, "in steps of {step}");
        assert_eq!(cut.warnings, whole.warnings, "in steps of {step}");
    }
    whole
}

fn spec() -> HttpSpec {
    HttpSpec::get(8080, "/healthz")
}

fn outcome(response: impl AsRef<[u8]>, end: End) -> Outcome {
    answer(&spec(), response.as_ref(), end).outcome
}

fn failed(reason: Reason) -> Outcome {
    assert!(!reason.is_inconclusive());
    Outcome::Failed(reason)
}

/// A response with status 200: the rest of its head and its body.
fn ok(rest: impl AsRef<str>) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{}", rest.as_ref()).into_bytes()
}
