use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "x"}, "capabilities": ["oob"]}}"#;
const AGREED: &str = r#"{"return": {}, "id": "vmpulse"}"#;

fn pulled(session: &mut QmpSession) -> String {
    let mut out = Vec::new();
    session.pull(&mut out);
    String::from_utf8(out).unwrap()
}

fn feed(session: &mut QmpSession, text: &str) -> Vec<String> {
    let mut messages = Vec::new();
    session
        .on_bytes(text.as_bytes(), &mut messages)
        .expect("no fault");
    messages
        .iter()
        .map(|message| format!("{message:?}"))
        .collect()
}

fn fault_of(session: &mut QmpSession, bytes: &[u8]) -> ChannelFault {
    session
        .on_bytes(bytes, &mut Vec::new())
        .expect_err("a fault")
}

fn ready() -> QmpSession {
    let mut session = QmpSession::new();
    feed(&mut session, &format!("{GREETING}\r\n{AGREED}\r\n"));
    pulled(&mut session);
    assert!(session.is_ready());
    session
}

#[test]
fn negotiates_then_asks_then_hears() {
    let mut session = QmpSession::new();
    assert_eq!(pulled(&mut session), "", "the monitor speaks first");
    assert_eq!(session.timeout_reason(), Reason::ChannelBusy);
    assert_eq!(session.send(1, "stop", None), Err(SendError::Busy));
    assert!(feed(&mut session, GREETING).is_empty());
    assert_eq!(
        pulled(&mut session),
        "{\"execute\":\"qmp_capabilities\",\"id\":\"vmpulse\"}\n"
    );
    assert_eq!(session.timeout_reason(), Reason::ResponseTimeout);
    assert_eq!(
        feed(&mut session, &format!("{{\"event\":\"RESUME\"}}{AGREED}")).len(),
        2
    );
    session.send(7, "query-status", None).unwrap();
    session
        .send(8, "set-action", Some(" {\"panic\": \"pause\"} "))
        .unwrap();
    let sent = "{\"execute\":\"query-status\",\"id\":7}\n{\"execute\":\"set-action\",\"arguments\":{\"panic\": \"pause\"},\"id\":8}\n";
    assert_eq!(pulled(&mut session), sent);
    let mut messages = Vec::new();
    let stream = br#"{"timestamp": {"seconds": 5, "microseconds": 6}, "event": "STOP", "data": {"a": 1}}
        {"id": 8, "error": {"class": "GenericError", "desc": "no\nsuch"}}{"return": {"status": "running"}, "id": 7}"#;
    session.on_bytes(stream, &mut messages).unwrap();
    let [
        ChannelMessage::Event {
            name,
            data: Some(data),
            timestamp_us: Some(5_000_006),
        },
        ChannelMessage::Error {
            id: Some(8),
            class,
            description,
        },
        ChannelMessage::Return { id: 7, value },
    ] = &messages[..]
    else {
        panic!("{messages:?}")
    };
    assert_eq!((&**name, data.get()), ("STOP", "{\"a\": 1}"));
    assert_eq!((&**class, &**description), ("GenericError", "no\\nsuch"));
    assert_eq!(value.get(), "{\"status\": \"running\"}");
}

