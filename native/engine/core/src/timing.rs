//! When a target is probed: periods, and the phase that spreads starts over the period.

use serde::Deserialize;

/// Longest period, timeout or delay: 30 days.
const MAX_MS: f64 = 30.0 * 24.0 * 3600.0 * 1000.0;
const MIN_PERIOD_MS: f64 = 50.0;

/// Timing as the caller gives it, milliseconds (`ProbeTiming` of the model).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimingSpec {
    #[serde(default)]
    pub initial_delay_ms: f64,
    pub period_ms: f64,
    pub timeout_ms: f64,
    pub success_threshold: u32,
    pub failure_threshold: u32,
    pub retry_period_ms: Option<f64>,
    pub down_period_ms: Option<f64>,
}

/// Checked timing, microseconds. Shared by all targets that have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    pub initial_delay_us: u64,
    pub period_us: u64,
    pub timeout_us: u64,
    pub success_threshold: u32,
    pub failure_threshold: u32,
    pub retry_period_us: u64,
    pub down_period_us: u64,
}

impl TimingSpec {
    /// Checks ranges; the message names the field.
    pub fn check(&self) -> Result<Timing, String> {
        let period_us = micros("periodMs", self.period_ms, MIN_PERIOD_MS)?;
        let optional = |name, value: Option<f64>| {
            value.map_or(Ok(period_us), |ms| micros(name, ms, MIN_PERIOD_MS))
        };
        let timeout_us = micros("timeoutMs", self.timeout_ms, 1.0)?;
        if timeout_us >= period_us {
            return Err(format!(
                "timeoutMs {} must be less than periodMs {}",
                self.timeout_ms, self.period_ms
            ));
        }
        Ok(Timing {
            initial_delay_us: micros("initialDelayMs", self.initial_delay_ms, 0.0)?,
            period_us,
            timeout_us,
            success_threshold: threshold("successThreshold", self.success_threshold)?,
            failure_threshold: threshold("failureThreshold", self.failure_threshold)?,
            retry_period_us: optional("retryPeriodMs", self.retry_period_ms)?,
            down_period_us: optional("downPeriodMs", self.down_period_ms)?,
        })
    }
}

/// Checks a duration and turns it into microseconds.
pub fn micros(name: &str, ms: f64, least_ms: f64) -> Result<u64, String> {
    if ms.is_finite() && (least_ms..=MAX_MS).contains(&ms) {
        Ok((ms * 1000.0) as u64)
    } else {
        Err(format!(
            "{name} {ms} is not between {least_ms} and {MAX_MS} (30 days)"
        ))
    }
}

fn threshold(name: &str, value: u32) -> Result<u32, String> {
    if (1..=1_000_000).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{name} {value} is not between 1 and 1000000"))
    }
}

impl Timing {
    /// The first start: in phase, at or after the initial delay, at most one period later.
    pub fn first_start(&self, now_us: u64, id_hash: u64) -> u64 {
        in_phase(now_us + self.initial_delay_us, self.period_us, id_hash)
    }

    /// The first start from now on when a period (the normal one or another) begins to apply.
    pub fn start_from(&self, now_us: u64, period_us: u64, id_hash: u64) -> u64 {
        if period_us == self.period_us {
            in_phase(now_us, period_us, id_hash)
        } else {
            now_us + period_us
        }
    }

    /// The start after one that was scheduled at `scheduled_us`, given the period that applies now.
    ///
    /// On the normal period the target keeps (or comes back to) its phase; starts that were missed are left out.
    pub fn next_start(&self, scheduled_us: u64, period_us: u64, now_us: u64, id_hash: u64) -> u64 {
        if period_us == self.period_us {
            let earliest = (scheduled_us + period_us / 2).max(now_us);
            in_phase(earliest, period_us, id_hash)
        } else {
            (scheduled_us + period_us).max(now_us)
        }
    }
}

/// The first instant at or after `earliest_us` that has the phase of `id_hash` in the period.
fn in_phase(earliest_us: u64, period_us: u64, id_hash: u64) -> u64 {
    let phase = id_hash % period_us;
    let offset = earliest_us % period_us;
    earliest_us + (phase + period_us - offset) % period_us
}

/// 64-bit hash of a target's id: FNV-1a, then mixed so that its remainders are even. Stable across versions.
pub fn id_hash(id: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(period_ms: f64, timeout_ms: f64) -> TimingSpec {
        TimingSpec {
            initial_delay_ms: 0.0,
            period_ms,
            timeout_ms,
            success_threshold: 1,
            failure_threshold: 3,
            retry_period_ms: Some(200.0),
            down_period_ms: None,
        }
    }

    #[test]
    fn a_steady_target_starts_once_a_period_in_its_phase() {
        let timing = spec(1000.0, 100.0).check().unwrap();
        let hash = id_hash("default/web-1/readiness");
        let mut start = timing.first_start(5_000_123, hash);
        assert!((5_000_123..6_000_123).contains(&start));
        for _ in 0..5 {
            let next = timing.next_start(start, timing.period_us, start + 40_000, hash);
            assert_eq!(next, start + 1_000_000);
            start = next;
        }
        // A restart of the process meets the same phase.
        assert_eq!(timing.first_start(start + 1, hash), start + 1_000_000);
    }

    #[test]
    fn the_phase_returns_after_a_retry_and_missed_starts_are_left_out() {
        let timing = spec(1000.0, 100.0).check().unwrap();
        let hash = id_hash("a");
        let start = timing.first_start(0, hash);
        let retry = timing.next_start(start, timing.retry_period_us, start + 1000, hash);
        assert_eq!(retry, start + 200_000);
        let back = timing.next_start(retry, timing.period_us, retry + 1000, hash);
        assert_eq!(back, start + 1_000_000);
        let late = timing.next_start(start, timing.period_us, start + 3_300_000, hash);
        assert_eq!(late, start + 4_000_000);
    }

    #[test]
    fn phases_are_even_over_the_period() {
        let mut buckets = [0u32; 10];
        for target in 0..10_000 {
            let phase = id_hash(&format!("default/vm-{target}/liveness")) % 10_000_000;
            buckets[(phase / 1_000_000) as usize] += 1;
        }
        assert!(
            buckets.iter().all(|&count| (850..1150).contains(&count)),
            "{buckets:?}"
        );
    }

    #[test]
    fn wrong_timing_is_named() {
        let message = |spec: TimingSpec| spec.check().unwrap_err();
        assert!(message(spec(49.0, 10.0)).starts_with("periodMs 49 "));
        assert!(message(spec(f64::NAN, 10.0)).starts_with("periodMs NaN "));
        assert_eq!(
            message(spec(50.0, 50.0)),
            "timeoutMs 50 must be less than periodMs 50"
        );
        let mut zero = spec(1000.0, 100.0);
        zero.failure_threshold = 0;
        assert_eq!(
            message(zero),
            "failureThreshold 0 is not between 1 and 1000000"
        );
    }
}
