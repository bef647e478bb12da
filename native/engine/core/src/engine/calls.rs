//! Probes outside the schedule, and channels.

use super::Engine;
use crate::channel::{ChannelOptions, Protocol};
use crate::command::Command;
use crate::endpoint::{check_vsock, unix_path};
use crate::error::{EngineError, ErrorCode};
use crate::intern::Bundles;
use crate::spec::CheckSpec;
use crate::timing::micros;

impl Engine {
    /// An extra probe; its completion carries `call`.
    pub fn probe_now(
        &self,
        call: u32,
        handle: u32,
        timeout_ms: Option<f64>,
    ) -> Result<(), EngineError> {
        self.usable()?;
        let timeout_us = timeout_ms
            .map(|ms| micros("timeoutMs", ms, 1.0))
            .transpose()
            .map_err(EngineError::argument)?;
        let mut front = self.front.lock();
        front.targets.expect(handle)?;
        let shard = front.targets.place(handle).shard;
        self.shards[shard].send(Command::ProbeNow {
            call,
            handle,
            timeout_us,
        });
        Ok(())
    }

    /// Probes something that is not registered; its completion carries `call`.
    pub fn probe_once(
        &self,
        call: u32,
        json: &str,
        pems: &[String],
        timeout_ms: f64,
        debug: bool,
    ) -> Result<(), EngineError> {
        self.has_reactor()?;
        let spec: CheckSpec<'_> = serde_json::from_str(json)
            .map_err(|error| EngineError::argument(format!("check: {error}")))?;
        let timeout_us = micros("timeoutMs", timeout_ms, 1.0).map_err(EngineError::argument)?;
        let front = &mut *self.front.lock();
        let check = front
            .interner
            .check(&spec, &mut Bundles::new(pems))
            .map_err(|message| EngineError::argument(format!("check: {message}")))?;
        if let Some(channel) = check.channel() {
            front.channels.expect(channel)?;
        }
        let shard = front.shard_for(&check, &self.shards);
        self.shards[shard].send(Command::ProbeOnce {
            call,
            check,
            timeout_us,
            debug,
        });
        Ok(())
    }

    /// Nobody waits for the call any more; it is not answered, or its answer is on the way.
    pub fn cancel(&self, call: u32) {
        for shard in &self.shards {
            shard.send(Command::Cancel { call });
        }
    }

    pub fn open_channel(
        &self,
        protocol: Protocol,
        path: &str,
        vsock_port: Option<f64>,
        reconnect_ms: f64,
        greeting_timeout_ms: f64,
    ) -> Result<u32, EngineError> {
        self.has_reactor()?;
        let options = ChannelOptions {
            protocol,
            path: unix_path(path).map_err(EngineError::argument)?,
            vsock_port: vsock_port
                .map(|port| agent_port(protocol, port))
                .transpose()?,
            reconnect_us: micros("reconnectMs", reconnect_ms, 1.0)
                .map_err(EngineError::argument)?,
            greeting_timeout_us: micros("greetingTimeoutMs", greeting_timeout_ms, 1.0)
                .map_err(EngineError::argument)?,
        };
        let front = &mut *self.front.lock();
        let shard = front.rotate(&self.shards);
        let (handle, place) = front.channels.insert(shard, ())?;
        self.shards[place.shard].send(Command::OpenChannel { handle, options });
        Ok(handle)
    }

    /// Idempotent.
    pub fn close_channel(&self, handle: u32) -> Result<(), EngineError> {
        self.usable()?;
        let mut front = self.front.lock();
        if front.channels.remove(handle).is_some() {
            let shard = front.channels.place(handle).shard;
            self.shards[shard].send(Command::CloseChannel { handle });
        }
        Ok(())
    }

    /// Sends a command on a channel; its completion carries `call`. `arguments`: a JSON object.
    pub fn request(
        &self,
        call: u32,
        channel: u32,
        command: &str,
        arguments: Option<&str>,
        timeout_ms: f64,
    ) -> Result<(), EngineError> {
        self.usable()?;
        let timeout_us = micros("deadlineMs", timeout_ms, 1.0).map_err(EngineError::argument)?;
        let mut front = self.front.lock();
        if front.channels.get(channel).is_none() {
            return Err(EngineError::new(ErrorCode::Closed, "the channel is closed"));
        }
        let shard = front.channels.place(channel).shard;
        self.shards[shard].send(Command::Request {
            call,
            channel,
            command: command.into(),
            arguments: arguments.map(Into::into),
            timeout_us,
        });
        Ok(())
    }
}

/// The port of an agent in its guest, checked.
fn agent_port(protocol: Protocol, port: f64) -> Result<u32, EngineError> {
    if protocol != Protocol::Qga {
        let text = "vsockPort is for agents only; leave it out";
        return Err(EngineError::argument(text));
    }
    // What is no whole number, or too large, becomes one that is none of them.
    let number = if port.fract() == 0.0 { port as u32 } else { 0 };
    check_vsock("vsock port", number).map_err(EngineError::argument)?;
    Ok(number)
}
