//! What the guest checks by itself, round after round.

use crate::child::{self, End, Limits};
use crate::config::{self, Check};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const SYSTEMCTL: [&str; 2] = ["/usr/bin/systemctl", "/bin/systemctl"];
/// A round may take that much longer than its checks together; then it hangs.
const SLACK: Duration = Duration::from_secs(10);
/// Kept of what a failed command said.
const MAX_SAID: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No round has ended yet.
    Unknown,
    Ok,
    Failed,
    /// The checks themselves do not end, for example at a disk that does not answer.
    Stuck,
}

#[derive(Debug, Default)]
struct State {
    ended_at: Option<Instant>,
    failed_rounds: u32,
    /// Every check has passed in one round.
    was_ok: bool,
    /// Why each check failed in the last round; `None`: it passed.
    results: Vec<(String, Option<String>)>,
}

pub struct Health {
    config: config::Health,
    begun_at: Instant,
    state: Mutex<State>,
}

impl Health {
    pub fn new(config: config::Health) -> Self {
        Self {
            config,
            begun_at: Instant::now(),
            state: Mutex::default(),
        }
    }

    pub fn period(&self) -> Duration {
        Duration::from_secs(self.config.period_seconds)
    }

    /// Does every check once.
    pub fn round(&self) {
        let timeout = Duration::from_secs(self.config.timeout_seconds);
        let results: Vec<_> = self
            .config
            .checks
            .iter()
            .map(|check| (check.name.clone(), run(check, timeout).err()))
            .collect();
        let mut state = self.lock();
        if results.iter().any(|(_, failure)| failure.is_some()) {
            state.failed_rounds = state.failed_rounds.saturating_add(1);
        } else {
            state.failed_rounds = 0;
            state.was_ok = true;
        }
        state.results = results;
        state.ended_at = Some(Instant::now());
    }

    pub fn verdict(&self) -> Verdict {
        self.judge(&self.lock(), Instant::now())
    }

    /// Whether a watchdog may be fed: the checks pass now, and have passed before.
    pub fn may_feed(&self) -> bool {
        let state = self.lock();
        state.was_ok && self.judge(&state, Instant::now()) == Verdict::Ok
    }

    /// What is told to the host.
    pub fn report(&self) -> Value {
        let state = self.lock();
        let status = match self.judge(&state, Instant::now()) {
            Verdict::Unknown => "unknown",
            Verdict::Ok => "ok",
            Verdict::Failed => "failed",
            Verdict::Stuck => "stuck",
        };
        let checks: Vec<Value> = state
            .results
            .iter()
            .map(|(name, failure)| match failure {
                None => json!({ "name": name, "ok": true }),
                Some(text) => json!({ "name": name, "ok": false, "message": text }),
            })
            .collect();
        json!({ "status": status, "failedRounds": state.failed_rounds, "checks": checks })
    }

