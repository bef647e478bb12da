//! The file or fifo that a VMM writes its events to.

use std::fs::{self, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// A plain file that grows while its writer lives.
pub struct EventSource {
    path: Arc<Path>,
    identity: (u64, u64),
    /// Bytes that were read or left out.
    pub position: u64,
}

/// Opens it for reading without waiting. `at_end`: what a file holds is left out; a fifo holds only what is new.
pub fn open(path: &Arc<Path>, at_end: bool) -> io::Result<(OwnedFd, Option<EventSource>)> {
    let kind = fs::metadata(path)?.file_type();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    if kind.is_fifo() {
        // A writer of our own: without it the fifo would be at its end whenever the VMM is not there.
        let file = options.write(true).open(path)?;
        return Ok((file.into(), None));
    }
    if !kind.is_file() {
        return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
    }
    let mut file = options.open(path)?;
    let metadata = file.metadata()?;
    let position = if at_end {
        file.seek(SeekFrom::End(0))?
    } else {
        0
    };
    let source = EventSource {
        path: Arc::clone(path),
        identity: (metadata.dev(), metadata.ino()),
        position,
    };
    Ok((file.into(), Some(source)))
}

impl EventSource {
    /// Whether the path still leads to this file, and the file still holds what was read.
    pub fn is_current(&self) -> bool {
        fs::metadata(&self.path)
            .is_ok_and(|now| (now.dev(), now.ino()) == self.identity && now.len() >= self.position)
    }
}
