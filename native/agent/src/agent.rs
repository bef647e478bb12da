//! Answers requests, whoever brings them.

use crate::config::Config;
use crate::exec::Programs;
use crate::frame::{Frame, Framer, MAX_REQUEST_BYTES};
use crate::health::Health;
use crate::network;
use crate::os;
use crate::power;
use crate::request::{self, Refusal, Request};
use crate::resources::Meter;
use crate::watchdog::Feeder;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// CID of the host, VMADDR_CID_HOST.
const HOST_CID: u32 = 2;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The hypervisor gave it the other end of a port.
    VirtioPort,
    Vsock {
        cid: u32,
    },
}

impl Peer {
    /// Only the host may run programs; what else reaches a vsock port is the guest itself or a VM beside it.
    fn is_host(self) -> bool {
        matches!(self, Self::VirtioPort | Self::Vsock { cid: HOST_CID })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VirtioPort => f.write_str("virtio-serial"),
            Self::Vsock { cid } => write!(f, "CID {cid}"),
        }
    }
}

pub struct Agent {
    pub health: Health,
    pub watchdog: Feeder,
    pub meter: Meter,
    programs: Arc<Programs>,
}

impl Agent {
    pub fn new(config: Config) -> Self {
        Self {
            watchdog: Feeder::new(&config.watchdog),
            health: Health::new(config.health),
            meter: Meter::default(),
            programs: Programs::new(config.exec),
        }
    }

    /// Takes what a peer sent, and gives what is to be sent back.
    pub fn hear(&self, framer: &mut Framer, bytes: &[u8], peer: Peer) -> Vec<u8> {
        let mut frames = Vec::new();
        framer.push(bytes, &mut frames);
        frames
            .into_iter()
            .flat_map(|frame| match frame {
                Frame::Line(line) => self.answer(&line, peer),
                Frame::TooLong => {
                    let text = format!("a request is longer than {MAX_REQUEST_BYTES} bytes");
                    request::answer(Err(Refusal::error(text)), false)
                }
            })
            .collect()
    }

    fn answer(&self, line: &[u8], peer: Peer) -> Vec<u8> {
        match request::parse(line) {
            Ok(Request::Sync { id, delimited }) => request::answer(Ok(id.into()), delimited),
            Ok(request) => request::answer(self.done(request, peer), false),
            Err(refusal) => request::answer(Err(refusal), false),
        }
    }

    fn done(&self, request: Request, peer: Peer) -> Result<Value, Refusal> {
        match request {
            Request::Sync { id, .. } => Ok(id.into()),
            Request::Ping => Ok(json!({})),
            Request::Info => Ok(self.info()),
            Request::OsInfo => Ok(os::info()),
            Request::Health => Ok(self.told_health()),
            Request::Resources => serde_json::to_value(self.meter.read())
                .map_err(|error| Refusal::error(error.to_string())),
            Request::Interfaces => network::interfaces()
                .and_then(|found| Ok(serde_json::to_value(found)?))
                .map_err(|error| Refusal::error(error.to_string())),
            Request::Exec(_) | Request::ExecStatus { .. } | Request::Shutdown(_)
                if !peer.is_host() =>
            {
                let text = format!("this is done for the host only, and this is {peer}");
                Err(Refusal::forbidden(text))
            }
            Request::Exec(request) => {
                let argv = request.argv.clone();
                let result = self.programs.start(request);
                let verdict = if result.is_ok() { "runs" } else { "refuses" };
                // The guest's own record of what the host did here.
                eprintln!("vmpulse-agent: {verdict} {argv:?} for {peer}");
                result
            }
            Request::ExecStatus { id } => self.programs.status(id),
            Request::Shutdown(how) => {
                eprintln!("vmpulse-agent: {how:?} for {peer}");
                power::shut_down(how).map(|()| json!({}))
            }
        }
    }

    fn told_health(&self) -> Value {
        let mut health = self.health.report();
        health["watchdog"] = self.watchdog.report();
        health
    }

