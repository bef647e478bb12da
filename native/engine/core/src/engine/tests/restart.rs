//! Panics of a reactor: what goes on, what ends, who is told.

use super::{add, add_named, engine, silent, wait};
use crate::channel::Protocol;
use crate::command::Command;
use crate::engine::{Engine, EngineOptions};
use crate::error::ErrorCode;
use crate::news::{Answer, ChannelNews, Transition};
use crate::snapshot;
use crate::thresholds::State;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;
use vmpulse_proto::{Outcome, Reason};

fn server() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn panics(engine: &Engine) -> (u64, u64) {
    let stats = engine.stats().unwrap();
    (stats.reactor_panics, stats.reactors_down)
}

/// Probes that ended well so far.
fn succeeded(engine: &Engine) -> u64 {
    let outcomes = engine.stats().unwrap().outcomes;
    outcomes
        .iter()
        .filter(|entry| entry.1 == 0)
        .map(|entry| entry.2)
        .sum()
}

fn until(engine: &Engine, handle: u32, state: State) -> Transition {
    wait(|| {
        let transitions = engine.collect(true).transitions;
        let mut to_state = transitions.into_iter().filter(|t| t.change.to == state);
        to_state.find(|t| t.handle == handle)
    })
}

fn answer(engine: &Engine, call: u32) -> Answer {
    wait(|| {
        let mut completions = engine.collect(false).completions.into_iter();
        let completion = completions.find(|completion| completion.call == call)?;
        Some(completion.answer)
    })
}

fn error_of(engine: &Engine, call: u32) -> ErrorCode {
    match answer(engine, call) {
        Answer::Error { error, .. } => error.code,
        other => panic!("{other:?}"),
    }
}

/// How many targets a snapshot has that is asked for now.
fn snapshot_size(engine: &Engine, call: u32) -> usize {
    engine.snapshot(call).unwrap();
    match answer(engine, call) {
        Answer::Snapshot(bytes) => snapshot::decode(&bytes).unwrap().len(),
        other => panic!("{other:?}"),
    }
}

