//! Counters of one reactor: written by its thread alone, read by any.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use vmpulse_proto::{Outcome, Reason};

macro_rules! kinds {
    ($($variant:ident $code:literal,)+) => {
        /// What a target is probed by.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
        #[repr(u8)]
        pub enum Kind {
            $(#[serde(rename = $code)] $variant,)+
        }

        impl Kind {
            /// Every kind, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }
    };
}

kinds! {
    TcpSocket "tcpSocket",
    TcpHalfOpen "tcpHalfOpen",
    Icmp "icmp",
    Arp "arp",
    Ndp "ndp",
    HttpGet "httpGet",
    TcpExchange "tcpExchange",
    Grpc "grpc",
    Vsock "vsock",
    GuestAgentPing "guestAgentPing",
    VmState "vmState",
    VmmProcess "vmmProcess",
    External "external",
}

/// Upper bounds of the duration histogram, microseconds; one more bucket takes the rest.
pub const DURATION_BOUNDS_US: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
];
const DURATIONS: usize = DURATION_BOUNDS_US.len() + 1;
const KINDS: usize = Kind::ALL.len();
/// `ok`, then the reasons in their order.
pub const OUTCOMES: usize = Reason::ALL.len() + 1;
/// Lateness buckets: eight to a power of two, from 1 µs to 2^31 µs.
const LATENESS: usize = 32 * 8;

pub struct ShardStats {
    pub in_flight: AtomicU64,
    pub started: AtomicU64,
    pub panics: AtomicU64,
    /// It connects by io_uring.
    pub ring: AtomicBool,
    outcomes: [[AtomicU64; OUTCOMES]; KINDS],
    durations: [[AtomicU64; DURATIONS]; KINDS],
    duration_sum_us: [AtomicU64; KINDS],
    lateness: [AtomicU64; LATENESS],
    lateness_max_us: AtomicU64,
}

/// Adds without a locked instruction: the reactor is the only writer.
fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

fn zeros<const N: usize>() -> [AtomicU64; N] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

impl Default for ShardStats {
    fn default() -> Self {
        Self {
            in_flight: AtomicU64::new(0),
            started: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            ring: AtomicBool::new(false),
            outcomes: std::array::from_fn(|_| zeros()),
            durations: std::array::from_fn(|_| zeros()),
            duration_sum_us: zeros(),
            lateness: zeros(),
            lateness_max_us: AtomicU64::new(0),
        }
    }
}

impl ShardStats {
    pub fn started(&self, late_us: u64) {
        bump(&self.started, 1);
        bump(&self.lateness[lateness_bucket(late_us)], 1);
        if late_us > self.lateness_max_us.load(Ordering::Relaxed) {
            self.lateness_max_us.store(late_us, Ordering::Relaxed);
        }
    }

    pub fn panicked(&self) {
        bump(&self.panics, 1);
    }

    pub fn finished(&self, kind: Kind, outcome: Outcome, duration_us: u64) {
        let kind = kind as usize;
        bump(&self.outcomes[kind][outcome_index(outcome)], 1);
        let bucket = DURATION_BOUNDS_US.partition_point(|&bound| bound < duration_us);
        bump(&self.durations[kind][bucket], 1);
        bump(&self.duration_sum_us[kind], duration_us);
    }
}

/// 0 for ok, else the reason's place + 1.
pub fn outcome_index(outcome: Outcome) -> usize {
    outcome.reason().map_or(0, |reason| reason as usize + 1)
}

fn lateness_bucket(us: u64) -> usize {
    let us = us.clamp(1, (1 << 31) - 1);
    let power = us.ilog2() as usize;
    let eighth = if power >= 3 {
        (us >> (power - 3)) as usize & 7
    } else {
        (us << (3 - power)) as usize & 7
    };
    power * 8 + eighth
}

/// The upper edge of a bucket.
fn lateness_edge_us(bucket: usize) -> u64 {
    ((8 + bucket as u64 % 8 + 1) << (bucket / 8)) / 8
}

/// Totals of all reactors.
#[derive(Debug, Default)]
pub struct Stats {
    /// Registered; set by the calling side, which knows at once.
    pub targets: u64,
    pub in_flight: u64,
    pub started: u64,
    pub coalesced: u64,
    /// Panics of reactors, each followed by a restart unless there were too many.
    pub reactor_panics: u64,
    /// Reactors that stay down.
    pub reactors_down: u64,
    /// All reactors connect by io_uring.
    pub ring: bool,
    /// Kind, place in the list of outcomes, count; zeros are left out.
    pub outcomes: Vec<(Kind, usize, u64)>,
    /// Kind, cumulative counts by [`DURATION_BOUNDS_US`] and the rest, sum; unused kinds are left out.
    pub durations: Vec<(Kind, [u64; DURATIONS], u64)>,
    /// p50, p99, maximum since the last reading.
    pub lateness_us: [u64; 3],
}

/// Reads all reactors, and remembers what it read of the lateness, which is told by interval.
pub struct StatsReader {
    seen: Vec<u64>,
}

impl Default for StatsReader {
    fn default() -> Self {
        Self {
            seen: vec![0; LATENESS],
        }
    }
}

impl StatsReader {
    pub fn read<'a>(&mut self, shards: impl Iterator<Item = &'a ShardStats>) -> Stats {
        let mut stats = Stats {
            ring: true,
            ..Stats::default()
        };
        let mut outcomes = vec![[0u64; OUTCOMES]; KINDS];
        let mut durations = vec![[0u64; DURATIONS]; KINDS];
        let mut sums = [0u64; KINDS];
        let mut lateness = vec![0u64; LATENESS];
        let mut max_us = 0;
        for shard in shards {
            stats.in_flight += shard.in_flight.load(Ordering::Relaxed);
            stats.started += shard.started.load(Ordering::Relaxed);
            stats.reactor_panics += shard.panics.load(Ordering::Relaxed);
            stats.ring &= shard.ring.load(Ordering::Relaxed);
            for kind in 0..KINDS {
                add(&mut outcomes[kind], &shard.outcomes[kind]);
                add(&mut durations[kind], &shard.durations[kind]);
            }
            add(&mut sums, &shard.duration_sum_us);
            add(&mut lateness, &shard.lateness);
            max_us = max_us.max(shard.lateness_max_us.swap(0, Ordering::Relaxed));
        }
        for (index, kind) in Kind::ALL.iter().copied().enumerate() {
            let counts = outcomes[index].iter().enumerate();
            stats.outcomes.extend(
                counts
                    .filter(|(_, count)| **count > 0)
                    .map(|(outcome, count)| (kind, outcome, *count)),
            );
            let mut total = 0;
            for count in &mut durations[index] {
                total += *count;
                *count = total;
            }
            if total > 0 {
                stats.durations.push((kind, durations[index], sums[index]));
            }
        }
        stats.lateness_us = self.lateness(&lateness, max_us);
        stats
    }

    fn lateness(&mut self, now: &[u64], max_us: u64) -> [u64; 3] {
        let since: Vec<u64> = now.iter().zip(&self.seen).map(|(n, s)| n - s).collect();
        self.seen.copy_from_slice(now);
        let total: u64 = since.iter().sum();
        let quantile = |share: f64| {
            let mut left = (total as f64 * share).ceil() as u64;
            let bucket = since.iter().position(|&count| {
                let here = left <= count && left > 0;
                left = left.saturating_sub(count);
                here
            });
            bucket.map_or(0, |bucket| lateness_edge_us(bucket).min(max_us))
        };
        [quantile(0.5), quantile(0.99), max_us]
    }
}

