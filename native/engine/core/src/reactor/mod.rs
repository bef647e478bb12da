//! One reactor thread: owns its targets, probes, channels and timers; nothing else touches them.

mod calls;
mod channels;
mod commands;
mod process;
mod raw;
mod raw_answers;
mod revive;
mod ring;
mod schedule;
mod start;
mod stream;
mod telling;

use crate::admission::Admission;
use crate::channel::{Backlog, Channel, Effect};
use crate::clock;
use crate::command::{Command, Shared};
use crate::conntrack::Conntrack;
use crate::error::EngineError;
use crate::poller::{Poller, READ, Ready};
use crate::raw::{Heard, LaneId, Pace, Raw};
use crate::ring::{Ended, Ring};
use crate::running::Running;
use crate::slab::{Key, Slab};
use crate::stream_pool::StreamPool;
use crate::stream_run::Kept;
use crate::target::Target;
use crate::wheel::Wheel;
use calls::Call;
use revive::Suspect;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use telling::Telling;

/// Starts of one turn, so that readiness is looked at in between.
const STARTS_A_TURN: usize = 256;
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Options of all reactors.
#[derive(Clone, Copy, Debug)]
pub struct ReactorOptions {
    pub shards: u32,
    pub tick_us: u64,
    pub late_us: u64,
    pub blind_after: u32,
    pub max_in_flight: u32,
    pub max_per_destination: u32,
    /// Of raw sockets.
    pub packets_per_second: u32,
    /// io_uring may be used.
    pub ring: bool,
}

/// What a token of epoll or the wheel means; the value is in its low 56 bits.
#[derive(Clone, Copy, Debug)]
enum Token {
    Wake,
    Probe(Key),
    /// A pooled stream, by descriptor.
    Stream(u32),
    Channel(u32),
    Target(u32),
    Call(u32),
    /// A raw socket (`raw::token_of`).
    Raw(u32),
    Ring,
}

impl Token {
    fn bits(self) -> u64 {
        match self {
            Self::Wake => 0,
            Self::Probe(key) => 1 << 56 | key.bits(),
            Self::Channel(handle) => 2 << 56 | u64::from(handle),
            Self::Target(handle) => 3 << 56 | u64::from(handle),
            Self::Call(call) => 4 << 56 | u64::from(call),
            Self::Raw(socket) => 5 << 56 | u64::from(socket),
            Self::Stream(descriptor) => 6 << 56 | u64::from(descriptor),
            Self::Ring => 7 << 56,
        }
    }

    fn from_bits(bits: u64) -> Self {
        match bits >> 56 {
            1 => Self::Probe(Key::from_bits(bits)),
            2 => Self::Channel(bits as u32),
            3 => Self::Target(bits as u32),
            4 => Self::Call(bits as u32),
            5 => Self::Raw(bits as u32),
            6 => Self::Stream(bits as u32),
            7 => Self::Ring,
            _ => Self::Wake,
        }
    }
}

/// Drop order does not matter: each descriptor is owned by one value, and closing it takes it out of epoll.
pub struct Reactor {
    shared: Arc<Shared>,
    options: ReactorOptions,
    poller: Poller,
    /// Received and not yet obeyed.
    inbox: VecDeque<Command>,
    wheel: Wheel,
    targets: Vec<Option<Target>>,
    /// How many of them there are.
    registered: usize,
    running: Slab<Running>,
    admission: Admission,
    calls: FxHashMap<u32, Call>,
    channels: FxHashMap<u32, Channel>,
    backlog: Backlog,
    conntrack: Conntrack,
    streams: StreamPool,
    /// `None`: all connects are calls.
    ring: Option<Ring>,
    /// Connects of the ring that ended in this turn.
    ended: Vec<Ended>,
    /// Probes of the ring that connect by a call at the end of this turn.
    anew: Vec<(Key, SocketAddr)>,
    /// Connections kept by targets, by handle.
    kept: FxHashMap<u32, Kept>,
    raw: Raw,
    /// Of raw probes, in this turn: what was heard, what could not be sent, and when they were listened for.
    heard: Vec<Heard>,
    unsent: Vec<(Key, i32)>,
    listened_us: [u64; LaneId::ALL.len()],
    /// Probes of neighbours that are in flight: interface, address, key.
    neighbours: BTreeSet<(u32, IpAddr, u64)>,
    pace: Pace,
    /// Probes that have more to read at once.
    again: Vec<Key>,
    effects: Vec<Effect>,
    buffer: Box<[u8]>,
    now_us: u64,
    /// When a turn began to look at what is ready.
    looked_us: u64,
    /// How long this thread was kept from looking at readiness, in total, beyond what it may.
    starved_us: u64,
    telling: Telling,
    stopping: bool,
    /// Whoever is worked for.
    suspect: Option<Suspect>,
}

