//! Raw sockets whose queue in the kernel was full: what was dropped may have been the answer.

mod common;
#[path = "raw/forger.rs"]
mod forger;
#[path = "raw/net.rs"]
mod net;

use common::{Harness, alone};
use forger::{Forger, answer_to};
use net::{Peer, isolated};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Stdio};
use vmpulse_engine::outcome_index;
use vmpulse_engine::proto::{Outcome, Reason};

const SILENT: &str = "192.0.2.50";
const SYN_ACK: u8 = 0x12;
/// More than the queue takes: 8 MiB, which the kernel doubles, and a packet costs it some 600 bytes.
const FLOOD: usize = 100_000;

#[test]
fn silence_after_a_loss_is_inconclusive_and_counted() {
    isolated(|| {
        let peer = Peer::new();
        peer.swallows(SILENT);
        let forger = peer.run(Forger::new);
        let mut child = alone("the_engine_that_is_flooded")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let syn = forger.hear_syn(SILENT.parse::<Ipv4Addr>().unwrap());
        // Nobody reads meanwhile. To the right port with a wrong number: the filter lets it pass.
        signal(&child, libc::SIGSTOP);
        let noise = answer_to(&syn, SYN_ACK, 1);
        (0..FLOOD).for_each(|_| forger.say(&noise));
        signal(&child, libc::SIGCONT);
        let said: Vec<String> = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .collect();
        assert!(child.wait().unwrap().success(), "{said:?}");
    });
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: the child is ours and not waited for yet, so its pid is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

#[test]
#[ignore = "is stopped, flooded and continued; run by the test above"]
fn the_engine_that_is_flooded() {
    let mut harness = Harness::new();
    let check = json!({ "kind": "tcpHalfOpen", "endpoint": { "ip": SILENT, "port": 22 } });
    let lost = Outcome::Inconclusive(Reason::ProberResources);
    assert_eq!(harness.outcome(&check, 8_000.0), lost);
    let outcomes = harness.engine.stats().unwrap().outcomes;
    let counted = outcomes.iter().find(|entry| entry.1 == outcome_index(lost));
    assert_eq!(counted.map(|entry| entry.2), Some(1), "{outcomes:?}");
}
