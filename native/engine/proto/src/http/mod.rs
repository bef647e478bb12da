//! HTTP/1.1 probes with the kubelet's semantics.

mod body;
mod chunked;
mod conversation;
mod exchange;
mod expect;
mod head;
mod hop;
mod plan;
mod spec;
#[cfg(test)]
mod tests;

pub(crate) use body::{BodyReader, BodyStep};
pub use conversation::{HttpConversation, OpenOptions};
pub use exchange::HttpExchange;
pub(crate) use head::{Head, HeadReader};
pub use hop::{HttpHop, MAX_REDIRECTS};
pub use plan::{DEFAULT_BODY_BYTES, HttpPlan, USER_AGENT};
pub use spec::{HttpSpec, HttpSpecError, MAX_BODY_BYTES};
