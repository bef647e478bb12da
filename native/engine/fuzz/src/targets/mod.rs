//! Fuzz targets by name; scripts/fuzz.mjs reads the names from this table.

mod agent;
mod channel;
mod der;
mod grpc;
mod http;
mod hybrid;
mod packet;
mod script;
mod tls;

/// What is done with one input.
pub type Target = fn(&[u8]);

pub const TARGETS: [(&str, Target); 13] = [
    ("http", http::fuzz),
    ("grpc", grpc::fuzz),
    ("qmp", channel::qmp),
    ("qga", channel::qga),
    ("rest", channel::rest),
    ("ch-events", channel::events),
    ("run-state", channel::run_state),
    ("script", script::fuzz),
    ("hybrid", hybrid::fuzz),
    ("tls", tls::fuzz),
    ("der", der::fuzz),
    ("packet", packet::fuzz),
    ("agent", agent::fuzz),
];

/// Splits an input: the first byte chooses a variant, the second how the rest is cut into reads.
fn split(data: &[u8]) -> Option<(u8, usize, &[u8])> {
    let ([variant, step], rest) = data.split_first_chunk()?;
    Some((*variant, usize::from(*step) + 1, rest))
}
