//! Faults of the reactor itself, which only the crate can cause.

mod restart;

use super::{Engine, EngineOptions};
use crate::command::Command;
use crate::news::{Collected, Transition};
use crate::thresholds::State;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use vmpulse_proto::Reason;

fn engine(late_ms: f64) -> Engine {
    let options = EngineOptions {
        late_ms,
        ..EngineOptions::default()
    };
    Engine::new(&options, Arc::new(|| {})).unwrap()
}

fn add(engine: &Engine, ip: &str, port: u16, timeout_ms: u32) -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let id = COUNT.fetch_add(1, Ordering::Relaxed);
    add_named(engine, &format!("t{id}"), ip, port, timeout_ms)
}

fn add_named(engine: &Engine, id: &str, ip: &str, port: u16, timeout_ms: u32) -> u32 {
    let json = format!(
        r#"[{{"id":"{id}","check":{{"kind":"tcpSocket","endpoint":{{"ip":"{ip}","port":{port}}}}},
        "timing":{{"periodMs":{},"timeoutMs":{timeout_ms},"successThreshold":1,"failureThreshold":1}},
        "startState":"unknown"}}]"#,
        timeout_ms * 2
    );
    engine.add(&json, &[], 0).unwrap()[0]
}

fn wait<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(Instant::now() < end, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn transition(engine: &Engine) -> Transition {
    wait(|| {
        let Collected { transitions, .. } = engine.collect(true);
        transitions.first().copied()
    })
}

/// A listener whose backlog is full: connects get no answer.
fn silent() -> (TcpListener, u16, Vec<std::net::TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // SAFETY: a listening socket may be told a smaller backlog.
    unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 0) };
    let connect =
        |_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let fillers = (0..4).filter_map(connect).collect();
    (listener, address.port(), fillers)
}

/// A time-out that passes while the reactor was kept from looking is our lateness, not the target's silence.
#[test]
fn a_starved_reactor_does_not_blame_its_targets() {
    let (_listener, port, _fillers) = silent();
    let engine = engine(250.0);
    let handle = add(&engine, "127.0.0.1", port, 400);
    wait(|| (engine.stats().unwrap().in_flight == 1).then_some(()));
    engine.shards[0].send(Command::Stall(Duration::from_millis(600)));
    let status = wait(|| {
        let status = engine.status(handle).unwrap();
        status.last_outcome.map(|_| status)
    });
    assert_eq!(
        status.last_outcome.and_then(|o| o.reason()),
        Some(Reason::ProberLate)
    );
    assert_eq!(status.state, State::Unknown);
    // Without starvation the same silence is a failure.
    let failed = transition(&engine);
    assert_eq!(
        (failed.change.to, failed.change.reason),
        (State::Failed, Some(Reason::ConnectTimeout))
    );
}
