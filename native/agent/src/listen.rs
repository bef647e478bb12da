//! The two ways by which a host reaches the agent.

use crate::agent::{Agent, Peer};
use crate::stream::{End, serve};
use crate::sys;
use std::fs::{File, OpenOptions, read_dir, read_to_string};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Conversations by vsock at once; further ones are closed.
const MAX_CONNECTIONS: usize = 8;
/// A vsock connection that says nothing for this long is closed.
const IDLE: Duration = Duration::from_secs(300);
/// Until a port or device that is not there is looked for again.
const RETRY: Duration = Duration::from_secs(2);

/// Serves the virtio port of that name for as long as the process runs.
pub fn virtio(name: &str, agent: &Agent) -> ! {
    let mut told = false;
    loop {
        let error = match open_port(name) {
            Ok(mut file) => {
                eprintln!("vmpulse-agent: serving the virtio port {name}");
                told = false;
                serve(&mut file, agent, Peer::VirtioPort, End::MayComeBack, IDLE).err()
            }
            Err(error) => Some(error),
        };
        if let (Some(error), false) = (error, told) {
            eprintln!("vmpulse-agent: virtio port {name}: {error}");
            told = true;
        }
        thread::sleep(RETRY);
    }
}

fn open_port(name: &str) -> io::Result<File> {
    let device = find_port(Path::new("/sys/class/virtio-ports"), name)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "this VM has no such port"))?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(device)
}

/// The device of the port with that name; udev's links are not everywhere.
fn find_port(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = read_dir(folder).ok()?;
    let port = entries.flatten().find(|entry| {
        read_to_string(entry.path().join("name")).is_ok_and(|text| text.trim_end() == name)
    })?;
    Some(Path::new("/dev").join(port.file_name()))
}

/// Serves a port of AF_VSOCK for as long as the process runs.
pub fn vsock(port: u32, agent: &Arc<Agent>) -> ! {
    let mut told = false;
    loop {
        // Without the kernel's module there is no such family until it is loaded.
        if let Err(error) = accept_all(port, agent)
            && !told
        {
            eprintln!("vmpulse-agent: vsock port {port}: {error}");
            told = true;
        }
        thread::sleep(RETRY);
    }
}

fn accept_all(port: u32, agent: &Arc<Agent>) -> io::Result<()> {
    let listener = sys::listen_vsock(port)?;
    eprintln!("vmpulse-agent: listening on vsock port {port}");
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let (socket, cid) = sys::accept_vsock(listener.as_fd())?;
        if open.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
            continue;
        }
        sys::set_nonblocking(socket.as_fd())?;
        open.fetch_add(1, Ordering::Relaxed);
        let (agent, open) = (Arc::clone(agent), Arc::clone(&open));
        thread::spawn(move || {
            let peer = Peer::Vsock { cid };
            // The peer's trouble is its own.
            let _ = serve(&mut File::from(socket), &agent, peer, End::Closes, IDLE);
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_port_by_its_name() {
        let folder = std::env::temp_dir().join(format!("vmpulse-ports-{}", std::process::id()));
        for (port, name) in [
            ("vport1p1", "org.qemu.guest_agent.0"),
            ("vport1p2", "org.vmpulse.agent.0"),
        ] {
            std::fs::create_dir_all(folder.join(port)).unwrap();
            std::fs::write(folder.join(port).join("name"), format!("{name}\n")).unwrap();
        }
        let found = find_port(&folder, "org.vmpulse.agent.0");
        assert_eq!(found, Some(PathBuf::from("/dev/vport1p2")));
        assert_eq!(find_port(&folder, "org.vmpulse"), None);
        assert_eq!(find_port(Path::new("/no/such"), "x"), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
