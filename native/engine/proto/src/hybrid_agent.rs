//! A guest agent behind the door of a hybrid vsock socket (Firecracker, Cloud Hypervisor).

use crate::channel::{ChannelFault, ChannelMessage, ChannelSession, SendError};
use crate::hybrid::{Door, HybridDoor};
use crate::qga::QgaSession;
use crate::reason::Reason;

/// Knocks first; from the hypervisor's `OK` on the stream is the agent's.
#[derive(Debug)]
pub struct HybridAgentSession {
    /// Until it opened.
    door: Option<HybridDoor>,
    knock: Vec<u8>,
    agent: QgaSession,
}

impl HybridAgentSession {
    /// `port`: where the agent listens in its guest. `seed`: as of [`QgaSession::new`].
    pub fn new(port: u32, seed: u32) -> Self {
        Self {
            door: Some(HybridDoor::new()),
            knock: HybridDoor::knock(port),
            agent: QgaSession::new(seed),
        }
    }
}

impl ChannelSession for HybridAgentSession {
    fn pull(&mut self, out: &mut Vec<u8>) {
        if !self.knock.is_empty() {
            // Alone in its write.
            out.append(&mut self.knock);
        } else if self.door.is_none() {
            self.agent.pull(out);
        }
    }

    fn send(&mut self, id: u64, command: &str, arguments: Option<&str>) -> Result<(), SendError> {
        self.agent.send(id, command, arguments)
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), ChannelFault> {
        let Some(door) = &mut self.door else {
            return self.agent.on_bytes(bytes, messages);
        };
        match door.on_bytes(bytes) {
            Door::Closed => Ok(()),
            Door::Open { used } => {
                self.door = None;
                self.agent.on_bytes(&bytes[used..], messages)
            }
            Door::Refused(reason, message) => Err(ChannelFault {
                reason,
                message: message.into(),
            }),
        }
    }

    /// To whoever asks the agent, a port where nobody listens is an agent that is not there.
    fn on_eof(&mut self, messages: &mut Vec<ChannelMessage>) -> Result<(), ChannelFault> {
        let Some(door) = &self.door else {
            return self.agent.on_eof(messages);
        };
        let Door::Refused(_, message) = door.on_end() else {
            return Ok(());
        };
        Err(ChannelFault {
            reason: Reason::AgentNotConnected,
            message: message.into(),
        })
    }

    fn forget(&mut self, id: u64) {
        self.agent.forget(id);
    }

    fn is_ready(&self) -> bool {
        self.agent.is_ready()
    }

    fn timeout_reason(&self) -> Reason {
        self.agent.timeout_reason()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(session: &mut HybridAgentSession) -> String {
        let mut out = Vec::new();
        session.pull(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn sync_answer(session: &mut HybridAgentSession) -> Vec<u8> {
        let sync = said(session);
        let id = sync
            .split(|c: char| !c.is_ascii_digit())
            .rfind(|part| !part.is_empty());
        [b"\xff{\"return\":", id.unwrap().as_bytes(), b"}\n"].concat()
    }

    #[test]
    fn says_nothing_to_the_agent_before_the_door_is_open() {
        let mut session = HybridAgentSession::new(9720, 7);
        assert_eq!(said(&mut session), "CONNECT 9720\n");
        session.forget(0);
        assert_eq!(said(&mut session), "");
        let mut messages = Vec::new();
        session.on_bytes(b"OK 1073741", &mut messages).unwrap();
        assert_eq!(said(&mut session), "");
        assert!(!session.is_ready() && messages.is_empty());
        session.on_bytes(b"824\n", &mut messages).unwrap();
        let answer = sync_answer(&mut session);
        session.on_bytes(&answer, &mut messages).unwrap();
        assert!(session.is_ready());
        assert!(matches!(messages[..], [ChannelMessage::Ready]));
        session.send(5, "guest-ping", None).unwrap();
        assert_eq!(said(&mut session), "{\"execute\":\"guest-ping\"}\n");
    }

    #[test]
    fn what_the_agent_says_right_behind_the_answer_is_heard() {
        let mut session = HybridAgentSession::new(9720, 7);
        said(&mut session);
        let mut probe = HybridAgentSession::new(9720, 7);
        said(&mut probe);
        probe.on_bytes(b"OK 1\n", &mut Vec::new()).unwrap();
        let mut messages = Vec::new();
        let bytes = [b"OK 1\n".to_vec(), sync_answer(&mut probe)].concat();
        session.on_bytes(&bytes, &mut messages).unwrap();
        assert!(matches!(messages[..], [ChannelMessage::Ready]));
    }

    #[test]
    fn an_end_before_the_answer_is_an_agent_that_is_not_there() {
        let mut session = HybridAgentSession::new(9720, 7);
        let fault = session.on_eof(&mut Vec::new()).unwrap_err();
        assert_eq!(fault.reason, Reason::AgentNotConnected);
        assert_eq!(session.timeout_reason(), Reason::AgentNotConnected);
    }

    #[test]
    fn another_answer_is_a_fault() {
        let mut session = HybridAgentSession::new(9720, 7);
        let fault = session.on_bytes(b"NO 9720\n", &mut Vec::new()).unwrap_err();
        assert_eq!(fault.reason, Reason::ProtocolError);
    }
}
