//! Monitors and agents: framing, answers, events, noise, as one read and as many.

use super::split;
use vmpulse_proto::{
    ChannelSession, EventSession, QgaSession, QmpSession, RestSession, rest_state_outcome,
    run_state_outcome,
};

pub fn qmp(data: &[u8]) {
    let Some((variant, step, bytes)) = split(data) else {
        return;
    };
    // A greeting first in half of the inputs, so that answers and events are reached.
    let greeting: &[u8] = if variant % 2 == 0 {
        b"{\"QMP\":{\"version\":{},\"capabilities\":[]}}{\"return\":{},\"id\":0}"
    } else {
        b""
    };
    compare(QmpSession::new, "query-status", greeting, bytes, step);
}

pub fn qga(data: &[u8]) {
    let Some((variant, step, bytes)) = split(data) else {
        return;
    };
    let greeting: &[u8] = if variant % 2 == 0 {
        b"\xff{\"return\":7}"
    } else {
        b""
    };
    compare(|| QgaSession::new(7), "guest-ping", greeting, bytes, step);
}

pub fn rest(data: &[u8]) {
    if let Some((_, step, bytes)) = split(data) {
        compare(RestSession::new, "PUT /api/v1/vm.info", b"", bytes, step);
    }
}

pub fn events(data: &[u8]) {
    if let Some((_, step, bytes)) = split(data) {
        compare(EventSession::new, "none", b"", bytes, step);
    }
}

pub fn run_state(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        run_state_outcome(text, &[]);
        rest_state_outcome(text);
    }
}

fn compare<S: ChannelSession>(
    open: impl Fn() -> S,
    command: &str,
    greeting: &[u8],
    bytes: &[u8],
    step: usize,
) {
    let whole = feed(open(), command, greeting, bytes.chunks(bytes.len().max(1)));
    let cut = feed(open(), command, greeting, bytes.chunks(step));
    assert_eq!(whole, cut, "cuts of {step} change what came");
}

/// Everything that the session said, as text.
fn feed<'a>(
    mut session: impl ChannelSession,
    command: &str,
    greeting: &[u8],
    reads: impl Iterator<Item = &'a [u8]>,
) -> Vec<String> {
    let mut out = Vec::new();
    let mut messages = Vec::new();
    let mut said = Vec::new();
    session.pull(&mut out);
    if !greeting.is_empty() {
        session
            .on_bytes(greeting, &mut messages)
            .expect("a good greeting");
        session.pull(&mut out);
    }
    for id in 1..4 {
        // Refused while it is not ready.
        let _ = session.send(id, command, Some("{}"));
        session.pull(&mut out);
    }
    session.forget(2);
    for read in reads {
        let end = session.on_bytes(read, &mut messages);
        out.clear();
        session.pull(&mut out);
        assert!(out.len() < 4096, "it asks for little by itself");
        said.extend(messages.drain(..).map(|message| format!("{message:?}")));
        if let Err(fault) = end {
            assert!(fault.message.len() < 4096 && !fault.message.contains('\u{1b}'));
            said.push(fault.reason.code().to_owned());
            break;
        }
    }
    said.push(session.timeout_reason().code().to_owned());
    said
}
