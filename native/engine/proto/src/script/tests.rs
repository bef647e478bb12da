//! Scripts fed whole, byte by byte and in halves, and against a real TLS server side.

use super::{ScriptConversation, ScriptPlan, ScriptSpec, Step};
use crate::exchange::{Exchange, ExchangeResult, Progress};
use crate::http::OpenOptions;
use crate::reason::{Outcome, Reason};
use crate::tls::{TlsClient, TlsPlan};
use proptest::prelude::*;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ServerConnection;
use rustls::{ServerConfig, crypto::ring};
use std::io::{Read, Write};
use std::sync::Arc;

#[derive(Clone, Copy)]
enum End {
    Eof,
    Silence,
    Reset,
}

fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

fn text(text: &str) -> Step {
    Step::Expect(text.as_bytes().to_vec())
}

fn regex(pattern: &str) -> Step {
    Step::ExpectRegex(pattern.to_owned())
}

fn plan(steps: Vec<Step>) -> Arc<ScriptPlan> {
    spec(steps, None).compile().unwrap()
}

fn spec(steps: Vec<Step>, tls: Option<TlsPlan>) -> ScriptSpec {
    ScriptSpec {
        steps,
        tls,
        max_bytes: None,
    }
}

fn insecure() -> TlsPlan {
    TlsPlan {
        client: TlsClient::insecure(),
        server_name: None,
        certificate_expires_within_days: None,
    }
}

fn open(plan: &Arc<ScriptPlan>) -> ScriptConversation {
    let options = OpenOptions {
        now_unix_s: 1_893_456_000,
        debug: true,
    };
    ScriptConversation::open(plan, "10.0.0.1", options).unwrap()
}

fn feed(plan: &Arc<ScriptPlan>, bytes: &[u8], step: usize, end: End) -> ExchangeResult {
    let mut conversation = open(plan);
    conversation.pull(&mut Vec::new());
    for chunk in bytes.chunks(step) {
        if let Progress::Done(result) = conversation.on_bytes(chunk) {
            return *result;
        }
        conversation.pull(&mut Vec::new());
    }
    match end {
        End::Silence => conversation.on_timeout(),
        End::Reset => conversation.on_abort(Reason::ConnectionReset),
        End::Eof => match conversation.on_eof() {
            Progress::Done(result) => *result,
            other => panic!("after the end: {other:?}"),
        },
    }
}

fn judge(plan: &Arc<ScriptPlan>, bytes: &[u8], end: End) -> (Outcome, String) {
    let whole = feed(plan, bytes, usize::MAX, end);
    for step in [1, 2, 7, bytes.len() / 2 + 1] {
        let cut = feed(plan, bytes, step, end);
        assert_eq!(
            (cut.outcome, &cut.message),
            (whole.outcome, &whole.message),
            "in steps of {step}"
        );
    }
    (
        whole.outcome,
        whole.message.map_or(String::new(), String::from),
    )
}

#[test]
fn a_script_goes_step_by_step() {
    let redis = plan(vec![send("PING\r\n"), text("+PONG\r\n")]);
    assert_eq!(judge(&redis, b"+PONG\r\n", End::Silence).0, Outcome::Ok);
    assert_eq!(judge(&redis, b"+PONG\r\nmore", End::Silence).0, Outcome::Ok);
    let mut sent = Vec::new();
    open(&redis).pull(&mut sent);
    assert_eq!(sent, b"PING\r\n");

    let smtp = plan(vec![
        regex("^220[^\n]*\n"),
        send("EHLO a\r\n"),
        regex("(^|\n)250 [^\n]*\n"),
        send("QUIT\r\n"),
        text("221"),
    ]);
    let mut conversation = open(&smtp);
    let mut sent = Vec::new();
    conversation.pull(&mut sent);
    assert!(sent.is_empty(), "the server speaks first");
    for (said, answer) in [
        ("220 mx\r\n", "EHLO a\r\n"),
        ("250-mx\r\n250-SIZE\r\n", ""),
        ("250 HELP\r\n", "QUIT\r\n"),
    ] {
        assert!(matches!(
            conversation.on_bytes(said.as_bytes()),
            Progress::More
        ));
        let mut sent = Vec::new();
        conversation.pull(&mut sent);
        assert_eq!(String::from_utf8(sent).unwrap(), answer);
    }
    let Progress::Done(result) = conversation.on_bytes(b"221 bye\r\n") else {
        panic!("all steps are done");
    };
    assert_eq!(result.outcome, Outcome::Ok);
    let transcript = result.transcript.unwrap();
    assert!(transcript.contains("> EHLO a\\r\\n") && transcript.contains("< 220 mx\\r\\n"));
}