#[test]
fn what_is_not_a_monitor_is_named() {
    for (seen, reason) in [
        (
            &b"QEMU 7.2.22 monitor - type 'help'\r\n"[..],
            Reason::ProtocolError,
        ),
        (b"SSH-2.0-x\r\n", Reason::ProtocolError),
        (b"\xff\xfd\x01", Reason::ProtocolError),
        (b"{\"return\": {}}", Reason::ProtocolError),
        (b"{]", Reason::ProtocolError),
        (b"{\"QMP\": {}, \"QMP\": {}}", Reason::ProtocolError),
        (b"{\"QMP\": \"\xff\"}", Reason::ProtocolError),
    ] {
        let fault = fault_of(&mut QmpSession::new(), seen);
        assert_eq!(fault.reason, reason, "{}", seen.escape_ascii());
        assert!(
            fault.message.len() < 400 && fault.message.contains("received \""),
            "{}",
            fault.message
        );
    }
    let mut refused = QmpSession::new();
    feed(&mut refused, GREETING);
    assert_eq!(
        fault_of(&mut refused, br#"{"error": {"class": "x", "desc": "y"}}"#).reason,
        Reason::ApiError
    );
}

#[test]
fn answers_to_nobody_are_dropped() {
    let mut session = ready();
    assert!(
        feed(
            &mut session,
            r#"{"return": {}, "id": 5}{"error": {}, "id": "vmpulse"}"#
        )
        .is_empty()
    );
    session.send(1, "stop", None).unwrap();
    session.forget(1);
    assert!(feed(&mut session, r#"{"return": {}, "id": 1}"#).is_empty());
    session.send(2, "stop", None).unwrap();
    assert_eq!(
        feed(
            &mut session,
            r#"{"return": null, "id": 2}{"return": {}, "id": 2}"#
        )
        .len(),
        1
    );
    let messages = feed(
        &mut session,
        r#"{"error": {"class": "GenericError", "desc": "bad JSON"}}"#,
    );
    assert!(messages[0].starts_with("Error { id: None"), "{messages:?}");
    assert_eq!(fault_of(&mut session, b"{}").reason, Reason::ProtocolError);
    assert_eq!(
        fault_of(&mut ready(), b"{\"return\": {}}").reason,
        Reason::ProtocolError
    );
}

#[test]
fn everything_is_bounded() {
    let mut session = ready();
    for id in 0..256 {
        session.send(id, "stop", None).unwrap();
    }
    assert_eq!(session.send(256, "stop", None), Err(SendError::Busy));
    assert!(!session.is_ready());
    session.forget(17);
    session.send(256, "stop", None).unwrap();
    let mut session = ready();
    let chunk = vec![b' '; 1 << 20];
    session.on_bytes(b"{\"a\":", &mut Vec::new()).unwrap();
    let fault = (0..5)
        .find_map(|_| session.on_bytes(&chunk, &mut Vec::new()).err())
        .expect("a fault");
    assert_eq!(fault.reason, Reason::ResponseTooLarge);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(
        ready().send(1, "stop", Some(&large)),
        Err(SendError::Invalid)
    );
}

#[test]
fn requests_are_checked() {
    for (command, arguments) in [
        ("", None),
        ("a\"b", None),
        ("a b", None),
        ("stop", Some("")),
        ("stop", Some("[]")),
        ("stop", Some("{")),
        ("stop", Some("{},\"id\":1")),
    ] {
        assert_eq!(
            ready().send(1, command, arguments),
            Err(SendError::Invalid),
            "{command} {arguments:?}"
        );
    }
}

#[test]
fn a_clock_that_failed_gives_no_time() {
    let event = r#"{"event": "STOP", "timestamp": {"seconds": -1, "microseconds": -1}}"#;
    assert!(feed(&mut ready(), event)[0].contains("timestamp_us: None"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_do_not_matter(step in 1..200_usize) {
        let stream = format!(
            "{GREETING}\r\n{AGREED}\r\n{{\n  \"event\": \"A\", \"data\": {{\"s\": \"}}\\\"\"}}\n}}\r\n{{\"event\":\"B\"}}"
        );
        let mut session = QmpSession::new();
        let mut messages = Vec::new();
        for chunk in stream.as_bytes().chunks(step) {
            session.on_bytes(chunk, &mut messages).unwrap();
        }
        let texts: Vec<String> = messages.iter().map(|message| format!("{message:?}")).collect();
        prop_assert_eq!(texts, feed(&mut QmpSession::new(), &stream));
    }

    #[test]
    fn noise_never_panics(noise in vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\ 1".to_vec())], 0..300)) {
        for mut session in [QmpSession::new(), ready()] {
            let _ = session.on_bytes(&noise, &mut Vec::new());
            let _ = session.on_bytes(GREETING.as_bytes(), &mut Vec::new());
        }
    }
}
