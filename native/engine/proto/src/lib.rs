//! Protocol conversations of the vmpulse engine, without I/O.
//!
//! No sockets, no threads, no clock: the caller moves bytes and time, this crate says what to send and what the
//! answer means. Peers are untrusted guests, so every buffer, count and nesting depth has a bound.

#![forbid(unsafe_code)]

mod ch_events;
pub mod channel;
pub mod exchange;
pub mod grpc;
pub mod http;
mod http2;
pub mod hybrid;
mod hybrid_agent;
mod json_frame;
pub mod packet;
pub mod qga;
pub mod qmp;
pub mod reason;
pub mod rest;
pub mod run_state;
pub mod script;
mod text;
pub mod tls;
mod transcript;

pub use ch_events::EventSession;
pub use channel::{ChannelFault, ChannelMessage, ChannelSession, Json, SendError};
pub use exchange::{Details, Exchange, ExchangeResult, Progress, Warning};
pub use grpc::{GrpcConversation, GrpcPlan, GrpcSpec, GrpcSpecError};
pub use http::{HttpConversation, HttpHop, HttpPlan, HttpSpec, HttpSpecError, OpenOptions};
pub use hybrid::{Door, HybridDoor};
pub use hybrid_agent::HybridAgentSession;
pub use qga::QgaSession;
pub use qmp::QmpSession;
pub use reason::{Class, Outcome, Reason};
pub use rest::RestSession;
pub use run_state::{RunState, rest_state_outcome, run_state_outcome};
pub use script::{ScriptConversation, ScriptPlan, ScriptSpec, ScriptSpecError};
pub use tls::{TlsClient, TlsClientError, TlsPlan};
