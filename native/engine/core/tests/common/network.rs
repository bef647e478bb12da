//! A network of a test alone.

use std::io::{Write, stderr};
use std::mem::zeroed;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// Runs a test on a thread with a network namespace of its own, in which only loopback is there. What the test starts
/// there lives in it, and it is gone with the last of them. Without root the test is left out, which is said.
pub fn in_own_network(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // SAFETY: no pointers are passed; only this thread changes its namespace.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } == -1 {
            let error = std::io::Error::last_os_error();
            return skip(&format!("no network namespace can be made: {error}"));
        }
        loopback_up();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Says that a test is left out, past the capture of its output.
pub fn skip(why: &str) {
    let name = std::thread::current().name().map(str::to_owned);
    let _ = writeln!(
        stderr(),
        "skipped {}: {why}",
        name.as_deref().unwrap_or("a test")
    );
}

fn loopback_up() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // SAFETY: an ifreq of zeros is valid, and both calls get a valid one of the size they expect.
    unsafe {
        let mut request: libc::ifreq = zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        let fd = socket.as_raw_fd();
        assert_eq!(libc::ioctl(fd, libc::SIOCGIFFLAGS, &mut request), 0);
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        assert_eq!(libc::ioctl(fd, libc::SIOCSIFFLAGS, &request), 0);
    }
}
