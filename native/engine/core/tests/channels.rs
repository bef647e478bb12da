//! Channels against fake monitors and agents.

mod common;

use common::{Folder, Harness, target};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;
use vmpulse_engine::{Answer, ChannelNews, ErrorCode, Protocol};

const GREETING: &str = "{\"QMP\":{\"version\":{},\"capabilities\":[]}}\n";

/// What a fake does with one command: the texts that it sends.
type Script = fn(&str, &Value) -> Vec<String>;

/// A monitor that greets, takes capabilities, and answers by its script.
fn qmp(path: &str, script: Script) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = serve_qmp(stream.unwrap(), script);
        }
    });
}

fn serve_qmp(mut stream: UnixStream, script: Script) -> std::io::Result<()> {
    stream.write_all(GREETING.as_bytes())?;
    let reader = BufReader::new(stream.try_clone()?);
    for line in reader.lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let command = request["execute"].as_str().unwrap_or_default();
        let answers = match command {
            "qmp_capabilities" => vec![answer(&request, json!({}))],
            other => script(other, &request),
        };
        for text in answers {
            if text == "close" {
                return Ok(());
            }
            stream.write_all(text.as_bytes())?;
        }
    }
    Ok(())
}

fn answer(request: &Value, value: Value) -> String {
    json!({ "return": value, "id": request["id"] }).to_string() + "\n"
}

fn running(request: &Value) -> String {
    answer(
        request,
        json!({ "running": true, "singlestep": false, "status": "running" }),
    )
}

fn connected(news: &ChannelNews) -> bool {
    matches!(news, ChannelNews::Connected)
}

fn open(harness: &Harness, protocol: Protocol, path: &str) -> u32 {
    harness
        .engine
        .open_channel(protocol, path, None, 20.0, 300.0)
        .unwrap()
}

fn vm_state(channel: u32) -> Value {
    json!({ "kind": "vmState", "channel": channel })
}

fn ping(channel: u32) -> Value {
    json!({ "kind": "guestAgentPing", "channel": channel })
}

