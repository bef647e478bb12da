//! The calling side of the engine: checks, handles, and commands to the reactors.

mod calls;
mod state;
mod targets;
#[cfg(test)]
mod tests;
mod thread;

use crate::check::Check;
use crate::command::{Command, Shared};
use crate::error::{EngineError, ErrorCode};
use crate::handles::Handles;
use crate::intern::Interner;
use crate::outbox::{Notify, Outbox};
use crate::poller::Waker;
use crate::reactor::{Reactor, ReactorOptions};
use crate::snapshot::Saved;
use crate::stats::StatsReader;
use crate::sync::Mutex;
use crate::timing::micros;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest wait for a reactor to answer a question; its turns take milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Options as the caller gives them (`EngineOptions`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct EngineOptions {
    pub max_in_flight: u32,
    pub max_in_flight_per_destination: u32,
    pub max_packets_per_second: u32,
    pub tick_ms: f64,
    pub late_ms: f64,
    pub blind_after: u32,
    pub threads: u32,
    pub reactor: ReactorChoice,
}

/// What TCP connects are made by.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum ReactorChoice {
    /// io_uring where the kernel allows it.
    #[default]
    Auto,
    Epoll,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            max_in_flight: 4096,
            max_in_flight_per_destination: 64,
            max_packets_per_second: 250_000,
            tick_ms: 2.0,
            late_ms: 250.0,
            blind_after: 3,
            threads: 1,
            reactor: ReactorChoice::default(),
        }
    }
}

/// What the calling side knows of a target.
#[derive(Clone, Copy, Default)]
struct Known {
    epoch: u32,
    external: bool,
}

/// What only the calling side touches.
struct Front {
    targets: Handles<Known>,
    channels: Handles<()>,
    interner: Interner,
    /// What a snapshot said of targets that are not registered yet.
    saved: Saved,
    stats: StatsReader,
    next_shard: usize,
    /// Reactors of which it was told that they stay down.
    downs_told: Vec<bool>,
}

/// An engine. Dropping it stops its reactors.
pub struct Engine {
    shards: Vec<Arc<Shared>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    front: Mutex<Front>,
    /// Shared with all outboxes: reset before they are looked at.
    signalled: Arc<AtomicBool>,
    closed: AtomicBool,
}

impl EngineOptions {
    fn check(&self) -> Result<ReactorOptions, EngineError> {
        let bounded = |name: &str, value: u32, most: u32| {
            if (1..=most).contains(&value) {
                Ok(value)
            } else {
                Err(EngineError::argument(format!(
                    "{name} {value} is not between 1 and {most}"
                )))
            }
        };
        let duration = |name, ms, least| micros(name, ms, least).map_err(EngineError::argument);
        if self.tick_ms > 1000.0 {
            return Err(EngineError::argument("tickMs is more than 1000"));
        }
        Ok(ReactorOptions {
            ring: self.reactor == ReactorChoice::Auto,
            shards: bounded("threads", self.threads, 64)?,
            tick_us: duration("tickMs", self.tick_ms, 1.0)?,
            late_us: duration("lateMs", self.late_ms, 10.0)?,
            blind_after: bounded("blindAfter", self.blind_after, 1_000_000)?,
            max_in_flight: bounded("maxInFlight", self.max_in_flight, 1_000_000)?
                .div_ceil(self.threads),
            packets_per_second: bounded(
                "maxPacketsPerSecond",
                self.max_packets_per_second,
                100_000_000,
            )?
            .div_ceil(self.threads),
            max_per_destination: bounded(
                "maxInFlightPerDestination",
                self.max_in_flight_per_destination,
                1_000_000,
            )?,
        })
    }
}

impl Engine {
    /// Starts the reactors. `notify` is called from their threads, at most once per `collect`.
    pub fn new(options: &EngineOptions, notify: Notify) -> Result<Self, EngineError> {
        let options = options.check()?;
        let count = options.shards as usize;
        let signalled = Arc::new(AtomicBool::new(false));
        let mut engine = Self {
            shards: Vec::with_capacity(count),
            threads: Mutex::default(),
            front: Mutex::new(Front {
                targets: Handles::new("target", count),
                channels: Handles::new("channel", count),
                interner: Interner::default(),
                saved: Saved::default(),
                stats: StatsReader::default(),
                next_shard: 0,
                downs_told: vec![false; count],
            }),
            signalled: Arc::clone(&signalled),
            closed: AtomicBool::new(false),
        };
        for index in 0..count {
            let waker = Waker::new().map_err(|error| EngineError::syscall("eventfd", &error))?;
            let outbox = Outbox::new(Arc::clone(&signalled), Arc::clone(&notify));
            let shared = Arc::new(Shared::new(waker, outbox));
            let reactor = Reactor::new(Arc::clone(&shared), options)
                .map_err(|error| EngineError::syscall("epoll_create1", &error))?;
            engine.shards.push(Arc::clone(&shared));
            let thread = std::thread::Builder::new()
                .name(format!("vmpulse-{index}"))
                .stack_size(512 * 1024)
                .spawn(move || thread::run(reactor, &shared))
                .map_err(|error| EngineError::syscall("pthread_create", &error))?;
            engine.threads.lock().push(thread);
        }
        Ok(engine)
    }

    /// Tells the reactors to stop; they answer all that is outstanding. `is_stopped` says when they did.
    pub fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            for shard in &self.shards {
                shard.send(Command::Stop);
            }
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.shards
            .iter()
            .all(|shard| shard.stopped.load(Ordering::Acquire) || shard.is_down())
    }

    /// The error of an engine that takes no calls any more.
    fn usable(&self) -> Result<(), EngineError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(EngineError::closed());
        }
        Ok(())
    }

    /// As `usable`, for something new: a reactor must be there to take it.
    fn has_reactor(&self) -> Result<(), EngineError> {
        self.usable()?;
        if self.shards.iter().all(|shard| shard.is_down()) {
            return Err(EngineError::down());
        }
        Ok(())
    }

    /// Waits for a reactor's answer, which takes one of its turns.
    fn answer<T>(&self, shard: usize, answer: &Receiver<T>) -> Result<T, EngineError> {
        answer.recv_timeout(ANSWER_WITHIN).map_err(|error| {
            if let Err(error) = self.usable() {
                return error;
            }
            match error {
                RecvTimeoutError::Disconnected if self.shards[shard].is_down() => {
                    EngineError::down()
                }
                RecvTimeoutError::Disconnected => EngineError::restarted(),
                RecvTimeoutError::Timeout => EngineError::new(
                    ErrorCode::Timeout,
                    "the reactor did not answer in 5 s; the host is overloaded",
                ),
            }
        })
    }
}

impl Drop for Engine {
    /// Waits for the reactors, whose turns end in milliseconds; so no thread outlives its engine.
    fn drop(&mut self) {
        self.close();
        for thread in self.threads.lock().drain(..) {
            // The thread catches its panics.
            let _ = thread.join();
        }
    }
}

impl Front {
    /// Probes of a channel live with it; others go round.
    fn shard_for(&mut self, check: &Check, shards: &[Arc<Shared>]) -> usize {
        match check.channel() {
            Some(channel) => self.channels.place(channel).shard,
            None => self.rotate(shards),
        }
    }

    /// The next reactor that is not down, if there is one.
    fn rotate(&mut self, shards: &[Arc<Shared>]) -> usize {
        for _ in 0..shards.len() {
            self.next_shard = (self.next_shard + 1) % shards.len();
            if !shards[self.next_shard].is_down() {
                break;
            }
        }
        self.next_shard
    }
}
