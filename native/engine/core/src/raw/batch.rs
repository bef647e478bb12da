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
    /// Zeros after it.
    pub zeros: u16,
}

/// Most zeros after a packet.
pub const MOST_ZEROS: usize = 9000;
static ZEROS: [u8; MOST_ZEROS] = [0; MOST_ZEROS];

/// Sends the first of `packets` and says how many went out; the error is about the one after them.
pub fn send(fd: BorrowedFd<'_>, packets: &[Outgoing]) -> (usize, Option<io::Error>) {
    let mut sent = 0;
    for chunk in packets.chunks(BATCH) {
        let mut parts = [MaybeUninit::<[libc::iovec; 2]>::uninit(); BATCH];
        let mut headers = [MaybeUninit::<libc::mmsghdr>::uninit(); BATCH];
        for (index, outgoing) in chunk.iter().enumerate() {
            let part = parts[index].write([
                libc::iovec {
                    iov_base: outgoing.packet.as_ptr().cast_mut().cast(),
                    iov_len: usize::from(outgoing.length),
                },
                libc::iovec {
                    iov_base: ZEROS.as_ptr().cast_mut().cast(),
                    iov_len: usize::from(outgoing.zeros).min(MOST_ZEROS),
                },
            ]);
            let (name, length) = outgoing.to.as_raw();
            // SAFETY: all zeros is a valid mmsghdr.
            let mut header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
            header.msg_hdr.msg_name = name.cast_mut();
            header.msg_hdr.msg_namelen = length;
            header.msg_hdr.msg_iov = part.as_mut_ptr();
            header.msg_hdr.msg_iovlen = 1 + usize::from(outgoing.zeros > 0);
            headers[index].write(header);
        }
        // SAFETY: the first `chunk.len()` headers are initialised; what they point to lives in `chunk`, `parts` and `ZEROS`, and
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
    notes: Box<[Notes; BATCH]>,
}

/// What the kernel adds to a packet, aligned as it writes it.
#[repr(align(8))]
#[derive(Clone, Copy)]
struct Notes([u8; NOTES_ROOM]);

/// A time or an interface, with its header.
const NOTES_ROOM: usize = 64;
const NOTE_HEADER: usize = size_of::<libc::cmsghdr>();

/// A packet that was received, cut off at what probes look at.
pub struct Incoming<'a> {
    pub bytes: &'a [u8],
    pub from: Option<IpAddr>,
    /// Where it came in, of lanes that ask for it.
    pub interface: Option<u32>,
    /// When the kernel had it: low bits of the wall clock, microseconds; of lanes that ask for it.
    pub at_us: Option<u32>,
}

impl Incoming<'_> {
    fn note(&mut self, level: i32, kind: i32, data: &[u8]) {
        let word = |at: usize| Some(i64::from_ne_bytes(data.get(at..at + 8)?.try_into().ok()?));
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
            if let (Some(seconds), Some(nanoseconds)) = (word(0), word(8)) {
                self.at_us = Some((seconds as u64 * 1_000_000 + nanoseconds as u64 / 1000) as u32);
            }
        } else if (level, kind) == (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) {
            let index = data.get(16..20).and_then(|bytes| bytes.try_into().ok());
            self.interface = index.map(u32::from_ne_bytes);
        }
    }

    /// Reads control messages; each begins with its length, level and kind.
    fn read_notes(&mut self, mut bytes: &[u8]) {
        while let Some(head) = bytes.first_chunk::<NOTE_HEADER>() {
            let length = usize::from_ne_bytes(head[..8].try_into().expect("eight bytes"));
            let number =
                |at: usize| i32::from_ne_bytes(head[at..at + 4].try_into().expect("four bytes"));
            let Some(data) = bytes.get(NOTE_HEADER..length) else {
                return;
            };
            self.note(number(8), number(12), data);
            bytes = bytes.get(length.next_multiple_of(8)..).unwrap_or_default();
        }
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            packets: Box::new([[0; RECEIVE_ROOM]; BATCH]),
            names: Box::new([[0; address::ROOM]; BATCH]),
            notes: Box::new([Notes([0; NOTES_ROOM]); BATCH]),
        }
    }
}

impl Inbox {
    /// Receives up to a batch and gives each packet to `take`. False: nothing is left in the socket. Without `senders` the
    /// kernel does not write down who sent a packet.
    pub fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        senders: bool,
        mut take: impl FnMut(Incoming<'_>),
    ) -> bool {
        let mut parts = [MaybeUninit::<libc::iovec>::uninit(); BATCH];
        let mut headers = [MaybeUninit::<libc::mmsghdr>::uninit(); BATCH];
        for index in 0..BATCH {
            let part = parts[index].write(libc::iovec {
                iov_base: self.packets[index].as_mut_ptr().cast(),
                iov_len: RECEIVE_ROOM,
            });
            // SAFETY: all zeros is a valid mmsghdr.
            let mut header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
            if senders {
                header.msg_hdr.msg_name = self.names[index].as_mut_ptr().cast();
                header.msg_hdr.msg_namelen = size_of::<[u8; address::ROOM]>() as libc::socklen_t;
            }
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = self.notes[index].0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = NOTES_ROOM;
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
            let name = &self.names[index][..name];
            let notes = header.msg_hdr.msg_controllen.min(NOTES_ROOM);
            let mut incoming = Incoming {
                bytes: &self.packets[index][..length],
                from: address::ip_of(name),
                interface: address::interface_of(name),
                at_us: None,
            };
            if notes > 0 {
                incoming.read_notes(&self.notes[index].0[..notes]);
            }
            take(incoming);
        }
        count == BATCH
    }
}
