//! What QEMU's `query-status` means for a probe.

use crate::reason::Outcome;

/// A run state of QEMU, for example `running`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    Running,
}

/// Judges the `return` value of `query-status`. `expected`: states that are ok; empty means `running`.
pub fn run_state_outcome(_status_json: &str, _expected: &[RunState]) -> Outcome {
    todo!()
}
