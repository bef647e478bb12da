//! Processor time, from /proc/stat.

use serde::Serialize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Shares are told over about this long.
const WINDOW: Duration = Duration::from_secs(15);

/// Ticks since the boot, all processors together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTicks {
    pub busy: u64,
    pub idle: u64,
    pub iowait: u64,
    pub steal: u64,
    pub cpus: u32,
}

/// Shares of all processor time within a window, percent.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CpuUsage {
    pub window_ms: u64,
    pub cpus: u32,
    /// Neither idle nor waiting for a disk; stolen time is not used either.
    pub used_percent: f64,
    pub iowait_percent: f64,
    pub steal_percent: f64,
}

/// Reads /proc/stat: user nice system idle iowait irq softirq steal.
pub fn parse_stat(text: &str) -> Option<CpuTicks> {
    let all = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = all
        .split_ascii_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
    let cpus = text
        .lines()
        .filter(|line| {
            line.strip_prefix("cpu")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .count();
    (ticks.len() >= 4).then(|| CpuTicks {
        busy: [0, 1, 2, 5, 6]
            .iter()
            .fold(0, |sum: u64, &i| sum.saturating_add(at(i))),
        idle: at(3),
        iowait: at(4),
        steal: at(7),
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
    })
}

/// The samples of the last seconds.
#[derive(Debug, Default)]
pub struct CpuWindow {
    samples: VecDeque<(Instant, CpuTicks)>,
}

impl CpuWindow {
    /// Adds a sample; those older than the window go, but for the youngest of them.
    pub fn add(&mut self, now: Instant, ticks: CpuTicks) {
        self.samples.push_back((now, ticks));
        while self.samples.len() > 2 && now.duration_since(self.samples[1].0) >= WINDOW {
            self.samples.pop_front();
        }
    }

    /// Shares from the oldest sample until now; undefined before a second has passed.
    pub fn usage(&self, now: Instant, ticks: CpuTicks) -> Option<CpuUsage> {
        let (since, first) = *self.samples.front()?;
        let window = now.duration_since(since);
        if window < Duration::from_secs(1) {
            return None;
        }
        let spent = |of: fn(&CpuTicks) -> u64| of(&ticks).saturating_sub(of(&first));
        // iowait may go backwards (proc(5)); a share is never below 0.
        let (busy, iowait) = (spent(|t| t.busy), spent(|t| t.iowait));
        let (idle, steal) = (spent(|t| t.idle), spent(|t| t.steal));
        let all = (busy + iowait + idle + steal).max(1);
        let percent = |part: u64| (part as f64 * 1000.0 / all as f64).round() / 10.0;
        Some(CpuUsage {
            window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
            cpus: ticks.cpus,
            used_percent: percent(busy),
            iowait_percent: percent(iowait),
            steal_percent: percent(steal),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 10 40 800 30 5 5 10 0 0\ncpu0 50 5 20 400 15 2 2 5 0 0\ncpu1 50 5 20 400 15 3 3 5 0 0\nintr 1\n";

    #[test]
    fn reads_the_sum_line() {
        let ticks = parse_stat(STAT).unwrap();
        assert_eq!((ticks.busy, ticks.idle), (160, 800));
        assert_eq!((ticks.iowait, ticks.steal, ticks.cpus), (30, 10, 2));
        assert_eq!(parse_stat("intr 5\n"), None);
        assert_eq!(parse_stat("cpu 1 2\n"), None);
    }

    #[test]
    fn tells_shares_of_the_window_and_none_too_early() {
        let start = Instant::now();
        let ticks = |busy, idle, iowait, steal| CpuTicks {
            busy,
            idle,
            iowait,
            steal,
            cpus: 1,
        };
        let mut window = CpuWindow::default();
        window.add(start, ticks(0, 0, 50, 0));
        assert_eq!(window.usage(start, ticks(0, 0, 50, 0)), None);
        let later = start + Duration::from_secs(10);
        let usage = window.usage(later, ticks(500, 250, 250, 50)).unwrap();
        assert_eq!((usage.used_percent, usage.iowait_percent), (50.0, 20.0));
        assert_eq!((usage.steal_percent, usage.window_ms), (5.0, 10_000));
        // iowait that went backwards.
        let usage = window.usage(later, ticks(500, 500, 40, 0)).unwrap();
        assert_eq!(usage.iowait_percent, 0.0);
        for second in 1..60 {
            window.add(
                start + Duration::from_secs(second),
                ticks(second * 10, 0, 50, 0),
            );
        }
        assert!(window.samples.len() <= 18);
    }
}
