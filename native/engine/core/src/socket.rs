//! Non-blocking stream sockets: connect, read, write.

use crate::endpoint::Endpoint;
use crate::errno;
use crate::poller::check;
use crate::socket_name::{NOWHERE, Name};
use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use vmpulse_proto::Reason;

/// Longest path of a Unix socket, bytes (`sun_path` less its end).
pub const MAX_UNIX_PATH: usize = 107;

/// How a probe's connection behaves.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions {
    /// Close by RST, which leaves no TIME_WAIT behind.
    pub reset: bool,
    /// Do not acknowledge the SYN-ACK at once: what is sent first does that, or with `reset` nothing, and the peer's
    /// server may never see an accept. Not where the server speaks first.
    pub late_ack: bool,
    /// Several small writes will follow.
    pub no_delay: bool,
}

/// Opens a socket and begins to connect. The connection may be complete already; epoll then says so at once.
pub fn connect(endpoint: &Endpoint, options: ConnectOptions) -> Result<OwnedFd, Reason> {
    match endpoint {
        Endpoint::Tcp(address) => connect_tcp(address, options).map_err(|e| errno::of_call(&e)),
        Endpoint::Unix(path) | Endpoint::Hybrid { path, .. } => {
            connect_unix(path).map_err(|e| errno::of_unix_call(&e))
        }
        Endpoint::Vsock { cid, port } => {
            connect_vsock(*cid, *port).map_err(|e| errno::of_vsock_call(&e))
        }
    }
}

fn connect_tcp(address: &SocketAddr, options: ConnectOptions) -> io::Result<OwnedFd> {
    let fd = stream(family(address))?;
    if options.late_ack {
        delay_ack(fd.as_fd())?;
    }
    if options.reset {
        close_by_reset(&fd)?;
    }
    if options.no_delay {
        set(fd.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, &1i32)?;
    }
    begin_tcp(fd.as_fd(), address)?;
    Ok(fd)
}

/// A socket for connections that end by `disconnect`, or by RST when it is closed; SYN-ACKs are not acknowledged at once,
/// small writes leave at once. It keeps all of that when it is disconnected.
pub fn open_for_resets(address: &SocketAddr) -> io::Result<OwnedFd> {
    let fd = stream(family(address))?;
    delay_ack(fd.as_fd())?;
    close_by_reset(&fd)?;
    set(fd.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, &1i32)?;
    Ok(fd)
}

/// Ends the connection of a TCP socket, or its attempt, by RST; the socket can connect again.
pub fn disconnect(fd: BorrowedFd<'_>) -> io::Result<()> {
    begin(fd, &NOWHERE, size_of::<libc::sockaddr>())
}

fn family(address: &SocketAddr) -> i32 {
    match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    }
}

/// The SYN-ACK waits 200 ms for something that acknowledges it (see `ConnectOptions::late_ack`). The option is known for
/// servers; on the side that connects it asks for just this, and unlike TCP_QUICKACK outlives a disconnect.
fn delay_ack(fd: BorrowedFd<'_>) -> io::Result<()> {
    set(fd, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, &1i32)
}

fn close_by_reset(fd: &OwnedFd) -> io::Result<()> {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    set(fd.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER, &linger)
}

/// Begins to connect a fresh or disconnected socket.
pub fn begin_tcp(fd: BorrowedFd<'_>, address: &SocketAddr) -> io::Result<()> {
    match Name::from(address) {
        Name::V4(name) => begin(fd, &name, size_of::<libc::sockaddr_in>()),
        Name::V6(name) => begin(fd, &name, size_of::<libc::sockaddr_in6>()),
    }
}

