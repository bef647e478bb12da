//! What the guest has used up: processors, memory, disks, and how long tasks wait.

mod cpu;
mod disks;
mod memory;

use cpu::{CpuTicks, CpuUsage, CpuWindow};
use disks::Disk;
use memory::{Memory, Pressure};
use serde::Serialize;
use std::fs::read_to_string;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    pub boot_id: String,
    pub uptime_seconds: u64,
    /// Null within the first second.
    pub cpu: Option<CpuUsage>,
    pub memory: Option<Memory>,
    /// Over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    pub disks: Vec<Disk>,
    pub pressure: Pressures,
}

/// Null where the kernel does not measure it.
#[derive(Debug, Serialize)]
pub struct Pressures {
    pub cpu: Option<Pressure>,
    pub memory: Option<Pressure>,
    pub io: Option<Pressure>,
}

/// Measures; `sample` must be called every few seconds.
#[derive(Debug, Default)]
pub struct Meter {
    window: Mutex<CpuWindow>,
}

impl Meter {
    pub fn sample(&self) {
        if let Some(ticks) = ticks() {
            self.lock().add(Instant::now(), ticks);
        }
    }

    pub fn read(&self) -> Resources {
        let cpu = ticks().and_then(|ticks| self.lock().usage(Instant::now(), ticks));
        Resources {
            boot_id: boot_id(),
            uptime_seconds: uptime_seconds(),
            cpu,
            memory: text("/proc/meminfo").and_then(|text| memory::parse_meminfo(&text)),
            load: text("/proc/loadavg").and_then(|text| memory::parse_loadavg(&text)),
            disks: disks::read(),
            pressure: Pressures {
                cpu: pressure("cpu"),
                memory: pressure("memory"),
                io: pressure("io"),
            },
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, CpuWindow> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn boot_id() -> String {
    text("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn uptime_seconds() -> u64 {
    text("/proc/uptime")
        .and_then(|text| text.split(['.', ' ']).next()?.parse().ok())
        .unwrap_or(0)
}

fn ticks() -> Option<CpuTicks> {
    cpu::parse_stat(&text("/proc/stat")?)
}

fn pressure(name: &str) -> Option<Pressure> {
    memory::parse_pressure(&text(&format!("/proc/pressure/{name}"))?)
}

fn text(path: &str) -> Option<String> {
    read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_this_host() {
        let meter = Meter::default();
        meter.sample();
        let resources = meter.read();
        assert_eq!(resources.boot_id.len(), 36);
        assert!(resources.uptime_seconds > 0);
        let memory = resources.memory.unwrap();
        assert!(memory.available_bytes <= memory.total_bytes);
        assert!(resources.load.is_some());
    }
}
