//! What a reactor's thread asks of the kernel's scheduler.

use std::mem::size_of;

/// The shortest slice that Linux gives.
const SLICE_NS: u64 = 100_000;

/// `struct sched_attr` in its first version.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

/// Asks for short slices for this thread: since Linux 6.12 a thread that wakes up with a shorter slice does not wait until
/// the running one has used up its own, some milliseconds. Its share of the core stays what it is. Older kernels take it
/// and do nothing; who is refused starts probes a little later.
pub fn ask_for_short_slices() {
    const SELF: libc::pid_t = 0;
    const NO_FLAGS: libc::c_uint = 0;
    let mut attributes = Attributes::default();
    let size = size_of::<Attributes>() as libc::c_uint;
    // SAFETY: the kernel writes at most `size` bytes to `attributes`, which has them.
    let told = unsafe {
        libc::syscall(
            libc::SYS_sched_getattr,
            SELF,
            &mut attributes,
            size,
            NO_FLAGS,
        )
    };
    // With another policy somebody has decided already.
    if told != 0 || attributes.policy != libc::SCHED_OTHER as u32 {
        return;
    }
    attributes.size = size;
    attributes.runtime_ns = SLICE_NS;
    // SAFETY: `attributes` is valid and has the size that it says; the kernel only reads it.
    unsafe { libc::syscall(libc::SYS_sched_setattr, SELF, &attributes, NO_FLAGS) };
}