fn error_code(answer: Answer) -> ErrorCode {
    match answer {
        Answer::Error { error, .. } => error.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn probes_commands_and_events_share_one_monitor() {
    let folder = Folder::new();
    let path = folder.path("qmp");
    qmp(&path, |command, request| match command {
        "query-status" => vec![running(request)],
        "fail" => vec![
            json!({ "error": { "class": "GenericError", "desc": "no" }, "id": request["id"] })
                .to_string(),
        ],
        "panic" => vec![
            json!({ "event": "GUEST_PANICKED", "data": { "action": "pause" } }).to_string() + "\n",
            answer(request, json!({})),
        ],
        other => vec![answer(request, json!({ "echo": other }))],
    });
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Qmp, &path);
    let handle = harness.add(&[target("vm", vm_state(channel))])[0];
    harness.until(handle, State::Ok);
    match harness.request(channel, "query-name", 5000.0) {
        Answer::Value(value) => assert_eq!(value.get(), r#"{"echo":"query-name"}"#),
        other => panic!("{other:?}"),
    }
    match harness.request(channel, "fail", 5000.0) {
        Answer::Error { error, class } => {
            assert_eq!(error.code, ErrorCode::Command);
            assert_eq!(class.as_deref(), Some("GenericError"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        harness.request(channel, "panic", 5000.0),
        Answer::Value(_)
    ));
    harness.news(channel, "the event", |news| {
        matches!(news, ChannelNews::Event { name, data: Some(data) }
            if &**name == "GUEST_PANICKED" && data.get().contains("pause"))
    });
    assert_eq!(
        error_code(harness.request(channel, "not a name", 5000.0)),
        ErrorCode::Argument
    );
}

#[test]
fn a_late_answer_is_dropped_by_its_id() {
    let folder = Folder::new();
    let path = folder.path("qmp");
    // The answer to `slow` comes with the answer to the command after it.
    static SLOW: std::sync::Mutex<Option<String>> = std::sync::Mutex::new(None);
    qmp(&path, |command, request| match command {
        "slow" => {
            *SLOW.lock().unwrap() = Some(answer(request, json!({ "late": true })));
            Vec::new()
        }
        _ => SLOW
            .lock()
            .unwrap()
            .take()
            .into_iter()
            .chain([answer(request, json!({ "late": false }))])
            .collect(),
    });
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Qmp, &path);
    assert_eq!(
        error_code(harness.request(channel, "slow", 100.0)),
        ErrorCode::Timeout
    );
    match harness.request(channel, "next", 5000.0) {
        Answer::Value(value) => assert_eq!(value.get(), r#"{"late":false}"#),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_monitor_that_hangs_is_unreachable_and_one_that_is_gone_too() {
    let folder = Folder::new();
    let path = folder.path("qmp");
    qmp(&path, |_, _| Vec::new());
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Qmp, &path);
    harness.news(channel, "connection", connected);
    let hung = Outcome::Failed(Reason::ApiUnreachable);
    assert_eq!(harness.outcome(&vm_state(channel), 100.0), hung);
    let gone = open(&harness, Protocol::Qmp, &folder.path("nothing"));
    assert_eq!(harness.outcome(&vm_state(gone), 1000.0), hung);
    assert_eq!(
        error_code(harness.request(gone, "stop", 1000.0)),
        ErrorCode::Channel
    );
    harness.news(gone, "the refusal", |news| {
        matches!(
            news,
            ChannelNews::Disconnected {
                reason: Reason::ConnectionRefused,
                ..
            }
        )
    });
}

#[test]
fn a_monitor_that_another_client_holds_is_busy_until_it_leaves() {
    let folder = Folder::new();
    let path = folder.path("qmp");
    let listener = UnixListener::bind(&path).unwrap();
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Qmp, &path);
    let handle = harness.add(&[target("vm", vm_state(channel))])[0];
    harness.news(channel, "busy", |news| {
        matches!(
            news,
            ChannelNews::Disconnected {
                reason: Reason::ChannelBusy,
                ..
            }
        )
    });
    let busy = Outcome::Inconclusive(Reason::ChannelBusy);
    assert_eq!(harness.outcome(&vm_state(channel), 1000.0), busy);
    assert_eq!(
        error_code(harness.request(channel, "stop", 1000.0)),
        ErrorCode::Channel
    );
    assert_eq!(
        harness.until(handle, State::Blind).change.reason,
        Some(Reason::ChannelBusy)
    );
    // Now it is our turn: the connection that waited is served.
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve_qmp(stream, |_, request| vec![running(request)])
    });
    harness.news(channel, "connection", connected);
    harness.until(handle, State::Ok);
}

#[test]
fn what_is_no_monitor_is_an_api_error_and_is_tried_again() {
    let folder = Folder::new();
    let path = folder.path("ssh");
    let listener = UnixListener::bind(&path).unwrap();
    let (sender, connections) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
            sender.send(stream).unwrap();
        }
    });
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Qmp, &path);
    harness.news(channel, "the fault", |news| {
        matches!(
            news,
            ChannelNews::Disconnected {
                reason: Reason::ProtocolError,
                ..
            }
        )
    });
    let outcome = harness.outcome(&vm_state(channel), 1000.0);
    assert_eq!(outcome, Outcome::Failed(Reason::ApiError));
    for _ in 0..3 {
        connections
            .recv_timeout(common::PATIENCE)
            .expect("another try");
    }
}

#[test]
fn a_monitor_that_ends_answers_what_is_outstanding_and_is_found_again() {
    let folder = Folder::new();
    let path = folder.path("qmp");
    qmp(&path, |command, request| match command {
        "quit" => vec!["close".to_owned()],
        _ => vec![running(request)],
    });
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Qmp, &path);
    assert_eq!(
        error_code(harness.request(channel, "quit", 5000.0)),
        ErrorCode::Channel
    );
    harness.news(channel, "the end", |news| {
        matches!(
            news,
            ChannelNews::Disconnected {
                reason: Reason::ConnectionClosed,
                ..
            }
        )
    });
    harness.news(channel, "a new connection", connected);
    assert_eq!(harness.outcome(&vm_state(channel), 5000.0), Outcome::Ok);
}

/// An agent; each byte that it received is sent to `heard`. `deaf`: commands it does not answer.
fn qga(path: &str, deaf: usize, heard: Sender<String>) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = serve_qga(stream.unwrap(), deaf, &heard);
        }
    });
}

fn serve_qga(
    mut stream: UnixStream,
    mut deaf: usize,
    heard: &Sender<String>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    // A stale reply of an earlier client comes first.
    stream.write_all(b"{\"return\":{\"stale\":true}}\n")?;
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        line.retain(|&byte| byte != 0xff);
        let request: Value = serde_json::from_slice(&line)?;
        let command = request["execute"].as_str().unwrap().to_owned();
        let _ = heard.send(command.clone());
        if command == "guest-sync-delimited" {
            let id = &request["arguments"]["id"];
            stream.write_all(b"\xff")?;
            stream.write_all(format!("{{\"return\":{id}}}\n").as_bytes())?;
        } else if deaf > 0 {
            deaf -= 1;
        } else {
            stream.write_all(b"{\"return\":{}}\n")?;
        }
    }
}

