//! Node-API binding of the engine: conversions only. Errors leave as JavaScript errors with a `code`.

mod convert;
mod engine;
mod responder;

use napi_derive::napi;
use vmpulse_engine::proto::Reason;
use vmpulse_engine::{DURATION_BOUNDS_US, Kind};

/// What the two sides must agree on; the loader compares it with its own tables.
#[napi(object)]
pub struct Tables {
    /// Version of the package that the addon was built from.
    pub version: String,
    /// Reason codes in their order.
    pub reasons: Vec<String>,
    /// Probe kinds in their order.
    pub kinds: Vec<String>,
    /// Upper bounds of the duration histogram, seconds.
    pub duration_bounds: Vec<f64>,
}

#[napi]
pub fn tables() -> Tables {
    Tables {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        reasons: Reason::ALL
            .iter()
            .map(|reason| reason.code().to_owned())
            .collect(),
        kinds: Kind::ALL
            .iter()
            .map(|kind| kind.code().to_owned())
            .collect(),
        duration_bounds: DURATION_BOUNDS_US.map(|us| us as f64 / 1e6).into(),
    }
}
