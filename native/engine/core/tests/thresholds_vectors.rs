//! `test/vectors/thresholds.json`, shared with the TypeScript implementation.

use serde::Deserialize;
use vmpulse_engine::thresholds::{Change, State, Thresholds};
use vmpulse_engine::timing::TimingSpec;
use vmpulse_proto::{Outcome, Reason};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    timing: VectorTiming,
    blind_after: u32,
    start_state: State,
    steps: Vec<Step>,
    end: End,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VectorTiming {
    period_ms: f64,
    success_threshold: u32,
    failure_threshold: u32,
    retry_period_ms: Option<f64>,
    down_period_ms: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Step {
    at_ms: u64,
    outcome: String,
    change: Option<Expected>,
    period_ms: u64,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    from: State,
    to: State,
    reason: Option<String>,
    streak_start_ms: u64,
    count: u32,
    last_ok_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct End {
    state: State,
    consecutive_ok: u32,
    consecutive_failed: u32,
    consecutive_inconclusive: u32,
}

#[test]
fn every_vector_holds() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../test/vectors/thresholds.json"
    );
    let text = std::fs::read_to_string(path).expect("the vectors are readable");
    let file: File = serde_json::from_str(&text).expect("the vectors are valid");
    assert!(
        file.vectors.len() >= 9,
        "only {} vectors",
        file.vectors.len()
    );
    for vector in &file.vectors {
        run(vector);
    }
}

fn run(vector: &Vector) {
    let timing = TimingSpec {
        initial_delay_ms: 0.0,
        period_ms: vector.timing.period_ms,
        timeout_ms: vector.timing.period_ms / 2.0,
        success_threshold: vector.timing.success_threshold,
        failure_threshold: vector.timing.failure_threshold,
        retry_period_ms: vector.timing.retry_period_ms,
        down_period_ms: vector.timing.down_period_ms,
    }
    .check()
    .unwrap();
    let mut thresholds = Thresholds::new(vector.start_state);
    for step in &vector.steps {
        let place = format!("{}, at {} ms", vector.name, step.at_ms);
        let change = match step.outcome.strip_prefix('!') {
            Some(code) => thresholds.fail_at_once(Reason::from_code(code).unwrap(), step.at_ms),
            None => {
                let outcome = match step.outcome.as_str() {
                    "ok" => Outcome::Ok,
                    code => Outcome::of(Reason::from_code(code).unwrap()),
                };
                thresholds.observe(outcome, step.at_ms, &timing, vector.blind_after)
            }
        };
        let expected = step.change.as_ref().map(|expected| Change {
            from: expected.from,
            to: expected.to,
            reason: expected
                .reason
                .as_deref()
                .map(|code| Reason::from_code(code).unwrap()),
            at_ms: step.at_ms,
            streak_start_ms: expected.streak_start_ms,
            count: expected.count,
            last_ok_ms: expected.last_ok_ms,
        });
        assert_eq!(change, expected, "{place}");
        assert_eq!(
            thresholds.period_us(&timing) / 1000,
            step.period_ms,
            "{place}: period"
        );
    }
    let end = &vector.end;
    assert_eq!(thresholds.state(), end.state, "{}: end", vector.name);
    assert_eq!(
        (
            thresholds.consecutive_ok,
            thresholds.consecutive_failed,
            thresholds.consecutive_inconclusive
        ),
        (
            end.consecutive_ok,
            end.consecutive_failed,
            end.consecutive_inconclusive
        ),
        "{}: counters",
        vector.name
    );
}