    /// As the QEMU guest agent says what it can.
    fn info(&self) -> Value {
        let commands = [
            ("guest-sync", true),
            ("guest-sync-delimited", true),
            ("guest-ping", true),
            ("guest-info", true),
            ("guest-get-osinfo", true),
            ("guest-exec", self.programs.enabled()),
            ("guest-exec-status", self.programs.enabled()),
            ("guest-network-get-interfaces", true),
            ("guest-shutdown", true),
            ("vmpulse-health", true),
            ("vmpulse-resources", true),
        ];
        let commands = commands.map(
            |(name, enabled)| json!({ "name": name, "enabled": enabled, "success-response": true }),
        );
        json!({ "version": VERSION, "agent": "vmpulse-agent", "supported_commands": commands })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(agent: &Agent, text: &str, peer: Peer) -> Value {
        let line = format!("{text}\n");
        let answer = agent.hear(&mut Framer::default(), line.as_bytes(), peer);
        assert_eq!(answer.last(), Some(&b'\n'), "{text}");
        serde_json::from_slice(answer.strip_prefix(b"\xff").unwrap_or(&answer)).unwrap()
    }

    fn agent(exec: &str) -> Agent {
        Agent::new(Config::parse(exec).unwrap())
    }

    #[test]
    fn syncs_and_tells_what_it_is() {
        let agent = agent("");
        let sync = "{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":5}}\n";
        let bytes = [b"{\"half\xff", sync.as_bytes()].concat();
        let answer = agent.hear(&mut Framer::default(), &bytes, Peer::VirtioPort);
        assert_eq!(answer, b"\xff{\"return\":5}\n");
        let info = ask(&agent, r#"{"execute":"guest-info"}"#, Peer::VirtioPort);
        assert_eq!(info["return"]["agent"], "vmpulse-agent");
        let commands = info["return"]["supported_commands"].as_array().unwrap();
        let exec = commands
            .iter()
            .find(|command| command["name"] == "guest-exec");
        assert_eq!(exec.unwrap()["enabled"], false);
        let health = ask(&agent, r#"{"execute":"vmpulse-health"}"#, Peer::VirtioPort);
        let expected = json!({ "status": "unknown", "failedRounds": 0, "checks": [], "watchdog": { "state": "off" } });
        assert_eq!(health["return"], expected);
    }

    #[test]
    fn only_the_host_runs_programs_and_everybody_may_look() {
        let agent = agent("[exec]\nenabled = true\nallow = [[\"/bin/true\"]]");
        let exec = r#"{"execute":"guest-exec","arguments":{"path":"/bin/true"}}"#;
        for cid in [1, 3, 42, u32::MAX] {
            let peer = Peer::Vsock { cid };
            assert_eq!(
                ask(&agent, exec, peer)["error"]["class"],
                "CommandNotAllowed"
            );
            let status = r#"{"execute":"guest-exec-status","arguments":{"pid":1}}"#;
            assert_eq!(
                ask(&agent, status, peer)["error"]["class"],
                "CommandNotAllowed"
            );
            // Never done here: this is no guest to be ended.
            let shutdown = r#"{"execute":"guest-shutdown"}"#;
            assert_eq!(
                ask(&agent, shutdown, peer)["error"]["class"],
                "CommandNotAllowed"
            );
            assert!(ask(&agent, r#"{"execute":"vmpulse-resources"}"#, peer)["return"].is_object());
            let interfaces = r#"{"execute":"guest-network-get-interfaces"}"#;
            assert!(ask(&agent, interfaces, peer)["return"].is_array());
        }
        for peer in [Peer::VirtioPort, Peer::Vsock { cid: 2 }] {
            assert!(ask(&agent, exec, peer)["return"]["pid"].is_i64());
        }
    }

    #[test]
    fn a_line_that_is_too_long_gets_an_answer_and_the_next_one_too() {
        let agent = agent("");
        let mut framer = Framer::default();
        let long = vec![b'a'; MAX_REQUEST_BYTES + 10];
        assert!(agent.hear(&mut framer, &long, Peer::VirtioPort).is_empty());
        let answer = agent.hear(
            &mut framer,
            b"\n{\"execute\":\"guest-ping\"}\n",
            Peer::VirtioPort,
        );
        let text = String::from_utf8(answer).unwrap();
        assert!(
            text.contains("longer than") && text.ends_with("{\"return\":{}}\n"),
            "{text}"
        );
    }
}
