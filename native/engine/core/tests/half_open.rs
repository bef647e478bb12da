//! Half-open probes: real kernels at the other end, and a forger.

mod common;
#[path = "raw/forger.rs"]
mod forger;
#[path = "raw/net.rs"]
mod net;

use common::{Harness, PATIENCE, target};
use forger::{Forger, answer_to};
use net::{Peer, ip, isolated, raw_sockets, sysctl};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Instant;
use vmpulse_engine::Answer;
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;

const OURS: [&str; 2] = ["127.0.0.1", "::1"];
const PEERS: [&str; 2] = ["192.0.2.2", "2001:db8::2"];
const SYN_ACK: u8 = 0x12;
const RST_ACK: u8 = 0x14;

fn half_open(address: &str, port: u16) -> Value {
    let address: IpAddr = address.parse().unwrap();
    json!({ "kind": "tcpHalfOpen", "endpoint": { "ip": address.to_string(), "port": port } })
}

fn listen(address: &str) -> (TcpListener, u16) {
    let address: IpAddr = address.parse().unwrap();
    let listener = TcpListener::bind(SocketAddr::new(address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Connections that this namespace has half open (state 03) with a port.
fn half_open_here(port: u16) -> usize {
    let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];
    let port = format!(":{port:04X} ");
    tables
        .into_iter()
        .flat_map(|table| {
            std::fs::read_to_string(table)
                .unwrap_or_default()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|line| line.contains(&port) && line.split_whitespace().nth(3) == Some("03"))
        .count()
}

#[test]
fn each_end_has_its_reason_on_loopback() {
    isolated(|| {
        let mut harness = Harness::new();
        for address in OURS {
            let (listener, port) = listen(address);
            for _ in 0..20 {
                assert_eq!(
                    harness.outcome(&half_open(address, port), 5000.0),
                    Outcome::Ok,
                    "{address}"
                );
            }
            drop(listener);
            let refused = harness.outcome(&half_open(address, port), 5000.0);
            assert_eq!(
                refused,
                Outcome::Failed(Reason::ConnectionRefused),
                "{address}"
            );
        }
    });
}

#[test]
fn a_peer_is_left_without_half_open_connections() {
    isolated(|| {
        let peer = Peer::new();
        let mut harness = Harness::new();
        for address in PEERS {
            let (listener, port) = peer.run(move || listen(address));
            for _ in 0..20 {
                assert_eq!(
                    harness.outcome(&half_open(address, port), 5000.0),
                    Outcome::Ok,
                    "{address}"
                );
            }
            let begin = Instant::now();
            // The kernel answers a SYN-ACK that it knows nothing of by RST.
            while peer.run(move || half_open_here(port)) > 0 {
                assert!(begin.elapsed() < PATIENCE, "half-open connections stay");
                std::thread::yield_now();
            }
            listener.set_nonblocking(true).unwrap();
            assert!(listener.accept().is_err(), "nobody was accepted");
        }
    });
}

#[test]
fn up_down_up() {
    isolated(|| {
        let peer = Peer::new();
        let (listener, port) = peer.run(|| listen(PEERS[0]));
        let mut harness = Harness::new();
        let handle = harness.add(&[target("a", half_open(PEERS[0], port))])[0];
        harness.until(handle, State::Ok);
        drop(listener);
        let down = harness.until(handle, State::Failed);
        assert_eq!(down.change.reason, Some(Reason::ConnectionRefused));
        let _again = peer.run(move || TcpListener::bind((PEERS[0], port)).unwrap());
        harness.until(handle, State::Ok);
        // Two a family: for replies and for errors; gone with the last target.
        assert_eq!(raw_sockets(), 2);
        harness.engine.remove(&[handle]).unwrap();
        harness.wait("the end of the raw sockets", |_| {
            (raw_sockets() == 0).then_some(())
        });
    });
}

#[test]
fn unreachable_has_its_reasons() {
    isolated(|| {
        let peer = Peer::new();
        peer.run(|| {
            sysctl("net/ipv4/ip_forward", "1");
            sysctl("net/ipv6/conf/all/forwarding", "1");
            for route in ["unreachable 198.51.100.0/24", "prohibit 203.0.113.0/24"] {
                ip(&format!("route add {route}"));
            }
            ip("-6 route add unreachable 2001:db8:1::/64");
        });
        ip("route add default via 192.0.2.2");
        ip("-6 route add default via 2001:db8::2");
        let mut harness = Harness::new();
        for (address, reason) in [
            ("198.51.100.7", Reason::HostUnreachable),
            ("203.0.113.7", Reason::HostUnreachable),
            ("2001:db8:1::7", Reason::NetworkUnreachable),
        ] {
            let outcome = harness.outcome(&half_open(address, 22), 5000.0);
            assert_eq!(outcome, Outcome::Failed(reason), "{address}");
        }
        // Nobody has the address: our own kernel finds out, and tells us as a router would.
        sysctl("net/ipv4/neigh/near/retrans_time_ms", "50");
        sysctl("net/ipv6/neigh/near/retrans_time_ms", "50");
        for address in ["192.0.2.99", "2001:db8::99"] {
            let outcome = harness.outcome(&half_open(address, 22), 10_000.0);
            assert_eq!(
                outcome,
                Outcome::Failed(Reason::HostUnreachable),
                "{address}"
            );
        }
        ip("route del default via 192.0.2.2");
        let outcome = harness.outcome(&half_open("198.51.100.7", 22), 5000.0);
        assert_eq!(outcome, Outcome::Inconclusive(Reason::NoLocalRoute));
    });
}

#[test]
fn forged_late_and_doubled_answers_are_ignored() {
    isolated(|| {
        let silent: Ipv4Addr = "192.0.2.50".parse().unwrap();
        let peer = Peer::new();
        peer.swallows("192.0.2.50");
        let forger = std::sync::Arc::new(peer.run(Forger::new));
        let mut harness = Harness::new();
        let check = half_open("192.0.2.50", 22).to_string();
        let ask = |harness: &mut Harness, timeout_ms: f64| {
            let call = harness.call();
            harness
                .engine
                .probe_once(call, &check, &[], timeout_ms, true)
                .unwrap();
            (call, forger.hear_syn(silent))
        };
        let outcome = |answer: Answer| match answer {
            Answer::Probe(report) => report.outcome,
            other => panic!("{other:?}"),
        };
        // A right guess of everything but the number.
        let (call, first) = ask(&mut harness, 500.0);
        for off in [1, u32::MAX, 4096, 1 << 31] {
            forger.say(&answer_to(&first, SYN_ACK, off));
            forger.say(&answer_to(&first, RST_ACK, off));
        }
        let mut other = answer_to(&first, SYN_ACK, 0);
        other[15] ^= 1; // from another address
        forger.say(&other);
        let mut other = answer_to(&first, SYN_ACK, 0);
        other[21] ^= 1; // from another port
        forger.say(&other);
        assert_eq!(
            outcome(harness.answer(call)),
            Outcome::Failed(Reason::ConnectTimeout)
        );
        // What answers the first probe comes too late for the second.
        let (call, second) = ask(&mut harness, 500.0);
        forger.say(&answer_to(&first, SYN_ACK, 0));
        forger.say(&answer_to(&first, RST_ACK, 0));
        assert_eq!(
            outcome(harness.answer(call)),
            Outcome::Failed(Reason::ConnectTimeout)
        );
        // Said twice, the first time counts; the second finds nothing, and later nothing does.
        let (call, third) = ask(&mut harness, 20_000.0);
        forger.say(&answer_to(&second, RST_ACK, 0));
        forger.say(&answer_to(&third, SYN_ACK, 0));
        forger.say(&answer_to(&third, RST_ACK, 0));
        assert_eq!(outcome(harness.answer(call)), Outcome::Ok);
        let (call, fourth) = ask(&mut harness, 20_000.0);
        forger.say(&answer_to(&third, SYN_ACK, 0));
        forger.say(&answer_to(&fourth, RST_ACK, 0));
        assert_eq!(
            outcome(harness.answer(call)),
            Outcome::Failed(Reason::ConnectionRefused)
        );
    });
}

/// The checksum covers the source address, so a stale one would make a healthy target look silent.
#[test]
fn a_changed_source_address_is_noticed_and_blames_nobody() {
    isolated(|| {
        let peer = Peer::new();
        let (_listener, port) = peer.run(|| listen(PEERS[0]));
        let mut harness = Harness::new();
        let handle = harness.add(&[target("a", half_open(PEERS[0], port))])[0];
        harness.until(handle, State::Ok);
        ip("addr add 192.0.2.3/24 dev near");
        ip("addr del 192.0.2.1/24 dev near");
        ip("addr add 192.0.2.3/24 dev near");
        let before = harness.engine.stats().unwrap().outcomes[0].2;
        let begin = Instant::now();
        loop {
            let stats = harness.engine.stats().unwrap();
            let count = |index: usize| {
                stats
                    .outcomes
                    .iter()
                    .find(|entry| entry.1 == index)
                    .map_or(0, |entry| entry.2)
            };
            assert_eq!(count(Reason::ConnectTimeout as usize + 1), 0);
            if count(Reason::NoLocalRoute as usize + 1) > 0 && count(0) > before + 3 {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{:?}", stats.outcomes);
            std::thread::yield_now();
        }
    });
}

#[test]
fn without_the_capability_the_prober_is_to_blame_and_says_how_to_give_it() {
    isolated(|| {
        drop_net_raw();
        let mut harness = Harness::new();
        let report = harness.probe_once(&half_open("127.0.0.1", 22), 1000.0);
        assert_eq!(
            report.outcome,
            Outcome::Inconclusive(Reason::ProberResources)
        );
        let message = report.message.unwrap();
        assert!(
            message.contains("CAP_NET_RAW") && message.contains("setcap"),
            "{message}"
        );
    });
}

/// Leaves up to so many connections in TIME_WAIT, each on an ephemeral port of its own.
fn fill_ports(server: &TcpListener, count: usize) {
    for _ in 0..count {
        let Ok(client) = std::net::TcpStream::connect(server.local_addr().unwrap()) else {
            return;
        };
        let accepted = server.accept().unwrap();
        // Who closes first waits.
        drop(client);
        drop(accepted);
    }
}

#[test]
fn what_waits_on_all_ephemeral_ports_leaves_the_ports_above() {
    isolated(|| {
        sysctl("net/ipv4/ip_local_port_range", "40000 40063");
        let (listener, port) = listen("127.0.0.1");
        let server = TcpListener::bind("127.0.0.1:4000").unwrap();
        fill_ports(&server, 64);
        let mut harness = Harness::new();
        assert_eq!(
            harness.outcome(&half_open("127.0.0.1", port), 5000.0),
            Outcome::Ok
        );
        drop(listener);
    });
}

#[test]
fn without_a_port_to_probe_from_targets_turn_blind_and_recover() {
    isolated(|| {
        // There is nothing above these.
        sysctl("net/ipv4/ip_local_port_range", "65504 65535");
        let server = TcpListener::bind("127.0.0.1:4000").unwrap();
        let check = half_open("127.0.0.1", 4000);
        // The kernel gives every other port first: no two side by side are free then, and one is enough.
        fill_ports(&server, 16);
        let mut harness = Harness::new();
        assert_eq!(harness.outcome(&check, 5000.0), Outcome::Ok);
        harness.wait("the end of the raw sockets", |_| {
            (raw_sockets() == 0).then_some(())
        });
        fill_ports(&server, 64);
        let report = harness.probe_once(&check, 1000.0);
        assert_eq!(
            report.outcome,
            Outcome::Inconclusive(Reason::ProberResources)
        );
        let message = report.message.unwrap();
        assert!(message.contains("ip_local_port_range"), "{message}");
        let handle = harness.add(&[target("a", check)])[0];
        let blind = harness.until(handle, State::Blind);
        assert_eq!(blind.change.reason, Some(Reason::ProberResources));
        sysctl("net/ipv4/ip_local_port_range", "40000 40031");
        harness.until(handle, State::Ok);
    });
}

/// Takes CAP_NET_RAW from this thread, and so from the threads that it starts.
fn drop_net_raw() {
    const CAP_NET_RAW: u32 = 13;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let header = Header {
        version: 0x2008_0522,
        pid: 0,
    };
    // Effective, permitted, inheritable; low and high words.
    let mut data = [0u32; 6];
    // SAFETY: header and data have the shapes that version 3 of the calls says.
    unsafe {
        assert_eq!(
            libc::syscall(libc::SYS_capget, &header, data.as_mut_ptr()),
            0
        );
        data[0] &= !(1 << CAP_NET_RAW);
        assert_eq!(libc::syscall(libc::SYS_capset, &header, data.as_ptr()), 0);
    }
}
