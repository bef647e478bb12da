//! Channels in the reactor: requests of probes and calls, and what comes of them.

use super::calls::Call;
use super::{Reactor, Token};
use crate::channel::{Channel, ChannelOptions, Context, Effect, Origin, Protocol, Reply};
use crate::clock;
use crate::endpoint::Destination;
use crate::error::{EngineError, ErrorCode};
use crate::news::Answer;
use crate::running::{Machine, Owner};
use crate::slab::Key;
use crate::stats::Kind;
use vmpulse_proto::{Outcome, Reason, rest_state_outcome, run_state_outcome};

/// The parts of a reactor that a channel borrows, apart from the channels themselves.
macro_rules! context {
    ($reactor:ident) => {
        Context {
            poller: &$reactor.poller,
            wheel: &mut $reactor.wheel,
            tick_us: $reactor.options.tick_us,
            now_us: $reactor.now_us,
            backlog: &mut $reactor.backlog,
            buffer: &mut $reactor.buffer,
            effects: &mut $reactor.effects,
        }
    };
}

impl Reactor {
    pub(super) fn open_channel(&mut self, handle: u32, options: ChannelOptions) {
        let token = Token::Channel(handle).bits();
        let mut context = context!(self);
        let channel = Channel::open(options, token, token, &mut context);
        self.channels.insert(handle, channel);
        self.apply_effects(handle);
    }

    pub(super) fn close_channel(&mut self, handle: u32) {
        self.with_channel(handle, Channel::close);
        self.channels.remove(&handle);
    }

    /// One step of a channel, then what it leads to.
    pub(super) fn with_channel<R>(
        &mut self,
        handle: u32,
        step: impl FnOnce(&mut Channel, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let channel = self.channels.get_mut(&handle)?;
        let mut context = context!(self);
        let result = step(channel, &mut context);
        self.apply_effects(handle);
        Some(result)
    }

    /// A probe that is a request: it runs until its answer or its deadline.
    pub(super) fn start_request(
        &mut self,
        owner: Owner,
        kind: Kind,
        channel: u32,
        destination: Destination,
        deadline_us: u64,
    ) {
        if !self.channels.contains_key(&channel) {
            self.admission.release(destination);
            return self.conclude(owner, kind, Reason::Cancelled.into(), 0);
        }
        let command = match kind {
            Kind::VmState => self
                .channels
                .get(&channel)
                .map_or("", |channel| channel.protocol().state_command()),
            _ => "guest-ping",
        };
        // The id is set before any answer is looked at: effects are applied after the request returned.
        let machine = Machine::Request { channel, id: 0 };
        let key = self.run_probe(owner, kind, machine, Some(destination), deadline_us);
        let Some(entry) = self.channels.get_mut(&channel) else {
            return;
        };
        let mut context = context!(self);
        let id = entry.request(Origin::Probe(key), command.into(), None, &mut context);
        if let Some(running) = self.running.get_mut(key) {
            running.machine = Machine::Request { channel, id };
        }
        self.apply_effects(channel);
    }

    /// A command of the host program.
    pub(super) fn command(
        &mut self,
        call: u32,
        channel: u32,
        command: Box<str>,
        arguments: Option<Box<str>>,
        timeout_us: u64,
    ) {
        if !self.channels.contains_key(&channel) {
            let error = EngineError::new(ErrorCode::Closed, "the channel is closed");
            return self.complete_error(call, error);
        }
        let timer = self.arm_call(call, self.now_us + timeout_us);
        self.calls.insert(
            call,
            Call::Request {
                channel,
                id: 0,
                timer,
            },
        );
        let Some(entry) = self.channels.get_mut(&channel) else {
            return;
        };
        let mut context = context!(self);
        let id = entry.request(Origin::Call(call), command, arguments, &mut context);
        self.calls
            .insert(call, Call::Request { channel, id, timer });
        self.apply_effects(channel);
    }

    /// Nobody waits for a request any more. Says what a deadline would mean.
    pub(super) fn forget_request(&mut self, channel: u32, id: u64) -> Reason {
        self.with_channel(channel, |channel, context| channel.forget(id, context))
            .unwrap_or(Reason::Cancelled)
    }

    /// What the deadline of a probe's request means.
    pub(super) fn request_deadline(&mut self, channel: u32, id: u64) -> Reason {
        let protocol = self.channels.get(&channel).map(Channel::protocol);
        let reason = self.forget_request(channel, id);
        match (protocol, reason) {
            (Some(Protocol::Qga), _) => reason,
            // A monitor or API that was there and does not answer.
            (Some(_), Reason::ResponseTimeout) => Reason::ApiUnreachable,
            _ => reason,
        }
    }

    /// Effects may lead to further steps of channels, so they are taken one by one.
    fn apply_effects(&mut self, handle: u32) {
        let at_ms = clock::wall_ms();
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::News(news) => {
                    self.shared.outbox.channel_event(handle, at_ms, news);
                    self.telling.now();
                }
                Effect::Reply(Origin::Probe(key), reply) => {
                    self.probe_answered(key, handle, &reply)
                }
                Effect::Reply(Origin::Call(call), reply) => self.command_answered(call, reply),
            }
        }
    }

    fn probe_answered(&mut self, key: Key, channel: u32, reply: &Reply) {
        let protocol = self
            .channels
            .get(&channel)
            .map_or(Protocol::Qmp, Channel::protocol);
        let outcome = match (reply.judge(protocol), reply) {
            (Some(outcome), _) => outcome,
            (None, Reply::Value(value)) if protocol == Protocol::Qmp => {
                run_state_outcome(value.get(), &[])
            }
            (None, Reply::Value(value)) if protocol.is_rest() => rest_state_outcome(value.get()),
            (None, _) => Outcome::Ok,
        };
        self.finish(key, outcome.into());
    }

    fn command_answered(&mut self, call: u32, reply: Reply) {
        if let Some(Call::Request { timer, .. }) = self.calls.remove(&call) {
            self.wheel.cancel(timer);
        }
        let error = |code, message: String| EngineError::new(code, message);
        let answer = match reply {
            Reply::Value(value) => Answer::Value(value),
            Reply::PeerError { class, description } => Answer::Error {
                error: error(ErrorCode::Command, format!("{class}: {description}")),
                class: Some(class),
            },
            Reply::Lost { reason, detail } => Answer::Error {
                error: error(ErrorCode::Channel, format!("{}: {detail}", reason.code())),
                class: None,
            },
            Reply::Invalid => Answer::Error {
                error: EngineError::argument(
                    "not a valid command: a name, or METHOD /path for an API; an object of arguments; at most 1 MiB",
                ),
                class: None,
            },
            Reply::Full => Answer::Error {
                error: error(
                    ErrorCode::Channel,
                    "too many requests wait on this channel; wait for some to end".to_owned(),
                ),
                class: None,
            },
            Reply::Unsupported => Answer::Error {
                error: error(
                    ErrorCode::Unsupported,
                    "a channel of events takes no requests; send them on the channel of the API"
                        .to_owned(),
                ),
                class: None,
            },
            Reply::Closed => Answer::Error {
                error: error(ErrorCode::Closed, "the channel was closed".to_owned()),
                class: None,
            },
        };
        self.complete(call, answer);
    }
}
