//! Answers as a server would send them, fed whole and in pieces.

use super::{GrpcConversation, GrpcPlan, GrpcSpec};
use crate::exchange::{Exchange, ExchangeResult, Progress};
use crate::http::OpenOptions;
use crate::reason::{Outcome, Reason};
use proptest::prelude::*;
use std::sync::Arc;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// Of HEADERS: the block is whole; the stream ends, too.
const WHOLE: u8 = 4;
const LAST: u8 = 5;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [
        length[1], length[2], length[3], kind, flags, 0, 0, 0, stream,
    ];
    [&head, payload].concat()
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        for (lead, text) in [(&[0][..], name), (&[], value)] {
            out.extend_from_slice(lead);
            out.push(u8::try_from(text.len()).unwrap());
            assert!(text.len() < 127);
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

const HEAD: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];

fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])
}

fn head() -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, &block(&HEAD))
}

fn message(bytes: &[u8]) -> Vec<u8> {
    let framed = [&[0, 0, 0, 0, u8::try_from(bytes.len()).unwrap()][..], bytes].concat();
    frame(DATA, 0, 1, &framed)
}

fn trailers(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, LAST, 1, &block(fields))
}

/// A whole answer of a state.
fn answer(state: u8) -> Vec<u8> {
    [
        settings(),
        head(),
        message(&[8, state]),
        trailers(&[("grpc-status", "0")]),
    ]
    .concat()
}

/// An answer of nothing but a status.
fn refusal(fields: &[(&str, &str)]) -> Vec<u8> {
    [settings(), trailers(&[&HEAD[..], fields].concat())].concat()
}

/// After the settings.
fn after(frames: &[Vec<u8>]) -> Vec<u8> {
    [settings(), frames.concat()].concat()
}

fn plan() -> Arc<GrpcPlan> {
    let spec = GrpcSpec {
        service: "web".to_owned(),
        port: Some(50051),
        ..GrpcSpec::default()
    };
    spec.compile().unwrap()
}

fn open() -> GrpcConversation {
    let options = OpenOptions {
        now_unix_s: 1_893_456_000,
        debug: true,
    };
    GrpcConversation::open(&plan(), "10.0.0.1", options).unwrap()
}

fn feed(bytes: &[u8], step: usize) -> ExchangeResult {
    let mut conversation = open();
    conversation.pull(&mut Vec::new());
    for chunk in bytes.chunks(step) {
        if let Progress::Done(result) = conversation.on_bytes(chunk) {
            return *result;
        }
        conversation.pull(&mut Vec::new());
    }
    match conversation.on_eof() {
        Progress::Done(result) => *result,
        other => panic!("after the end: {other:?}"),
    }
}

/// The same in each cut.
fn judge(bytes: &[u8]) -> (Outcome, String) {
    let whole = feed(bytes, usize::MAX);
    for step in [1, 2, 7, 10, bytes.len() / 2 + 1] {
        let cut = feed(bytes, step);
        assert_eq!(
            (cut.outcome, &cut.message),
            (whole.outcome, &whole.message),
            "in steps of {step}"
        );
    }
    let message = whole.message.map_or(String::new(), String::from);
    assert!(message.len() < 400 && message.bytes().all(|byte| byte >= b' '));
    (whole.outcome, message)
}

fn fails(bytes: &[u8], reason: Reason, message: &str) {
    assert_eq!(
        judge(bytes),
        (Outcome::Failed(reason), message.to_owned()),
        "{bytes:?}"
    );
}

#[test]
fn the_request_is_one_write() {
    let mut sent = Vec::new();
    open().pull(&mut sent);
    let rest = sent
        .strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    let settings = frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 0, 0, 6, 0, 0, 0x40, 0]);
    let rest = rest.strip_prefix(&settings[..]).unwrap();
    let asked = frame(DATA, 1, 1, b"\0\0\0\0\x05\x0a\x03web");
    let headers = rest.strip_suffix(&asked[..]).unwrap();
    assert_eq!(headers[3..9], [HEADERS, WHOLE, 0, 0, 0, 1]);
    for text in [
        "/grpc.health.v1.Health/Check",
        "10.0.0.1:50051",
        "trailers",
        "application/grpc",
    ] {
        let found = headers
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        assert!(found, "{text}");
    }
}

