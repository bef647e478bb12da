//! What a VMM's word on its VM means for a probe: QEMU's `query-status`, the states of REST APIs.

use crate::reason::{Outcome, Reason};
use serde::Deserialize;
use std::borrow::Cow;

macro_rules! run_states {
    ($($variant:ident $code:literal,)+) => {
        /// A run state of QEMU (`RunState` of its QMP schema).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RunState {
            $(#[doc = concat!("`", $code, "`")] $variant,)+
        }

        impl RunState {
            /// Every state.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// QEMU's name of the state.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }
    };
}

run_states! {
    Debug "debug",
    InMigrate "inmigrate",
    InternalError "internal-error",
    IoError "io-error",
    Paused "paused",
    PostMigrate "postmigrate",
    PreLaunch "prelaunch",
    FinishMigrate "finish-migrate",
    RestoreVm "restore-vm",
    Running "running",
    SaveVm "save-vm",
    Shutdown "shutdown",
    Suspended "suspended",
    Watchdog "watchdog",
    GuestPanicked "guest-panicked",
    Colo "colo",
}

impl RunState {
    /// The state of a name, or `None` for a name that this version does not know.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.code() == code)
    }

    /// What the state means when it is not an expected one.
    fn reason(self) -> Reason {
        match self {
            Self::GuestPanicked => Reason::GuestPanicked,
            Self::IoError => Reason::IoError,
            // Nobody asked for these: the guest is off, was stopped by its watchdog or by a failure of the VMM.
            // `Running` comes here only when something else is expected.
            Self::Shutdown | Self::Watchdog | Self::InternalError | Self::Running => {
                Reason::VmNotRunning
            }
            // Someone did this on purpose, or it is a step of an operation under way.
            Self::Debug
            | Self::InMigrate
            | Self::Paused
            | Self::PostMigrate
            | Self::PreLaunch
            | Self::FinishMigrate
            | Self::RestoreVm
            | Self::SaveVm
            | Self::Suspended
            | Self::Colo => Reason::Suspended,
        }
    }
}

#[derive(Deserialize)]
struct QueryStatus<'a> {
    running: bool,
    status: &'a str,
}

/// Judges the `return` value of `query-status`. `expected`: states that are ok; empty means `running`.
///
/// A state that this version does not know is ok if the VM runs and `running` is expected, else
/// inconclusive: a new name is no evidence of a fault. An answer that is no status is `api-error`.
pub fn run_state_outcome(status_json: &str, expected: &[RunState]) -> Outcome {
    let expected = if expected.is_empty() {
        &[RunState::Running]
    } else {
        expected
    };
    let Ok(answer) = serde_json::from_str::<QueryStatus<'_>>(status_json) else {
        return Outcome::of(Reason::ApiError);
    };
    match RunState::from_code(answer.status) {
        Some(state) if expected.contains(&state) => Outcome::Ok,
        Some(state) => Outcome::of(state.reason()),
        None if answer.running && expected.contains(&RunState::Running) => Outcome::Ok,
        None => Outcome::of(Reason::Suspended),
    }
}

#[derive(Deserialize)]
struct RestAnswer<'a> {
    #[serde(borrow)]
    body: RestState<'a>,
}

#[derive(Deserialize)]
struct RestState<'a> {
    #[serde(borrow)]
    state: Cow<'a, str>,
}

/// Judges the answer of Cloud Hypervisor to `vm.info`, or of Firecracker to `GET /`, for a probe that expects the VM to
/// run. `Created` is what Cloud Hypervisor says of a VM that was shut down. Unknown states as in `run_state_outcome`.
pub fn rest_state_outcome(answer_json: &str) -> Outcome {
    let Ok(answer) = serde_json::from_str::<RestAnswer<'_>>(answer_json) else {
        return Outcome::of(Reason::ApiError);
    };
    match &*answer.body.state {
        "Running" => Outcome::Ok,
        "Created" | "Shutdown" | "Not started" => Outcome::of(Reason::VmNotRunning),
        // `Paused`, `BreakPoint`: someone did this on purpose.
        _ => Outcome::of(Reason::Suspended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: &str, expected: &[RunState]) -> Outcome {
        let running = status == "running";
        run_state_outcome(
            &format!(r#"{{"status":"{status}","running":{running},"x":1}}"#),
            expected,
        )
    }

    #[test]
    fn each_state_has_its_outcome() {
        let failed = [
            ("guest-panicked", Reason::GuestPanicked),
            ("io-error", Reason::IoError),
            ("shutdown", Reason::VmNotRunning),
            ("watchdog", Reason::VmNotRunning),
            ("internal-error", Reason::VmNotRunning),
        ];
        for state in RunState::ALL.iter().map(|state| state.code()) {
            let want = match failed.iter().find(|(name, _)| *name == state) {
                Some((_, reason)) => Outcome::Failed(*reason),
                None if state == "running" => Outcome::Ok,
                None => Outcome::Inconclusive(Reason::Suspended),
            };
            assert_eq!(judge(state, &[]), want, "{state}");
        }
    }

    #[test]
    fn another_state_may_be_expected() {
        assert_eq!(judge("paused", &[RunState::Paused]), Outcome::Ok);
        assert_eq!(
            judge("shutdown", &[RunState::Running, RunState::Shutdown]),
            Outcome::Ok
        );
        assert_eq!(
            judge("running", &[RunState::Paused]),
            Outcome::Failed(Reason::VmNotRunning)
        );
    }

    #[test]
    fn unknown_states_and_answers() {
        assert_eq!(
            run_state_outcome(r#"{"running":true,"status":"new"}"#, &[]),
            Outcome::Ok
        );
        let paused = [RunState::Paused];
        for (json, expected) in [
            (r#"{"running":false,"status":"new"}"#, &[][..]),
            (r#"{"running":true,"status":"new"}"#, &paused),
        ] {
            assert_eq!(
                run_state_outcome(json, expected),
                Outcome::Inconclusive(Reason::Suspended)
            );
        }
        for json in [
            "{}",
            "[]",
            "nonsense",
            r#"{"status":"running"}"#,
            r#"{"running":1,"status":"running"}"#,
        ] {
            assert_eq!(
                run_state_outcome(json, &[]),
                Outcome::Failed(Reason::ApiError),
                "{json}"
            );
        }
    }

    #[test]
    fn states_of_rest_apis() {
        let judge = |state: &str| {
            rest_state_outcome(&format!(
                r#"{{"status":200,"body":{{"id":"x","state":"{state}"}}}}"#
            ))
        };
        assert_eq!(judge("Running"), Outcome::Ok);
        for state in ["Created", "Shutdown", "Not started"] {
            assert_eq!(
                judge(state),
                Outcome::Failed(Reason::VmNotRunning),
                "{state}"
            );
        }
        for state in ["Paused", "BreakPoint", "Dreaming"] {
            assert_eq!(
                judge(state),
                Outcome::Inconclusive(Reason::Suspended),
                "{state}"
            );
        }
        for json in [
            r#"{"status":204,"body":null}"#,
            r#"{"status":200,"body":{}}"#,
            r#"{"status":200,"body":{"state":1}}"#,
        ] {
            let error = Outcome::Failed(Reason::ApiError);
            assert_eq!(rest_state_outcome(json), error, "{json}");
        }
    }
}