#[test]
fn an_agent_is_synchronised_again_after_a_time_out() {
    let folder = Folder::new();
    let path = folder.path("qga");
    let (sender, heard) = channel();
    qga(&path, 1, sender);
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Qga, &path);
    harness.news(channel, "connection", connected);
    let outcome = harness.outcome(&ping(channel), 200.0);
    assert_eq!(outcome, Outcome::Failed(Reason::ResponseTimeout));
    assert_eq!(harness.outcome(&ping(channel), 5000.0), Outcome::Ok);
    let heard: Vec<_> = heard.try_iter().collect();
    assert_eq!(
        heard,
        [
            "guest-sync-delimited",
            "guest-ping",
            "guest-sync-delimited",
            "guest-ping"
        ]
    );
}

#[test]
fn requests_of_an_agent_wait_for_their_turn() {
    let folder = Folder::new();
    let path = folder.path("qga");
    let (sender, _heard) = channel();
    qga(&path, 0, sender);
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Qga, &path);
    let calls: Vec<u32> = (0..20)
        .map(|_| {
            let call = harness.call();
            harness
                .engine
                .request(call, channel, "guest-info", None, 5000.0)
                .unwrap();
            call
        })
        .collect();
    for call in calls {
        assert!(matches!(harness.answer(call), Answer::Value(_)));
    }
}

#[test]
fn an_agent_that_is_not_there_fails_and_one_that_is_held_is_inconclusive() {
    let folder = Folder::new();
    let path = folder.path("qga");
    let listener = UnixListener::bind(&path).unwrap();
    let mut harness = Harness::new();
    let held = open(&harness, Protocol::Qga, &path);
    let busy = Outcome::Inconclusive(Reason::ChannelBusy);
    assert_eq!(harness.outcome(&ping(held), 100.0), busy);
    // Accepted now, but nobody behind it reads.
    let (mut stream, _) = listener.accept().unwrap();
    let absent = Outcome::Failed(Reason::AgentNotConnected);
    let path = folder.path("absent");
    let listener = UnixListener::bind(&path).unwrap();
    let accepted = thread::spawn(move || listener.accept().unwrap());
    let dead = open(&harness, Protocol::Qga, &path);
    let _stream = accepted.join().unwrap();
    assert_eq!(harness.outcome(&ping(dead), 100.0), absent);
    harness.news(dead, "the absence", |news| {
        matches!(
            news,
            ChannelNews::Disconnected {
                reason: Reason::AgentNotConnected,
                ..
            }
        )
    });
    // It was asked again and again, so an agent that starts now is found.
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    assert_eq!(byte[0], 0xff);
}

#[test]
fn closing_a_channel_ends_what_waits_on_it() {
    let folder = Folder::new();
    let path = folder.path("qmp");
    qmp(&path, |_, _| Vec::new());
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Qmp, &path);
    let handle = harness.add(&[target("vm", vm_state(channel))])[0];
    let call = harness.call();
    harness
        .engine
        .request(call, channel, "never", None, 60_000.0)
        .unwrap();
    harness.engine.close_channel(channel).unwrap();
    harness.engine.close_channel(channel).unwrap();
    assert_eq!(error_code(harness.answer(call)), ErrorCode::Closed);
    assert_eq!(
        harness.until(handle, State::Blind).change.reason,
        Some(Reason::Cancelled)
    );
    let error = harness
        .engine
        .request(9, channel, "x", None, 100.0)
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Closed);
}

#[test]
fn many_channels_at_once() {
    let folder = Folder::new();
    let mut harness = Harness::new();
    let mut targets = Vec::new();
    for index in 0..200 {
        let path = folder.path(&format!("q{index}"));
        qmp(&path, |_, request| vec![running(request)]);
        let channel = open(&harness, Protocol::Qmp, &path);
        let mut slow = target(&format!("vm-{index}"), vm_state(channel));
        slow["timing"]["timeoutMs"] = json!(900);
        slow["timing"]["periodMs"] = json!(1000);
        targets.push(slow);
    }
    for handle in harness.add(&targets) {
        harness.until(handle, State::Ok);
    }
}
