//! The two clocks of the engine.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds of `CLOCK_MONOTONIC`. Absolute, so that a probe keeps its phase when the process restarts.
pub fn mono_us() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid, writable timespec for the length of the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    assert_eq!(result, 0, "CLOCK_MONOTONIC exists on every Linux");
    // Both fields of the monotonic clock are never negative.
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

/// Wall-clock milliseconds since 1970, for everything that is stored or shown.
pub fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_millis() as u64)
}

/// Wall-clock microseconds since 1970, to be compared with the kernel's times of packets.
pub fn wall_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_micros() as u64)
}
