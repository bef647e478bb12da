//! Where a stream probe connects.

use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::socket::MAX_UNIX_PATH;

/// An IP literal and port, or a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Tcp(SocketAddr),
    Unix(Arc<Path>),
}

/// The endpoint as the caller gives it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum EndpointSpec {
    Tcp { ip: IpAddr, port: u16 },
    Unix { unix: String },
}

/// What bounds the probes in flight to one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    Address(IpAddr),
    /// Hash of a path.
    Unix(u64),
    /// Nothing that could be overwhelmed.
    Nowhere,
}

impl EndpointSpec {
    pub fn check(&self) -> Result<Endpoint, String> {
        match self {
            Self::Tcp { port: 0, .. } => Err("port 0 cannot be connected to".to_owned()),
            Self::Tcp { ip, port } => Ok(Endpoint::Tcp(SocketAddr::new(*ip, *port))),
            Self::Unix { unix } => unix_path(unix).map(Endpoint::Unix),
        }
    }
}

/// Checks the path of a Unix socket.
pub fn unix_path(text: &str) -> Result<Arc<Path>, String> {
    if text.is_empty() || text.len() > MAX_UNIX_PATH || text.contains('\0') {
        return Err(format!(
            "a Unix socket path has 1 to {MAX_UNIX_PATH} bytes; link the socket to a shorter path"
        ));
    }
    Ok(Arc::from(Path::new(text)))
}

impl Endpoint {
    pub fn destination(&self) -> Destination {
        match self {
            Self::Tcp(address) => Destination::Address(address.ip()),
            Self::Unix(path) => Destination::Unix(crate::timing::id_hash(&path.to_string_lossy())),
        }
    }

    /// A connect here might be given its own destination as its source (see `socket::is_connected_to_itself`).
    pub fn may_meet_itself(&self) -> bool {
        /// Below this ports are not given out as ephemeral ones, unless an administrator says so.
        const FIRST_EPHEMERAL: u16 = 32_768;
        match self {
            Self::Tcp(address) => address.ip().is_loopback() && address.port() >= FIRST_EPHEMERAL,
            Self::Unix(_) => false,
        }
    }

    /// The same address at another port (a redirect).
    pub fn at_port(&self, port: u16) -> Self {
        match self {
            Self::Tcp(address) => Self::Tcp(SocketAddr::new(address.ip(), port)),
            Self::Unix(path) => Self::Unix(Arc::clone(path)),
        }
    }
}
