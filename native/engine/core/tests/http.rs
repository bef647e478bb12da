//! HTTP probes against servers of the test.

mod common;

use common::{Harness, http, target};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use vmpulse_engine::proto::{Outcome, Reason, Warning};
use vmpulse_engine::thresholds::State;

/// A server that answers each request by `answer(path, connection number)`; `None` closes without an answer.
fn server(
    answer: impl Fn(&str, u32) -> Option<String> + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let connections = Arc::clone(&count);
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
            let answer = Arc::clone(&answer);
            thread::spawn(move || serve(stream.unwrap(), number, &*answer));
        }
    });
    (address, count)
}

fn serve(mut stream: TcpStream, number: u32, answer: &dyn Fn(&str, u32) -> Option<String>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|count| count == 1) {
        request.push(byte[0]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut request)).unwrap();
        let path = text.split(' ').nth(1).unwrap();
        let Some(answer) = answer(path, number) else {
            return;
        };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn an_answer_is_judged_with_its_details() {
    let (address, _) = server(|path, _| Some(ok(path)));
    let mut harness = Harness::new();
    let report = harness.probe_once(&http(address, json!({ "path": "/healthz" })), 5000.0);
    assert_eq!(report.outcome, Outcome::Ok);
    assert_eq!(report.details.status, Some(200));
    assert_eq!(report.details.body_bytes, 8);
    assert!(report.duration_us > 0);
    assert!(
        report
            .transcript
            .is_some_and(|text| text.contains("/healthz"))
    );
    let expecting = http(address, json!({ "expect": { "bodyContains": "absent" } }));
    let outcome = harness.outcome(&expecting, 5000.0);
    assert_eq!(outcome, Outcome::Failed(Reason::BadBody));
}

#[test]
fn redirects_are_followed_on_new_connections_of_the_same_address() {
    let (address, connections) = server(|path, _| {
        Some(match path {
            "/" => "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "/far" => {
                "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.invalid/\r\nContent-Length: 0\r\n\r\n"
                    .to_owned()
            }
            _ => ok("there"),
        })
    });
    let mut harness = Harness::new();
    let report = harness.probe_once(&http(address, json!({})), 5000.0);
    assert_eq!(report.outcome, Outcome::Ok);
    assert_eq!(
        (report.details.status, report.details.redirects),
        (Some(200), 1)
    );
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    let report = harness.probe_once(&http(address, json!({ "path": "/far" })), 5000.0);
    assert_eq!(report.outcome, Outcome::Ok);
    assert_eq!(report.warnings, [Warning::RedirectNotFollowed]);
}

#[test]
fn silence_closing_and_refusal_have_their_reasons() {
    let (address, _) = server(|path, _| (path != "/close").then(String::new));
    let mut harness = Harness::new();
    let silent = harness.outcome(&http(address, json!({})), 200.0);
    assert_eq!(silent, Outcome::Failed(Reason::ResponseTimeout));
    let closed = harness.outcome(&http(address, json!({ "path": "/close" })), 5000.0);
    assert_eq!(closed, Outcome::Failed(Reason::ConnectionClosed));
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = harness.outcome(&http(nobody, json!({})), 5000.0);
    assert_eq!(refused, Outcome::Failed(Reason::ConnectionRefused));
}

/// The deadline is for the whole probe, however busily the server drips.
#[test]
fn a_slow_drip_does_not_outlive_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Drip: ");
        while stream.write_all(b"a").is_ok() {
            thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    let mut harness = Harness::new();
    let report = harness.probe_once(&http(address, json!({})), 300.0);
    assert_eq!(report.outcome, Outcome::Failed(Reason::ResponseTimeout));
    assert!(report.duration_us >= 300_000);
}

fn keep_alive(address: SocketAddr) -> Value {
    let mut kept = target("kept", http(address, json!({ "keepAlive": true })));
    kept["timing"]["failureThreshold"] = json!(1);
    kept
}

fn wait_for_oks(harness: &mut Harness, handle: u32, oks: u32) {
    harness.until(handle, State::Ok);
    let begin = std::time::Instant::now();
    while harness.engine.status(handle).unwrap().consecutive_ok < oks {
        assert!(begin.elapsed() < common::PATIENCE);
        thread::yield_now();
    }
}

#[test]
fn a_kept_connection_serves_many_probes() {
    let (address, connections) = server(|_, _| Some(ok("x")));
    let mut harness = Harness::new();
    let handle = harness.add(&[keep_alive(address)])[0];
    wait_for_oks(&mut harness, handle, 5);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_kept_connection_that_died_is_replaced_without_a_failure() {
    // Each connection answers twice, then closes when the third request arrives.
    let served = Arc::new(AtomicU32::new(0));
    let (address, connections) =
        server(move |_, _| (served.fetch_add(1, Ordering::SeqCst) % 3 != 2).then(|| ok("x")));
    let mut harness = Harness::new();
    let handle = harness.add(&[keep_alive(address)])[0];
    wait_for_oks(&mut harness, handle, 6);
    assert!(connections.load(Ordering::SeqCst) >= 3);
    assert!(harness.seen.transitions.is_empty());
}
