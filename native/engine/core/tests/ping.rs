//! Pings: real kernels at the other end, and a forger.

mod common;
#[path = "raw/forger.rs"]
mod forger;
#[path = "raw/net.rs"]
mod net;

use common::{Harness, target};
use forger::{Forger, echo_of};
use net::{Peer, ip, isolated, raw_sockets, sysctl};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;
use vmpulse_engine::{Answer, ProbeReport};

const SILENT: &str = "192.0.2.50";

fn ping(address: &str, more: Value) -> Value {
    let mut ping = json!({ "count": 1, "payloadBytes": 56 });
    for (key, value) in more.as_object().unwrap() {
        ping[key] = value.clone();
    }
    json!({ "kind": "icmp", "ip": address, "ping": ping })
}

#[test]
fn hosts_answer_in_both_families() {
    isolated(|| {
        let _peer = Peer::new();
        let mut harness = Harness::new();
        for address in ["127.0.0.1", "::1", "192.0.2.2", "2001:db8::2"] {
            for (count, payload) in [(1, 56), (3, 20), (2, 4000)] {
                let check = ping(
                    address,
                    json!({ "count": count, "payloadBytes": payload, "maxLossPercent": 0 }),
                );
                let report = harness.probe_once(&check, 5000.0);
                assert_eq!(report.outcome, Outcome::Ok, "{address} {count} {payload}");
                assert_eq!(report.details.packets, Some((count, count)));
                assert!(report.details.round_trip_us.unwrap() < 5_000_000);
            }
        }
        harness.wait("the end of the raw sockets", |_| {
            (raw_sockets() == 0).then_some(())
        });
    });
}

#[test]
fn up_down_up() {
    isolated(|| {
        let peer = Peer::new();
        let mut harness = Harness::new();
        let handles = harness.add(&[
            target("four", ping("192.0.2.2", json!({}))),
            target("six", ping("2001:db8::2", json!({}))),
        ]);
        for handle in &handles {
            harness.until(*handle, State::Ok);
        }
        peer.run(|| {
            sysctl("net/ipv4/icmp_echo_ignore_all", "1");
            sysctl("net/ipv6/icmp/echo_ignore_all", "1");
        });
        for handle in &handles {
            assert_eq!(
                harness.until(*handle, State::Failed).change.reason,
                Some(Reason::NoReply)
            );
        }
        peer.run(|| {
            sysctl("net/ipv4/icmp_echo_ignore_all", "0");
            sysctl("net/ipv6/icmp/echo_ignore_all", "0");
        });
        for handle in &handles {
            harness.until(*handle, State::Ok);
        }
    });
}

#[test]
fn unreachable_has_its_reasons() {
    isolated(|| {
        let peer = Peer::new();
        peer.run(|| {
            sysctl("net/ipv4/ip_forward", "1");
            sysctl("net/ipv6/conf/all/forwarding", "1");
            ip("route add unreachable 198.51.100.0/24");
            ip("-6 route add unreachable 2001:db8:1::/64");
        });
        ip("route add default via 192.0.2.2");
        ip("-6 route add default via 2001:db8::2");
        let mut harness = Harness::new();
        for (address, reason) in [
            ("198.51.100.7", Reason::HostUnreachable),
            ("2001:db8:1::7", Reason::NetworkUnreachable),
        ] {
            let outcome = harness.outcome(&ping(address, json!({})), 5000.0);
            assert_eq!(outcome, Outcome::Failed(reason), "{address}");
        }
        ip("route del default via 192.0.2.2");
        let outcome = harness.outcome(&ping("198.51.100.7", json!({})), 5000.0);
        assert_eq!(outcome, Outcome::Inconclusive(Reason::NoLocalRoute));
    });
}

/// A silent address whose pings a forger sees.
struct Stage {
    harness: Harness,
    forger: Arc<Forger>,
    _peer: Peer,
}

impl Stage {
    fn new() -> Self {
        let peer = Peer::new();
        peer.swallows(SILENT);
        let forger = Arc::new(peer.run(Forger::new));
        Self {
            harness: Harness::new(),
            forger,
            _peer: peer,
        }
    }

    fn ask(&mut self, more: Value, timeout_ms: f64) -> u32 {
        let call = self.harness.call();
        let check = ping(SILENT, more).to_string();
        self.harness
            .engine
            .probe_once(call, &check, &[], timeout_ms, true)
            .unwrap();
        call
    }

