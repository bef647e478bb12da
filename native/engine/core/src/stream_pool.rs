//! Sockets of TCP connections that end by a reset are used again. `connect` to AF_UNSPEC sends the reset and leaves a
//! socket as good as new, which stays in epoll: no socket, file and epoll entry is made and ended for every probe, which
//! is a third of what a probe costs.

use crate::errno;
use crate::poller::{EDGE, PEER_CLOSED, Poller, READ, WRITE};
use crate::slab::Key;
use crate::socket;
use crate::sync::Mutex;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use vmpulse_proto::Reason;

/// Idle sockets of one family, at most. Each takes a descriptor and some kilobytes of the kernel.
const MAX_IDLE: usize = 512;

/// Idle sockets of IPv4 and IPv6. Shared with the streams that come back to it; the mutex is never contended, as all are
/// of one reactor.
#[derive(Default)]
struct Idle {
    v4: Vec<OwnedFd>,
    v6: Vec<OwnedFd>,
}

impl Idle {
    fn of(&mut self, v4: bool) -> &mut Vec<OwnedFd> {
        if v4 { &mut self.v4 } else { &mut self.v6 }
    }
}

/// Where a pooled stream belongs.
struct Home {
    idle: Arc<Mutex<Idle>>,
    v4: bool,
}

/// Owns a stream socket. One of a pool goes back there when it is dropped, its connection reset; any other is closed.
pub struct Stream {
    /// `None` only within drop.
    fd: Option<OwnedFd>,
    home: Option<Home>,
}

impl From<OwnedFd> for Stream {
    fn from(fd: OwnedFd) -> Self {
        Self {
            fd: Some(fd),
            home: None,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect("present until dropped").as_fd()
    }
}

impl Stream {
    /// True for one that the pool has in epoll; its events come with its descriptor as the token.
    pub fn is_pooled(&self) -> bool {
        self.home.is_some()
    }

    /// It was taken out of epoll, so it cannot go back.
    pub fn leave_pool(&mut self) {
        self.home = None;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let (Some(fd), Some(home)) = (self.fd.take(), self.home.take()) else {
            return;
        };
        let mut idle = home.idle.lock();
        let idle = idle.of(home.v4);
        if idle.len() < MAX_IDLE && socket::disconnect(fd.as_fd()).is_ok() {
            idle.push(fd);
        }
    }
}

/// The pool of one reactor, and whose probe a pooled socket serves.
#[derive(Default)]
pub struct StreamPool {
    idle: Arc<Mutex<Idle>>,
    /// By descriptor. The key of a probe that ended finds nothing any more, so nothing is taken out.
    owners: Vec<Option<Key>>,
}

impl StreamPool {
    /// Begins to connect. `token` makes the token of epoll of a descriptor.
    pub fn connect(
        &self,
        poller: &Poller,
        address: &SocketAddr,
        token: impl Fn(u32) -> u64,
    ) -> Result<Stream, Reason> {
        self.try_connect(poller, address, token)
            .map_err(|error| errno::of_call(&error))
    }

    fn try_connect(
        &self,
        poller: &Poller,
        address: &SocketAddr,
        token: impl Fn(u32) -> u64,
    ) -> io::Result<Stream> {
        let v4 = address.is_ipv4();
        let used = self.idle.lock().of(v4).pop();
        let fd = match used {
            Some(fd) => fd,
            None => {
                let fd = socket::open_for_resets(address)?;
                let flags = READ | WRITE | PEER_CLOSED | EDGE;
                poller.add(fd.as_fd(), token(fd.as_raw_fd() as u32), flags)?;
                fd
            }
        };
        socket::begin_tcp(fd.as_fd(), address)?;
        let home = Home {
            idle: Arc::clone(&self.idle),
            v4,
        };
        Ok(Stream {
            fd: Some(fd),
            home: Some(home),
        })
    }

    /// From now on events of this stream are for this probe.
    pub fn give_to(&mut self, stream: &Stream, key: Key) {
        let place = stream.as_fd().as_raw_fd() as usize;
        if self.owners.len() <= place {
            self.owners.resize(place + 1, None);
        }
        self.owners[place] = Some(key);
    }

    /// The last probe that a descriptor was given to; it may have ended.
    pub fn owner(&self, descriptor: u32) -> Option<Key> {
        *self.owners.get(descriptor as usize)?
    }

    /// Closes what is idle.
    pub fn close_idle(&self) {
        *self.idle.lock() = Idle::default();
    }

