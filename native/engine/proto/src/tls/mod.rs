//! A TLS client layer around any [`Exchange`](crate::Exchange).

mod client;
mod der;
mod layer;
#[cfg(test)]
mod tests;
mod verify;

pub use client::{TlsClient, TlsClientError};
pub use der::validity as certificate_validity;
pub(crate) use layer::{Tls, TlsSetup};
