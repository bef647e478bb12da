//! Registered targets.

use super::{Engine, Known};
use crate::command::Command;
use crate::error::EngineError;
use crate::intern::Bundles;
use crate::spec::{TargetSpec, UpdateSpec, parse_list};
use crate::stats::Kind;
use crate::target::{NewTarget, TargetStatus};
use crate::timing::{id_hash, micros};
use std::collections::VecDeque;
use std::sync::mpsc::sync_channel;
use vmpulse_proto::Outcome;

impl Engine {
    /// Registers targets: all or none. `json`: a list of `Target`; `pems`: the bundles that checks refer to by place;
    /// `first_index`: what messages call the first one.
    pub fn add(
        &self,
        json: &str,
        pems: &[String],
        first_index: usize,
    ) -> Result<Vec<u32>, EngineError> {
        self.has_reactor()?;
        let specs: Vec<TargetSpec> =
            parse_list("targets", first_index, json).map_err(EngineError::argument)?;
        let mut bundles = Bundles::new(pems);
        let front = &mut *self.front.lock();
        let mut checked = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let place = |message: String| {
                EngineError::argument(format!(
                    "targets[{}] ({}): {message}",
                    first_index + index,
                    spec.id
                ))
            };
            if spec.id.is_empty() || spec.id.len() > 512 {
                return Err(place("id must have 1 to 512 bytes".to_owned()));
            }
            let check = front
                .interner
                .check(&spec.check, &mut bundles)
                .map_err(place)?;
            let timing = front.interner.timing(&spec.timing).map_err(place)?;
            if let Some(channel) = check.channel() {
                front
                    .channels
                    .expect(channel)
                    .map_err(|error| place(error.message))?;
                if self.shards[front.channels.place(channel).shard].is_down() {
                    return Err(EngineError::down());
                }
            }
            checked.push((id_hash(&spec.id), check, timing, spec.start_state));
        }
        let mut handles = Vec::with_capacity(checked.len());
        let mut batches: Vec<VecDeque<NewTarget>> =
            self.shards.iter().map(|_| VecDeque::new()).collect();
        for (id_hash, check, timing, start_state) in checked {
            let shard = front.shard_for(&check, &self.shards);
            let known = Known {
                epoch: 1,
                external: check.kind() == Kind::External,
            };
            let handle = match front.targets.insert(shard, known) {
                Ok((handle, _)) => handle,
                Err(error) => {
                    for handle in handles {
                        front.targets.remove(handle);
                    }
                    return Err(error);
                }
            };
            handles.push(handle);
            batches[shard].push_back(NewTarget {
                handle,
                id_hash,
                check,
                timing,
                start_state,
                saved: front.saved.remove(&id_hash),
                #[cfg(any(test, feature = "fault"))]
                panics: specs[handles.len() - 1].id.starts_with("panic-"),
            });
        }
        for (shard, batch) in self.shards.iter().zip(batches) {
            if !batch.is_empty() {
                shard.send(Command::Add(batch));
            }
        }
        Ok(handles)
    }

    /// Live change of timing: all or none. `json`: a list of handle and timing.
    pub fn update(&self, json: &str) -> Result<(), EngineError> {
        self.usable()?;
        let specs: Vec<UpdateSpec> =
            parse_list("changes", 0, json).map_err(EngineError::argument)?;
        let front = &mut *self.front.lock();
        let mut batches: Vec<VecDeque<_>> = self.shards.iter().map(|_| VecDeque::new()).collect();
        for (index, spec) in specs.iter().enumerate() {
            front.targets.expect(spec.handle)?;
            let timing = front
                .interner
                .timing(&spec.timing)
                .map_err(|message| EngineError::argument(format!("changes[{index}]: {message}")))?;
            batches[front.targets.place(spec.handle).shard].push_back((spec.handle, timing));
        }
        for (shard, batch) in self.shards.iter().zip(batches) {
            if !batch.is_empty() {
                shard.send(Command::Update(batch));
            }
        }
        Ok(())
    }

    pub fn remove(&self, handles: &[u32]) -> Result<(), EngineError> {
        self.to_targets(handles, Command::Remove)?;
        let mut front = self.front.lock();
        for &handle in handles {
            front.targets.remove(handle);
        }
        Ok(())
    }

    pub fn suspend(&self, handles: &[u32]) -> Result<(), EngineError> {
        self.to_targets(handles, Command::Suspend)
    }

    pub fn resume(&self, handles: &[u32]) -> Result<(), EngineError> {
        self.to_targets(handles, Command::Resume)
    }

    pub fn new_instance(&self, handles: &[u32]) -> Result<(), EngineError> {
        self.to_targets(handles, Command::NewInstance)?;
        let mut front = self.front.lock();
        for &handle in handles {
            if let Some(known) = front.targets.get(handle) {
                known.epoch += 1;
            }
        }
        Ok(())
    }

    /// Answers a `due`. False: the epoch is over or the target is gone.
    pub fn report(
        &self,
        handle: u32,
        epoch: u32,
        outcome: Outcome,
        duration_ms: f64,
    ) -> Result<bool, EngineError> {
        self.usable()?;
        let duration_us = micros("durationMs", duration_ms, 0.0).map_err(EngineError::argument)?;
        let mut front = self.front.lock();
        let Some(known) = front.targets.get(handle) else {
            return Ok(false);
        };
        if !known.external {
            return Err(EngineError::argument(format!(
                "the target {handle} is not external; the engine probes it itself"
            )));
        }
        if known.epoch != epoch {
            return Ok(false);
        }
        let shard = front.targets.place(handle).shard;
        self.shards[shard].send(Command::Report {
            handle,
            epoch,
            outcome,
            duration_us,
        });
        Ok(true)
    }

    pub fn status(&self, handle: u32) -> Result<TargetStatus, EngineError> {
        self.usable()?;
        let shard = {
            let mut front = self.front.lock();
            front.targets.expect(handle)?;
            front.targets.place(handle).shard
        };
        let (reply, answer) = sync_channel(1);
        self.shards[shard].send(Command::Status { handle, reply });
        self.answer(shard, &answer)?
            .ok_or_else(|| EngineError::argument(format!("the target {handle} was removed")))
    }

    /// Sends handles to their reactors: all of them or none.
    fn to_targets(
        &self,
        handles: &[u32],
        command: fn(VecDeque<u32>) -> Command,
    ) -> Result<(), EngineError> {
        self.usable()?;
        let mut front = self.front.lock();
        let mut batches: Vec<VecDeque<u32>> = self.shards.iter().map(|_| VecDeque::new()).collect();
        for &handle in handles {
            front.targets.expect(handle)?;
            batches[front.targets.place(handle).shard].push_back(handle);
        }
        for (shard, batch) in self.shards.iter().zip(batches) {
            if !batch.is_empty() {
                shard.send(command(batch));
            }
        }
        Ok(())
    }
}
