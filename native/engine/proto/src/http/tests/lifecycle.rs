use super::*;

#[test]
fn reuse_needs_a_clean_end_and_the_peers_consent() {
    let kept = HttpSpec {
        keep_alive: true,
        ..spec()
    };
    let reusable = |spec: &HttpSpec, response: Vec<u8>| {
        feed(spec, std::iter::once(&*response), End::Eof)
            .result()
            .reusable
    };
    assert!(reusable(&kept, ok("Content-Length: 2\r\n\r\nok")));
    assert!(reusable(
        &kept,
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n".to_vec()
    ));
    assert!(!reusable(&spec(), ok("Content-Length: 2\r\n\r\nok")));
    assert!(!reusable(
        &kept,
        ok("Content-Length: 2\r\nConnection: x, Close\r\n\r\nok")
    ));
    assert!(!reusable(&kept, ok("Content-Length: 2\r\n\r\nok+")));
    assert!(!reusable(
        &kept,
        ok("Content-Length: 99999\r\n\r\n".to_owned() + &"x".repeat(10_240))
    ));
    assert!(!reusable(&kept, ok("\r\nok")));
    assert!(!reusable(
        &kept,
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()
    ));
}

#[test]
fn a_reopened_conversation_begins_anew() {
    let plan = HttpSpec {
        keep_alive: true,
        ..spec()
    }
    .compile()
    .unwrap();
    let hop = plan.first_hop("10.0.0.1").unwrap();
    let mut conversation =
        HttpConversation::open(&plan, hop.clone(), OpenOptions::default()).unwrap();
    for status in [200, 503] {
        let mut sent = Vec::new();
        conversation.pull(&mut sent);
        assert!(sent.starts_with(b"GET /healthz"));
        let response = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
        let Progress::Done(result) = conversation.on_bytes(response.as_bytes()) else {
            panic!("not done")
        };
        assert_eq!(result.details.status, Some(status));
        conversation.reopen(&plan, hop.clone(), OpenOptions::default());
    }
}

#[test]
fn an_abort_says_how_far_it_got() {
    let mut conversation = open(&spec());
    let _ = conversation.on_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    let result = conversation.on_abort(Reason::ConnectionReset);
    assert_eq!(result.outcome, failed(Reason::ConnectionReset));
    assert_eq!(result.details.status, Some(200));
    assert_eq!(
        result.message.as_deref(),
        Some("connection-reset 4 bytes into the body, 6 short")
    );
}

#[test]
fn the_transcript_shows_both_sides() {
    let plan = spec().compile().unwrap();
    let options = OpenOptions {
        debug: true,
        ..OpenOptions::default()
    };
    let mut conversation =
        HttpConversation::open(&plan, plan.first_hop("::1").unwrap(), options).unwrap();
    conversation.pull(&mut Vec::new());
    let Progress::Done(result) =
        conversation.on_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x1b[m")
    else {
        panic!("not done")
    };
    let transcript = result.transcript.expect("a transcript");
    assert!(
        transcript.starts_with("> GET /healthz HTTP/1.1\n> Host: [::1]:8080\n"),
        "{transcript}"
    );
    assert!(
        transcript.ends_with("< HTTP/1.1 200 OK\n< Content-Length: 3\n< \\x1b[m\n"),
        "{transcript}"
    );
    assert!(
        answer(&spec(), b"HTTP/1.1 204 x\r\n\r\n", End::Eof)
            .transcript
            .is_none()
    );
}
