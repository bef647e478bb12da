//! TCP connects by io_uring, where the kernel allows it: what is due in a turn is one system call instead of two a probe. Only
//! connections whose answer is that they stand and that end by RST; everything else is epoll's. The ring itself is one
//! more descriptor of epoll.
//!
//! A socket serves one probe after the other. It is given out again after the kernel has answered both of its requests, the
//! connect and the disconnect, so no answer can be taken for that of a successor:
//!
//! idle → `Connecting(probe)` → (answer, or cancelled) → `Disconnecting` → idle

use crate::endpoint::Quirk;
use crate::slab::{Key, Slab};
use crate::socket;
use crate::socket_name::{NOWHERE, Name};
use io_uring::{IoUring, opcode, squeue, types::Fd};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const ENTRIES: u32 = 1024;
/// Completions that find no room are kept by the kernel until there is some.
const COMPLETIONS: u32 = 4 * ENTRIES;
/// Who does not wait gets so many answers a call (since Linux 6.12), however many there are.
const A_CALL: usize = 20;
/// Idle sockets of one family, at most.
const MAX_IDLE: usize = 512;

const CONNECT: u64 = 1;
const DISCONNECT: u64 = 2;
const CANCEL: u64 = 3;

/// How a connect ended: the probe, where it was to connect, and what became of it.
pub struct Ended {
    pub key: Key,
    pub address: SocketAddr,
    pub end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Connected,
    /// It met itself: nobody listens.
    MetItself,
    /// The errno.
    Failed(i32),
}

enum State {
    Idle,
    /// `None`: nobody waits any more.
    Connecting(Option<Key>),
    Disconnecting,
}

struct Slot {
    fd: OwnedFd,
    address: SocketAddr,
    quirk: Quirk,
    /// On the heap: the kernel reads it when the request is submitted.
    name: Box<Name>,
    state: State,
}

pub struct Ring {
    // Closed first: it has requests on the sockets.
    ring: IoUring,
    slots: Slab<Slot>,
    idle: [Vec<Key>; 2],
    nowhere: Box<libc::sockaddr>,
    /// False: nobody is left to probe, and what comes back is closed.
    keeps_idle: bool,
    broken: bool,
}