#[test]
fn each_end_has_its_reason() {
    let banner = plan(vec![text("SSH-2.0-")]);
    let strict = plan(vec![regex("^SSH-2\\.0-")]);
    for (script, bytes, end, reason, message) in [
        (
            &banner,
            &b""[..],
            End::Silence,
            Reason::ResponseTimeout,
            "step 1 expected \"SSH-2.0-\": response-timeout",
        ),
        (
            &banner,
            b"",
            End::Eof,
            Reason::ConnectionClosed,
            "step 1 expected \"SSH-2.0-\": closed by the server",
        ),
        (
            &banner,
            b"",
            End::Reset,
            Reason::ConnectionReset,
            "step 1 expected \"SSH-2.0-\": connection-reset",
        ),
        (
            &banner,
            b"SSH-1.5-x\r\n",
            End::Silence,
            Reason::BadBody,
            "step 1 expected \"SSH-2.0-\", not \"SSH-1.5-x\\r\\n\" (and no more came in time)",
        ),
        (
            &banner,
            b"SSH-1.5-x\r\n",
            End::Eof,
            Reason::BadBody,
            "step 1 expected \"SSH-2.0-\", not \"SSH-1.5-x\\r\\n\" (closed by the server)",
        ),
        (
            &banner,
            b"SSH-1.5-x",
            End::Reset,
            Reason::ConnectionReset,
            "step 1 expected \"SSH-2.0-\", not \"SSH-1.5-x\" (connection-reset)",
        ),
        (
            &strict,
            b"SSH-1.5-x\r\n",
            End::Silence,
            Reason::BadBody,
            "step 1 expected /^SSH-2\\.0-/, not \"SSH-1\"",
        ),
    ] {
        let (outcome, text) = judge(script, bytes, end);
        assert_eq!((outcome, text.as_str()), (Outcome::Failed(reason), message));
    }
}

#[test]
fn what_is_read_is_bounded() {
    let mut small = spec(vec![text("ok"), text("done")], None);
    small.max_bytes = Some(8);
    let small = small.compile().unwrap();
    assert_eq!(judge(&small, b"okxxdone", End::Silence).0, Outcome::Ok);
    let (outcome, message) = judge(&small, b"okxxxdone", End::Silence);
    assert_eq!(outcome, Outcome::Failed(Reason::ResponseTooLarge));
    assert_eq!(message, "step 2 expected \"done\" within 8 bytes in all");
    let (outcome, message) = judge(&plan(vec![text("ok")]), &[0xff; 100_000], End::Silence);
    assert_eq!(outcome, Outcome::Failed(Reason::ResponseTooLarge));
    assert!(message.len() < 300);
}

#[test]
fn wrong_scripts_are_refused() {
    let long = vec![text("a"); 33];
    for (steps, tls, message) in [
        (vec![], None, "steps are missing"),
        (
            vec![send("a")],
            None,
            "steps must not end with a send, which nothing can confirm",
        ),
        (vec![text("")], None, "steps[0] must have 1 to 1024 bytes"),
        (
            vec![send(""), text("a")],
            None,
            "steps[0] must send 1 to 4096 bytes",
        ),
        (
            vec![Step::StartTls],
            None,
            "steps start TLS, but no TLS settings came along",
        ),
        (
            vec![Step::StartTls, Step::StartTls],
            Some(insecure()),
            "steps start TLS more than once",
        ),
        (long, None, "steps are more than 32"),
    ] {
        assert_eq!(spec(steps, tls).compile().unwrap_err().to_string(), message);
    }
    for max_bytes in [0, 1024 * 1024 + 1] {
        let mut spec = spec(vec![text("a")], None);
        spec.max_bytes = Some(max_bytes);
        assert_eq!(spec.compile().unwrap_err().field, "maxBytes");
    }
}

/// A server that says its lines in the clear up to "go", and is asked for "sure?" within TLS.
struct Server {
    tls: ServerConnection,
    encrypted: bool,
    asked: Vec<u8>,
}

fn server() -> Server {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["mx.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    Server {
        tls: ServerConnection::new(Arc::new(config)).unwrap(),
        encrypted: false,
        asked: Vec::new(),
    }
}

