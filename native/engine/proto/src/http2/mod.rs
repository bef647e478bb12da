//! The part of HTTP/2 that a client needs for one request, everything bounded.

mod connection;
mod control;
mod fault;
mod frame;
mod hpack;
mod huffman;
mod request;
mod static_table;

pub(crate) use connection::{Connection, Event};
pub(crate) use fault::Fault;
pub(crate) use hpack::Fields;
pub(crate) use request::post_block;
