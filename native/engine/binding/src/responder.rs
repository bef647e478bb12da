//! The responder of benchmarks, as JavaScript sees it.

use crate::convert::{Result, fail};
use napi_derive::napi;
use vmpulse_engine::{EngineError, Responder};

/// Serves loopback until it is closed or its object is collected.
#[napi]
pub struct NativeResponder {
    responder: Option<Responder>,
}

#[napi]
impl NativeResponder {
    #[napi(constructor, catch_unwind)]
    pub fn new(tls: bool) -> Result<Self> {
        let responder = Responder::start(tls).map_err(|error| {
            fail(EngineError::syscall(
                "the responder cannot listen on loopback",
                &error,
            ))
        })?;
        Ok(Self {
            responder: Some(responder),
        })
    }

    /// 0 once closed, as the others.
    #[napi(getter)]
    pub fn port(&self) -> u32 {
        self.responder.as_ref().map_or(0, |one| one.port().into())
    }

    #[napi(getter)]
    pub fn accepted(&self) -> f64 {
        self.responder.as_ref().map_or(0, Responder::accepted) as f64
    }

    #[napi(getter)]
    pub fn answered(&self) -> f64 {
        self.responder.as_ref().map_or(0, Responder::answered) as f64
    }

    /// Waits for its thread. Idempotent.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        drop(self.responder.take());
    }
}
