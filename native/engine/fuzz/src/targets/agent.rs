//! The guest agent: what a host, or anything else that reaches its vsock port, sends.

use super::split;
use vmpulse_agent::frame::{Frame, Framer, MAX_REQUEST_BYTES};
use vmpulse_agent::request::{MAX_INPUT_BYTES, Request, parse};

pub fn fuzz(data: &[u8]) {
    let Some((_, step, bytes)) = split(data) else {
        return;
    };
    let whole = frames(bytes.chunks(bytes.len().max(1)));
    assert_eq!(
        whole,
        frames(bytes.chunks(step)),
        "cuts of {step} change what came"
    );
    for frame in whole {
        let Frame::Line(line) = frame else { continue };
        assert!(line.len() <= MAX_REQUEST_BYTES);
        match parse(&line) {
            Ok(Request::Exec(exec)) => {
                assert!(!exec.argv[0].is_empty() && exec.input.len() <= MAX_INPUT_BYTES);
            }
            Ok(_) => {}
            Err(refusal) => assert!(!refusal.desc.is_empty()),
        }
    }
}

fn frames<'a>(reads: impl Iterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    reads.for_each(|read| framer.push(read, &mut frames));
    frames
}
