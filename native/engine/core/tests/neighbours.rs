//! ARP and NDP against a peer's kernel, over a pair of interfaces and a bridge.

mod common;
#[path = "raw/net.rs"]
mod net;

use common::{Harness, target};
use net::{Peer, ip, isolated, mac};
use serde_json::{Value, json};
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;

const PEERS: [(&str, &str, &str); 2] = [
    ("arp", "192.0.2.2", "192.0.2.99"),
    ("ndp", "2001:db8::2", "2001:db8::99"),
];

fn neighbour(kind: &str, address: &str, more: Value) -> Value {
    json!({ "kind": kind, "ip": address, "neighbour": more })
}

#[test]
fn who_has_the_address_answers_on_the_interface_and_by_route() {
    isolated(|| {
        let peer = Peer::new();
        let theirs = peer.run(|| mac("far"));
        let mut harness = Harness::new();
        for (kind, address, nobody) in PEERS {
            for link in [
                json!({}),
                json!({ "interface": "near" }),
                json!({ "interface": "near", "mac": theirs }),
            ] {
                let report = harness.probe_once(&neighbour(kind, address, link.clone()), 5000.0);
                assert_eq!(report.outcome, Outcome::Ok, "{kind} {link}");
                let said = report
                    .details
                    .mac
                    .unwrap()
                    .map(|byte| format!("{byte:02x}"))
                    .join(":");
                assert_eq!(said, theirs);
            }
            let outcome = harness.outcome(
                &neighbour(kind, nobody, json!({ "interface": "near" })),
                300.0,
            );
            assert_eq!(outcome, Outcome::Failed(Reason::NoReply), "{kind}");
        }
    });
}

#[test]
fn another_who_has_the_address_is_an_identity_that_does_not_match() {
    isolated(|| {
        let peer = Peer::new();
        let theirs = peer.run(|| mac("far"));
        let mut harness = Harness::new();
        for (kind, address, _) in PEERS {
            let check = neighbour(
                kind,
                address,
                json!({ "interface": "near", "mac": "02:00:00:00:00:99" }),
            );
            let report = harness.probe_once(&check, 5000.0);
            assert_eq!(
                report.outcome,
                Outcome::Inconclusive(Reason::IdentityMismatch),
                "{kind}"
            );
            let said = report
                .details
                .mac
                .unwrap()
                .map(|byte| format!("{byte:02x}"))
                .join(":");
            assert_eq!(said, theirs);
        }
    });
}

#[test]
fn up_down_up_on_a_bridge_without_an_address_of_its_own() {
    isolated(|| {
        let peer = Peer::new();
        ip("link add bridge0 type bridge forward_delay 0");
        ip("link set bridge0 up");
        ip("link set near master bridge0");
        // The host reaches the guests' network some other way, or not at all; ours stays known to the kernel.
        ip("addr flush dev near");
        ip("addr add 198.51.100.1/24 dev lo");
        // As guests have one; without, a strict kernel does not answer whom it could not reach.
        peer.run(|| ip("route add default via 192.0.2.1"));
        ip("route add 192.0.2.0/24 dev bridge0 src 198.51.100.1");
        let mut harness = Harness::new();
        let handles = harness.add(&[
            target(
                "arp",
                neighbour("arp", "192.0.2.2", json!({ "interface": "bridge0" })),
            ),
            target(
                "ndp",
                neighbour("ndp", "2001:db8::2", json!({ "interface": "bridge0" })),
            ),
        ]);
        for handle in &handles {
            harness.until(*handle, State::Ok);
        }
        peer.run(|| ip("link set far down"));
        for handle in &handles {
            let down = harness.until(*handle, State::Failed);
            assert_eq!(down.change.reason, Some(Reason::NoReply));
        }
        peer.run(|| {
            ip("link set far up");
            ip("addr replace 2001:db8::2/64 dev far nodad");
        });
        for handle in &handles {
            harness.until(*handle, State::Ok);
        }
    });
}

#[test]
fn what_is_no_neighbour_cannot_be_asked_and_the_reason_is_said() {
    isolated(|| {
        let _peer = Peer::new();
        ip("route add default via 192.0.2.2");
        let mut harness = Harness::new();
        for (address, link, text) in [
            (
                "192.0.2.2",
                json!({ "interface": "missing0" }),
                "no such Ethernet interface",
            ),
            (
                "192.0.2.2",
                json!({ "interface": "lo" }),
                "no such Ethernet interface",
            ),
            ("198.51.100.7", json!({}), "no neighbour of this host"),
        ] {
            let report = harness.probe_once(&neighbour("arp", address, link), 1000.0);
            assert_eq!(
                report.outcome,
                Outcome::Inconclusive(Reason::NoLocalRoute),
                "{text}"
            );
            assert!(report.message.unwrap().contains(text));
        }
    });
}

#[test]
fn a_wrong_plan_is_refused_by_its_field() {
    let harness = Harness::new();
    for (check, message) in [
        (
            neighbour("arp", "2001:db8::1", json!({})),
            "ip: ARP asks for IPv4 addresses; use ndp",
        ),
        (
            neighbour("ndp", "192.0.2.1", json!({})),
            "ip: NDP asks for IPv6 addresses; use arp",
        ),
        (
            neighbour("arp", "192.0.2.1", json!({ "mac": "52:54:00:12:34" })),
            "is no hardware address",
        ),
        (
            neighbour("arp", "192.0.2.1", json!({ "mac": "52:54:00:12:34:+6" })),
            "is no hardware address",
        ),
    ] {
        let error = harness
            .engine
            .probe_once(1, &check.to_string(), &[], 100.0, false)
            .unwrap_err();
        assert!(error.message.contains(message), "{}", error.message);
    }
}
