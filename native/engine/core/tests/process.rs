//! VMM processes: their end is an event, their stop a failure.

mod common;

use common::{Harness, target};
use serde_json::{Value, json};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command};
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;

/// A process that only waits, killed with the value.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the child was not reaped, so its pid is still its own.
        assert_eq!(unsafe { libc::kill(self.pid(), signal) }, 0);
    }

    fn check(&self) -> (OwnedFd, Value) {
        // SAFETY: no pointers are passed.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid(), 0) };
        assert!(fd >= 0);
        // SAFETY: the descriptor was just created and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        let check = json!({ "kind": "vmmProcess", "pidfd": fd.as_raw_fd(), "pid": self.pid() });
        (fd, check)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn patient(check: Value) -> Value {
    let mut patient = target("vmm", check);
    patient["timing"]["failureThreshold"] = json!(1000);
    patient
}

#[test]
fn a_death_is_told_at_once_whatever_the_threshold() {
    let sleeper = Sleeper::new();
    let mut harness = Harness::new();
    let (pidfd, check) = sleeper.check();
    let handle = harness.add(&[patient(check)])[0];
    // The engine has its own duplicate.
    drop(pidfd);
    harness.until(handle, State::Ok);
    sleeper.signal(libc::SIGKILL);
    let gone = harness.transition(handle);
    assert_eq!(
        (gone.change.to, gone.change.reason),
        (State::Failed, Some(Reason::ProcessGone))
    );
    assert_eq!(gone.change.count, 1);
}

#[test]
fn a_stopped_process_fails_through_the_threshold_and_recovers() {
    let sleeper = Sleeper::new();
    let mut harness = Harness::new();
    let (_pidfd, check) = sleeper.check();
    let handle = harness.add(&[target("vmm", check)])[0];
    harness.until(handle, State::Ok);
    sleeper.signal(libc::SIGSTOP);
    let stopped = harness.transition(handle);
    assert_eq!(stopped.change.reason, Some(Reason::ProcessStopped));
    assert_eq!(stopped.change.count, 2);
    sleeper.signal(libc::SIGCONT);
    assert_eq!(harness.transition(handle).change.to, State::Ok);
}

#[test]
fn a_death_during_suspension_is_told_when_it_ends() {
    let sleeper = Sleeper::new();
    let mut harness = Harness::new();
    let (_pidfd, check) = sleeper.check();
    let handle = harness.add(&[patient(check)])[0];
    harness.until(handle, State::Ok);
    harness.engine.suspend(&[handle]).unwrap();
    drop(sleeper);
    assert_eq!(harness.engine.status(handle).unwrap().state, State::Ok);
    harness.engine.resume(&[handle]).unwrap();
    assert_eq!(
        harness.transition(handle).change.reason,
        Some(Reason::ProcessGone)
    );
    // A new instance of the same dead process is dead at once, too.
    harness.engine.new_instance(&[handle]).unwrap();
    assert_eq!(harness.transition(handle).epoch, 2);
}

#[test]
fn without_a_pidfd_the_start_time_says_which_process_it_is() {
    let sleeper = Sleeper::new();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.pid())).unwrap();
    let fields = &stat[stat.rfind(')').unwrap() + 2..];
    let ticks: u64 = fields.split(' ').nth(19).unwrap().parse().unwrap();
    let check =
        |ticks: u64| json!({ "kind": "vmmProcess", "pid": sleeper.pid(), "startTimeTicks": ticks });
    let mut harness = Harness::new();
    let gone = Outcome::Failed(Reason::ProcessGone);
    assert_eq!(harness.outcome(&check(ticks), 1000.0), Outcome::Ok);
    assert_eq!(harness.outcome(&check(ticks + 1), 1000.0), gone);
    let handle = harness.add(&[patient(check(ticks))])[0];
    harness.until(handle, State::Ok);
    sleeper.signal(libc::SIGKILL);
    assert_eq!(
        harness.transition(handle).change.reason,
        Some(Reason::ProcessGone)
    );
    let check = check(ticks);
    drop(sleeper);
    assert_eq!(harness.outcome(&check, 1000.0), gone);
}