impl Server {
    fn answer(&mut self, mut sent: &[u8]) -> Vec<u8> {
        if !self.encrypted {
            self.asked.extend_from_slice(sent);
            self.encrypted = self.asked.ends_with(b"STARTTLS\r\n");
            return if self.encrypted {
                b"220 go\r\n".to_vec()
            } else {
                Vec::new()
            };
        }
        while !sent.is_empty() {
            self.tls.read_tls(&mut sent).unwrap();
            let _ = self.tls.process_new_packets();
        }
        let mut plain = [0; 256];
        while let Ok(length @ 1..) = self.tls.reader().read(&mut plain) {
            if plain[..length] == *b"sure?" {
                self.tls.writer().write_all(b"yes").unwrap();
            }
        }
        let mut out = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut out).unwrap();
        }
        out
    }
}

/// `more`: what the server slips in behind its "go".
fn upgrade(plan: &Arc<ScriptPlan>, step: usize, more: &[u8]) -> ExchangeResult {
    let mut client = open(plan);
    let mut server = server();
    let mut said = b"220 mx\r\n".to_vec();
    loop {
        for piece in said.chunks(step) {
            if let Progress::Done(result) = client.on_bytes(piece) {
                return *result;
            }
        }
        let mut sent = Vec::new();
        client.pull(&mut sent);
        if sent.is_empty() {
            return client.on_timeout();
        }
        let clear = !server.encrypted;
        said = server.answer(&sent);
        if clear {
            said.extend_from_slice(more);
        }
    }
}

fn starttls(rest: Vec<Step>) -> Vec<Step> {
    let start = vec![
        regex("^220 mx\r\n"),
        send("STARTTLS\r\n"),
        regex("^220 go\r\n"),
        Step::StartTls,
    ];
    [start, rest].concat()
}

#[test]
fn tls_may_begin_in_mid_conversation() {
    let asks = spec(starttls(vec![send("sure?"), text("yes")]), Some(insecure()));
    let asks = asks.compile().unwrap();
    let ends = spec(starttls(vec![]), Some(insecure())).compile().unwrap();
    for step in [1, 5, usize::MAX] {
        let result = upgrade(&asks, step, b"");
        assert_eq!(result.outcome, Outcome::Ok, "{result:?}");
        assert_eq!(result.details.tls_version, Some("TLSv1.3"));
        assert!(result.details.certificate_not_after.is_some());
        assert_eq!(upgrade(&ends, step, b"").outcome, Outcome::Ok);
    }
}

#[test]
fn nothing_slipped_in_before_tls_is_taken_for_a_reply() {
    let asks = spec(starttls(vec![send("sure?"), text("yes")]), Some(insecure()));
    let asks = asks.compile().unwrap();
    for step in [1, 5, usize::MAX] {
        let result = upgrade(&asks, step, b"yes");
        assert_eq!(
            result.outcome,
            Outcome::Failed(Reason::HandshakeFailed),
            "{result:?}"
        );
    }
}

#[test]
fn certificates_are_judged_as_everywhere() {
    let demanding = TlsPlan {
        certificate_expires_within_days: Some(3_650_000),
        ..insecure()
    };
    let script = spec(starttls(vec![]), Some(demanding)).compile().unwrap();
    let outcome = upgrade(&script, usize::MAX, b"").outcome;
    assert_eq!(outcome, Outcome::Failed(Reason::CertificateExpired));
}

#[test]
fn a_silent_handshake_has_its_own_reason() {
    let script = spec(vec![text("a")], Some(insecure())).compile().unwrap();
    assert_eq!(
        feed(&script, b"", 1, End::Silence).outcome,
        Outcome::Failed(Reason::TlsTimeout)
    );
    assert_eq!(
        judge(&script, b"SSH-2.0-x\r\n", End::Eof).0,
        Outcome::Failed(Reason::HandshakeFailed)
    );
}

proptest! {
    #[test]
    fn cuts_never_change_the_outcome(bytes in "[ab\n]{0,40}", cuts in 1usize..9) {
        let script = plan(vec![regex("a+b|^bb"), send("x"), text("aba"), regex("^[^a]*\n")]);
        let whole = feed(&script, bytes.as_bytes(), usize::MAX, End::Eof);
        let cut = feed(&script, bytes.as_bytes(), cuts, End::Eof);
        prop_assert_eq!((whole.outcome, whole.message), (cut.outcome, cut.message));
    }
}