fn add(into: &mut [u64], counters: &[AtomicU64]) {
    for (sum, counter) in into.iter_mut().zip(counters) {
        *sum += counter.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_cumulative_and_outcomes_are_by_reason() {
        let shard = ShardStats::default();
        shard.finished(Kind::TcpSocket, Outcome::Ok, 250);
        shard.finished(Kind::TcpSocket, Outcome::Ok, 251);
        shard.finished(
            Kind::TcpSocket,
            Outcome::Failed(Reason::ConnectionRefused),
            99_000_000,
        );
        let stats = StatsReader::default().read([&shard].into_iter());
        let refused = Reason::ConnectionRefused as usize + 1;
        assert_eq!(
            stats.outcomes,
            [(Kind::TcpSocket, 0, 2), (Kind::TcpSocket, refused, 1)]
        );
        let (_, counts, sum) = &stats.durations[0];
        assert_eq!(counts[..2], [1, 2]);
        assert_eq!(counts[DURATIONS - 1], 3);
        assert_eq!(*sum, 99_000_501);
    }

    #[test]
    fn lateness_is_by_interval() {
        let shard = ShardStats::default();
        let mut reader = StatsReader::default();
        for late in 1..=1000 {
            shard.started(late);
        }
        let [p50, p99, max] = reader.read([&shard].into_iter()).lateness_us;
        assert!((500..=563).contains(&p50), "{p50}");
        assert!((990..=1000).contains(&p99), "{p99}");
        assert_eq!(max, 1000);
        assert_eq!(reader.read([&shard].into_iter()).lateness_us, [0, 0, 0]);
    }
}