#[test]
fn the_server_as_a_whole_has_no_name() {
    let plan = GrpcSpec::default().compile().unwrap();
    let mut sent = Vec::new();
    let options = OpenOptions::default();
    let mut conversation = GrpcConversation::open(&plan, "2001:db8::1", options).unwrap();
    conversation.pull(&mut sent);
    assert!(sent.ends_with(&frame(DATA, 1, 1, &[0; 5])));
    assert!(sent.windows(13).any(|window| window == b"[2001:db8::1]"));
}

#[test]
fn only_serving_is_ok() {
    assert_eq!(judge(&answer(1)), (Outcome::Ok, String::new()));
    let result = feed(&answer(1), usize::MAX);
    let transcript = result.transcript.unwrap();
    assert!(transcript.contains("service \"web\"") && transcript.contains("< grpc-status: 0"));
    for (state, text) in [
        (0, "the service is UNKNOWN"),
        (2, "the service is NOT_SERVING"),
        (3, "the service is SERVICE_UNKNOWN"),
        (77, "the service has the status 77"),
    ] {
        fails(&answer(state), Reason::BadStatus, text);
    }
    // A field that is not known, and no field at all, which is the default.
    let known = [
        head(),
        message(&[18, 1, 7, 8, 1, 25, 0, 0, 0, 0, 0, 0, 0, 0, 29, 0, 0, 0, 0]),
        trailers(&[("grpc-status", "0")]),
    ];
    assert_eq!(judge(&after(&known)).0, Outcome::Ok);
    let empty = [head(), message(&[]), trailers(&[("grpc-status", "0")])];
    fails(&after(&empty), Reason::BadStatus, "the service is UNKNOWN");
}

#[test]
fn each_status_has_its_reason() {
    for (fields, reason, text) in [
        (
            &[
                ("grpc-status", "5"),
                ("grpc-message", "unknown%20service%0A"),
            ][..],
            Reason::BadStatus,
            "gRPC status NOT_FOUND (the server does not know the service): unknown service\\n",
        ),
        (
            &[("grpc-status", "12")],
            Reason::BadStatus,
            "gRPC status UNIMPLEMENTED (the server has no health service)",
        ),
        (
            &[("grpc-status", "14"), ("grpc-message", "100% down%2")],
            Reason::BadStatus,
            "gRPC status UNAVAILABLE: 100% down%2",
        ),
        (
            &[("grpc-status", "99")],
            Reason::BadStatus,
            "gRPC status 99",
        ),
        (
            &[("grpc-status", "16")],
            Reason::AuthenticationFailed,
            "gRPC status UNAUTHENTICATED",
        ),
        (
            &[("grpc-status", "7")],
            Reason::AuthenticationFailed,
            "gRPC status PERMISSION_DENIED",
        ),
        (
            &[("grpc-status", "-1")],
            Reason::ProtocolError,
            "the grpc-status is \"-1\"",
        ),
        (&[], Reason::ProtocolError, "the answer has no grpc-status"),
        (
            &[("grpc-status", "0")],
            Reason::ProtocolError,
            "the answer has no message",
        ),
    ] {
        fails(&refusal(fields), reason, text);
    }
    for (fields, reason, text) in [
        (
            &[(":status", "503")][..],
            Reason::BadStatus,
            "HTTP status 503, not 200",
        ),
        (
            &[(":status", "200"), ("content-type", "text/html")],
            Reason::ProtocolError,
            "the content type is \"text/html\", not application/grpc",
        ),
        (
            &[("grpc-status", "0")],
            Reason::ProtocolError,
            "an answer without an HTTP status",
        ),
        (
            &[(":status", "100")],
            Reason::ProtocolError,
            "an answer without a final status",
        ),
    ] {
        fails(&after(&[trailers(fields)]), reason, text);
    }
}

#[test]
fn a_connection_may_do_much_on_the_way() {
    let padded = [&[3][..], &block(&HEAD), &[0; 3]].concat();
    let (first, second) = padded.split_at(9);
    let split_trailers = block(&[("grpc-status", "0")]);
    let all = [
        frame(8, 0, 0, &[0, 1, 0, 0]),
        frame(SETTINGS, 1, 0, &[]),
        frame(PING, 0, 0, b"12345678"),
        frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
        frame(200, 0xff, 7, b"unknown"),
        frame(HEADERS, WHOLE, 1, &block(&[(":status", "103")])),
        frame(HEADERS, WHOLE | 8, 1, &[first, second].concat()),
        frame(DATA, 8, 1, &[1, 0, 0, 0, 0, 0]),
        frame(DATA, 0, 1, &[2, 8]),
        frame(DATA, 0, 1, &[1]),
        frame(HEADERS, 1, 1, &split_trailers[..4]),
        frame(CONTINUATION, 0, 1, &split_trailers[4..6]),
        frame(CONTINUATION, 4, 1, &split_trailers[6..]),
    ];
    assert_eq!(judge(&after(&all)), (Outcome::Ok, String::new()));
}

