//! What the calling side asks of a reactor, and how it gets there.

use crate::channel::ChannelOptions;
use crate::check::Check;
use crate::error::EngineError;
use crate::news::Answer;
use crate::outbox::Outbox;
use crate::poller::Waker;
use crate::snapshot::{Gathering, Saved};
use crate::stats::ShardStats;
use crate::sync::Mutex;
use crate::target::{NewTarget, TargetStatus};
use crate::timing::Timing;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use vmpulse_proto::Outcome;

/// Batches are queues: a reactor takes their items one by one, so a panic costs one of them and not the rest.
pub enum Command {
    Add(VecDeque<NewTarget>),
    Update(VecDeque<(u32, Arc<Timing>)>),
    Remove(VecDeque<u32>),
    Suspend(VecDeque<u32>),
    Resume(VecDeque<u32>),
    NewInstance(VecDeque<u32>),
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
    /// Adds what it has; the last reactor answers.
    Snapshot {
        call: u32,
        gathering: Arc<Gathering>,
    },
    Restore(Arc<Saved>),
    Stop,
    #[cfg(test)]
    Panic,
    #[cfg(test)]
    Stall(std::time::Duration),
}

impl Command {
    /// The call that it must answer.
    pub fn call(&self) -> Option<u32> {
        match self {
            Self::ProbeNow { call, .. }
            | Self::ProbeOnce { call, .. }
            | Self::Request { call, .. }
            | Self::Snapshot { call, .. } => Some(*call),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Inbox {
    commands: Vec<Command>,
    /// Nobody receives any more.
    closed: bool,
}

/// What a reactor and the calling side share.
pub struct Shared {
    inbox: Mutex<Inbox>,
    pub waker: Waker,
    pub outbox: Outbox,
    pub stats: ShardStats,
    /// The reactor ended in order.
    pub stopped: AtomicBool,
    /// The reactor panicked too often and stays down.
    pub down: AtomicBool,
}

impl Shared {
    pub fn new(waker: Waker, outbox: Outbox) -> Self {
        Self {
            inbox: Mutex::default(),
            waker,
            outbox,
            stats: ShardStats::default(),
            stopped: AtomicBool::new(false),
            down: AtomicBool::new(false),
        }
    }

    pub fn send(&self, command: Command) {
        let mut inbox = self.inbox.lock();
        if inbox.closed {
            drop(inbox);
            return self.refuse(command);
        }
        inbox.commands.push(command);
        if inbox.commands.len() == 1 {
            self.waker.wake();
        }
    }

    pub fn receive(&self) -> Vec<Command> {
        std::mem::take(&mut self.inbox.lock().commands)
    }

    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// The reactor stays down: what was asked of it, and what will be, is refused.
    pub fn go_down(&self, unread: impl IntoIterator<Item = Command>) {
        self.down.store(true, Ordering::Release);
        let received = {
            let mut inbox = self.inbox.lock();
            inbox.closed = true;
            std::mem::take(&mut inbox.commands)
        };
        for command in unread.into_iter().chain(received) {
            self.refuse(command);
        }
        self.outbox.signal();
    }

    /// Whoever waits for an answer by a channel learns it by its end.
    fn refuse(&self, command: Command) {
        if let Some(call) = command.call() {
            let error = EngineError::down();
            self.outbox
                .complete(call, Answer::Error { error, class: None });
            self.outbox.signal();
        }
    }
}
