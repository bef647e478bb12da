//! File systems that can fill up, from /proc/self/mountinfo and statvfs.

use crate::sys;
use serde::Serialize;
use std::collections::HashSet;

/// File systems that are told at most.
const MAX_DISKS: usize = 64;

/// Those without a size of their own, and those on other machines: asking one whose server is gone never ends.
const LEFT_OUT: [&str; 34] = [
    "9p",
    "afs",
    "autofs",
    "binfmt_misc",
    "bpf",
    "ceph",
    "cgroup",
    "cgroup2",
    "cifs",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "glusterfs",
    "hugetlbfs",
    "mqueue",
    "nfs",
    "nfs4",
    "nsfs",
    "nfsd",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smb3",
    "sysfs",
    "tracefs",
    "virtiofs",
];

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    pub mount: String,
    pub fs_type: String,
    pub read_only: bool,
    /// Without what is kept for root.
    pub total_bytes: u64,
    pub used_bytes: u64,
    pub available_bytes: u64,
    /// 0 where the file system has no fixed number.
    pub inodes: u64,
    pub inodes_used: u64,
}

/// One line of mountinfo, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
pub struct Mount {
    pub device: String,
    pub mount: String,
    pub fs_type: String,
    pub read_only: bool,
}

/// Reads mountinfo; each device once, where it was mounted first.
pub fn parse_mounts(text: &str) -> Vec<Mount> {
    let mut seen = HashSet::new();
    text.lines()
        .filter_map(parse_mount)
        .filter(|mount| !is_left_out(&mount.fs_type) && seen.insert(mount.device.clone()))
        .take(MAX_DISKS)
        .collect()
}

fn is_left_out(fs_type: &str) -> bool {
    LEFT_OUT.contains(&fs_type) || fs_type.starts_with("fuse.")
}

/// `36 35 98:0 /root /mount rw,noatime master:1 - ext4 /dev/root rw`
fn parse_mount(line: &str) -> Option<Mount> {
    let (head, tail) = line.split_once(" - ")?;
    let mut fields = head.split(' ').skip(2);
    let device = fields.next()?.to_owned();
    let mount = unescape(fields.nth(1)?);
    let options = fields.next()?;
    let mut tail = tail.split(' ');
    let fs_type = tail.next()?.to_owned();
    let super_options = tail.nth(1).unwrap_or("");
    let read_only = [options, super_options]
        .iter()
        .any(|list| list.split(',').any(|option| option == "ro"));
    Some(Mount {
        device,
        mount,
        fs_type,
        read_only,
    })
}

/// Blank, tab, newline and backslash are written as `\040` and so on.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is mounted now, and how full it is.
pub fn read() -> Vec<Disk> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    parse_mounts(&text)
        .into_iter()
        .filter_map(measure)
        .collect()
}

fn measure(mount: Mount) -> Option<Disk> {
    let space = sys::space(&mount.mount).ok()?;
    if space.blocks == 0 {
        return None;
    }
    let bytes = |blocks: u64| blocks.saturating_mul(space.block_bytes);
    let used = space.blocks.saturating_sub(space.free);
    Some(Disk {
        total_bytes: bytes(used.saturating_add(space.available)),
        used_bytes: bytes(used),
        available_bytes: bytes(space.available),
        inodes: space.inodes,
        inodes_used: space.inodes.saturating_sub(space.inodes_free),
        mount: mount.mount,
        fs_type: mount.fs_type,
        read_only: mount.read_only,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_can_fill_up_once() {
        let text = "\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
23 22 0:21 / /proc rw - proc proc rw\n\
24 22 8:1 /srv /mnt/bind rw - ext4 /dev/sda1 rw\n\
25 22 0:40 / /data\\040one rw shared:7 - tmpfs tmpfs rw,size=8192k\n\
26 22 0:41 / /media ro - iso9660 /dev/sr0 ro\n\
27 22 0:42 / /home rw - nfs4 server:/home rw\n\
28 22 0:43 / /x rw - fuse.sshfs me@there:/ rw\n\
rubbish\n";
        let mounts = parse_mounts(text);
        let names: Vec<_> = mounts
            .iter()
            .map(|m| (m.mount.as_str(), m.fs_type.as_str(), m.read_only))
            .collect();
        assert_eq!(
            names,
            [
                ("/", "ext4", false),
                ("/data one", "tmpfs", false),
                ("/media", "iso9660", true)
            ]
        );
    }

    #[test]
    fn names_are_unescaped_whatever_is_in_them() {
        assert_eq!(unescape("a\\040b\\134c"), "a b\\c");
        assert_eq!(unescape("a\\04"), "a\\04");
        assert_eq!(unescape("\\999é"), "\\999é");
    }

    #[test]
    fn measures_this_host() {
        let disks = read();
        assert!(disks.iter().all(|disk| disk.used_bytes <= disk.total_bytes));
    }
}
