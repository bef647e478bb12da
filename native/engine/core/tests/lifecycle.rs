//! Suspension, instances, external targets, snapshots, wrong arguments.

mod common;

use common::{Harness, target, tcp};
use serde_json::{Value, json};
use std::net::TcpListener;
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;
use vmpulse_engine::{Answer, EngineOptions, ErrorCode, ReactorChoice};

with_either_reactor!(
    a_suspended_target_is_not_probed,
    a_new_instance_begins_afresh_and_old_reports_are_stale,
    timing_can_change_while_a_target_runs,
    probes_outside_the_schedule_do_not_move_thresholds,
    after_close_everything_says_so,
);

/// Slower than other targets, so that reports of a busy test are in time.
fn external(id: &str) -> Value {
    let mut external = target(id, json!({ "kind": "external" }));
    external["timing"]["periodMs"] = json!(300);
    external["timing"]["timeoutMs"] = json!(290);
    external
}

fn due(harness: &mut Harness, handle: u32) -> u32 {
    harness.wait("a due", |seen| {
        let at = seen.dues.iter().position(|due| due.handle == handle)?;
        Some(seen.dues.remove(at).epoch)
    })
}

/// Reports ok for each due until one counts: a report may come after the deadline of its due.
fn report_until_ok(harness: &mut Harness, handle: u32) {
    while harness.engine.status(handle).unwrap().state != State::Ok {
        let epoch = due(harness, handle);
        assert!(
            harness
                .engine
                .report(handle, epoch, Outcome::Ok, 0.0)
                .unwrap()
        );
    }
}

#[test]
fn external_targets_are_scheduled_and_counted() {
    let mut harness = Harness::new();
    let handle = harness.add(&[external("x")])[0];
    for _ in 0..2 {
        let epoch = due(&mut harness, handle);
        let failed = Outcome::Failed(Reason::ExecNonzero);
        assert!(harness.engine.report(handle, epoch, failed, 3.0).unwrap());
    }
    let transition = harness.transition(handle);
    assert_eq!(transition.change.to, State::Failed);
    assert_eq!(transition.change.reason, Some(Reason::ExecNonzero));
    assert_eq!(transition.duration_us, 3000);
    assert!(!harness.engine.report(handle, 99, Outcome::Ok, 1.0).unwrap());
}

#[test]
fn an_external_target_that_nobody_reports_for_turns_blind() {
    let mut harness = Harness::with(EngineOptions::default());
    let handle = harness.add(&[external("x")])[0];
    let transition = harness.transition(handle);
    assert_eq!(transition.change.to, State::Blind);
    assert_eq!(transition.change.reason, Some(Reason::ProberLate));
    assert_eq!(transition.change.count, 3);
    report_until_ok(&mut harness, handle);
    assert_eq!(harness.transition(handle).change.from, State::Blind);
}

fn a_new_instance_begins_afresh_and_old_reports_are_stale(reactor: ReactorChoice) {
    let mut harness = Harness::on(reactor);
    let handle = harness.add(&[external("x")])[0];
    let first = due(&mut harness, handle);
    assert!(
        harness
            .engine
            .report(handle, first, Outcome::Ok, 0.0)
            .unwrap()
    );
    harness.until(handle, State::Ok);
    harness.engine.new_instance(&[handle]).unwrap();
    let status = harness.engine.status(handle).unwrap();
    assert_eq!((status.epoch, status.state), (first + 1, State::Unknown));
    assert_eq!((status.consecutive_ok, status.last_ok_ms), (0, 0));
    assert!(
        !harness
            .engine
            .report(handle, first, Outcome::Ok, 0.0)
            .unwrap()
    );
    harness.seen.dues.clear();
    assert_eq!(due(&mut harness, handle), first + 1);
}

fn a_suspended_target_is_not_probed(reactor: ReactorChoice) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut harness = Harness::on(reactor);
    let handle = harness.add(&[target("a", tcp(server.local_addr().unwrap()))])[0];
    harness.until(handle, State::Ok);
    harness.engine.suspend(&[handle]).unwrap();
    assert!(harness.engine.status(handle).unwrap().suspended);
    let before = harness.engine.stats().unwrap().started;
    // Other targets go on for several of its periods meanwhile.
    let other = harness.add(&[external("clock")])[0];
    for _ in 0..4 {
        let epoch = due(&mut harness, other);
        let outcome = Outcome::Ok;
        harness.engine.report(other, epoch, outcome, 0.0).unwrap();
    }
    let dues = 4 + harness.seen.dues.len() as u64;
    let started = harness.engine.stats().unwrap().started - before;
    assert!(
        started >= 4 && started <= dues + 1,
        "{started} starts, {dues} dues"
    );
    drop(server);
    harness.engine.resume(&[handle]).unwrap();
    assert_eq!(harness.until(handle, State::Failed).change.from, State::Ok);
}

