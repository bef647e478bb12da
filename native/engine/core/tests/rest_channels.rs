//! Channels to REST APIs and streams of events, against fake ones.

mod common;

use common::{Folder, Harness, target};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::thread;
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;
use vmpulse_engine::{Answer, ChannelNews, ErrorCode, Protocol};

/// What a fake does with one request, by its first line and body: bytes to send; `None`: it closes.
type Script = fn(&str, &str) -> Option<String>;

fn serve(path: &str, script: Script) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || conversation(stream, script));
        }
    });
}

fn conversation(mut stream: UnixStream, script: Script) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(text) = line.strip_prefix("Content-Length: ") {
                length = text.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            if first.is_empty() {
                first = line.trim().to_owned();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let Some(answer) = script(&first, std::str::from_utf8(&body).unwrap()) else {
            return Ok(());
        };
        stream.write_all(answer.as_bytes())?;
        if answer.contains("Connection: close") {
            return Ok(());
        }
    }
}

fn answer(status: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn running() -> Option<String> {
    Some(answer("200 OK", &json!({ "state": "Running" })))
}

fn open(harness: &Harness, protocol: Protocol, path: &str) -> u32 {
    let engine = &harness.engine;
    engine
        .open_channel(protocol, path, None, 20.0, 300.0)
        .unwrap()
}

fn vm_state(channel: u32) -> Value {
    json!({ "kind": "vmState", "channel": channel })
}

fn value(answer: Answer) -> String {
    match answer {
        Answer::Value(value) => value.get().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn refusal(answer: Answer) -> (ErrorCode, String, Option<Box<str>>) {
    match answer {
        Answer::Error { error, class } => (error.code, error.message, class),
        other => panic!("{other:?}"),
    }
}

#[test]
fn probes_and_commands_share_one_api() {
    let folder = Folder::new();
    let path = folder.path("ch");
    serve(&path, |first, body| match first {
        "GET /api/v1/vm.info HTTP/1.1" => running(),
        "PUT /api/v1/vm.resize HTTP/1.1" => Some(answer("200 OK", &json!({ "got": body }))),
        "PUT /api/v1/vm.boot HTTP/1.1" => Some("HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        _ => Some(answer(
            "500 Internal Server Error",
            &json!(["Error from API", "no"]),
        )),
    });
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::CloudHypervisor, &path);
    let handle = harness.add(&[target("vm", vm_state(channel))])[0];
    harness.until(handle, State::Ok);
    let boot = harness.request(channel, "PUT /api/v1/vm.boot", 5000.0);
    assert_eq!(value(boot), r#"{"status":204,"body":null}"#);
    let (code, message, class) = refusal(harness.request(channel, "PUT /api/v1/vm.pause", 5000.0));
    assert_eq!(code, ErrorCode::Command);
    assert_eq!(message, "http-500: Error from API: no");
    assert_eq!(class.as_deref(), Some("http-500"));
    let call = harness.call();
    let arguments = Some(r#"{"desired_vcpus":2}"#);
    let request = "PUT /api/v1/vm.resize";
    harness
        .engine
        .request(call, channel, request, arguments, 5000.0)
        .unwrap();
    assert_eq!(
        value(harness.answer(call)),
        r#"{"status":200,"body":{"got":"{\"desired_vcpus\":2}"}}"#
    );
    let (code, ..) = refusal(harness.request(channel, "vm.boot", 5000.0));
    assert_eq!(code, ErrorCode::Argument);
}

#[test]
fn each_state_has_its_outcome() {
    let folder = Folder::new();
    let mut harness = Harness::new();
    let not_running = Outcome::Failed(Reason::VmNotRunning);
    let suspended = Outcome::Inconclusive(Reason::Suspended);
    let api_error = Outcome::Failed(Reason::ApiError);
    let unreachable = Outcome::Failed(Reason::ApiUnreachable);
    let cases: [(&str, Protocol, Script, Outcome); 8] = [
        ("run", Protocol::Firecracker, |_, _| running(), Outcome::Ok),
        (
            "new",
            Protocol::Firecracker,
            |_, _| Some(answer("200 OK", &json!({ "state": "Not started" }))),
            not_running,
        ),
        (
            "paused",
            Protocol::CloudHypervisor,
            |_, _| Some(answer("200 OK", &json!({ "state": "Paused" }))),
            suspended,
        ),
        (
            "none",
            Protocol::CloudHypervisor,
            |_, _| Some(answer("404 Not Found", &json!(["VM is not created"]))),
            not_running,
        ),
        (
            "fc404",
            Protocol::Firecracker,
            |_, _| Some(answer("404 Not Found", &json!({ "fault_message": "?" }))),
            api_error,
        ),
        (
            "garbage",
            Protocol::CloudHypervisor,
            |_, _| Some("QEMU 7.2 monitor\r\n".to_owned()),
            api_error,
        ),
        (
            "silent",
            Protocol::CloudHypervisor,
            |_, _| Some(String::new()),
            unreachable,
        ),
        ("closes", Protocol::Firecracker, |_, _| None, unreachable),
    ];
    for (name, protocol, script, want) in cases {
        let path = folder.path(name);
        serve(&path, script);
        let channel = open(&harness, protocol, &path);
        assert_eq!(harness.outcome(&vm_state(channel), 700.0), want, "{name}");
    }
    let gone = open(&harness, Protocol::Firecracker, &folder.path("gone"));
    assert_eq!(harness.outcome(&vm_state(gone), 700.0), unreachable);
    let path = folder.path("full");
    serve(&path, |_, _| {
        Some(answer(
            "503 Service Unavailable",
            &json!({ "error": "Too many open connections" }),
        ))
    });
    let full = open(&harness, Protocol::Firecracker, &path);
    let busy = Outcome::Inconclusive(Reason::ChannelBusy);
    assert_eq!(harness.outcome(&vm_state(full), 700.0), busy);
}

#[test]
fn a_peer_that_closes_after_each_answer_is_asked_over_new_connections() {
    let folder = Folder::new();
    let path = folder.path("ch");
    serve(&path, |first, _| {
        let body = json!({ "first": first }).to_string();
        Some(format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    });
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::CloudHypervisor, &path);
    let calls: Vec<u32> = (0..20)
        .map(|index| {
            let call = harness.call();
            let command = format!("GET /{index}");
            let engine = &harness.engine;
            engine
                .request(call, channel, &command, None, 10_000.0)
                .unwrap();
            call
        })
        .collect();
    for (index, call) in calls.into_iter().enumerate() {
        let text = value(harness.answer(call));
        assert!(text.contains(&format!("GET /{index} ")), "{text}");
    }
    let ended = harness.seen.channel_events.iter();
    let ended = ended.filter(|event| matches!(event.news, ChannelNews::Disconnected { .. }));
    assert_eq!(ended.count(), 0, "nobody is bothered with that");
}

#[test]
fn an_answer_that_never_ends_costs_its_connection_only() {
    let folder = Folder::new();
    let path = folder.path("ch");
    serve(&path, |first, _| match first {
        "GET /half HTTP/1.1" => Some("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_owned()),
        _ => running(),
    });
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::CloudHypervisor, &path);
    let (code, ..) = refusal(harness.request(channel, "GET /half", 100.0));
    assert_eq!(code, ErrorCode::Timeout);
    // It waits until the half answer is given up.
    assert_eq!(harness.outcome(&vm_state(channel), 10_000.0), Outcome::Ok);
}

#[test]
fn a_probe_behind_a_long_command_says_nothing_about_the_api() {
    let folder = Folder::new();
    let path = folder.path("ch");
    serve(&path, |first, _| match first {
        "PUT /api/v1/vm.snapshot HTTP/1.1" => Some(String::new()),
        _ => running(),
    });
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::CloudHypervisor, &path);
    let call = harness.call();
    let command = "PUT /api/v1/vm.snapshot";
    harness
        .engine
        .request(call, channel, command, None, 60_000.0)
        .unwrap();
    let busy = Outcome::Inconclusive(Reason::ChannelBusy);
    assert_eq!(harness.outcome(&vm_state(channel), 200.0), busy);
    harness.engine.close_channel(channel).unwrap();
    assert_eq!(refusal(harness.answer(call)).0, ErrorCode::Closed);
}

#[test]
fn an_api_that_is_stopped_is_unreachable_for_as_long_as_it_lasts() {
    let folder = Folder::new();
    let path = folder.path("fc");
    let listener = UnixListener::bind(&path).unwrap();
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::Firecracker, &path);
    let unreachable = Outcome::Failed(Reason::ApiUnreachable);
    for _ in 0..5 {
        assert_eq!(harness.outcome(&vm_state(channel), 200.0), unreachable);
    }
    // It runs again: the connection that waited is served, and what it asked is answered only once.
    let (stream, _) = listener.accept().unwrap();
    thread::spawn(move || conversation(stream, |_, _| running()));
    assert_eq!(harness.outcome(&vm_state(channel), 10_000.0), Outcome::Ok);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "one connection was enough");
}

