//! epoll and the eventfd that wakes a reactor.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub const READ: u32 = libc::EPOLLIN as u32;
pub const WRITE: u32 = libc::EPOLLOUT as u32;
pub const PEER_CLOSED: u32 = libc::EPOLLRDHUP as u32;
pub const ERROR: u32 = libc::EPOLLERR as u32;
pub const HANG_UP: u32 = libc::EPOLLHUP as u32;
pub const EDGE: u32 = libc::EPOLLET as u32;

/// Turns the -1 of a system call into its errno.
pub fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// What became ready: the token it was added with, and flags.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub token: u64,
    pub flags: u32,
}

/// An epoll instance; owns only its own descriptor. A descriptor that was added leaves by `remove` or its close.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    /// The kernel has epoll_pwait2 (Linux 5.11), which waits for less than whole milliseconds.
    is_precise: bool,
}

impl Poller {
    const BATCH: usize = 1024;

    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Self {
            // SAFETY: `fd` was just created and nothing else owns it.
            epoll: unsafe { OwnedFd::from_raw_fd(fd) },
            events: Vec::with_capacity(Self::BATCH),
            is_precise: true,
        })
    }

    pub fn add(&self, fd: BorrowedFd<'_>, token: u64, flags: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, flags)
    }

    pub fn modify(&self, fd: BorrowedFd<'_>, token: u64, flags: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, flags)
    }

    /// Fails only for a descriptor that was not added, which needs no care.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0, 0);
    }

    fn control(
        &self,
        operation: i32,
        fd: BorrowedFd<'_>,
        token: u64,
        flags: u32,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: flags,
            u64: token,
        };
        // SAFETY: both descriptors are open (borrowed) and `event` is valid for the length of the call.
        check(unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                operation,
                fd.as_raw_fd(),
                &mut event,
            )
        })
        .map(drop)
    }

    /// Waits up to `timeout_us` (`None`: for ever) and replaces `ready` with what is ready. An interruption is an empty answer.
    pub fn wait(&mut self, timeout_us: Option<u64>, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        let mut result = if self.is_precise {
            self.wait_precisely(timeout_us)
        } else {
            self.wait_roughly(timeout_us)
        };
        if self.is_precise
            && let Err(error) = &result
            // EPERM: a sandbox that does not know the call.
            && matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
        {
            self.is_precise = false;
            result = self.wait_roughly(timeout_us);
        }
        let count = match result {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        // SAFETY: the kernel filled the first `count` events, and `count` is at most BATCH, the capacity.
        unsafe { self.events.set_len(count) };
        ready.extend(self.events.iter().map(|event| Ready {
            token: event.u64,
            flags: event.events,
        }));
        Ok(())
    }
}

impl Poller {
    fn wait_precisely(&mut self, timeout_us: Option<u64>) -> io::Result<libc::c_int> {
        let timeout = timeout_us.map(|us| libc::timespec {
            tv_sec: (us / 1_000_000) as libc::time_t,
            tv_nsec: (us % 1_000_000 * 1000) as libc::c_long,
        });
        let timeout = timeout
            .as_ref()
            .map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the buffer has room for BATCH events, which is what the kernel is told; the timeout is valid or null, and
        // no signal mask is given.
        let result = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                Self::BATCH as libc::c_int,
                timeout,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        check(result as libc::c_int)
    }

    fn wait_roughly(&mut self, timeout_us: Option<u64>) -> io::Result<libc::c_int> {
        let timeout_ms = timeout_us.map_or(-1, |us| us.div_ceil(1000).min(i32::MAX as u64) as i32);
        // SAFETY: the buffer has room for BATCH events, which is what the kernel is told.
        check(unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                Self::BATCH as i32,
                timeout_ms,
            )
        })
    }
}

/// Readiness of one descriptor now, as epoll flags; 0: not ready.
pub fn poll_once(fd: BorrowedFd<'_>, flags: u32) -> u32 {
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: flags as i16,
        revents: 0,
    };
    // SAFETY: one valid pollfd is passed, and the count says one.
    let result = unsafe { libc::poll(&mut entry, 1, 0) };
    // The low flags of poll and epoll have the same values on Linux.
    if result == 1 { entry.revents as u32 } else { 0 }
}

/// Wakes a reactor from another thread.
pub struct Waker {
    event: OwnedFd,
}

impl Waker {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: `fd` was just created and nothing else owns it.
        let event = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { event })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.event.as_fd()
    }

    pub fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight valid bytes are passed. A full counter (EAGAIN) means that a wake-up is pending already.
        unsafe { libc::write(self.event.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    pub fn reset(&self) {
        let mut count = [0u8; 8];
        // SAFETY: the buffer has the eight bytes that are asked for. An empty counter (EAGAIN) is fine.
        unsafe {
            libc::read(
                self.event.as_raw_fd(),
                count.as_mut_ptr().cast(),
                count.len(),
            )
        };
    }
}