/// Connects to a Unix socket; it is connected when this returns. EAGAIN: its backlog is full.
pub fn connect_unix(path: &Path) -> io::Result<OwnedFd> {
    let bytes = path.as_os_str().as_bytes();
    let mut address = libc::sockaddr_un {
        sun_family: libc::AF_UNIX as libc::sa_family_t,
        sun_path: [0; 108],
    };
    if bytes.is_empty() || bytes.len() > MAX_UNIX_PATH {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let fd = stream(libc::AF_UNIX)?;
    let length = std::mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    begin(fd.as_fd(), &address, length)?;
    Ok(fd)
}

fn connect_vsock(cid: u32, port: u32) -> io::Result<OwnedFd> {
    let fd = stream(libc::AF_VSOCK)?;
    let address = libc::sockaddr_vm {
        svm_family: libc::AF_VSOCK as libc::sa_family_t,
        svm_reserved1: 0,
        svm_port: port,
        svm_cid: cid,
        svm_zero: [0; 4],
    };
    begin(fd.as_fd(), &address, size_of::<libc::sockaddr_vm>())?;
    Ok(fd)
}

fn stream(family: i32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed.
    let fd = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: `fd` was just created and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub fn set<T>(fd: impl AsFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: `value` is a valid T and its own size is passed; T is the plain C type that the option takes.
    check(unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    })
    .map(drop)
}

fn begin<T>(fd: BorrowedFd<'_>, address: &T, length: usize) -> io::Result<()> {
    // SAFETY: `address` is a socket address of at least `length` bytes.
    let result = check(unsafe {
        libc::connect(
            fd.as_raw_fd(),
            std::ptr::from_ref(address).cast(),
            length as libc::socklen_t,
        )
    });
    match result {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(()),
    }
}

/// The pending error of a socket, 0 for none.
pub fn pending_errno(fd: BorrowedFd<'_>) -> i32 {
    let mut errno = 0i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the buffer is an i32 and `length` says so.
    let result = check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            std::ptr::from_mut(&mut errno).cast(),
            &mut length,
        )
    });
    match result {
        Ok(_) => errno,
        Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// True for a socket that met itself: a connect to a loopback port of the ephemeral range, where nobody listens, is now
/// and then given that very port as its own, and TCP lets the two ends be one.
pub fn is_connected_to_itself(fd: BorrowedFd<'_>) -> bool {
    let name = |call: NameCall| {
        let mut address = [0u8; size_of::<libc::sockaddr_in6>()];
        let mut length = address.len() as libc::socklen_t;
        // SAFETY: the buffer is valid for `length` bytes; the kernel writes no more, and any bytes are fine.
        let result = unsafe { call(fd.as_raw_fd(), address.as_mut_ptr().cast(), &mut length) };
        (result == 0).then_some(address)
    };
    let ours = name(libc::getsockname);
    ours.is_some() && ours == name(libc::getpeername)
}

type NameCall = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32;

/// Reads what is there, of a socket or a file. `Ok(None)`: nothing now; `Ok(Some(0))`: the peer closed its side.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        // SAFETY: the buffer is valid for its own length.
        let count = unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        if count >= 0 {
            return Ok(Some(count as usize));
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// Writes what fits; 0 when nothing does now. Never raises SIGPIPE.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        // SAFETY: the bytes are valid for their own length.
        let count = unsafe {
            libc::send(
                fd.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_NOSIGNAL,
            )
        };
        if count >= 0 {
            return Ok(count as usize);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => return Ok(0),
            _ => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_met_itself_is_found() {
        let fd = stream(libc::AF_INET).unwrap();
        let mut address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 0,
            sin_addr: libc::in_addr {
                s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
            },
            sin_zero: [0; 8],
        };
        let mut length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        let pointer = std::ptr::from_mut(&mut address).cast();
        // SAFETY: `address` is a valid sockaddr_in and `length` its size, for both calls.
        unsafe {
            check(libc::bind(fd.as_raw_fd(), pointer, length)).unwrap();
            check(libc::getsockname(fd.as_raw_fd(), pointer, &mut length)).unwrap();
        }
        assert!(!is_connected_to_itself(fd.as_fd()));
        begin(fd.as_fd(), &address, length as usize).unwrap();
        assert!(is_connected_to_itself(fd.as_fd()));
    }

    #[test]
    fn an_ordinary_connection_did_not_meet_itself() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
        assert!(!is_connected_to_itself(stream.as_fd()));
    }
}