fn event(name: &str) -> String {
    format!(
        "{{\n  \"timestamp\": {{ \"secs\": 1, \"nanos\": 2 }},\n  \"source\": \"vm\",\n  \"event\": \"{name}\",\n  \"properties\": null\n}}\n\n"
    )
}

fn is_event(news: &ChannelNews, wanted: &str) -> bool {
    matches!(news, ChannelNews::Event { name, .. } if &**name == wanted)
}

#[test]
fn events_are_read_from_a_file_as_it_grows() {
    let folder = Folder::new();
    let path = folder.path("events");
    fs::write(&path, event("history")).unwrap();
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::CloudHypervisorEvents, &path);
    harness.news(channel, "the file", |news| {
        matches!(news, ChannelNews::Connected)
    });
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    let text = event("booted");
    let (first, second) = text.split_at(30);
    file.write_all(first.as_bytes()).unwrap();
    file.write_all(second.as_bytes()).unwrap();
    harness.news(channel, "the event", |news| {
        assert!(!is_event(news, "vm.history"));
        is_event(news, "vm.booted")
    });
    // The next VMM writes a file of its own.
    fs::remove_file(&path).unwrap();
    fs::write(&path, event("new").repeat(2)).unwrap();
    harness.news(channel, "the first event of the new file", |news| {
        is_event(news, "vm.new")
    });
    harness.news(channel, "its second", |news| is_event(news, "vm.new"));
    let (code, message, _) = refusal(harness.request(channel, "GET /", 5000.0));
    assert_eq!(code, ErrorCode::Unsupported);
    assert!(message.contains("channel of the API"), "{message}");
}

#[test]
fn events_are_read_from_a_fifo_that_appears_later() {
    let folder = Folder::new();
    let path = folder.path("fifo");
    let mut harness = Harness::new();
    let channel = open(&harness, Protocol::CloudHypervisorEvents, &path);
    harness.news(channel, "its absence", |news| {
        matches!(news, ChannelNews::Disconnected { .. })
    });
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    harness.news(channel, "the fifo", |news| {
        matches!(news, ChannelNews::Connected)
    });
    for name in ["one", "two"] {
        // A writer comes and goes.
        let mut writer = File::options().write(true).open(&path).unwrap();
        writer.write_all(event(name).as_bytes()).unwrap();
        drop(writer);
        let wanted = format!("vm.{name}");
        harness.news(channel, name, |news| is_event(news, &wanted));
    }
}