fn snapshot(harness: &mut Harness) -> Vec<u8> {
    let call = harness.call();
    harness.engine.snapshot(call).unwrap();
    match harness.answer(call) {
        Answer::Snapshot(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_snapshot_has_what_every_reactor_was_told_before() {
    let ids = ["a", "b", "c", "d", "e", "f"];
    let slow: Vec<Value> = ids
        .map(|id| {
            let mut slow = external(id);
            slow["timing"]["periodMs"] = json!(60_000);
            slow
        })
        .into();
    let mut first = Harness::with(EngineOptions {
        threads: 3,
        late_ms: 10_000.0,
        ..EngineOptions::default()
    });
    let hurried: Vec<Value> = ids.map(external).into();
    let handles = first.add(&hurried);
    for &handle in &handles {
        report_until_ok(&mut first, handle);
    }
    // Nothing of this is waited for.
    first.engine.new_instance(&handles[..1]).unwrap();
    first.engine.remove(&handles[5..]).unwrap();
    let bytes = snapshot(&mut first);

    let second = Harness::new();
    second.engine.restore(&bytes).unwrap();
    let again = second.add(&slow);
    let state = |handle: &u32| second.engine.status(*handle).unwrap().state;
    let known: Vec<State> = again.iter().map(state).collect();
    let ok = State::Ok;
    assert_eq!(known, [State::Unknown, ok, ok, ok, ok, State::Unknown]);
}

#[test]
fn a_snapshot_survives_a_restart() {
    let failing = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let targets = [target("a", tcp(failing)), external("b"), external("late")];
    let mut first = Harness::new();
    let handles = first.add(&targets);
    let failed = first.until(handles[0], State::Failed);
    report_until_ok(&mut first, handles[1]);
    let bytes = snapshot(&mut first);
    drop(first);

    let mut second = Harness::new();
    let early = second.add(&targets[1..2])[0];
    second.engine.restore(&bytes).unwrap();
    let late = second.add(&targets[..1])[0];
    let told = second.transition(late);
    assert_eq!(
        (told.change.from, told.change.to),
        (State::Unknown, State::Failed)
    );
    assert_eq!(told.change.reason, Some(Reason::ConnectionRefused));
    assert_eq!(told.change.streak_start_ms, failed.change.streak_start_ms);
    assert_eq!(second.transition(early).change.to, State::Ok);
    // What was not registered again is still in the next snapshot.
    let third = Harness::new();
    third.engine.restore(&snapshot(&mut second)).unwrap();
    assert_eq!(
        third.engine.restore(&bytes[1..]).unwrap_err().code,
        ErrorCode::Argument
    );
}

fn timing_can_change_while_a_target_runs(reactor: ReactorChoice) {
    let mut harness = Harness::on(reactor);
    let mut slow = external("x");
    slow["timing"]["periodMs"] = json!(86_400_000);
    let handle = harness.add(&[slow])[0];
    let timing = &external("x")["timing"];
    let change = json!([{ "handle": handle, "timing": timing }]).to_string();
    harness.engine.update(&change).unwrap();
    due(&mut harness, handle);
}

fn probes_outside_the_schedule_do_not_move_thresholds(reactor: ReactorChoice) {
    let refusing = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut harness = Harness::on(reactor);
    let mut slow = target("a", tcp(refusing));
    slow["timing"]["periodMs"] = json!(86_400_000);
    let handles = harness.add(&[slow, external("x")]);
    for _ in 0..5 {
        let call = harness.call();
        harness
            .engine
            .probe_now(call, handles[0], Some(500.0))
            .unwrap();
        let Answer::Probe(report) = harness.answer(call) else {
            panic!("no report");
        };
        assert_eq!(report.outcome, Outcome::Failed(Reason::ConnectionRefused));
    }
    let status = harness.engine.status(handles[0]).unwrap();
    assert_eq!(
        (status.state, status.consecutive_failed),
        (State::Unknown, 0)
    );
    let call = harness.call();
    harness.engine.probe_now(call, handles[1], None).unwrap();
    match harness.answer(call) {
        Answer::Error { error, .. } => assert_eq!(error.code, ErrorCode::Unsupported),
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_arguments_name_their_place_and_change_nothing() {
    let harness = Harness::new();
    let refuse = |targets: Value| {
        let error = harness
            .engine
            .add(&targets.to_string(), &[], 10)
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::Argument);
        error.message
    };
    let mut short = external("web/liveness");
    short["timing"]["periodMs"] = json!(10);
    assert_eq!(
        refuse(json!([external("ok"), short])),
        "targets[11] (web/liveness): periodMs 10 is not between 50 and 2592000000 (30 days)"
    );
    let message = refuse(json!([external("ok"), { "id": "x", "chekc": 1 }]));
    assert!(
        message.starts_with("targets[11]: unknown field `chekc`"),
        "{message}"
    );
    let message = refuse(json!([target("t", json!({ "kind": "tcpSocket" }))]));
    assert_eq!(message, "targets[10] (t): endpoint is missing");
    let message = refuse(json!([target(
        "t",
        json!({ "kind": "vmState", "channel": 3 })
    )]));
    assert!(message.contains("no channel has the handle 3"), "{message}");
    let message = refuse(json!([target(
        "t",
        json!({ "kind": "vmmProcess", "pid": 1, "pidfd": 9999 })
    )]));
    assert!(message.contains("fcntl"), "{message}");
    assert_eq!(harness.engine.stats().unwrap().targets, 0);
    assert_eq!(
        harness.engine.remove(&[7]).unwrap_err().code,
        ErrorCode::Argument
    );
}

fn after_close_everything_says_so(reactor: ReactorChoice) {
    let mut harness = Harness::on(reactor);
    let handle = harness.add(&[external("x")])[0];
    let silent = json!({ "kind": "tcpSocket", "endpoint": { "ip": "127.0.0.1", "port": 1 } });
    let call = harness.call();
    harness
        .engine
        .probe_once(call, &silent.to_string(), &[], 5000.0, false)
        .unwrap();
    harness.engine.close();
    harness.engine.close();
    assert_eq!(
        harness.engine.status(handle).unwrap_err().code,
        ErrorCode::Closed
    );
    assert_eq!(harness.engine.stats().unwrap_err().code, ErrorCode::Closed);
    // The call was answered, one way or the other.
    harness.answer(call);
    while !harness.engine.is_stopped() {
        std::thread::yield_now();
    }
}
