//! The part of HTTP/2 that a client needs for one request, everything bounded.

mod connection;
mod frame;
mod hpack;
mod huffman;
mod static_table;

pub(crate) use connection::{Connection, Event, Fault, post_block};
pub(crate) use hpack::Fields;
