//! The door of a hybrid vsock socket (Firecracker, Cloud Hypervisor): `CONNECT <port>` and `OK <port>`, each a line.

use crate::reason::Reason;
use crate::text::escape;

/// Bytes of the answer; `OK 4294967295\n` has 14.
const MAX_LINE: usize = 32;

/// Asks the hypervisor to connect the stream to a port of its guest.
#[derive(Debug)]
pub struct HybridDoor {
    line: Vec<u8>,
}

/// What the bytes so far say.
#[derive(Debug, PartialEq, Eq)]
pub enum Door {
    Closed,
    /// The stream is the guest's from here on; so many of the bytes belonged to the answer.
    Open {
        used: usize,
    },
    /// Why it stays closed, and a bounded, escaped line for people.
    Refused(Reason, String),
}

impl HybridDoor {
    /// What to send, in one write: Cloud Hypervisor takes what one read gives it for the whole line.
    pub fn knock(port: u32) -> Vec<u8> {
        format!("CONNECT {port}\n").into_bytes()
    }

    #[expect(
        clippy::new_without_default,
        reason = "a door is opened, not defaulted"
    )]
    pub fn new() -> Self {
        Self { line: Vec::new() }
    }

    /// The hypervisor sent `bytes` (never empty).
    pub fn on_bytes(&mut self, bytes: &[u8]) -> Door {
        for (index, &byte) in bytes.iter().enumerate() {
            self.line.push(byte);
            if byte == b'\n' {
                return if is_ok(&self.line) {
                    Door::Open { used: index + 1 }
                } else {
                    self.refuse()
                };
            }
            if self.line.len() >= MAX_LINE || !begins_ok(&self.line) {
                return self.refuse();
            }
        }
        Door::Closed
    }

    /// The stream ended, in order or not: nobody listens on the port, or the guest has no driver yet.
    pub fn on_end(&self) -> Door {
        let text = "the hypervisor closed the connection: nothing in the guest listens on the port";
        Door::Refused(Reason::ConnectionRefused, text.to_owned())
    }

    fn refuse(&self) -> Door {
        let text = format!(
            "the answer to CONNECT is \"{}\"",
            escape(&self.line, MAX_LINE)
        );
        Door::Refused(Reason::ProtocolError, text)
    }
}

fn begins_ok(line: &[u8]) -> bool {
    let head = &line[..line.len().min(3)];
    b"OK ".starts_with(head) && line.iter().skip(3).all(u8::is_ascii_digit)
}

fn is_ok(line: &[u8]) -> bool {
    line.strip_prefix(b"OK ")
        .and_then(|rest| rest.strip_suffix(b"\n"))
        .is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds whole and byte by byte, which must agree; gives what is left of the bytes when the door opened.
    fn door(bytes: &[u8]) -> Result<&[u8], Option<Reason>> {
        let whole = HybridDoor::new().on_bytes(bytes);
        let mut door = HybridDoor::new();
        for (index, byte) in bytes.iter().enumerate() {
            match door.on_bytes(std::slice::from_ref(byte)) {
                Door::Closed => {}
                Door::Open { used } => {
                    assert_eq!(used, 1);
                    assert_eq!(whole, Door::Open { used: index + 1 });
                    return Ok(&bytes[index + 1..]);
                }
                refused @ Door::Refused(..) => {
                    assert_eq!(refused, whole);
                    let Door::Refused(reason, text) = refused else {
                        return Err(None);
                    };
                    assert!(text.len() < 200 && text.bytes().all(|byte| byte >= b' '));
                    return Err(Some(reason));
                }
            }
        }
        assert_eq!(whole, Door::Closed);
        Err(None)
    }

    #[test]
    fn ok_opens_it_and_the_rest_is_the_guest_s() {
        assert_eq!(HybridDoor::knock(52), b"CONNECT 52\n");
        assert_eq!(door(b"OK 1073741824\nhello"), Ok(&b"hello"[..]));
        assert_eq!(door(b"OK 1073741824\n"), Ok(&b""[..]));
        assert_eq!(door(b"OK 10737"), Err(None));
    }

    #[test]
    fn anything_else_is_no_answer() {
        for bytes in [
            &b"OK\n"[..],
            b"OK \n",
            b"ok 1\n",
            b"OK 1 \n",
            b"OK 1\r\n",
            b"\nOK 1\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"OK 11111111111111111111111111111111111111111",
            &[0xff; 4096],
        ] {
            assert_eq!(door(bytes), Err(Some(Reason::ProtocolError)), "{bytes:?}");
        }
    }

    #[test]
    fn an_end_before_the_answer_is_a_refusal() {
        assert!(matches!(
            HybridDoor::new().on_end(),
            Door::Refused(Reason::ConnectionRefused, _)
        ));
    }
}
