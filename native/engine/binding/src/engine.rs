//! The class that JavaScript sees.

use crate::convert::{Batch, Result, StatsObject, StatusObject, batch, fail, outcome};
use napi::bindgen_prelude::{Function, Uint8Array, Uint32Array};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, Status};
use napi_derive::napi;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vmpulse_engine::{Engine, EngineError, EngineOptions, Protocol, ReactorChoice};

/// The engine until it is disposed of; shared with the hook that ends it with its environment.
type Slot = Arc<Mutex<Option<Arc<Engine>>>>;

fn lock(slot: &Slot) -> MutexGuard<'_, Option<Arc<Engine>>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[napi(object)]
pub struct OptionsObject {
    pub max_in_flight: Option<u32>,
    pub max_in_flight_per_destination: Option<u32>,
    pub max_packets_per_second: Option<u32>,
    pub tick_ms: Option<f64>,
    pub late_ms: Option<f64>,
    pub blind_after: Option<u32>,
    pub threads: Option<u32>,
    /// `auto` or `epoll`.
    pub reactor: Option<String>,
}

/// One engine of one JavaScript environment. It ends with `dispose`, with its object, or with its environment,
/// whichever comes first; the end waits for the reactor threads, whose turns take milliseconds.
#[napi]
pub struct NativeEngine {
    slot: Slot,
}

#[napi]
impl NativeEngine {
    /// `notify` is called when `collect` has something new, at most once per `collect`.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, options: OptionsObject, notify: Function<'_, (), ()>) -> Result<Self> {
        let defaults = EngineOptions::default();
        let options = EngineOptions {
            max_in_flight: options.max_in_flight.unwrap_or(defaults.max_in_flight),
            max_in_flight_per_destination: options
                .max_in_flight_per_destination
                .unwrap_or(defaults.max_in_flight_per_destination),
            max_packets_per_second: options
                .max_packets_per_second
                .unwrap_or(defaults.max_packets_per_second),
            tick_ms: options.tick_ms.unwrap_or(defaults.tick_ms),
            late_ms: options.late_ms.unwrap_or(defaults.late_ms),
            blind_after: options.blind_after.unwrap_or(defaults.blind_after),
            threads: options.threads.unwrap_or(defaults.threads),
            reactor: match options.reactor.as_deref() {
                None | Some("auto") => ReactorChoice::Auto,
                Some("epoll") => ReactorChoice::Epoll,
                Some(other) => {
                    let error = format!("reactor {other:?} is neither 'auto' nor 'epoll'");
                    return Err(fail(EngineError::argument(error)));
                }
            },
        };
        let callback = notify
            .build_threadsafe_function::<()>()
            .max_queue_size::<1>()
            .weak::<true>()
            .build()
            .map_err(internal)?;
        // A full queue means that a call is on its way already.
        let notify = move || {
            callback.call((), ThreadsafeFunctionCallMode::NonBlocking);
        };
        let engine = Engine::new(&options, Arc::new(notify)).map_err(fail)?;
        let slot: Slot = Arc::new(Mutex::new(Some(Arc::new(engine))));
        env.add_env_cleanup_hook(Arc::downgrade(&slot), |slot| {
            if let Some(slot) = slot.upgrade() {
                drop(lock(&slot).take());
            }
        })
        .map_err(internal)?;
        Ok(Self { slot })
    }

    fn engine(&self) -> Result<Arc<Engine>> {
        let engine = lock(&self.slot).clone();
        engine.ok_or_else(|| fail(EngineError::closed()))
    }

    #[napi(catch_unwind)]
    pub fn add(&self, json: String, pems: Vec<String>, first_index: u32) -> Result<Uint32Array> {
        let engine = self.engine()?;
        let handles = engine
            .add(&json, &pems, first_index as usize)
            .map_err(fail)?;
        Ok(handles.into())
    }

    #[napi(catch_unwind)]
    pub fn update(&self, json: String) -> Result<()> {
        self.engine()?.update(&json).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn remove(&self, handles: Uint32Array) -> Result<()> {
        self.engine()?.remove(&handles).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn suspend(&self, handles: Uint32Array) -> Result<()> {
        self.engine()?.suspend(&handles).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn resume(&self, handles: Uint32Array) -> Result<()> {
        self.engine()?.resume(&handles).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn new_instance(&self, handles: Uint32Array) -> Result<()> {
        self.engine()?.new_instance(&handles).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn report(
        &self,
        handle: u32,
        epoch: u32,
        outcome_number: u32,
        duration_ms: f64,
    ) -> Result<bool> {
        let outcome = outcome(outcome_number)?;
        self.engine()?
            .report(handle, epoch, outcome, duration_ms)
            .map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn probe_now(&self, call: u32, handle: u32, timeout_ms: Option<f64>) -> Result<()> {
        self.engine()?
            .probe_now(call, handle, timeout_ms)
            .map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn probe_once(
        &self,
        call: u32,
        json: String,
        pems: Vec<String>,
        timeout_ms: f64,
        debug: bool,
    ) -> Result<()> {
        self.engine()?
            .probe_once(call, &json, &pems, timeout_ms, debug)
            .map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn cancel(&self, call: u32) -> Result<()> {
        self.engine()?.cancel(call);
        Ok(())
    }

    #[napi(catch_unwind)]
    pub fn status(&self, handle: u32) -> Result<StatusObject> {
        self.engine()?.status(handle).map(Into::into).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn stats(&self) -> Result<StatsObject> {
        self.engine()?.stats().map(Into::into).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn snapshot(&self, call: u32) -> Result<()> {
        self.engine()?.snapshot(call).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn restore(&self, bytes: Uint8Array) -> Result<()> {
        self.engine()?.restore(&bytes).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn open_channel(
        &self,
        protocol: String,
        path: String,
        reconnect_ms: f64,
        greeting_timeout_ms: f64,
        vsock_port: Option<f64>,
    ) -> Result<u32> {
        let protocol = Protocol::from_name(&protocol).ok_or_else(|| {
            fail(EngineError::argument(format!(
                "no protocol is named {protocol}"
            )))
        })?;
        self.engine()?
            .open_channel(
                protocol,
                &path,
                vsock_port,
                reconnect_ms,
                greeting_timeout_ms,
            )
            .map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn close_channel(&self, handle: u32) -> Result<()> {
        self.engine()?.close_channel(handle).map_err(fail)
    }

    #[napi(catch_unwind)]
    pub fn request(
        &self,
        call: u32,
        channel: u32,
        command: String,
        arguments: Option<String>,
        timeout_ms: f64,
    ) -> Result<()> {
        self.engine()?
            .request(call, channel, &command, arguments.as_deref(), timeout_ms)
            .map_err(fail)
    }

    /// Moves out what waits; transitions and dues only when asked for.
    #[napi(catch_unwind)]
    pub fn collect(&self, with_transitions: bool) -> Result<Batch> {
        let engine = self.engine()?;
        // The end is looked at first: what came before it is then in the batch.
        let stopped = engine.is_stopped();
        Ok(batch(engine.collect(with_transitions), stopped))
    }

    /// Tells the reactors to stop; a `collect` says `stopped` once they did.
    #[napi(catch_unwind)]
    pub fn close(&self) -> Result<()> {
        self.engine()?.close();
        Ok(())
    }

    /// Ends the engine, waiting for its threads. Idempotent.
    #[napi(catch_unwind)]
    pub fn dispose(&self) {
        drop(lock(&self.slot).take());
    }
}

fn internal(error: napi::Error<Status>) -> napi::Error<String> {
    napi::Error::new("ERR_VMPULSE_INTERNAL".to_owned(), error.reason)
}
