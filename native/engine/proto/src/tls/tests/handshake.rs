use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rustls::version::{TLS12, TLS13};

fn feed(bytes: &[u8]) -> Option<ExchangeResult> {
    let mut client = open(&secure(), NAME);
    client.pull(&mut Vec::new());
    match client.on_bytes(bytes) {
        Progress::Done(result) => Some(*result),
        _ => None,
    }
}

#[test]
fn both_versions_are_spoken_and_told() {
    let leaf = good(&authority());
    for (version, name) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
        let result = probe(&secure(), NAME, || Server::with(&leaf, &[version], None));
        assert_eq!(result.outcome, Outcome::Ok);
        assert_eq!(result.details.tls_version, Some(name));
        assert_eq!(result.details.certificate_not_after, Some(2_208_988_800));
        assert_eq!(result.details.status, Some(200));
        assert!(
            result
                .transcript
                .unwrap()
                .starts_with(&format!("* {name}, certificate ends at 2208988800"))
        );
    }
}

#[test]
fn a_server_that_wants_a_client_certificate_fails_the_handshake() {
    let ca = authority();
    let leaf = good(&ca);
    for version in [&TLS12, &TLS13] {
        let result = probe(&secure(), NAME, || {
            Server::with(&leaf, &[version], Some(&ca))
        });
        assert_eq!(
            result.outcome,
            failed(Reason::HandshakeFailed),
            "{version:?}"
        );
    }
}

#[test]
fn alerts_and_other_protocols_fail_the_handshake() {
    for bytes in [
        &b"\x15\x03\x03\x00\x02\x02\x28"[..],
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &[0; 64],
    ] {
        let result = feed(bytes).expect("decided");
        assert_eq!(
            result.outcome,
            failed(Reason::HandshakeFailed),
            "{}",
            bytes.escape_ascii()
        );
        assert!(result.message.unwrap().starts_with("TLS: "));
    }
}

#[test]
fn ends_and_deadlines_tell_the_stage() {
    let leaf = good(&authority());
    let mut early = open(&secure(), NAME);
    assert_eq!(early.timeout_reason(), Reason::TlsTimeout);
    assert_eq!(early.on_timeout().outcome, failed(Reason::TlsTimeout));
    let Progress::Done(result) = open(&secure(), NAME).on_eof() else {
        panic!("undecided")
    };
    assert_eq!(result.outcome, failed(Reason::ConnectionClosed));
    let mut half = open(&secure(), NAME);
    let mut hello = Vec::new();
    half.pull(&mut hello);
    let flight = Server::of(&leaf).answer(&hello);
    assert!(matches!(half.on_bytes(&flight[..100]), Progress::More));
    let Progress::Done(result) = half.on_eof() else {
        panic!("undecided")
    };
    assert_eq!(result.outcome, failed(Reason::HandshakeFailed));
    let mut mute = Server {
        response: Vec::new(),
        ..Server::of(&leaf)
    };
    let result = talk(open(&secure(), NAME), &mut mute, 4096);
    assert_eq!(result.outcome, failed(Reason::ConnectionClosed));
    let mut half_said = Server {
        response: RESPONSE[..20].to_vec(),
        ..Server::of(&leaf)
    };
    assert_eq!(
        talk(open(&secure(), NAME), &mut half_said, 4096).outcome,
        failed(Reason::ConnectionClosed)
    );
}

#[test]
fn silence_after_the_handshake_is_a_response_timeout() {
    let leaf = good(&authority());
    let mut client = open(&secure(), NAME);
    let mut server = Server {
        response: Vec::new(),
        ..Server::of(&leaf)
    };
    for _ in 0..4 {
        let mut sent = Vec::new();
        client.pull(&mut sent);
        let said = server.answer(&sent);
        assert!(said.is_empty() || matches!(client.on_bytes(&said), Progress::More));
    }
    assert!(server.request.starts_with(b"GET / HTTP/1.1\r\n"));
    let result = client.on_timeout();
    assert_eq!(result.outcome, failed(Reason::ResponseTimeout));
    assert!(result.details.tls_version.is_some());
}

#[test]
fn a_close_without_notice_ends_a_body_that_has_no_length() {
    let leaf = good(&authority());
    let response = b"HTTP/1.1 200 OK\r\n\r\nuntil the end".to_vec();
    let result = probe(&secure(), NAME, || Server {
        response: response.clone(),
        ..Server::of(&leaf)
    });
    assert_eq!(
        (result.outcome, result.details.body_bytes),
        (Outcome::Ok, 13)
    );
}

#[test]
fn a_broken_record_counts_only_before_the_end_of_the_response() {
    let leaf = good(&authority());
    let broken = |response: &'static [u8]| {
        let make = || Server {
            response: response.to_vec(),
            trailer: vec![0x55; 40],
            ..Server::of(&leaf)
        };
        probe(&secure(), NAME, make).outcome
    };
    assert_eq!(broken(RESPONSE), Outcome::Ok);
    assert_eq!(
        broken(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"),
        failed(Reason::ProtocolError)
    );
}

#[test]
fn a_kept_connection_serves_the_next_probe() {
    let leaf = good(&authority());
    let spec = HttpSpec {
        keep_alive: true,
        ..secure()
    };
    let plan = spec.clone().compile().unwrap();
    let options = OpenOptions {
        now_unix_s: NOW,
        debug: false,
    };
    let mut client = open(&spec, NAME);
    let mut server = Server::of(&leaf);
    for _ in 0..3 {
        server.response = RESPONSE.to_vec();
        server.request.clear();
        let result = loop {
            let mut sent = Vec::new();
            client.pull(&mut sent);
            if let Progress::Done(result) = client.on_bytes(&server.answer(&sent)) {
                break result;
            }
        };
        assert_eq!(result.outcome, Outcome::Ok);
        assert!(result.reusable);
        assert_eq!(result.details.tls_version, Some("TLSv1.3"));
        client.reopen(&plan, plan.first_hop(NAME).unwrap(), options);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A damaged handshake fails or waits; it never panics and never passes for an answer.
    #[test]
    fn damaged_handshakes_fail(damage in vec((any::<Index>(), 1..=255_u8), 1..5), step in 1..4000_usize) {
        let mut client = open(&secure(), NAME);
        let mut hello = Vec::new();
        client.pull(&mut hello);
        let mut flight = Server::of(&good(&authority())).answer(&hello);
        for (place, mask) in damage {
            let place = place.index(flight.len());
            flight[place] ^= mask;
        }
        for piece in flight.chunks(step) {
            match client.on_bytes(piece) {
                Progress::More => {}
                Progress::Done(result) => {
                    prop_assert_ne!(result.outcome, Outcome::Ok);
                    return Ok(());
                }
                Progress::Redirect(hop) => panic!("redirected to {hop:?}"),
            }
        }
        prop_assert_ne!(client.on_timeout().outcome, Outcome::Ok);
    }
}
