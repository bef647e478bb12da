//! Answers of gRPC servers, frames and headers, as one read and as many.

use super::split;
use std::sync::{Arc, LazyLock};
use vmpulse_proto::{
    Exchange, ExchangeResult, GrpcConversation, GrpcPlan, GrpcSpec, OpenOptions, Progress,
};

static PLAN: LazyLock<Arc<GrpcPlan>> =
    LazyLock::new(|| GrpcSpec::default().compile().expect("a valid spec"));

/// What a server begins with, so that an input need not find it: nothing, its settings, the head of an answer, its data.
const BEGIN: &[u8] = b"\0\0\0\x04\0\0\0\0\0\
    \0\0\x14\x01\x04\0\0\0\x01\x88\x0f\x10\x10application/grpc\
    \0\0\x07\0\0\0\0\0\x01\0\0\0\0\x02\x08\x01";
const BEGINNINGS: [usize; 4] = [0, 9, 38, 54];

pub fn fuzz(data: &[u8]) {
    let Some((variant, step, answer)) = split(data) else {
        return;
    };
    let begin = BEGINNINGS[usize::from(variant) % BEGINNINGS.len()];
    let bytes = [&BEGIN[..begin], answer].concat();
    let whole = feed(bytes.chunks(bytes.len().max(1)));
    let cut = feed(bytes.chunks(step));
    assert_eq!(
        (whole.outcome, &whole.message),
        (cut.outcome, &cut.message),
        "cuts of {step} change the outcome"
    );
    for text in [whole.message, whole.transcript].into_iter().flatten() {
        assert!(
            text.len() < 128 * 1024 && !text.contains('\u{1b}'),
            "bounded and escaped"
        );
    }
}

fn feed<'a>(reads: impl Iterator<Item = &'a [u8]>) -> ExchangeResult {
    let options = OpenOptions {
        now_unix_s: 1_700_000_000,
        debug: true,
    };
    let mut conversation =
        GrpcConversation::open(&PLAN, "10.0.0.1", options).expect("a conversation");
    let mut sent = Vec::new();
    for read in reads {
        match conversation.on_bytes(read) {
            Progress::More => {}
            Progress::Done(result) => return *result,
            Progress::Redirect(_) => panic!("a redirect of gRPC"),
        }
        conversation.pull(&mut sent);
        assert!(sent.len() < 16 * 1024, "answers are bounded");
    }
    match conversation.on_eof() {
        Progress::Done(result) => *result,
        other => panic!("after the end: {other:?}"),
    }
}
