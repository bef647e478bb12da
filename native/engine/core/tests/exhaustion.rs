//! No descriptors left: the prober's trouble, not the targets'.

mod common;

use common::{Harness, target, tcp};
use std::net::TcpListener;
use std::process::Command;
use vmpulse_engine::proto::Reason;
use vmpulse_engine::thresholds::State;

/// Limits are of a whole process, so the test runs itself again in one of its own.
#[test]
fn without_descriptors_targets_turn_blind_and_recover() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "in_a_process_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
#[ignore = "lowers the limits of its process; run by the test above"]
fn in_a_process_of_its_own() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut harness = Harness::new();
    let handle = harness.add(&[target("a", tcp(server.local_addr().unwrap()))])[0];
    harness.until(handle, State::Ok);
    let normal = limit(None);
    // Descriptors that are open stay; new ones are refused.
    limit(Some(3));
    let blind = harness.until(handle, State::Blind);
    assert_eq!(blind.change.reason, Some(Reason::ProberResources));
    limit(Some(normal));
    let sighted = harness.transition(handle);
    assert_eq!(
        (sighted.change.from, sighted.change.to),
        (State::Blind, State::Ok)
    );
}

fn limit(set: Option<u64>) -> u64 {
    let mut value = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `value` is a valid rlimit for both calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut value), 0);
        if let Some(soft) = set {
            value.rlim_cur = soft;
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &value), 0);
        }
    }
    value.rlim_cur
}
