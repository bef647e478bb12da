//! Feeds a watchdog device while the guest's own checks pass, and only then.

use crate::config;
use crate::health::Health;
use crate::sys;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Disarms the device at its close, where it can be disarmed.
const MAGIC_CLOSE: &[u8] = b"V";

/// A device as it is fed; a seam for tests, as only real hardware ends a guest.
pub trait Device: Send {
    fn feed(&mut self) -> io::Result<()>;
    /// Takes the device out of service. Under nowayout that is impossible: then it is fed a last time.
    fn disarm(self: Box<Self>) -> io::Result<()>;
}

type Open = Box<dyn Fn() -> io::Result<Box<dyn Device>> + Send + Sync>;

enum State {
    /// Not opened, so that nothing counts down.
    Waiting,
    Fed(Box<dyn Device>),
    /// Open and counting down.
    Starved(Box<dyn Device>),
    Unavailable(String),
}

pub struct Feeder {
    timeout_seconds: u32,
    /// `None`: no device is configured.
    open: Option<Open>,
    state: Mutex<State>,
}

impl Feeder {
    pub fn new(config: &config::Watchdog) -> Self {
        let (device, seconds) = (config.device.clone(), config.timeout_seconds);
        let open: Option<Open> = (!device.is_empty()).then(|| {
            let open = move || KernelDevice::open(&device, seconds);
            Box::new(open) as Open
        });
        Self::with(open, seconds)
    }

    fn with(open: Option<Open>, timeout_seconds: u32) -> Self {
        Self {
            timeout_seconds,
            open,
            state: Mutex::new(State::Waiting),
        }
    }

    /// How often `turn` must be called.
    pub fn period(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_seconds)) / 4
    }

    /// Feeds the device, or does not.
    pub fn turn(&self, health: &Health) {
        let Some(open) = &self.open else {
            return;
        };
        let may_feed = health.may_feed();
        let mut state = self.lock();
        let device = match std::mem::replace(&mut *state, State::Waiting) {
            State::Fed(device) | State::Starved(device) => Ok(device),
            closed if !may_feed => {
                *state = closed;
                return;
            }
            _ => open(),
        };
        *state = match device {
            Ok(device) if !may_feed => State::Starved(device),
            Ok(mut device) => match device.feed() {
                Ok(()) => State::Fed(device),
                Err(error) => {
                    eprintln!("vmpulse-agent: the watchdog cannot be fed: {error}");
                    State::Starved(device)
                }
            },
            Err(error) => State::Unavailable(error.to_string()),
        };
    }

    /// The agent is stopped in an orderly way.
    pub fn stop(&self) {
        let state = std::mem::replace(&mut *self.lock(), State::Waiting);
        if let State::Fed(device) | State::Starved(device) = state
            && let Err(error) = device.disarm()
        {
            eprintln!("vmpulse-agent: the watchdog is not disarmed: {error}");
        }
    }

    pub fn report(&self) -> Value {
        if self.open.is_none() {
            return json!({ "state": "off" });
        }
        match &*self.lock() {
            State::Waiting => json!({ "state": "waiting" }),
            State::Fed(_) => json!({ "state": "fed" }),
            State::Starved(_) => json!({ "state": "starved" }),
            State::Unavailable(why) => json!({ "state": "unavailable", "message": why }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `/dev/watchdog` and its like.
struct KernelDevice {
    file: File,
    nowayout: bool,
}

impl KernelDevice {
    fn open(path: &str, seconds: u32) -> io::Result<Box<dyn Device>> {
        let file = OpenOptions::new().write(true).open(path)?;
        let actual = sys::watchdog_timeout(file.as_fd(), seconds).unwrap_or_else(|error| {
            eprintln!("vmpulse-agent: {path} keeps its own time: {error}");
            seconds
        });
        eprintln!("vmpulse-agent: feeding {path}, {actual} s");
        let device = Self {
            file,
            nowayout: nowayout(path),
        };
        Ok(Box::new(device))
    }
}

/// `/dev/watchdog` is the first of the numbered ones.
fn nowayout(path: &str) -> bool {
    let name = Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("");
    let name = if name == "watchdog" {
        "watchdog0"
    } else {
        name
    };
    let text = std::fs::read_to_string(format!("/sys/class/watchdog/{name}/nowayout"));
    text.is_ok_and(|text| text.trim() == "1")
}

impl Device for KernelDevice {
    fn feed(&mut self) -> io::Result<()> {
        sys::watchdog_feed(self.file.as_fd())
    }

    fn disarm(mut self: Box<Self>) -> io::Result<()> {
        if self.nowayout {
            eprintln!(
                "vmpulse-agent: nowayout is set: the watchdog counts on until somebody feeds it"
            );
            return self.feed();
        }
        self.file.write_all(MAGIC_CLOSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Clone, Default)]
    struct Counts {
        opened: Arc<AtomicU32>,
        fed: Arc<AtomicU32>,
        disarmed: Arc<AtomicU32>,
    }

    impl Device for Counts {
        fn feed(&mut self) -> io::Result<()> {
            self.fed.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn disarm(self: Box<Self>) -> io::Result<()> {
            self.disarmed.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    impl Counts {
        fn all(&self) -> [u32; 3] {
            [&self.opened, &self.fed, &self.disarmed].map(|count| count.load(Ordering::Relaxed))
        }
    }

    fn feeder(counts: &Counts) -> Feeder {
        let counts = counts.clone();
        let open = move || {
            counts.opened.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(counts.clone()) as Box<dyn Device>)
        };
        Feeder::with(Some(Box::new(open)), 4)
    }

    fn health(command: &str) -> Health {
        let check = config::Check {
            name: "flag".to_owned(),
            command: Some(["/bin/sh", "-c", command].map(str::to_owned).to_vec()),
            unit: None,
            writable: None,
        };
        Health::new(config::Health {
            failures: 1,
            checks: vec![check],
            ..config::Health::default()
        })
    }

    #[test]
    fn feeds_while_the_checks_pass_and_stops_when_they_fail() {
        let flag = std::env::temp_dir().join(format!("vmpulse-feeder-{}", std::process::id()));
        let health = health(&format!("test -e {}", flag.display()));
        let counts = Counts::default();
        let feeder = feeder(&counts);
        health.round();
        feeder.turn(&health);
        assert_eq!(counts.all(), [0, 0, 0], "never armed before all was well");
        assert_eq!(feeder.report()["state"], "waiting");
        std::fs::write(&flag, "").unwrap();
        health.round();
        feeder.turn(&health);
        feeder.turn(&health);
        assert_eq!(counts.all(), [1, 2, 0]);
        std::fs::remove_file(&flag).unwrap();
        health.round();
        feeder.turn(&health);
        feeder.turn(&health);
        assert_eq!(counts.all(), [1, 2, 0], "open, and not fed");
        assert_eq!(feeder.report()["state"], "starved");
        feeder.stop();
        feeder.stop();
        assert_eq!(counts.all(), [1, 2, 1]);
    }

    #[test]
    fn without_a_device_nothing_is_opened() {
        let feeder = Feeder::new(&config::Watchdog::default());
        let health = health("true");
        health.round();
        feeder.turn(&health);
        assert_eq!(feeder.report()["state"], "off");
        let absent = Feeder::new(&config::Watchdog {
            device: "/dev/no-such-watchdog".to_owned(),
            timeout_seconds: 4,
        });
        absent.turn(&health);
        assert_eq!(absent.report()["state"], "unavailable");
    }
}
