//! A server that speaks TLS up to a point and then anything: what it says is changed on the way.

use super::split;
use std::sync::{Arc, LazyLock};
use vmpulse_proto::{Exchange, HttpConversation, HttpPlan, HttpSpec, OpenOptions, Progress};

static PLAN: LazyLock<Arc<HttpPlan>> = LazyLock::new(|| {
    let spec = HttpSpec {
        tls: true,
        ..HttpSpec::get(8443, "/")
    };
    spec.compile().expect("a valid spec")
});

pub fn fuzz(data: &[u8]) {
    let Some((_, step, bytes)) = split(data) else {
        return;
    };
    let hop = PLAN.first_hop("10.0.0.1").expect("a valid host");
    let options = OpenOptions {
        now_unix_s: 1_700_000_000,
        debug: true,
    };
    let Ok(mut conversation) = HttpConversation::open(&PLAN, hop, options) else {
        return;
    };
    let mut out = Vec::new();
    conversation.pull(&mut out);
    for read in bytes.chunks(step * 64) {
        match conversation.on_bytes(read) {
            Progress::More => {}
            Progress::Done(_) | Progress::Redirect(_) => return,
        }
        out.clear();
        conversation.pull(&mut out);
        assert!(out.len() < 64 * 1024, "it says little by itself");
    }
    conversation.on_timeout();
}
