//! An engine that is starved of CPU among healthy and silent targets: it blames no healthy one, and finds all silent ones
//! as soon as it may run again. The engine lives in a process of its own, which is stopped and continued.

mod common;

use common::{Harness, Silent, alone, http, reactor_name, reactor_of_process, tcp};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;
use vmpulse_engine::{EngineOptions, ReactorChoice, outcome_index};

const HEALTHY: usize = 180;
const SILENT: usize = 20;
const PERIOD_MS: u64 = 2000;
/// Each probe of a silent target meets several stops of more than `lateMs`.
const TIMEOUT_MS: u64 = 1500;
const STOP: Duration = Duration::from_millis(400);
const RUN: Duration = Duration::from_millis(40);
const STARVED_FOR: Duration = Duration::from_secs(6);
/// On a busy host the engine may be starved by others as well, and then rightly says nothing about the silent ones.
const TRIES: usize = 3;

with_either_reactor!(starved_it_blames_no_healthy_target_and_then_finds_all_silent_ones);

fn starved_it_blames_no_healthy_target_and_then_finds_all_silent_ones(reactor: ReactorChoice) {
    let in_time = (0..TRIES).any(|_| {
        let seen = starve_once(reactor);
        assert_eq!(seen["healthyFailed"], 0, "a healthy target failed: {seen}");
        assert!(
            seen["late"].as_u64() > Some(SILENT as u64),
            "it knew of its lateness: {seen}"
        );
        assert!(
            seen["silentFailedBefore"].as_u64() < Some(SILENT as u64),
            "nothing to find: {seen}"
        );
        println!("{seen}");
        seen["silentFailedAfter"] == SILENT
    });
    assert!(
        in_time,
        "silent targets were not found within two periods, in {TRIES} tries"
    );
}

fn starve_once(reactor: ReactorChoice) -> Value {
    let silent = Silent::new();
    let server = http_server();
    let mut child = alone("the_engine_that_is_starved")
        .env("SILENT", silent.address.to_string())
        .env("SERVER", server.to_string())
        .env("REACTOR", reactor_name(reactor))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = |start: &str| loop {
        let line = lines
            .next()
            .expect("the engine's process ended early")
            .unwrap();
        if let Some(rest) = line.split(start).nth(1) {
            return rest.to_owned();
        }
    };
    said("added");
    let end = Instant::now() + STARVED_FOR;
    while Instant::now() < end {
        signal(&child, libc::SIGSTOP);
        sleep(STOP);
        signal(&child, libc::SIGCONT);
        sleep(RUN);
    }
    child.stdin.take().unwrap().write_all(b"over\n").unwrap();
    let seen = said("seen ");
    assert!(child.wait().unwrap().success());
    serde_json::from_str(&seen).unwrap()
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: the child is ours and not waited for yet, so its pid is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

/// Answers in this process, which is not stopped.
fn http_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            // A probe that was given up is no error of the server.
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    address
}

#[test]
#[ignore = "is stopped and continued; run by the test above"]
fn the_engine_that_is_starved() {
    let address = |name| std::env::var(name).unwrap().parse::<SocketAddr>().unwrap();
    let (silent, server) = (address("SILENT"), address("SERVER"));
    let harness = Harness::with(EngineOptions {
        reactor: reactor_of_process(),
        ..EngineOptions::default()
    });
    let healthy = harness.add(&targets("healthy", HEALTHY, |n| match n % 2 {
        0 => tcp(server),
        _ => http(server, json!({})),
    }));
    let silent = harness.add(&targets("silent", SILENT, |_| tcp(silent)));
    println!("added");
    let over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&over);
    std::thread::spawn(move || {
        std::io::stdin().read_line(&mut String::new()).unwrap();
        told.store(true, Ordering::Release);
    });
    let mut failed = HashSet::new();
    let mut look = || {
        let transitions = harness.engine.collect(true).transitions;
        let failures = transitions.iter().filter(|t| t.change.to == State::Failed);
        failed.extend(failures.map(|t| t.handle));
        sleep(Duration::from_millis(5));
        silent
            .iter()
            .filter(|handle| failed.contains(handle))
            .count()
    };
    let mut before = look();
    while !over.load(Ordering::Acquire) {
        before = look();
    }
    let late = late(&harness);
    let end = Instant::now() + Duration::from_millis(2 * PERIOD_MS);
    let mut found = before;
    while found < SILENT && Instant::now() < end {
        found = look();
    }
    let healthy_failed = healthy
        .iter()
        .filter(|handle| failed.contains(handle))
        .count();
    let seen = json!({
        "healthyFailed": healthy_failed, "late": late,
        "silentFailedBefore": before, "silentFailedAfter": found,
    });
    println!("seen {seen}");
}

fn late(harness: &Harness) -> u64 {
    let place = outcome_index(Outcome::Inconclusive(Reason::ProberLate));
    let outcomes = harness.engine.stats().unwrap().outcomes;
    outcomes
        .iter()
        .filter(|entry| entry.1 == place)
        .map(|entry| entry.2)
        .sum()
}

fn targets(name: &str, count: usize, check: impl Fn(usize) -> Value) -> Vec<Value> {
    let target = |n| {
        json!({
            "id": format!("{name}-{n}"),
            "check": check(n),
            "timing": {
                "periodMs": PERIOD_MS, "timeoutMs": TIMEOUT_MS,
                "successThreshold": 1, "failureThreshold": 1,
            },
            "startState": "unknown",
        })
    };
    (0..count).map(target).collect()
}
