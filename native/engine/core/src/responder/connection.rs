//! One connection of the responder.

use crate::socket;
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

pub const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
const END: &[u8] = b"\r\n\r\n";

pub enum Then {
    Wait,
    Answered,
    /// The client went away, or speaks something else.
    Close,
}

/// Owns its socket; dropping it closes.
pub struct Connection {
    stream: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// How much of the end of a request has come already.
    matched: usize,
}

impl Connection {
    pub fn new(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let session = |config: &Arc<ServerConfig>| {
            ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)
        };
        Ok(Self {
            stream,
            tls: tls.map(session).transpose()?.map(Box::new),
            matched: 0,
        })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> Then {
        let result = match &mut self.tls {
            None => read_plain(&self.stream, buffer, &mut self.matched),
            Some(session) => read_tls(&mut self.stream, session, buffer, &mut self.matched),
        };
        result.unwrap_or(Then::Close)
    }
}

fn read_plain(stream: &TcpStream, buffer: &mut [u8], matched: &mut usize) -> io::Result<Then> {
    match socket::read(stream.as_fd(), buffer)? {
        None => Ok(Then::Wait),
        Some(0) => Ok(Then::Close),
        Some(count) if is_whole(&buffer[..count], matched) => {
            // So little fits into an empty socket at once.
            socket::write(stream.as_fd(), ANSWER)?;
            Ok(Then::Answered)
        }
        Some(_) => Ok(Then::Wait),
    }
}

fn read_tls(
    stream: &mut TcpStream,
    session: &mut ServerConnection,
    buffer: &mut [u8],
    matched: &mut usize,
) -> io::Result<Then> {
    match session.read_tls(stream) {
        Ok(0) => return Ok(Then::Close),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Then::Wait),
        result => result?,
    };
    let state = session.process_new_packets().map_err(io::Error::other)?;
    let mut then = Then::Wait;
    if state.plaintext_bytes_to_read() > 0 {
        let count = session.reader().read(buffer)?;
        if is_whole(&buffer[..count], matched) {
            session.writer().write_all(ANSWER)?;
            then = Then::Answered;
        }
    } else if state.peer_has_closed() {
        return Ok(Then::Close);
    }
    while session.wants_write() {
        session.write_tls(stream)?;
    }
    Ok(then)
}

/// True when the bytes end a request, however it was cut.
fn is_whole(bytes: &[u8], matched: &mut usize) -> bool {
    for &byte in bytes {
        *matched = match byte {
            _ if byte == END[*matched] => *matched + 1,
            b'\r' => 1,
            _ => 0,
        };
        if *matched == END.len() {
            *matched = 0;
            return true;
        }
    }
    false
}