#[test]
fn settings_and_pings_are_answered() {
    let mut conversation = open();
    conversation.pull(&mut Vec::new());
    let said = [settings(), frame(PING, 0, 0, b"12345678")].concat();
    assert!(matches!(conversation.on_bytes(&said), Progress::More));
    let mut sent = Vec::new();
    conversation.pull(&mut sent);
    let expected = [frame(SETTINGS, 1, 0, &[]), frame(PING, 1, 0, b"12345678")].concat();
    assert_eq!(sent, expected);
}

#[test]
fn an_early_end_has_its_reason() {
    let closed = "closed by the server before the end of its answer";
    fails(b"", Reason::ConnectionClosed, closed);
    let half = after(&[head(), message(&[8, 1])]);
    fails(&half, Reason::ConnectionClosed, closed);
    fails(
        &after(&[frame(RST_STREAM, 0, 1, &[0, 0, 0, 7])]),
        Reason::ConnectionReset,
        "the server reset the stream: REFUSED_STREAM",
    );
    let away = [&[0; 4][..], &[0, 0, 0, 11], b"too_many\x1b"].concat();
    fails(
        &after(&[frame(GOAWAY, 0, 0, &away)]),
        Reason::ConnectionClosed,
        "the server goes away: ENHANCE_YOUR_CALM (\"too_many\\x1b\")",
    );
    let mut silent = open();
    let result = silent.on_timeout();
    assert_eq!(result.outcome, Outcome::Failed(Reason::ResponseTimeout));
    let mut reset = open();
    let result = reset.on_abort(Reason::ConnectionReset);
    assert_eq!(result.outcome, Outcome::Failed(Reason::ConnectionReset));
}

#[test]
fn what_is_no_answer_is_refused() {
    for (bytes, text) in [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            "the server does not speak HTTP/2, it said \"HTTP/1.1 \"",
        ),
        (
            frame(PING, 0, 0, b"12345678"),
            "the server does not speak HTTP/2, it said \"\\x00\\x00\\x08\\x06\\x00\\x00\\x00\\x00\\x00\"",
        ),
        (
            after(&[vec![0, 0x40, 1, DATA, 0, 0, 0, 0, 1]]),
            "a frame of 16385 bytes; 16384 were allowed",
        ),
        (
            after(&[frame(DATA, 0, 1, b"x")]),
            "data before the head of the answer",
        ),
        (
            after(&[frame(HEADERS, WHOLE, 3, &block(&HEAD))]),
            "a HEADERS frame on stream 3, which is not open",
        ),
        (
            after(&[frame(HEADERS, 0, 1, &block(&HEAD)), message(&[8, 1])]),
            "a block of headers does not go on",
        ),
        (
            after(&[frame(CONTINUATION, 4, 1, &[])]),
            "a CONTINUATION frame of nothing",
        ),
        (
            after(&[frame(HEADERS, WHOLE, 1, &[0xff])]),
            "headers that cannot be read",
        ),
        (
            after(&[frame(HEADERS, WHOLE | 8, 1, &[9, 0])]),
            "a frame of nothing but padding",
        ),
        (
            after(&[head(), frame(DATA, 0, 1, &[1, 0, 0, 0, 0])]),
            "a compressed message, which was not asked for",
        ),
        (
            after(&[head(), message(&[8, 1]), message(&[8, 1])]),
            "more than one message",
        ),
        (
            after(&[
                head(),
                frame(DATA, 0, 1, &[0, 0, 0, 0, 2, 8]),
                trailers(&[("grpc-status", "0")]),
            ]),
            "the message is cut",
        ),
        (
            after(&[head(), message(&[8]), trailers(&[("grpc-status", "0")])]),
            "the message cannot be read",
        ),
        (
            after(&[head(), frame(DATA, 1, 1, &[0, 0, 0, 0, 2, 8, 1])]),
            "the answer has no grpc-status",
        ),
        (
            after(&[head(), head()]),
            "headers in the middle of the answer",
        ),
        (
            after(&[frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1])]),
            "the setting 5 cannot be 1",
        ),
        (
            after(&[frame(SETTINGS, 0, 0, &[0])]),
            "a SETTINGS frame that is none",
        ),
        (
            after(&[frame(PING, 0, 0, &[])]),
            "a PING frame that is none",
        ),
        (
            after(&[frame(8, 0, 0, &[0; 4])]),
            "a WINDOW_UPDATE frame that is none",
        ),
        (
            after(&[frame(5, 4, 1, &[0, 0, 0, 2])]),
            "a push, which was not allowed",
        ),
        (
            after(&[frame(GOAWAY, 0, 0, &[0])]),
            "a GOAWAY frame of a wrong length",
        ),
        (
            after(&[frame(RST_STREAM, 0, 1, &[0])]),
            "a RST_STREAM frame of a wrong length",
        ),
    ] {
        fails(&bytes, Reason::ProtocolError, text);
    }
}

