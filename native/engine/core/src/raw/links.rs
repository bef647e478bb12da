//! Interfaces that neighbours are asked for on.

use crate::poller::check;
use rustc_hash::FxHashMap;
use std::io;
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use vmpulse_proto::packet::arp::Mac;

/// An Ethernet interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub mac: Mac,
    /// Its first IPv4 address.
    pub ip: Option<Ipv4Addr>,
}

/// Interfaces by name, as they were when they were looked up.
#[derive(Default)]
pub struct Links {
    socket: Option<OwnedFd>,
    known: FxHashMap<Box<str>, Link>,
}

impl Links {
    pub fn get(&mut self, name: &str) -> io::Result<Link> {
        if let Some(link) = self.known.get(name) {
            return Ok(*link);
        }
        let link = self.look_up(name)?;
        self.known.insert(name.into(), link);
        Ok(link)
    }

    pub fn by_index(&mut self, index: u32) -> io::Result<Link> {
        let mut request = empty();
        request.ifr_ifru.ifru_ifindex = index as i32;
        self.ask(libc::SIOCGIFNAME, &mut request)?;
        let name: Vec<u8> = request
            .ifr_name
            .iter()
            .map(|c| *c as u8)
            .take_while(|c| *c != 0)
            .collect();
        let name =
            String::from_utf8(name).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
        self.get(&name)
    }

    /// True when the interface is not what it was: its next user looks it up again.
    pub fn has_changed(&mut self, name: &str, link: &Link) -> bool {
        let now = self.look_up(name);
        let changed = !matches!(&now, Ok(now) if now == link);
        if changed {
            self.known.remove(name);
        }
        changed
    }

    fn look_up(&mut self, name: &str) -> io::Result<Link> {
        let no_device = || io::Error::from_raw_os_error(libc::ENODEV);
        let mut request = empty();
        if name.is_empty() || name.len() >= request.ifr_name.len() {
            return Err(no_device());
        }
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        self.ask(libc::SIOCGIFINDEX, &mut request)?;
        // SAFETY: the call has filled this member in, and any bits are a number.
        let index = unsafe { request.ifr_ifru.ifru_ifindex } as u32;
        self.ask(libc::SIOCGIFHWADDR, &mut request)?;
        // SAFETY: the same.
        let hardware = unsafe { request.ifr_ifru.ifru_hwaddr };
        if hardware.sa_family != libc::ARPHRD_ETHER {
            return Err(no_device());
        }
        let mac = std::array::from_fn(|at| hardware.sa_data[at] as u8);
        let ip = self.ask(libc::SIOCGIFADDR, &mut request).ok().map(|()| {
            // SAFETY: the same; a sockaddr_in has its address at the bytes 2 to 5 of `sa_data`.
            let data = unsafe { request.ifr_ifru.ifru_addr }.sa_data;
            Ipv4Addr::from(std::array::from_fn(|at| data[2 + at] as u8))
        });
        Ok(Link { index, mac, ip })
    }

    fn ask(&mut self, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => {
                // SAFETY: no pointers are passed.
                let fd = check(unsafe {
                    libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)
                })?;
                // SAFETY: `fd` was just created and nothing else owns it.
                self.socket.insert(unsafe { OwnedFd::from_raw_fd(fd) })
            }
        };
        // SAFETY: the request is a valid ifreq, which these calls read and write.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), what as _, std::ptr::from_mut(request)) })
            .map(drop)
    }
}

fn empty() -> libc::ifreq {
    // SAFETY: all zeros is a valid ifreq.
    unsafe { MaybeUninit::zeroed().assume_init() }
}