impl Ring {
    /// Fails where the kernel has no ring (before Linux 6.1), or forbids it.
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            // The thread that enables it is the only one that may use it.
            .setup_r_disabled()
            .setup_cqsize(COMPLETIONS)
            .build(ENTRIES)?;
        let mut known = io_uring::Probe::new();
        ring.submitter().register_probe(&mut known)?;
        let needed = [opcode::Connect::CODE, opcode::AsyncCancel::CODE];
        if !needed.iter().all(|code| known.is_supported(*code)) {
            return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        }
        Ok(Self {
            ring,
            slots: Slab::default(),
            idle: [Vec::new(), Vec::new()],
            nowhere: Box::new(NOWHERE),
            keeps_idle: true,
            broken: false,
        })
    }

    /// From now on the ring is the calling thread's.
    pub fn enable(&self) -> io::Result<()> {
        self.ring.submitter().register_enable_rings()
    }

    /// Begins to connect at the next `turn`; the result is the place to give to a probe, or why it cannot be.
    pub fn connect(&mut self, address: &SocketAddr, quirk: Quirk) -> io::Result<Key> {
        self.keeps_idle = true;
        let slot = match self.idle[family(address)].pop() {
            Some(slot) => slot,
            None => self.slots.insert(Slot {
                fd: socket::open_for_resets(address)?,
                address: *address,
                quirk,
                name: Box::new(Name::from(address)),
                state: State::Idle,
            }),
        };
        let entry = self.slots.get_mut(slot).expect("an idle slot is there");
        entry.address = *address;
        entry.quirk = quirk;
        *entry.name = Name::from(address);
        entry.state = State::Connecting(None);
        let (to, length) = entry.name.parts();
        let request = opcode::Connect::new(Fd(entry.fd.as_raw_fd()), to, length);
        if self.push(&request.build(), CONNECT, slot) {
            return Ok(slot);
        }
        self.slots.remove(slot);
        Err(io::Error::from_raw_os_error(libc::EAGAIN))
    }

    /// The end of what a place connects is for this probe.
    pub fn give_to(&mut self, slot: Key, key: Key) {
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.state = State::Connecting(Some(key));
        }
    }

    /// Nobody waits for a probe any more.
    pub fn abandon(&mut self, slot: Key, key: Key) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        if !matches!(entry.state, State::Connecting(Some(of)) if of == key) {
            return;
        }
        entry.state = State::Connecting(None);
        // Submitted before any request that comes later on this socket, so it can only mean this one.
        // Without room for it the connect ends when the kernel gives up.
        let request = opcode::AsyncCancel::new(CONNECT << 56 | slot.bits());
        self.push(&request.build(), CANCEL, slot);
    }

    /// The kernel takes no requests any more. Whoever is `waiting` has to connect otherwise.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The probes whose connects have not ended, and where they go.
    pub fn waiting(&self) -> Vec<(Key, SocketAddr)> {
        let waits = |slot: &Slot| match slot.state {
            State::Connecting(Some(key)) => Some((key, slot.address)),
            _ => None,
        };
        self.slots.values().filter_map(waits).collect()
    }

    /// Something is to be submitted.
    pub fn has_unsubmitted(&mut self) -> bool {
        !self.ring.submission().is_empty()
    }

    /// Submits what there is and adds to `ended` the probes of which the kernel knows the end; of very many, some.
    pub fn turn(&mut self, ended: &mut Vec<Ended>) {
        // Disconnects follow connects; a connect that ends at once is two rounds.
        self.rounds(3, ended);
    }

    /// The same with all that the kernel knows by now.
    pub fn drain(&mut self, ended: &mut Vec<Ended>) {
        // A connect, its cancellation and its disconnect end once each.
        self.rounds(3 + 3 * self.slots.len() / A_CALL, ended);
    }

    fn rounds(&mut self, most: usize, ended: &mut Vec<Ended>) {
        for _ in 0..most {
            self.enter();
            let taken = self.take(ended);
            if self.broken || (taken < A_CALL && !self.has_unsubmitted()) {
                return;
            }
        }
    }

    fn enter(&mut self) {
        const GET_EVENTS: u32 = 1;
        let count = self.ring.submission().len() as u32;
        // SAFETY: the queue has `count` valid requests (see `push`); no argument is passed.
        let entered = unsafe {
            self.ring
                .submitter()
                .enter::<libc::sigset_t>(count, 0, GET_EVENTS, None)
        };
        // An interruption leaves the requests where they are, for the next turn. Anything else (no memory, a sandbox) would leave
        // probes without a connect, and their silence would be taken for the peer's.
        self.broken |= entered.is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
    }

    /// How many completions there were.
    fn take(&mut self, ended: &mut Vec<Ended>) -> usize {
        let mut taken = 0;
        loop {
            let Some(completion) = self.ring.completion().next() else {
                return taken;
            };
            taken += 1;
            let (what, slot) = (
                completion.user_data() >> 56,
                Key::from_bits(completion.user_data()),
            );
            match what {
                CONNECT => ended.extend(self.connect_ended(slot, completion.result())),
                DISCONNECT => self.disconnected(slot, completion.result()),
                // Whether there was something left to cancel is told by the connect.
                _ => {}
            }
        }
    }

    fn connect_ended(&mut self, slot: Key, result: i32) -> Option<Ended> {
        let entry = self.slots.get_mut(slot)?;
        let State::Connecting(key) = entry.state else {
            return None;
        };
        let end = match result {
            0 if entry.quirk == Quirk::MayMeetItself
                && socket::is_connected_to_itself(entry.fd.as_fd()) =>
            {
                End::MetItself
            }
            0 => End::Connected,
            errno => End::Failed(-errno),
        };
        let address = entry.address;
        entry.state = State::Disconnecting;
        let length = size_of::<libc::sockaddr>() as libc::socklen_t;
        let request =
            opcode::Connect::new(Fd(entry.fd.as_raw_fd()), &raw const *self.nowhere, length);
        if !self.push(&request.build(), DISCONNECT, slot) {
            // Its close resets the connection as well.
            self.slots.remove(slot);
        }
        Some(Ended {
            key: key?,
            address,
            end,
        })
    }

    fn disconnected(&mut self, slot: Key, result: i32) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let idle = &mut self.idle[family(&entry.address)];
        if result == 0 && self.keeps_idle && idle.len() < MAX_IDLE {
            entry.state = State::Idle;
            idle.push(slot);
        } else {
            self.slots.remove(slot);
        }
    }

    /// False: the kernel takes nothing now.
    fn push(&mut self, request: &squeue::Entry, what: u64, slot: Key) -> bool {
        if self.ring.submission().is_full() {
            self.enter();
        }
        let request = request.clone().user_data(what << 56 | slot.bits());
        // SAFETY: what a request points to is a name of a slot that stays, or of the ring, until the kernel has taken the
        // request, which is when it copies names (IORING_FEAT_SUBMIT_STABLE, older than what `new` asks for) and looks up
        // descriptors. A slot is removed only when none of its requests waits in the queue.
        unsafe { self.ring.submission().push(&request) }.is_ok()
    }

    /// Closes idle sockets, and those that are under way once they are idle, until somebody connects.
    pub fn close_idle(&mut self) {
        self.keeps_idle = false;
        for slot in self.idle.iter_mut().flat_map(std::mem::take) {
            self.slots.remove(slot);
        }
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the ring owns its descriptor, and is borrowed for as long.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }
    }
}

fn family(address: &SocketAddr) -> usize {
    usize::from(address.is_ipv6())
}

#[cfg(test)]
mod tests;
