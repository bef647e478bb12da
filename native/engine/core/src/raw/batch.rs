//! Many packets a system call.

use super::address::{self, Address};
use crate::slab::Key;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Packets of one system call.
const BATCH: usize = 64;
/// The longest packet that is sent, but for what comes from `tail`.
pub const PACKET_ROOM: usize = 64;
/// As much of a packet as probes look at.
const RECEIVE_ROOM: usize = 192;

/// A packet that waits to be sent.
#[derive(Clone, Copy)]
pub struct Outgoing {
    pub key: Key,
    pub to: Address,
    pub packet: [u8; PACKET_ROOM],
    pub length: u8,
}

/// Sends the first of `packets` and says how many went out; the error is about the one after them.
pub fn send(fd: BorrowedFd<'_>, packets: &[Outgoing]) -> (usize, Option<io::Error>) {
    let mut sent = 0;
    for chunk in packets.chunks(BATCH) {
        let mut parts = [MaybeUninit::<libc::iovec>::uninit(); BATCH];
        let mut headers = [MaybeUninit::<libc::mmsghdr>::uninit(); BATCH];
        for (index, outgoing) in chunk.iter().enumerate() {
            let part = parts[index].write(libc::iovec {
                iov_base: outgoing.packet.as_ptr().cast_mut().cast(),
                iov_len: usize::from(outgoing.length),
            });
            let (name, length) = outgoing.to.as_raw();
            // SAFETY: all zeros is a valid mmsghdr.
            let mut header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
            header.msg_hdr.msg_name = name.cast_mut();
            header.msg_hdr.msg_namelen = length;
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            headers[index].write(header);
        }
        // SAFETY: the first `chunk.len()` headers are initialised; what they point to lives in `chunk` and `parts`, and
        // is only read.
        let result = unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr().cast(),
                chunk.len() as libc::c_uint,
                0,
            )
        };
        match usize::try_from(result) {
            Ok(count) => sent += count,
            Err(_) => return (sent, Some(io::Error::last_os_error())),
        }
        if result as usize != chunk.len() {
            // The next call says why.
            return (sent, None);
        }
    }
    (sent, None)
}

/// Room for what one call receives.
pub struct Inbox {
    packets: Box<[[u8; RECEIVE_ROOM]; BATCH]>,
    names: Box<[[u8; address::ROOM]; BATCH]>,
}

/// A packet that was received, cut off at what probes look at.
pub struct Incoming<'a> {
    pub bytes: &'a [u8],
    pub from: Option<IpAddr>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            packets: Box::new([[0; RECEIVE_ROOM]; BATCH]),
            names: Box::new([[0; address::ROOM]; BATCH]),
        }
    }
}

impl Inbox {
    /// Receives up to a batch and gives each packet to `take`. False: nothing is left in the socket.
    pub fn receive(&mut self, fd: BorrowedFd<'_>, mut take: impl FnMut(Incoming<'_>)) -> bool {
        let mut parts = [MaybeUninit::<libc::iovec>::uninit(); BATCH];
        let mut headers = [MaybeUninit::<libc::mmsghdr>::uninit(); BATCH];
        for index in 0..BATCH {
            let part = parts[index].write(libc::iovec {
                iov_base: self.packets[index].as_mut_ptr().cast(),
                iov_len: RECEIVE_ROOM,
            });
            // SAFETY: all zeros is a valid mmsghdr.
            let mut header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
            header.msg_hdr.msg_name = self.names[index].as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = size_of::<[u8; address::ROOM]>() as libc::socklen_t;
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            headers[index].write(header);
        }
        // SAFETY: all headers are initialised and point to buffers of the lengths that they say, which nothing else
        // uses during the call.
        let result = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr().cast(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        // An error of a raw socket (a full queue, an interface gone) is about no packet; the next call goes on.
        let count = usize::try_from(result).unwrap_or(0);
        for (index, header) in headers[..count].iter().enumerate() {
            // SAFETY: all headers are initialised.
            let header = unsafe { header.assume_init_ref() };
            let length = (header.msg_len as usize).min(RECEIVE_ROOM);
            let name = (header.msg_hdr.msg_namelen as usize).min(address::ROOM);
            take(Incoming {
                bytes: &self.packets[index][..length],
                from: address::ip_of(&self.names[index][..name]),
            });
        }
        count == BATCH
    }
}