    fn hear(&self) -> Vec<u8> {
        self.forger.hear_echo(SILENT.parse::<Ipv4Addr>().unwrap())
    }

    fn report(&mut self, call: u32) -> ProbeReport {
        match self.harness.answer(call) {
            Answer::Probe(report) => *report,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn forged_late_and_doubled_replies_are_ignored() {
    isolated(|| {
        let mut stage = Stage::new();
        let call = stage.ask(json!({}), 500.0);
        let first = stage.hear();
        // Source address, id, sequence number, ticket, time and seal, each off by a bit.
        for at in [15, 24, 27, 32, 39, 40, 47] {
            let mut forged = echo_of(&first);
            forged[at] ^= 1;
            stage.forger.say(&forged);
        }
        assert_eq!(stage.report(call).outcome, Outcome::Failed(Reason::NoReply));
        let call = stage.ask(json!({ "count": 2, "maxLossPercent": 49 }), 1000.0);
        let second = stage.hear();
        stage.forger.say(&echo_of(&first));
        stage.forger.say(&echo_of(&second));
        stage.forger.say(&echo_of(&second));
        let report = stage.report(call);
        assert_eq!(
            report.outcome,
            Outcome::Failed(Reason::PacketLoss),
            "one of two, said twice"
        );
        assert_eq!(report.details.packets, Some((2, 1)));
    });
}

#[test]
fn loss_and_latency_have_their_limits() {
    isolated(|| {
        let mut stage = Stage::new();
        let call = stage.ask(json!({ "count": 2, "maxLossPercent": 50 }), 1000.0);
        let first = stage.hear();
        let _lost = stage.hear();
        stage.forger.say(&echo_of(&first));
        assert_eq!(stage.report(call).outcome, Outcome::Ok);
        // Without a limit one answer is enough.
        let call = stage.ask(json!({ "count": 4 }), 1000.0);
        let _lost = stage.hear();
        let _lost = stage.hear();
        let third = stage.hear();
        let _lost = stage.hear();
        stage.forger.say(&echo_of(&third));
        assert_eq!(stage.report(call).outcome, Outcome::Ok);
        // Nobody answers in a microsecond.
        let call = stage.ask(json!({ "maxLatencyMs": 0.001 }), 20_000.0);
        let slow = stage.hear();
        stage.forger.say(&echo_of(&slow));
        assert_eq!(stage.report(call).outcome, Outcome::Failed(Reason::Latency));
    });
}

#[test]
fn ids_differ_by_target_and_by_process() {
    isolated(|| {
        let peer = Peer::new();
        let addresses: Vec<String> = (50..58).map(|last| format!("192.0.2.{last}")).collect();
        for address in &addresses {
            peer.swallows(address);
        }
        let forger = Arc::new(peer.run(Forger::new));
        let ids = || {
            let mut harness = Harness::new();
            let ids: Vec<[u8; 2]> = addresses
                .iter()
                .map(|address| {
                    let call = harness.call();
                    let check = ping(address, json!({})).to_string();
                    harness
                        .engine
                        .probe_once(call, &check, &[], 100.0, false)
                        .unwrap();
                    let request = forger.hear_echo(address.parse().unwrap());
                    drop(harness.answer(call));
                    [request[24], request[25]]
                })
                .collect();
            ids
        };
        let (first, second) = (ids(), ids());
        // Eight ids that are all the same by chance: once in 2^112 runs.
        assert!(first.iter().any(|id| *id != first[0]), "{first:?}");
        assert_ne!(first, second);
    });
}

#[test]
fn a_wrong_plan_is_refused_by_its_field() {
    let harness = Harness::new();
    for (check, message) in [
        (
            ping("192.0.2.1", json!({ "count": 0 })),
            "ping.count 0 is not between 1 and 20",
        ),
        (
            ping("192.0.2.1", json!({ "payloadBytes": 19 })),
            "ping.payloadBytes 19 is not between 20 and 9000",
        ),
        (
            ping("192.0.2.1", json!({ "maxLossPercent": 101 })),
            "ping.maxLossPercent 101 is more than 100",
        ),
        (
            ping("224.0.0.1", json!({})),
            "224.0.0.1 is not the address of one host",
        ),
        (ping("::", json!({})), ":: is not the address of one host"),
    ] {
        let error = harness
            .engine
            .probe_once(1, &check.to_string(), &[], 100.0, false)
            .unwrap_err();
        assert!(error.message.contains(message), "{}", error.message);
    }
}
