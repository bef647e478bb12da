//! The answer to CONNECT of a hybrid vsock socket, with what the guest says behind it.

use super::split;
use vmpulse_proto::{Door, HybridDoor};

pub fn fuzz(data: &[u8]) {
    let Some((_, step, bytes)) = split(data) else {
        return;
    };
    let whole = answer(bytes.chunks(bytes.len().max(1)));
    let cut = answer(bytes.chunks(step));
    assert_eq!(whole, cut, "cuts of {step} change the answer");
    match whole {
        Door::Closed => assert!(bytes.len() < 32, "it waits for a short line only"),
        Door::Open { used } => {
            let line = bytes[..used].strip_prefix(b"OK ").expect("it says OK");
            let digits = line.strip_suffix(b"\n").expect("a whole line, no more");
            assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
        }
        Door::Refused(_, text) => {
            assert!(text.len() < 256 && text.bytes().all(|byte| (b' '..0x7f).contains(&byte)));
        }
    }
}

/// What the door said at last, its count as one of all bytes.
fn answer<'a>(reads: impl Iterator<Item = &'a [u8]>) -> Door {
    let mut door = HybridDoor::new();
    let mut before = 0;
    for read in reads {
        match door.on_bytes(read) {
            Door::Closed => before += read.len(),
            Door::Open { used } => {
                assert!(used <= read.len(), "no more than came");
                return Door::Open {
                    used: before + used,
                };
            }
            refused @ Door::Refused(..) => return refused,
        }
    }
    Door::Closed
}
