//! HTTP responses: head, body, chunks, redirects, expectations, as one read and as many.

use super::split;
use std::sync::{Arc, LazyLock};
use vmpulse_proto::{
    Exchange, ExchangeResult, HttpConversation, HttpHop, HttpPlan, HttpSpec, OpenOptions, Progress,
};

static PLANS: LazyLock<Vec<Arc<HttpPlan>>> = LazyLock::new(|| {
    let get = || HttpSpec::get(8080, "/healthz");
    let specs = [
        get(),
        HttpSpec {
            method: "HEAD".to_owned(),
            ..get()
        },
        HttpSpec {
            keep_alive: true,
            ..get()
        },
        HttpSpec {
            expect_body_contains: Some(b"ok".to_vec()),
            max_body_bytes: Some(300),
            ..get()
        },
        HttpSpec {
            expect_body_regex: Some("^(a|b)*c$".to_owned()),
            ..get()
        },
        HttpSpec {
            expect_headers: vec![("X-Ready".to_owned(), "yes".to_owned())],
            ..get()
        },
        HttpSpec {
            expect_status: vec![(300, 399)],
            ..get()
        },
    ];
    specs
        .map(|spec| spec.compile().expect("a valid spec"))
        .into()
});

#[derive(Debug, PartialEq)]
enum Came {
    Result(Box<ExchangeResult>),
    Redirect(String),
}

pub fn fuzz(data: &[u8]) {
    let Some((variant, step, response)) = split(data) else {
        return;
    };
    let plan = &PLANS[usize::from(variant) % PLANS.len()];
    let hop = plan.first_hop("10.0.0.1").expect("a valid host");
    let whole = feed(plan, hop.clone(), response.chunks(response.len().max(1)));
    let cut = feed(plan, hop, response.chunks(step));
    assert_eq!(
        without_text(whole),
        without_text(cut),
        "cuts of {step} change the outcome"
    );
}

fn feed<'a>(plan: &Arc<HttpPlan>, hop: HttpHop, reads: impl Iterator<Item = &'a [u8]>) -> Came {
    let options = OpenOptions {
        now_unix_s: 1_700_000_000,
        debug: true,
    };
    let mut conversation = HttpConversation::open(plan, hop, options).expect("a conversation");
    conversation.pull(&mut Vec::new());
    for read in reads {
        match conversation.on_bytes(read) {
            Progress::More => {}
            Progress::Done(result) => return Came::Result(result),
            Progress::Redirect(hop) => {
                return Came::Redirect(format!("{}:{}", hop.is_tls(), hop.port()));
            }
        }
    }
    match conversation.on_eof() {
        Progress::Done(result) => Came::Result(result),
        other => panic!("after the end: {other:?}"),
    }
}

/// Texts for people may show more when more came at once; they stay bounded.
fn without_text(came: Came) -> Came {
    let Came::Result(mut result) = came else {
        return came;
    };
    for text in [result.message.take(), result.transcript.take()]
        .into_iter()
        .flatten()
    {
        assert!(
            text.len() < 128 * 1024 && !text.contains('\u{1b}'),
            "bounded and escaped"
        );
    }
    // What comes after the end of the response in the same read keeps a connection from being used again.
    result.reusable = false;
    Came::Result(result)
}
