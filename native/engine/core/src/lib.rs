//! The probe engine of vmpulse, without Node: it schedules, runs and counts probes on reactor threads, and only
//! changes of state leave it.

mod admission;
mod channel;
mod check;
mod clock;
mod command;
mod compile;
mod conntrack;
mod endpoint;
mod engine;
mod errno;
mod error;
mod handles;
mod intern;
mod news;
mod outbox;
mod poller;
mod proc_state;
mod raw;
mod raw_spec;
mod reactor;
mod responder;
mod ring;
mod running;
mod scheduler;
mod slab;
mod snapshot;
mod socket;
mod socket_name;
mod spec;
mod stats;
mod stream_pool;
mod stream_run;
mod sync;
mod talk;
mod target;
pub mod thresholds;
pub mod timing;
mod wheel;

pub use channel::Protocol;
pub use engine::{Engine, EngineOptions, ReactorChoice};
pub use error::{EngineError, ErrorCode};
pub use news::{
    Answer, ChannelEvent, ChannelNews, Collected, Completion, Due, ProbeReport, Transition,
};
pub use outbox::Notify;
pub use responder::Responder;
pub use stats::{DURATION_BOUNDS_US, Kind, OUTCOMES, Stats, outcome_index};
pub use target::TargetStatus;
pub use vmpulse_proto as proto;
