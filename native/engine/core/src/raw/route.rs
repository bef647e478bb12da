//! Which way a packet would go, asked of the kernel (rtnetlink RTM_GETROUTE).

use crate::poller::check;
use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const HEADER: usize = size_of::<libc::nlmsghdr>();
/// `struct rtmsg`.
const ROUTE_MESSAGE: usize = 12;
const ANSWER_ROOM: usize = 1024;

/// The kernel's choice for one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Route {
    pub source: Option<IpAddr>,
    pub interface: u32,
    /// The destination is not a neighbour.
    pub is_via_gateway: bool,
}

/// A socket for the questions; the kernel answers within the call that asks.
pub struct Routes {
    socket: OwnedFd,
}

impl Routes {
    pub fn new() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
        Ok(Self {
            // SAFETY: `fd` was just created and nothing else owns it.
            socket: unsafe { OwnedFd::from_raw_fd(fd) },
        })
    }

    /// The route to an address.
    pub fn look_up(&self, to: IpAddr) -> io::Result<Route> {
        let question = question(to);
        let fd = self.socket.as_raw_fd();
        // SAFETY: the bytes are valid for their own length.
        let sent = unsafe { libc::send(fd, question.as_ptr().cast(), question.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut answer = [0u8; ANSWER_ROOM];
        // SAFETY: the buffer is valid for its own length.
        let count = unsafe { libc::recv(fd, answer.as_mut_ptr().cast(), answer.len(), 0) };
        match usize::try_from(count) {
            Ok(count) => read_answer(&answer[..count]),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }
}

fn question(to: IpAddr) -> Vec<u8> {
    let (family, octets) = match &to {
        IpAddr::V4(ip) => (libc::AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (libc::AF_INET6, ip.octets().to_vec()),
    };
    let mut message = vec![0u8; HEADER + ROUTE_MESSAGE];
    message[HEADER] = family as u8;
    message[HEADER + 1] = (octets.len() * 8) as u8;
    put_attribute(&mut message, libc::RTA_DST, &octets);
    let length = message.len() as u32;
    message[0..4].copy_from_slice(&length.to_ne_bytes());
    message[4..6].copy_from_slice(&libc::RTM_GETROUTE.to_ne_bytes());
    message[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    message
}

fn put_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(value);
}

fn read_answer(bytes: &[u8]) -> io::Result<Route> {
    let malformed = || io::Error::from_raw_os_error(libc::EBADMSG);
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    };
    let kind = number(4).ok_or_else(malformed)? as u16;
    if i32::from(kind) == libc::NLMSG_ERROR {
        let errno = number(HEADER).ok_or_else(malformed)? as i32;
        return Err(io::Error::from_raw_os_error(-errno));
    }
    if kind != libc::RTM_NEWROUTE {
        return Err(malformed());
    }
    let mut route = Route::default();
    let mut rest = bytes.get(HEADER + ROUTE_MESSAGE..).ok_or_else(malformed)?;
    while let Some(head) = rest.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let value = rest.get(4..length).ok_or_else(malformed)?;
        match u16::from_ne_bytes([head[2], head[3]]) {
            libc::RTA_GATEWAY | libc::RTA_VIA => route.is_via_gateway = true,
            libc::RTA_PREFSRC => route.source = ip(value),
            libc::RTA_OIF => {
                let index = value.try_into().map_err(|_| malformed())?;
                route.interface = u32::from_ne_bytes(index);
            }
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(route)
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(octets).into());
    }
    let octets = <[u8; 16]>::try_from(value).ok()?;
    Some(Ipv6Addr::from(octets).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reached_from_itself() {
        let routes = Routes::new().unwrap();
        for to in ["127.0.0.9", "::1"] {
            let route = routes.look_up(to.parse().unwrap()).unwrap();
            assert!(route.interface > 0);
            let source = route.source.unwrap();
            assert!(source.is_loopback(), "{source}");
        }
    }

    #[test]
    fn cut_off_answers_are_refused_or_read_as_far_as_they_go() {
        let routes = Routes::new().unwrap();
        let question = question("127.0.0.1".parse().unwrap());
        drop(routes);
        for length in 0..question.len() {
            let _ = read_answer(&question[..length]);
        }
        assert!(read_answer(&question).is_err(), "a question is no answer");
    }
}
