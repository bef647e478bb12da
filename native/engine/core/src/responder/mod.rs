//! The other end of a benchmark: a server on every loopback address that accepts, answers each request with the same
//! small 200, and leaves closing to its client. On threads of its own; nothing of it is used by probes.

mod certificate;
mod connection;

use crate::poller::{Poller, READ, Ready, Waker, check};
use connection::{Connection, Then};
use rustc_hash::FxHashMap;
use rustls::ServerConfig;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// As many as the kernel allows (`net.core.somaxconn`).
const BACKLOG: libc::c_int = 65_535;
/// Without descriptors for more connections, others must end first.
const WITHOUT_ROOM: Duration = Duration::from_millis(1);
const PORTS: std::ops::Range<u16> = 20_100..20_400;
const BUFFER_BYTES: usize = 16 * 1024;
const LISTENER: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    accepted: AtomicU64,
    answered: AtomicU64,
}

/// Serves until it is dropped, which waits for its thread.
pub struct Responder {
    port: u16,
    shared: Arc<Shared>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    /// Listens on all of 127.0.0.0/8 at a port that is free; with `tls` behind a certificate made for the occasion.
    pub fn start(tls: bool) -> io::Result<Self> {
        let tls = tls.then(certificate::server_config).transpose()?;
        let listener = listen_on_loopback()?;
        let port = listener.local_addr()?.port();
        let poller = Poller::new()?;
        let waker = Arc::new(Waker::new()?);
        poller.add(listener.as_fd(), LISTENER, READ)?;
        poller.add(waker.fd(), STOP, READ)?;
        let shared = Arc::new(Shared::default());
        let server = Server {
            poller,
            listener,
            tls,
            shared: Arc::clone(&shared),
            // Dropped with the server, so it outlives its place in the poller.
            _waker: Arc::clone(&waker),
            connections: FxHashMap::default(),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
        };
        let thread = std::thread::Builder::new()
            .name("vmpulse-respond".to_owned())
            .spawn(move || server.run())?;
        Ok(Self {
            port,
            shared,
            waker,
            thread: Some(thread),
        })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections accepted so far. One that was reset before it was accepted is not among them.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Requests answered so far.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of it has been told by the panic hook.
            let _ = thread.join();
        }
    }
}

struct Server {
    poller: Poller,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    shared: Arc<Shared>,
    _waker: Arc<Waker>,
    connections: FxHashMap<u64, Connection>,
    buffer: Box<[u8]>,
}

impl Server {
    fn run(mut self) {
        let mut ready = Vec::new();
        while !self.shared.stopping.load(Ordering::Acquire) {
            // It fails only for a bad descriptor; without it nothing can be served.
            if self.poller.wait(None, &mut ready).is_err() {
                return;
            }
            for event in &ready {
                match event.token {
                    LISTENER => self.accept(),
                    STOP => {}
                    _ => self.serve(*event),
                }
            }
        }
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.accepted(stream),
                Err(error) => match error.raw_os_error() {
                    Some(libc::ECONNABORTED | libc::EINTR) => {}
                    Some(libc::EMFILE | libc::ENFILE) => return std::thread::sleep(WITHOUT_ROOM),
                    _ => return,
                },
            }
        }
    }

    fn accepted(&mut self, stream: TcpStream) {
        self.shared.accepted.fetch_add(1, Ordering::Relaxed);
        // The descriptor is the token: it is not given again before the connection is dropped.
        let token = stream.as_raw_fd() as u64;
        let Ok(connection) = Connection::new(stream, self.tls.as_ref()) else {
            return;
        };
        if self.poller.add(connection.fd(), token, READ).is_ok() {
            self.connections.insert(token, connection);
        }
    }

    fn serve(&mut self, event: Ready) {
        let Some(connection) = self.connections.get_mut(&event.token) else {
            return;
        };
        match connection.read(&mut self.buffer) {
            Then::Wait => {}
            Then::Answered => {
                self.shared.answered.fetch_add(1, Ordering::Relaxed);
            }
            Then::Close => {
                self.connections.remove(&event.token);
            }
        }
    }
}

/// Below the ports that connections get as their own, as those of a real service are.
fn bind_to_free_port() -> io::Result<TcpListener> {
    let mut last = None;
    for port in PORTS {
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// Only what comes in through the loopback device is accepted: the machine's other networks see nothing of it.
fn listen_on_loopback() -> io::Result<TcpListener> {
    let listener = bind_to_free_port()?;
    let device = b"lo";
    // SAFETY: the name is valid for the length that is passed.
    check(unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            device.as_ptr().cast(),
            device.len() as libc::socklen_t,
        )
    })?;
    // SAFETY: no pointers are passed. A second listen() only sets the backlog.
    check(unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn ask(port: u16, address: [u8; 4]) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::from(address), port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        // In two parts: a request is answered once it is whole.
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").unwrap();
        stream.write_all(b"\r\n").unwrap();
        let mut answer = vec![0; connection::ANSWER.len()];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn answers_on_every_loopback_address_and_counts() {
        let responder = Responder::start(false).unwrap();
        for address in [[127, 0, 0, 1], [127, 1, 2, 3]] {
            assert!(ask(responder.port(), address).starts_with("HTTP/1.1 200 OK\r\n"));
        }
        assert_eq!(responder.accepted(), 2);
        // The second is counted after it was sent.
        assert!(responder.answered() >= 1);
    }

    #[test]
    fn its_end_waits_for_nobody() {
        let responder = Responder::start(true).unwrap();
        let silent = TcpStream::connect((Ipv4Addr::LOCALHOST, responder.port())).unwrap();
        let port = responder.port();
        drop(responder);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
        drop(silent);
    }
}
