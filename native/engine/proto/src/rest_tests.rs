use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn pulled(session: &mut RestSession) -> String {
    let mut out = Vec::new();
    session.pull(&mut out);
    String::from_utf8(out).unwrap()
}

/// A session that asked, as request 7.
fn asked() -> RestSession {
    let mut session = RestSession::new();
    session.send(7, "GET /api/v1/vm.info", None).unwrap();
    pulled(&mut session);
    session
}

fn heard(session: &mut RestSession, bytes: &[u8]) -> Result<Vec<String>, ChannelFault> {
    let mut messages = Vec::new();
    session.on_bytes(bytes, &mut messages)?;
    Ok(messages.iter().map(told).collect())
}

fn told(message: &ChannelMessage) -> String {
    match message {
        ChannelMessage::Return { id, value } => format!("{id} {}", value.get()),
        ChannelMessage::Error {
            id,
            class,
            description,
        } => format!("{} {class}: {description}", id.unwrap_or_default()),
        ChannelMessage::Ready => "ready".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn response(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nServer: x\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_request_is_what_the_api_takes() {
    let mut session = RestSession::new();
    assert!(session.is_ready(), "nobody greets");
    session.send(1, "PUT /api/v1/vm.boot", None).unwrap();
    let text = pulled(&mut session);
    assert!(
        text.starts_with("PUT /api/v1/vm.boot HTTP/1.1\r\nHost: localhost\r\n"),
        "{text}"
    );
    assert!(
        text.ends_with("\r\n\r\n") && !text.contains("Content-"),
        "{text}"
    );
    assert_eq!(session.send(2, "GET /", None), Err(SendError::Busy));

    let mut session = RestSession::new();
    let body = r#"{"state":"Paused"}"#;
    session.send(1, "PATCH /vm", Some(body)).unwrap();
    let text = pulled(&mut session);
    assert!(
        text.ends_with(&format!("Content-Length: 18\r\n\r\n{body}")),
        "{text}"
    );
}

#[test]
fn what_is_no_request_is_refused() {
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(MAX_REQUEST_BYTES));
    for (command, arguments) in [
        ("vm.info", None),
        ("GET", None),
        ("GET vm.info", None),
        ("get /", None),
        ("BREW /pot", None),
        ("GET /a b", None),
        ("GET /a\r\nX: y", None),
        ("PUT /", Some("[]")),
        ("PUT /", Some("{")),
        ("PUT /", Some(large.as_str())),
    ] {
        let refused = RestSession::new().send(1, command, arguments);
        assert_eq!(refused, Err(SendError::Invalid), "{command}");
    }
}

#[test]
fn answers_are_values_or_errors() {
    let many = [
        "Error from API",
        "The VM info is not available",
        "VM is not created",
    ];
    let chain = serde_json::to_string(&many).unwrap();
    for (bytes, want) in [
        (
            response("200 OK", r#" {"state": "Running"} "#),
            r#"7 {"status":200,"body":{"state": "Running"}}"#.to_owned(),
        ),
        (
            "HTTP/1.1 204 \r\nServer: Firecracker API\r\n\r\n".to_owned(),
            r#"7 {"status":204,"body":null}"#.to_owned(),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n".to_owned(),
            r#"7 {"status":200,"body":{}}"#.to_owned(),
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\n".to_owned() + &response("200 OK", "{}"),
            r#"7 {"status":200,"body":{}}"#.to_owned(),
        ),
        (
            response("404 Not Found", &chain),
            format!("7 http-404: {}", many.join(": ")),
        ),
        (
            response("400 Bad Request", r#"{"fault_message":"no\u001b[2J"}"#),
            "7 http-400: no\\x1b[2J".to_owned(),
        ),
        (
            response("400 Bad Request", r#"{ "error": "bad" }"#),
            "7 http-400: bad".to_owned(),
        ),
        (
            response("500 Internal Server Error", "text\n"),
            "7 http-500: text".to_owned(),
        ),
    ] {
        for step in [1, 3, bytes.len()] {
            let mut session = asked();
            let mut all = Vec::new();
            for chunk in bytes.as_bytes().chunks(step) {
                all.extend(heard(&mut session, chunk).unwrap());
            }
            assert_eq!(all, ["ready", &want], "{bytes} by {step}");
            assert!(session.is_ready() && session.is_replaceable() && !session.is_stuck());
        }
    }
}

#[test]
fn what_is_no_answer_is_a_fault() {
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    let large = "x".repeat(MAX_MESSAGE_BYTES + 1);
    for (bytes, reason) in [
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), Reason::ProtocolError),
        (response("200 OK", "hello"), Reason::ProtocolError),
        (response("200 OK", "]"), Reason::ProtocolError),
        (response("200 OK", &deep), Reason::ProtocolError),
        (response("200 OK", &large), Reason::ResponseTooLarge),
        (
            response("101 Switching Protocols", ""),
            Reason::ProtocolError,
        ),
        (
            response(
                "503 Service Unavailable",
                r#"{ "error": "Too many open connections" }"#,
            ),
            Reason::ChannelBusy,
        ),
    ] {
        let fault = heard(&mut asked(), bytes.as_bytes()).unwrap_err();
        assert_eq!(fault.reason, reason, "{}", &bytes[..40.min(bytes.len())]);
    }
    let unasked = heard(&mut RestSession::new(), response("200 OK", "{}").as_bytes()).unwrap_err();
    assert_eq!(unasked.reason, Reason::ProtocolError);
    let full = response("503 Service Unavailable", "{}");
    let full = heard(&mut RestSession::new(), full.as_bytes()).unwrap_err();
    assert_eq!(full.reason, Reason::ChannelBusy);
}

#[test]
fn an_answer_that_nobody_waits_for_is_dropped_before_the_next_request() {
    let mut session = asked();
    session.forget(7);
    assert!(session.is_stuck() && !session.is_ready());
    assert_eq!(session.send(8, "GET /", None), Err(SendError::Busy));
    let late = response("200 OK", "{}");
    assert_eq!(heard(&mut session, late.as_bytes()).unwrap(), ["ready"]);
    assert!(session.is_ready() && !session.is_stuck());
    session.send(8, "GET /", None).unwrap();
    let own = heard(&mut session, late.as_bytes()).unwrap();
    assert_eq!(own, [r#"8 {"status":200,"body":{}}"#]);
}

#[test]
fn a_connection_that_will_close_takes_no_more() {
    let mut session = asked();
    let bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}rubbish";
    assert_eq!(heard(&mut session, bytes).unwrap().len(), 2);
    assert!(session.is_spent() && !session.is_ready());

    let mut session = asked();
    heard(&mut session, b"HTTP/1.0 200 OK\r\n\r\n{}").unwrap();
    let mut messages = Vec::new();
    session.on_eof(&mut messages).unwrap();
    assert_eq!(told(&messages[1]), r#"7 {"status":200,"body":{}}"#);
    assert!(session.is_spent());
}

proptest! {
    #[test]
    fn bytes_never_panic_nor_grow_without_bound(stream in vec(any::<u8>(), 0..4096), cut in 1usize..64) {
        for prefix in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] {
            let mut session = asked();
            let bytes = [prefix, &stream].concat();
            for chunk in bytes.chunks(cut) {
                if heard(&mut session, chunk).is_err() {
                    break;
                }
            }
            prop_assert!(session.answer.bytes.len() <= MAX_MESSAGE_BYTES);
        }
    }
}
