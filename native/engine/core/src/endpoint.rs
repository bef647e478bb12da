//! Where a stream probe connects.

use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::socket::MAX_UNIX_PATH;

/// An IP literal and port, a Unix socket, or a port of a guest by vsock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Tcp(SocketAddr),
    Unix(Arc<Path>),
    /// AF_VSOCK.
    Vsock {
        cid: u32,
        port: u32,
    },
    /// The Unix socket of a hypervisor that connects it to a port of its guest (see `proto::hybrid`).
    Hybrid {
        path: Arc<Path>,
        port: u32,
    },
}

/// The endpoint as the caller gives it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum EndpointSpec {
    Tcp { ip: IpAddr, port: u16 },
    Unix { unix: String },
    Vsock { cid: u32, port: u32 },
    Hybrid { hybrid: String, port: u32 },
}

/// What bounds the probes in flight to one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    Address(IpAddr),
    /// Hash of a path.
    Unix(u64),
    Vsock(u32),
    /// Nothing that could be overwhelmed.
    Nowhere,
}

/// How a connect to an endpoint may mislead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    None,
    /// It might be given its own destination as its source (see `socket::is_connected_to_itself`).
    MayMeetItself,
    /// Nobody listens when it is reset, as guests refuse a vsock port.
    ResetIsRefusal,
}

impl EndpointSpec {
    pub fn check(&self) -> Result<Endpoint, String> {
        match self {
            Self::Tcp { port: 0, .. } => Err("port 0 cannot be connected to".to_owned()),
            Self::Tcp { ip, port } => Ok(Endpoint::Tcp(SocketAddr::new(*ip, *port))),
            Self::Unix { unix } => unix_path(unix).map(Endpoint::Unix),
            Self::Vsock { cid, port } => {
                check_vsock("CID", *cid)?;
                check_vsock("vsock port", *port)?;
                Ok(Endpoint::Vsock {
                    cid: *cid,
                    port: *port,
                })
            }
            Self::Hybrid { hybrid, port } => {
                check_vsock("vsock port", *port)?;
                let path = unix_path(hybrid)?;
                Ok(Endpoint::Hybrid { path, port: *port })
            }
        }
    }
}

/// 0 and the largest number mean "any" in the kernel.
pub fn check_vsock(what: &str, number: u32) -> Result<(), String> {
    if number == 0 || number == u32::MAX {
        return Err(format!(
            "{what} {number} is not between 1 and {}",
            u32::MAX - 1
        ));
    }
    Ok(())
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
            Self::Unix(path) | Self::Hybrid { path, .. } => {
                Destination::Unix(crate::timing::id_hash(&path.to_string_lossy()))
            }
            Self::Vsock { cid, .. } => Destination::Vsock(*cid),
        }
    }

    /// What a connect here must not be taken for.
    pub fn quirk(&self) -> Quirk {
        /// Below this ports are not given out as ephemeral ones, unless an administrator says so.
        const FIRST_EPHEMERAL: u16 = 32_768;
        match self {
            Self::Tcp(address)
                if address.ip().is_loopback() && address.port() >= FIRST_EPHEMERAL =>
            {
                Quirk::MayMeetItself
            }
            Self::Vsock { .. } => Quirk::ResetIsRefusal,
            _ => Quirk::None,
        }
    }

    /// The host that is asked for where the check names none.
    pub fn host(&self) -> String {
        match self {
            Self::Tcp(address) => address.ip().to_string(),
            _ => "localhost".to_owned(),
        }
    }

    /// The same address at another port (a redirect); sockets that are no addresses have one port.
    pub fn at_port(&self, port: u16) -> Self {
        match self {
            Self::Tcp(address) => Self::Tcp(SocketAddr::new(address.ip(), port)),
            other => other.clone(),
        }
    }
}
