//! What an errno of a connection means for the probe.

use crate::endpoint::Endpoint;
use std::io;
use vmpulse_proto::Reason;

/// The reason of an error that `socket` or `connect` returned at once: many are our own trouble, not the peer's.
pub fn of_call(error: &io::Error) -> Reason {
    match error.raw_os_error().unwrap_or(0) {
        libc::ENETUNREACH | libc::ENETDOWN | libc::EACCES | libc::EPERM | libc::EAFNOSUPPORT => {
            Reason::NoLocalRoute
        }
        errno => peer(errno).unwrap_or(Reason::ProberResources),
    }
}

/// The same for a raw packet that was to be sent.
pub fn of_packet(error: &io::Error) -> Reason {
    match error.raw_os_error().unwrap_or(0) {
        libc::ENODEV | libc::ENXIO | libc::EADDRNOTAVAIL => Reason::NoLocalRoute,
        _ => of_call(error),
    }
}

/// The same for a Unix socket: EAGAIN means that nobody accepts, ENOENT that nobody listens, EACCES is about us.
pub fn of_unix_call(error: &io::Error) -> Reason {
    match error.raw_os_error().unwrap_or(0) {
        libc::EAGAIN => Reason::ConnectTimeout,
        libc::ENOENT | libc::ENOTDIR | libc::ENOTSOCK | libc::EPROTOTYPE => {
            Reason::ConnectionRefused
        }
        errno => peer(errno).unwrap_or(Reason::ProberResources),
    }
}

/// The same for AF_VSOCK: ENODEV means that no running VM has the CID.
pub fn of_vsock_call(error: &io::Error) -> Reason {
    match error.raw_os_error().unwrap_or(0) {
        libc::ENODEV => Reason::HostUnreachable,
        libc::ECONNRESET => Reason::ConnectionRefused,
        libc::EAFNOSUPPORT | libc::EACCES | libc::EPERM | libc::EADDRNOTAVAIL => {
            Reason::NoLocalRoute
        }
        errno => peer(errno).unwrap_or(Reason::ProberResources),
    }
}

/// The reason of an error that ended a connect.
pub fn of_connect(endpoint: &Endpoint, errno: i32) -> Reason {
    match (endpoint, errno) {
        // A guest refuses a vsock port by a reset.
        (Endpoint::Vsock { .. }, libc::ECONNRESET) => Reason::ConnectionRefused,
        (Endpoint::Vsock { .. }, libc::ENODEV) => Reason::HostUnreachable,
        _ => of_connection(errno),
    }
}

/// The reason of an error that came later (SO_ERROR, read, write), so from the network or the peer.
pub fn of_connection(errno: i32) -> Reason {
    match errno {
        libc::ENETUNREACH => Reason::NetworkUnreachable,
        libc::EADDRNOTAVAIL | libc::ENOBUFS | libc::ENOMEM => Reason::ProberResources,
        libc::ENETDOWN => Reason::NoLocalRoute,
        libc::EACCES | libc::EPERM => Reason::ConnectionRefused,
        errno => peer(errno).unwrap_or(Reason::ConnectionReset),
    }
}

fn peer(errno: i32) -> Option<Reason> {
    Some(match errno {
        libc::ECONNREFUSED => Reason::ConnectionRefused,
        libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE => Reason::ConnectionReset,
        libc::EHOSTUNREACH | libc::EHOSTDOWN => Reason::HostUnreachable,
        libc::ETIMEDOUT => Reason::ConnectTimeout,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_trouble_is_inconclusive() {
        for errno in [
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EADDRNOTAVAIL,
            libc::ENETUNREACH,
        ] {
            let reason = of_call(&io::Error::from_raw_os_error(errno));
            assert!(reason.is_inconclusive(), "errno {errno}: {reason:?}");
        }
    }

    #[test]
    fn the_peer_s_trouble_is_not() {
        let cases = [
            (libc::ECONNREFUSED, Reason::ConnectionRefused),
            (libc::EHOSTUNREACH, Reason::HostUnreachable),
            (libc::ECONNRESET, Reason::ConnectionReset),
            (libc::ETIMEDOUT, Reason::ConnectTimeout),
        ];
        for (errno, reason) in cases {
            assert_eq!(of_call(&io::Error::from_raw_os_error(errno)), reason);
            assert_eq!(of_connection(errno), reason);
        }
        assert_eq!(of_connection(libc::ENETUNREACH), Reason::NetworkUnreachable);
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(of_unix_call(&missing), Reason::ConnectionRefused);
    }
}
