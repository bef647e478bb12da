//! System calls that the standard library has not.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// Room on a file system.
pub struct Space {
    pub block_bytes: u64,
    pub blocks: u64,
    pub free: u64,
    /// Of `free`, what is not kept for root.
    pub available: u64,
    pub inodes: u64,
    pub inodes_free: u64,
}

pub fn space(path: &str) -> io::Result<Space> {
    let path = CString::new(path)?;
    let mut info = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with a zero byte and `info` has room for what is written.
    check(unsafe { libc::statvfs(path.as_ptr(), info.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so it has filled `info`.
    let info = unsafe { info.assume_init() };
    Ok(Space {
        block_bytes: info.f_frsize,
        blocks: info.f_blocks,
        free: info.f_bfree,
        available: info.f_bavail,
        inodes: info.f_files,
        inodes_free: info.f_ffree,
    })
}

/// Names of the kernel and the machine, by the names that the QEMU guest agent gives them.
pub fn uname() -> Vec<(&'static str, String)> {
    let mut info = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: `info` has room for what is written.
    if unsafe { libc::uname(info.as_mut_ptr()) } < 0 {
        return Vec::new();
    }
    // SAFETY: the call succeeded, so it has filled `info`.
    let info = unsafe { info.assume_init() };
    let text = |field: &[libc::c_char]| {
        // SAFETY: the kernel ends each field with a zero byte.
        let name = unsafe { CStr::from_ptr(field.as_ptr()) };
        name.to_string_lossy().into_owned()
    };
    vec![
        ("kernel-release", text(&info.release)),
        ("kernel-version", text(&info.version)),
        ("machine", text(&info.machine)),
        ("host-name", text(&info.nodename)),
    ]
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    pub readable: bool,
    pub writable: bool,
    /// The other side is not there.
    pub hung_up: bool,
}

/// Waits until one of the descriptors is ready, or the time is over: then none of them is.
pub fn poll(wanted: &[(BorrowedFd<'_>, bool)], timeout: Duration) -> io::Result<Vec<Ready>> {
    let mut fds: Vec<libc::pollfd> = wanted
        .iter()
        .map(|(fd, to_write)| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: if *to_write {
                libc::POLLOUT
            } else {
                libc::POLLIN
            },
            revents: 0,
        })
        .collect();
    let ms = libc::c_int::try_from(timeout.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: `fds` is an array of as many entries as told, alive during the call.
    let result = check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, ms) });
    match result {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
        _ => {}
    }
    let ready = fds.iter().map(|fd| Ready {
        readable: fd.revents & libc::POLLIN != 0,
        writable: fd.revents & libc::POLLOUT != 0,
        hung_up: fd.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0,
    });
    Ok(ready.collect())
}

pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: `fd` is open; F_GETFL and F_SETFL take no pointer.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// SIGKILL for a process group. The caller must not have reaped its leader, so that the number is still its own.
pub fn kill_group(leader: u32) {
    if let Ok(pid) = libc::pid_t::try_from(leader)
        && pid > 1
    {
        // SAFETY: kill takes two numbers.
        unsafe { libc::kill(-pid, libc::SIGKILL) };
    }
}

/// Listens on a port of AF_VSOCK, for every CID.
pub fn listen_vsock(port: u32) -> io::Result<OwnedFd> {
    // SAFETY: socket takes three numbers.
    let fd =
        check(unsafe { libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: `fd` was opened above and nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let address = vsock_address(libc::VMADDR_CID_ANY, port);
    let length = size_of::<libc::sockaddr_vm>() as libc::socklen_t;
    // SAFETY: `address` is a whole sockaddr_vm of that length.
    check(unsafe { libc::bind(fd, (&raw const address).cast(), length) })?;
    // SAFETY: listen takes two numbers.
    check(unsafe { libc::listen(fd, 4) })?;
    Ok(socket)
}

/// The next connection and the CID that it comes from.
pub fn accept_vsock(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, u32)> {
    let mut peer = vsock_address(0, 0);
    let mut length = size_of::<libc::sockaddr_vm>() as libc::socklen_t;
    // SAFETY: `peer` has room for `length` bytes, and both live during the call.
    let fd = check(unsafe {
        libc::accept4(
            listener.as_raw_fd(),
            (&raw mut peer).cast(),
            &raw mut length,
            libc::SOCK_CLOEXEC,
        )
    })?;
    // SAFETY: `fd` was opened above and nobody else owns it.
    Ok((unsafe { OwnedFd::from_raw_fd(fd) }, peer.svm_cid))
}

fn vsock_address(cid: u32, port: u32) -> libc::sockaddr_vm {
    // SAFETY: a sockaddr_vm of zeros is valid.
    let mut address: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    address.svm_cid = cid;
    address.svm_port = port;
    address
}

/// `_IOWR('W', 6, int)` and `_IOR('W', 5, int)` of linux/watchdog.h.
const WDIOC_SETTIMEOUT: libc::c_ulong = 0xc004_5706;
const WDIOC_KEEPALIVE: libc::c_ulong = 0x8004_5705;

/// Sets the time of a watchdog device; gives what the device made of it, seconds.
pub fn watchdog_timeout(device: BorrowedFd<'_>, seconds: u32) -> io::Result<u32> {
    let mut value = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    // SAFETY: this request reads and writes one int, which lives during the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), WDIOC_SETTIMEOUT as _, &raw mut value) })?;
    Ok(u32::try_from(value).unwrap_or(seconds))
}

pub fn watchdog_feed(device: BorrowedFd<'_>) -> io::Result<()> {
    let mut value: libc::c_int = 0;
    // SAFETY: this request writes at most one int, which lives during the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), WDIOC_KEEPALIVE as _, &raw mut value) })?;
    Ok(())
}

/// Keeps SIGTERM and SIGINT from ending the process by themselves; call it before any thread begins.
pub fn block_end_signals() -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills `set`; the others read or change it after that.
    unsafe {
        check(libc::sigemptyset(set.as_mut_ptr()))?;
        check(libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM))?;
        check(libc::sigaddset(set.as_mut_ptr(), libc::SIGINT))?;
        check(libc::pthread_sigmask(
            libc::SIG_BLOCK,
            set.as_ptr(),
            std::ptr::null_mut(),
        ))?;
        Ok(set.assume_init())
    }
}

/// Waits for one of the signals.
pub fn wait_for_signal(set: &libc::sigset_t) {
    let mut signal: libc::c_int = 0;
    // SAFETY: `set` is whole, and `signal` lives during the call.
    unsafe { libc::sigwait(set, &raw mut signal) };
}
