use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const SYNCED: &[u8] = b"\xff{\"return\": 327681}\n";

fn pulled(session: &mut QgaSession) -> Vec<u8> {
    let mut out = Vec::new();
    session.pull(&mut out);
    out
}

fn feed(session: &mut QgaSession, bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    session.on_bytes(bytes, &mut messages).expect("no fault");
    messages
        .iter()
        .map(|message| format!("{message:?}"))
        .collect()
}

fn fresh() -> QgaSession {
    QgaSession::new(5)
}

fn synced() -> QgaSession {
    let mut session = fresh();
    pulled(&mut session);
    assert_eq!(feed(&mut session, SYNCED), ["Ready"]);
    session
}

#[test]
fn syncs_then_asks_one_at_a_time() {
    let mut session = fresh();
    assert_eq!(
        pulled(&mut session),
        b"\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":327681}}\n"
    );
    assert_eq!(session.timeout_reason(), Reason::AgentNotConnected);
    assert_eq!(session.send(1, "guest-ping", None), Err(SendError::Busy));
    assert_eq!(feed(&mut session, SYNCED), ["Ready"]);
    session.send(1, "guest-ping", None).unwrap();
    assert_eq!(pulled(&mut session), b"{\"execute\":\"guest-ping\"}\n");
    assert_eq!(session.send(2, "guest-ping", None), Err(SendError::Busy));
    assert_eq!(session.timeout_reason(), Reason::ResponseTimeout);
    assert_eq!(
        feed(&mut session, b"{\"return\": {}}\n"),
        ["Return { id: 1, value: RawValue({}) }"]
    );
    session
        .send(2, "guest-exec", Some("{\"path\": \"x\"}"))
        .unwrap();
    assert_eq!(
        pulled(&mut session),
        b"{\"execute\":\"guest-exec\",\"arguments\":{\"path\": \"x\"}}\n"
    );
    let messages = feed(
        &mut session,
        b"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}}\n",
    );
    assert_eq!(
        messages,
        ["Error { id: Some(2), class: \"CommandNotFound\", description: \"no\" }"]
    );
    assert!(session.is_ready());
}

#[test]
fn everything_before_the_own_sync_is_thrown_away() {
    for stale in [
        &b"{\"return\": {}}\n"[..],
        b"{\"return\": 327681}\n",
        b"garbage {{{ \"",
        b"{\"return\": {\"half\": ",
        b"\xff{\"return\": 1}\n{\"return\": 327681}\n",
        b"\xff\xffnonsense\xff{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON\"}}\n",
        b"\xff{]\n\xff{\"return\": \"327681\"}",
    ] {
        let mut session = fresh();
        assert!(
            feed(&mut session, stale).is_empty(),
            "{}",
            stale.escape_ascii()
        );
        assert_eq!(
            feed(&mut session, SYNCED),
            ["Ready"],
            "{}",
            stale.escape_ascii()
        );
    }
}

#[test]
fn a_forgotten_request_is_fenced_by_a_new_sync() {
    let mut session = synced();
    session.send(1, "guest-ping", None).unwrap();
    pulled(&mut session);
    session.forget(99);
    assert!(pulled(&mut session).is_empty(), "another request");
    session.forget(1);
    assert!(!session.is_ready());
    assert_eq!(
        pulled(&mut session),
        b"\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":327682}}\n"
    );
    assert!(
        feed(&mut session, b"{\"return\": {}}\n").is_empty(),
        "the late answer"
    );
    assert!(feed(&mut session, SYNCED).is_empty(), "an older sync");
    assert_eq!(feed(&mut session, b"\xff{\"return\": 327682}\n"), ["Ready"]);
}

#[test]
fn a_sync_without_an_answer_is_sent_again_and_never_piles_up() {
    let mut session = fresh();
    for _ in 0..1000 {
        session.forget(1);
    }
    let sent = pulled(&mut session);
    assert_eq!(sent.iter().filter(|&&byte| byte == 0xff).count(), 1);
    assert_eq!(feed(&mut session, b"\xff{\"return\": 328681}\n"), ["Ready"]);
}

#[test]
fn an_idle_agent_that_speaks_is_ignored_and_nonsense_is_a_fault() {
    let mut session = synced();
    assert!(feed(&mut session, b"{\"return\": {}}\n").is_empty());
    for bytes in [&b"nonsense"[..], b"{\"x\": 1}", b"{]"] {
        let mut session = synced();
        session.send(1, "guest-ping", None).unwrap();
        let fault = session.on_bytes(bytes, &mut Vec::new()).unwrap_err();
        assert_eq!(
            fault.reason,
            Reason::ProtocolError,
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn answers_are_bounded() {
    let mut session = synced();
    session.send(1, "guest-ping", None).unwrap();
    session
        .on_bytes(b"{\"return\":\"", &mut Vec::new())
        .unwrap();
    let chunk = vec![b'x'; 1 << 20];
    let fault = (0..5)
        .find_map(|_| session.on_bytes(&chunk, &mut Vec::new()).err())
        .expect("a fault");
    assert_eq!(fault.reason, Reason::ResponseTooLarge);
    let mut syncing = fresh();
    for _ in 0..20 {
        syncing.on_bytes(&chunk, &mut Vec::new()).unwrap();
        syncing.on_bytes(b"\xff{\"", &mut Vec::new()).unwrap();
        syncing.on_bytes(&chunk, &mut Vec::new()).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_do_not_matter(noise in vec(any::<u8>(), 0..100), step in 1..40_usize) {
        let stream = [noise.as_slice(), SYNCED].concat();
        let mut session = fresh();
        let mut messages = Vec::new();
        for chunk in stream.chunks(step) {
            session.on_bytes(chunk, &mut messages).unwrap();
        }
        prop_assert_eq!(messages.len(), 1);
        prop_assert!(session.is_ready());
    }

    #[test]
    fn noise_never_panics(noise in vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\\xff1".to_vec())], 0..300)) {
        let mut asking = synced();
        asking.send(1, "guest-ping", None).unwrap();
        for mut session in [fresh(), synced(), asking] {
            let _ = session.on_bytes(&noise, &mut Vec::new());
        }
    }
}