fn probe_once(engine: &Engine, call: u32, port: u16) {
    let check = format!(r#"{{"kind":"tcpSocket","endpoint":{{"ip":"127.0.0.1","port":{port}}}}}"#);
    engine
        .probe_once(call, &check, &[], 60_000.0, false)
        .unwrap();
}

#[test]
fn a_panic_ends_what_ran_and_nothing_else() {
    let (_server, port) = server();
    let (_listener, silent_port, _fillers) = silent();
    let engine = engine(250.0);
    let well = add(&engine, "127.0.0.1", port, 50);
    let slow = add(&engine, "127.0.0.1", silent_port, 1000);
    let resting = add(&engine, "127.0.0.1", port, 50);
    engine.suspend(&[resting]).unwrap();
    until(&engine, well, State::Ok);
    // It rests meanwhile, so that what is in flight are the two that get no answer.
    engine.suspend(&[well]).unwrap();
    assert!(engine.status(well).unwrap().suspended);
    probe_once(&engine, 7, silent_port);
    wait(|| (engine.stats().unwrap().in_flight == 2).then_some(()));
    engine.resume(&[well]).unwrap();

    engine.shards[0].send(Command::Panic);
    assert_eq!(error_of(&engine, 7), ErrorCode::Internal);
    assert_eq!(panics(&engine), (1, 0));
    let status = engine.status(slow).unwrap();
    let fault = Outcome::Inconclusive(Reason::ProberFault);
    assert_eq!(
        (status.last_outcome, status.state),
        (Some(fault), State::Unknown)
    );
    let rested = engine.status(resting).unwrap();
    assert!(rested.suspended);
    assert_eq!(
        engine.status(well).unwrap().state,
        State::Ok,
        "thresholds stay"
    );
    let before = succeeded(&engine);
    wait(|| (succeeded(&engine) > before + 3).then_some(()));
    assert_eq!(
        until(&engine, slow, State::Failed).change.reason,
        Some(Reason::ConnectTimeout)
    );
    engine.resume(&[resting]).unwrap();
    // It may have been well before it was suspended: then nothing changes.
    wait(|| (engine.status(resting).unwrap().last_ok_ms > rested.last_ok_ms).then_some(()));
}

#[test]
fn what_was_asked_before_and_not_yet_obeyed_is_obeyed_after_it() {
    let (_server, port) = server();
    let (_listener, silent_port, _fillers) = silent();
    let engine = engine(250.0);
    // All of it is in the inbox when the reactor looks.
    engine.shards[0].send(Command::Stall(Duration::from_millis(100)));
    engine.shards[0].send(Command::Panic);
    let handle = add(&engine, "127.0.0.1", port, 50);
    probe_once(&engine, 3, silent_port);
    engine.cancel(3);
    assert_eq!(snapshot_size(&engine, 4), 1);
    until(&engine, handle, State::Ok);
    assert_eq!(panics(&engine), (1, 0));
}

#[test]
fn channels_connect_anew() {
    let path = std::env::temp_dir().join(format!("vmpulse-restart-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let monitor = std::thread::spawn(move || {
        let greet = || {
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .write_all(b"{\"QMP\":{\"version\":{},\"capabilities\":[]}}\n")
                .unwrap();
            stream.write_all(b"{\"return\":{},\"id\":0}\n").unwrap();
            stream
        };
        (greet(), greet())
    });
    let engine = engine(250.0);
    let text = path.to_str().unwrap();
    engine
        .open_channel(Protocol::Qmp, text, None, 20.0, 5000.0)
        .unwrap();
    let mut news = Vec::new();
    let mut told = |engine: &Engine, count: usize| {
        wait(|| {
            news.extend(
                engine
                    .collect(false)
                    .channel_events
                    .into_iter()
                    .map(|event| event.news),
            );
            (news.len() >= count).then_some(())
        });
    };
    told(&engine, 1);
    engine.shards[0].send(Command::Panic);
    told(&engine, 3);
    drop(monitor.join().unwrap());
    std::fs::remove_file(&path).unwrap();
    let [
        ChannelNews::Connected,
        ChannelNews::Disconnected { reason, .. },
        ChannelNews::Connected,
    ] = &news[..3]
    else {
        panic!("{news:?}");
    };
    assert_eq!(*reason, Reason::ProberFault);
}

/// Otherwise one guest whose answers make the reactor panic would end the probing of all others.
#[test]
fn a_target_that_causes_panics_is_held_back() {
    let (_server, port) = server();
    let engine = engine(250.0);
    let well = add(&engine, "127.0.0.1", port, 50);
    until(&engine, well, State::Ok);
    let bad = add_named(&engine, "panic-1", "127.0.0.1", port, 50);
    let blind = until(&engine, bad, State::Blind);
    assert_eq!(blind.change.reason, Some(Reason::ProberFault));
    let before = succeeded(&engine);
    wait(|| (succeeded(&engine) > before + 5).then_some(()));
    assert_eq!(panics(&engine), (1, 0), "not probed again soon");
}

#[test]
fn a_reactor_that_panics_again_and_again_stays_down_and_the_others_go_on() {
    let (_server, port) = server();
    let options = EngineOptions {
        threads: 2,
        ..EngineOptions::default()
    };
    let engine = Engine::new(&options, Arc::new(|| {})).unwrap();
    let handles = [(); 2].map(|()| add(&engine, "127.0.0.1", port, 50));
    let [lost, well] = if engine.front.lock().targets.place(handles[0]).shard == 0 {
        handles
    } else {
        [handles[1], handles[0]]
    };
    let path = std::env::temp_dir().join("vmpulse-nobody.sock");
    let channels = [(); 2].map(|()| {
        engine
            .open_channel(Protocol::Qmp, path.to_str().unwrap(), None, 20.0, 300.0)
            .unwrap()
    });
    let place = |channel: &&u32| engine.front.lock().channels.place(**channel).shard == 0;
    let lost_channel = *channels.iter().find(place).unwrap();
    wait(|| {
        engine.shards[0].send(Command::Panic);
        (panics(&engine).1 == 1).then_some(())
    });
    let blind = until(&engine, lost, State::Blind);
    assert_eq!(blind.change.reason, Some(Reason::ProberFault));
    assert!(
        engine
            .collect(true)
            .transitions
            .iter()
            .all(|t| t.handle != lost),
        "told once"
    );
    assert_eq!(engine.status(lost).unwrap_err().code, ErrorCode::Internal);
    engine.probe_now(1, lost, None).unwrap();
    assert_eq!(error_of(&engine, 1), ErrorCode::Internal);
    engine
        .request(2, lost_channel, "query-status", None, 5000.0)
        .unwrap();
    assert_eq!(error_of(&engine, 2), ErrorCode::Internal);
    let on_it = format!(
        r#"[{{"id":"c","check":{{"kind":"vmState","channel":{lost_channel}}},"timing":{{"periodMs":1000,
        "timeoutMs":500,"successThreshold":1,"failureThreshold":1}},"startState":"unknown"}}]"#
    );
    assert_eq!(
        engine.add(&on_it, &[], 0).unwrap_err().code,
        ErrorCode::Internal
    );

    assert_ne!(engine.status(well).unwrap().state, State::Blind);
    for _ in 0..3 {
        until(&engine, add(&engine, "127.0.0.1", port, 50), State::Ok);
    }
    // Of what the reactor had that is down nobody knows; what the other one has is there.
    assert_eq!(snapshot_size(&engine, 3), 4);
    engine.close();
    wait(|| engine.is_stopped().then_some(()));
}
