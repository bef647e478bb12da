//! An engine with what it gave so far, for tests that wait for conditions.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod network;

use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use vmpulse_engine::proto::Outcome;
use vmpulse_engine::thresholds::State;
use vmpulse_engine::{
    Answer, ChannelNews, Collected, Engine, EngineOptions, ProbeReport, ReactorChoice, Transition,
};

/// Tests of each of these functions, once with the reactor that is chosen by itself, once with epoll alone.
#[macro_export]
macro_rules! with_either_reactor {
    ($($name:ident),+ $(,)?) => {
        mod auto {
            $(#[test] fn $name() { super::$name(vmpulse_engine::ReactorChoice::Auto); })+
        }
        mod epoll {
            $(#[test] fn $name() { super::$name(vmpulse_engine::ReactorChoice::Epoll); })+
        }
    };
}

/// Longest wait for anything; generous because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Harness {
    pub engine: Engine,
    signals: Arc<(Mutex<u64>, Condvar)>,
    pub seen: Collected,
    next_call: u32,
}

impl Harness {
    pub fn new() -> Self {
        Self::on(ReactorChoice::Auto)
    }

    /// The engine does not call itself late on a busy machine, as silence means something in most tests.
    pub fn on(reactor: ReactorChoice) -> Self {
        Self::with(EngineOptions {
            reactor,
            late_ms: 10_000.0,
            ..EngineOptions::default()
        })
    }

    pub fn with(options: EngineOptions) -> Self {
        let signals = Arc::new((Mutex::new(0u64), Condvar::new()));
        let counter = Arc::clone(&signals);
        let notify = move || {
            *counter.0.lock().unwrap() += 1;
            counter.1.notify_all();
        };
        Self {
            engine: Engine::new(&options, Arc::new(notify)).unwrap(),
            signals,
            seen: Collected::default(),
            next_call: 0,
        }
    }

    pub fn add(&self, targets: &[Value]) -> Vec<u32> {
        let json = Value::from(targets).to_string();
        self.engine.add(&json, &[], 0).unwrap()
    }

    pub fn call(&mut self) -> u32 {
        self.next_call += 1;
        self.next_call
    }

    /// Collects until `found` says something of what was seen.
    pub fn wait<T>(&mut self, what: &str, mut found: impl FnMut(&mut Collected) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let before = *self.signals.0.lock().unwrap();
            let mut new = self.engine.collect(true);
            self.seen.transitions.append(&mut new.transitions);
            self.seen.dues.append(&mut new.dues);
            self.seen.completions.append(&mut new.completions);
            self.seen.channel_events.append(&mut new.channel_events);
            if let Some(value) = found(&mut self.seen) {
                return value;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}");
            let count = self.signals.0.lock().unwrap();
            drop(
                self.signals
                    .1
                    .wait_timeout_while(count, left, |now| *now == before),
            );
        }
    }

    /// The next transition of a target, taken out.
    pub fn transition(&mut self, handle: u32) -> Transition {
        self.wait("a transition", |seen| {
            let at = seen.transitions.iter().position(|t| t.handle == handle)?;
            Some(seen.transitions.remove(at))
        })
    }

    /// Waits for a target to reach a state by a transition.
    pub fn until(&mut self, handle: u32, state: State) -> Transition {
        loop {
            let transition = self.transition(handle);
            if transition.change.to == state {
                return transition;
            }
        }
    }

    pub fn answer(&mut self, call: u32) -> Answer {
        self.wait("an answer", |seen| {
            let at = seen.completions.iter().position(|c| c.call == call)?;
            Some(seen.completions.remove(at).answer)
        })
    }

    pub fn probe_once(&mut self, check: &Value, timeout_ms: f64) -> ProbeReport {
        let call = self.call();
        self.engine
            .probe_once(call, &check.to_string(), &[], timeout_ms, true)
            .unwrap();
        match self.answer(call) {
            Answer::Probe(report) => *report,
            other => panic!("{other:?}"),
        }
    }

    pub fn outcome(&mut self, check: &Value, timeout_ms: f64) -> Outcome {
        self.probe_once(check, timeout_ms).outcome
    }

    pub fn request(&mut self, channel: u32, command: &str, timeout_ms: f64) -> Answer {
        let call = self.call();
        self.engine
            .request(call, channel, command, None, timeout_ms)
            .unwrap();
        self.answer(call)
    }

    /// The next news of a channel that `matches` likes, taken out with all before it.
    pub fn news(&mut self, channel: u32, what: &str, matches: impl Fn(&ChannelNews) -> bool) {
        self.wait(what, |seen| {
            let events = &mut seen.channel_events;
            let at = events
                .iter()
                .position(|event| event.channel == channel && matches(&event.news))?;
            events.drain(..=at);
            Some(())
        });
    }
}

/// A target that is probed every 100 ms.
pub fn target(id: &str, check: Value) -> Value {
    json!({
        "id": id,
        "check": check,
        "timing": {
            "initialDelayMs": 0, "periodMs": 100, "timeoutMs": 95,
            "successThreshold": 1, "failureThreshold": 2,
        },
        "startState": "unknown",
    })
}

pub fn tcp(address: SocketAddr) -> Value {
    json!({
        "kind": "tcpSocket",
        "endpoint": { "ip": address.ip().to_string(), "port": address.port() },
        "close": "rst",
    })
}

pub fn http(address: SocketAddr, more: Value) -> Value {
    let mut http = json!({ "scheme": "http", "port": address.port(), "path": "/", "headers": [] });
    for (key, value) in more.as_object().unwrap() {
        http[key] = value.clone();
    }
    json!({
        "kind": "httpGet",
        "endpoint": { "ip": address.ip().to_string(), "port": address.port() },
        "http": http,
    })
}

/// The reactor of a test that runs in a process of its own: `REACTOR` of its environment.
pub fn reactor_of_process() -> ReactorChoice {
    match std::env::var("REACTOR").as_deref() {
        Ok("epoll") => ReactorChoice::Epoll,
        _ => ReactorChoice::Auto,
    }
}

pub fn reactor_name(reactor: ReactorChoice) -> &'static str {
    match reactor {
        ReactorChoice::Auto => "auto",
        ReactorChoice::Epoll => "epoll",
    }
}

/// Runs a test of this file, which is ignored by itself, in a process of its own, and gives what it printed.
pub fn run_alone(name: &str, reactor: ReactorChoice) -> String {
    let output = alone(name)
        .env("REACTOR", reactor_name(reactor))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    text
}

/// The command for `run_alone`.
pub fn alone(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    command
}

/// A listener whose backlog is full: the kernel drops what connects. Lives as long as the value.
pub struct Silent {
    pub address: SocketAddr,
    _listener: TcpListener,
    _fillers: Vec<TcpStream>,
}

impl Silent {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // SAFETY: a listening socket may be told a smaller backlog.
        unsafe { libc::listen(listener.as_raw_fd(), 0) };
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let fillers = (0..4).filter_map(connect).collect();
        Self {
            address,
            _listener: listener,
            _fillers: fillers,
        }
    }
}

/// A folder of this test alone, removed with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vmpulse-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