impl Reactor {
    pub fn new(shared: Arc<Shared>, options: ReactorOptions) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(shared.waker.fd(), Token::Wake.bits(), READ)?;
        let now_us = clock::mono_us();
        let mut reactor = Self {
            shared,
            options,
            poller,
            inbox: VecDeque::new(),
            wheel: Wheel::new(now_us / options.tick_us),
            targets: Vec::new(),
            registered: 0,
            running: Slab::default(),
            admission: Admission::new(options.max_in_flight, options.max_per_destination),
            calls: FxHashMap::default(),
            channels: FxHashMap::default(),
            backlog: Backlog::default(),
            conntrack: Conntrack::default(),
            streams: StreamPool::default(),
            ring: None,
            ended: Vec::new(),
            anew: Vec::new(),
            kept: FxHashMap::default(),
            raw: Raw::default(),
            heard: Vec::new(),
            unsent: Vec::new(),
            listened_us: [0; LaneId::ALL.len()],
            neighbours: BTreeSet::new(),
            pace: Pace::new(options.packets_per_second, now_us),
            again: Vec::new(),
            effects: Vec::new(),
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            now_us,
            looked_us: now_us,
            starved_us: 0,
            telling: Telling::default(),
            stopping: false,
            suspect: None,
        };
        reactor.open_ring();
        Ok(reactor)
    }

    /// Runs until it is told to stop. Every turn ends in bounded time: no call in it blocks.
    pub fn run(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        let mut fired = Vec::new();
        self.enable_ring();
        while !self.stopping {
            let wait_us = self.wait_us();
            self.poller.wait(wait_us, &mut ready)?;
            self.look_at_clock();
            for event in &ready {
                self.on_ready(*event);
            }
            for key in std::mem::take(&mut self.again) {
                self.suspect = self.suspect_of(Token::Probe(key));
                self.step_probe(key, READ);
            }
            fired.clear();
            self.wheel
                .advance(self.now_us / self.options.tick_us, &mut fired);
            for token in &fired {
                self.on_timer(Token::from_bits(*token));
            }
            self.admit_raw();
            self.start_admitted();
            self.submit_to_ring();
            self.connect_anew();
            self.flush_raw();
            self.publish();
        }
        self.end_calls(EngineError::closed);
        self.shared.stopped.store(true, Ordering::Release);
        self.shared.outbox.signal();
        Ok(())
    }

    /// How long epoll may sleep. While probes are in flight it is never long, so that a long turn proves starvation.
    fn wait_us(&mut self) -> Option<u64> {
        if self.admission.has_ready() || !self.again.is_empty() {
            return Some(0);
        }
        if self.raw.has_queue() || self.pace.is_waiting() || self.has_unsubmitted() {
            return Some(1000);
        }
        let look_us = (self.running.len() > 0).then(|| self.look_us());
        let next_us = self
            .wheel
            .next_tick()
            .map(|tick| (tick * self.options.tick_us).saturating_sub(clock::mono_us()));
        let tell_us = self.telling.wait_us(clock::mono_us());
        [look_us, next_us, tell_us].into_iter().flatten().min()
    }

    /// The longest sleep while something is awaited.
    fn look_us(&self) -> u64 {
        (self.options.late_us / 10).max(1000)
    }

    fn look_at_clock(&mut self) {
        self.now_us = clock::mono_us();
        let turn_us = self.now_us - self.looked_us;
        self.looked_us = self.now_us;
        if self.running.len() > 0 {
            // One millisecond is epoll's own rounding, where it has one.
            self.starved_us += turn_us.saturating_sub(self.look_us() + 1000);
        }
    }

    fn on_ready(&mut self, event: Ready) {
        let token = self.meaning(Token::from_bits(event.token));
        self.suspect = self.suspect_of(token);
        match token {
            Token::Wake => self.receive_commands(),
            Token::Probe(key) => self.step_probe(key, event.flags),
            Token::Channel(handle) => {
                self.with_channel(handle, |channel, context| {
                    channel.on_ready(event.flags, context)
                });
            }
            Token::Target(handle) => self.process_is_ready(handle),
            Token::Raw(socket) => self.raw_is_ready(socket),
            Token::Ring => self.turn_ring(),
            Token::Call(_) | Token::Stream(_) => {}
        }
    }

    /// A pooled stream means the probe that it serves. An idle one has none: its end is told as well.
    fn meaning(&self, token: Token) -> Token {
        match token {
            Token::Stream(descriptor) => self.streams.owner(descriptor).map_or(token, Token::Probe),
            token => token,
        }
    }

    fn on_timer(&mut self, token: Token) {
        self.suspect = self.suspect_of(token);
        match token {
            Token::Target(handle) => self.target_is_due(handle),
            Token::Probe(key) => self.probe_timed_out(key),
            Token::Channel(handle) => {
                self.with_channel(handle, Channel::on_timer);
            }
            Token::Call(call) => self.request_timed_out(call),
            Token::Wake | Token::Raw(_) | Token::Ring | Token::Stream(_) => {}
        }
    }

    fn arm(&mut self, at_us: u64, token: Token) -> crate::wheel::TimerKey {
        let tick = at_us.div_ceil(self.options.tick_us);
        self.wheel.insert(tick, token.bits())
    }

    fn target(&mut self, handle: u32) -> Option<&mut Target> {
        let local = self.local(handle);
        let target = self.targets.get_mut(local)?.as_mut()?;
        (target.handle == handle).then_some(target)
    }

    /// Index of a handle's slot in this reactor (see `handles`).
    fn local(&self, handle: u32) -> usize {
        ((handle & 0x00ff_ffff) / self.options.shards) as usize
    }

    fn publish(&mut self) {
        let stats = &self.shared.stats;
        stats
            .in_flight
            .store(u64::from(self.admission.in_flight()), Ordering::Relaxed);
        if self.telling.is_due(self.now_us) {
            self.shared.outbox.signal();
        }
    }
}
