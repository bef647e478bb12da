//! A TLS client layer around any [`Exchange`](crate::Exchange).

mod client;
mod der;
mod layer;
mod plan;
#[cfg(test)]
mod tests;
mod verify;
mod wire;

pub use client::{TlsClient, TlsClientError};
pub use der::validity as certificate_validity;
pub(crate) use layer::TlsSetup;
pub use plan::{TlsPlan, server_name};
pub use wire::Wire;