    fn judge(&self, state: &State, now: Instant) -> Verdict {
        let checks = u32::try_from(self.config.checks.len()).unwrap_or(u32::MAX);
        let round = Duration::from_secs(self.config.timeout_seconds).saturating_mul(checks);
        let last = state.ended_at.unwrap_or(self.begun_at);
        if now.duration_since(last) > self.period() + round + SLACK {
            return Verdict::Stuck;
        }
        match state.ended_at {
            None => Verdict::Unknown,
            Some(_) if state.failed_rounds >= self.config.failures => Verdict::Failed,
            Some(_) => Verdict::Ok,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(check: &Check, timeout: Duration) -> Result<(), String> {
    if let Some(argv) = &check.command {
        return command(argv, timeout);
    }
    if let Some(unit) = &check.unit {
        let systemctl = SYSTEMCTL
            .iter()
            .find(|path| Path::new(path).exists())
            .ok_or("there is no systemctl here")?;
        let argv = [*systemctl, "is-active", "--", unit].map(str::to_owned);
        return command(&argv, timeout);
    }
    match &check.writable {
        Some(folder) => writable(Path::new(folder)).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

fn command(argv: &[String], timeout: Duration) -> Result<(), String> {
    let limits = Limits {
        timeout,
        max_output: MAX_SAID,
    };
    let running =
        child::start(argv, Vec::new()).map_err(|error| format!("{}: {error}", argv[0]))?;
    let ended = running.finish(&limits);
    let how = match ended.end {
        End::Code(0) => return Ok(()),
        End::Code(code) => format!("ended with status {code}"),
        End::Signal(signal) => format!("ended by signal {signal}"),
        End::TimedOut => format!("took longer than {} s", timeout.as_secs()),
    };
    let said = if ended.stderr.bytes.is_empty() {
        ended.stdout.bytes
    } else {
        ended.stderr.bytes
    };
    let said = String::from_utf8_lossy(&said);
    Err(format!("{how}: {}", said.trim())
        .trim_end_matches([':', ' '])
        .to_owned())
}

/// Writes a file through to the disk and removes it. A disk that does not answer holds this up for as long.
fn writable(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".vmpulse-agent-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file: File| {
            file.write_all(b"vmpulse")?;
            file.sync_all()
        });
    match std::fs::remove_file(&path) {
        Ok(()) => written,
        Err(error) => written.and(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(checks: Vec<Check>) -> Health {
        Health::new(config::Health {
            failures: 2,
            checks,
            ..config::Health::default()
        })
    }

    fn check(name: &str, command: &[&str]) -> Check {
        Check {
            name: name.to_owned(),
            command: Some(command.iter().map(|&word| word.to_owned()).collect()),
            unit: None,
            writable: None,
        }
    }

    fn folder_check(folder: &str) -> Check {
        Check {
            name: "data".to_owned(),
            command: None,
            unit: None,
            writable: Some(folder.to_owned()),
        }
    }

    #[test]
    fn without_checks_it_is_well_once_a_round_has_ended() {
        let health = health(Vec::new());
        assert_eq!(health.verdict(), Verdict::Unknown);
        assert!(!health.may_feed());
        health.round();
        assert_eq!(health.verdict(), Verdict::Ok);
        assert!(health.may_feed());
    }

    #[test]
    fn fails_after_so_many_rounds_and_says_why() {
        let folder = std::env::temp_dir();
        let flag = folder.join(format!("vmpulse-health-{}", std::process::id()));
        std::fs::write(&flag, "").unwrap();
        let test = [
            "/bin/sh",
            "-c",
            &format!("test -e {} || {{ echo gone >&2; exit 4; }}", flag.display()),
        ];
        let health = health(vec![
            check("flag", &test),
            folder_check(folder.to_str().unwrap()),
        ]);
        health.round();
        assert_eq!(health.verdict(), Verdict::Ok);
        std::fs::remove_file(&flag).unwrap();
        health.round();
        assert!(health.may_feed(), "one failed round is not enough");
        health.round();
        assert_eq!(health.verdict(), Verdict::Failed);
        assert!(!health.may_feed());
        let expected = json!({ "status": "failed", "failedRounds": 2, "checks": [
            { "name": "flag", "ok": false, "message": "ended with status 4: gone" },
            { "name": "data", "ok": true },
        ] });
        assert_eq!(health.report(), expected);
        std::fs::write(&flag, "").unwrap();
        health.round();
        assert!(health.may_feed());
        std::fs::remove_file(&flag).unwrap();
    }

    #[test]
    fn a_guest_that_was_never_well_does_not_arm_its_watchdog() {
        let health = health(vec![check("no", &["/bin/false"])]);
        health.round();
        assert_eq!(health.verdict(), Verdict::Ok);
        assert!(!health.may_feed());
    }

    #[test]
    fn checks_that_do_not_end_are_stuck() {
        let health = health(vec![check("a", &["/bin/true"])]);
        health.round();
        let state = health.lock();
        let late = |seconds| Instant::now() + Duration::from_secs(seconds);
        // 10 s period, 5 s for the check, 10 s slack.
        assert_eq!(health.judge(&state, late(24)), Verdict::Ok);
        assert_eq!(health.judge(&state, late(27)), Verdict::Stuck);
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_writable() {
        assert!(run(&folder_check("/no/such/folder"), Duration::from_secs(1)).is_err());
        assert!(run(&folder_check("/proc"), Duration::from_secs(1)).is_err());
    }
}
