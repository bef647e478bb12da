//! What the calling side asks of a reactor, and how it gets there.

use crate::channel::ChannelOptions;
use crate::check::Check;
use crate::outbox::Outbox;
use crate::poller::Waker;
use crate::snapshot::Saved;
use crate::stats::ShardStats;
use crate::target::{NewTarget, TargetStatus};
use crate::thresholds::Thresholds;
use crate::timing::Timing;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use vmpulse_proto::Outcome;

pub enum Command {
    Add(Vec<NewTarget>),
    Update(Vec<(u32, Arc<Timing>)>),
    Remove(Vec<u32>),
    Suspend(Vec<u32>),
    Resume(Vec<u32>),
    NewInstance(Vec<u32>),
    Report {
        handle: u32,
        epoch: u32,
        outcome: Outcome,
        duration_us: u64,
    },
    ProbeNow {
        call: u32,
        handle: u32,
        timeout_us: Option<u64>,
    },
    ProbeOnce {
        call: u32,
        check: Check,
        timeout_us: u64,
        debug: bool,
    },
    /// Nobody waits for the call any more.
    Cancel {
        call: u32,
    },
    OpenChannel {
        handle: u32,
        options: ChannelOptions,
    },
    CloseChannel {
        handle: u32,
    },
    Request {
        call: u32,
        channel: u32,
        command: Box<str>,
        arguments: Option<Box<str>>,
        timeout_us: u64,
    },
    Status {
        handle: u32,
        reply: SyncSender<Option<TargetStatus>>,
    },
    Snapshot {
        reply: SyncSender<Vec<(u64, Thresholds)>>,
    },
    Restore(Arc<Saved>),
    Stop,
    #[cfg(test)]
    Panic,
    #[cfg(test)]
    Stall(std::time::Duration),
}

/// What a reactor and the calling side share.
pub struct Shared {
    pub inbox: Mutex<Vec<Command>>,
    pub waker: Waker,
    pub outbox: Outbox,
    pub stats: ShardStats,
    /// The reactor ended in order.
    pub stopped: AtomicBool,
    /// The reactor ended by a panic.
    pub dead: AtomicBool,
}

impl Shared {
    pub fn send(&self, command: Command) {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.push(command);
        if inbox.len() == 1 {
            self.waker.wake();
        }
    }

    pub fn receive(&self) -> Vec<Command> {
        std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