#[test]
fn floods_are_bounded() {
    let pings = frame(PING, 0, 0, b"12345678").repeat(10_000);
    fails(
        &after(&[pings]),
        Reason::ResponseTooLarge,
        "more than 256 frames or 65536 bytes",
    );
    let unknown = frame(200, 0, 0, &[7; 16_384]).repeat(8);
    fails(
        &after(&[unknown]),
        Reason::ResponseTooLarge,
        "more than 256 frames or 65536 bytes",
    );
    let endless = [
        frame(HEADERS, 0, 1, &block(&HEAD)),
        frame(CONTINUATION, 0, 1, &[0; 8192]).repeat(4),
    ];
    fails(
        &after(&endless),
        Reason::ResponseTooLarge,
        "headers of more than 16384 bytes",
    );
    // One entry of the table, named again and again.
    let mut bomb = vec![0x40, 1, b'x', 0x7f, 0x80, 0x10];
    bomb.extend([b'y'; 127 + 0x800]);
    bomb.extend([0xbe; 200]);
    fails(
        &after(&[frame(HEADERS, WHOLE, 1, &bomb)]),
        Reason::ResponseTooLarge,
        "headers of more than 16384 bytes",
    );
    fails(
        &after(&[head(), frame(DATA, 0, 1, &[0, 0, 1, 0, 0])]),
        Reason::ResponseTooLarge,
        "a message of 65536 bytes; at most 4096 are read",
    );
}

#[test]
fn wrong_specs_are_refused() {
    for (service, authority, message) in [
        ("x".repeat(257), None, "service is longer than 256 bytes"),
        (
            String::new(),
            Some("a b"),
            "authority is not a host, perhaps with a port",
        ),
        (
            String::new(),
            Some(""),
            "authority is not a host, perhaps with a port",
        ),
    ] {
        let spec = GrpcSpec {
            service,
            authority: authority.map(str::to_owned),
            ..GrpcSpec::default()
        };
        assert_eq!(spec.compile().unwrap_err().to_string(), message);
    }
    let long = GrpcSpec {
        service: "x".repeat(256),
        authority: Some("web.example:443".to_owned()),
        ..GrpcSpec::default()
    };
    let plan = long.compile().unwrap();
    let mut sent = Vec::new();
    let mut conversation =
        GrpcConversation::open(&plan, "10.0.0.1", OpenOptions::default()).unwrap();
    conversation.pull(&mut sent);
    let request = [&[0, 0, 0, 1, 3, 0x0a, 0x80, 2][..], &[b'x'; 256]].concat();
    assert!(sent.ends_with(&frame(DATA, 1, 1, &request)));
    assert!(sent.windows(15).any(|window| window == b"web.example:443"));
}

proptest! {
    #[test]
    fn cuts_never_change_the_outcome(
        frames in proptest::collection::vec(
            (0u8..12, any::<u8>(), 0u8..3, proptest::collection::vec(any::<u8>(), 0..24)), 0..6,
        ),
        first in 0usize..4,
        step in 1usize..40,
    ) {
        let begin = [Vec::new(), settings(), after(&[head()]), after(&[head(), message(&[8, 1])])];
        let mut bytes = begin[first].clone();
        for (kind, flags, stream, payload) in frames {
            bytes.extend(frame(kind, flags, stream, &payload));
        }
        bytes.extend(trailers(&[("grpc-status", "0")]));
        let (whole, cut) = (feed(&bytes, usize::MAX), feed(&bytes, step));
        prop_assert_eq!((whole.outcome, whole.message), (cut.outcome, cut.message));
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400), step in 1usize..40) {
        let bytes = after(&[bytes]);
        let (whole, cut) = (feed(&bytes, usize::MAX), feed(&bytes, step));
        prop_assert_eq!((whole.outcome, whole.message), (cut.outcome, cut.message));
    }
}