    /// The same, and what is not idle comes back to nobody.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poller::{ERROR, HANG_UP, poll_once};
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    fn connect(pool: &StreamPool, poller: &Poller, to: &SocketAddr) -> Stream {
        let stream = pool.connect(poller, to, u64::from).unwrap();
        let mut entry = 0;
        for _ in 0..2000 {
            entry = poll_once(stream.as_fd(), WRITE);
            if entry != 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_ne!(entry, 0, "connected or refused within ten seconds");
        stream
    }

    #[test]
    fn idle_sockets_can_be_closed_while_others_are_used() {
        let poller = Poller::new().unwrap();
        let pool = StreamPool::default();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let (first, second) = (
            connect(&pool, &poller, &address),
            connect(&pool, &poller, &address),
        );
        drop(first);
        assert_eq!(pool.idle.lock().v4.len(), 1);
        pool.close_idle();
        assert_eq!(pool.idle.lock().v4.len(), 0);
        drop(second);
        assert_eq!(pool.idle.lock().v4.len(), 1, "it comes back as before");
    }

    #[test]
    fn a_socket_serves_one_connection_after_the_other_and_its_peers_see_resets() {
        let (pool, mut poller) = (StreamPool::default(), Poller::new().unwrap());
        let mut ready = Vec::new();
        let mut descriptors = Vec::new();
        for _ in 0..3 {
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut stream = connect(&pool, &poller, &server.local_addr().unwrap());
            // Something is said, so that the server certainly accepts.
            socket::write(stream.as_fd(), b"x").unwrap();
            let (mut peer, _) = server.accept().unwrap();
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            descriptors.push(stream.as_fd().as_raw_fd());
            poller.wait(Some(10_000_000), &mut ready).unwrap();
            assert!(ready.iter().any(|e| e.token == descriptors[0] as u64));
            assert!(stream.is_pooled());
            drop(stream);
            let error = peer.read(&mut byte).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            stream = connect(&pool, &poller, &server.local_addr().unwrap());
            assert_eq!(socket::pending_errno(stream.as_fd()), 0);
        }
        assert!(descriptors.iter().all(|fd| *fd == descriptors[0]));
    }

    fn option(stream: &Stream, level: i32, name: i32) -> i32 {
        let mut value = [0i32; 2];
        let mut length = size_of_val(&value) as libc::socklen_t;
        let fd = stream.as_fd().as_raw_fd();
        // SAFETY: the buffer has the bytes that `length` says; the first number of every option read here is its switch.
        let result =
            unsafe { libc::getsockopt(fd, level, name, value.as_mut_ptr().cast(), &mut length) };
        assert_eq!(result, 0);
        value[0]
    }

    /// What is set once, for no further call a probe.
    #[test]
    fn a_disconnect_keeps_what_the_socket_was_told() {
        let (pool, poller) = (StreamPool::default(), Poller::new().unwrap());
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        for _ in 0..2 {
            let stream = connect(&pool, &poller, &server.local_addr().unwrap());
            assert_eq!(
                option(&stream, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
                1
            );
            assert_eq!(option(&stream, libc::IPPROTO_TCP, libc::TCP_NODELAY), 1);
            assert_eq!(option(&stream, libc::SOL_SOCKET, libc::SO_LINGER), 1);
        }
        assert_eq!(pool.idle.lock().v4.len(), 1, "it was one socket");
    }

    #[test]
    fn a_refused_connection_leaves_nothing_behind_for_the_next() {
        let (pool, poller) = (StreamPool::default(), Poller::new().unwrap());
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let refused = connect(&pool, &poller, &closed);
        assert_eq!(socket::pending_errno(refused.as_fd()), libc::ECONNREFUSED);
        drop(refused);
        let stream = connect(&pool, &poller, &server.local_addr().unwrap());
        assert_eq!(poll_once(stream.as_fd(), WRITE) & (ERROR | HANG_UP), 0);
    }

    #[test]
    fn one_that_left_the_pool_is_closed() {
        let (pool, poller) = (StreamPool::default(), Poller::new().unwrap());
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = connect(&pool, &poller, &server.local_addr().unwrap());
        poller.remove(stream.as_fd());
        stream.leave_pool();
        drop(stream);
        assert!(pool.idle.lock().v4.is_empty());
        drop(TcpStream::connect(server.local_addr().unwrap()).unwrap());
    }
}
