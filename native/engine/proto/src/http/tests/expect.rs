use super::*;

fn judge(spec: &HttpSpec, head: &str, body: &str) -> (Outcome, Option<String>) {
    let response = format!(
        "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let result = answer(spec, response.as_bytes(), End::Silence);
    (result.outcome, result.message.map(String::from))
}

#[test]
fn statuses_200_to_399_are_ok_by_default() {
    for (status, want) in [
        (199, None),
        (200, Some(Outcome::Ok)),
        (399, Some(Outcome::Ok)),
        (400, Some(failed(Reason::BadStatus))),
        (503, Some(failed(Reason::BadStatus))),
        (999, Some(failed(Reason::BadStatus))),
        (99, Some(failed(Reason::BadStatus))),
    ] {
        // 199 is interim and never a final answer.
        let want = want.unwrap_or(failed(Reason::ResponseTimeout));
        assert_eq!(
            judge(&spec(), &format!("{status:03} x"), "").0,
            want,
            "{status}"
        );
    }
    let message = judge(&spec(), "503 Gone", "").1.unwrap();
    assert_eq!(message, "status 503, expected 200-399");
}

#[test]
fn other_statuses_may_be_expected() {
    let wanted = HttpSpec {
        expect_status: vec![(200, 200), (404, 410)],
        ..spec()
    };
    assert_eq!(judge(&wanted, "200 x", "").0, Outcome::Ok);
    assert_eq!(judge(&wanted, "410 x", "").0, Outcome::Ok);
    let (outcome, message) = judge(&wanted, "201 x", "");
    assert_eq!(
        (outcome, message.as_deref()),
        (
            failed(Reason::BadStatus),
            Some("status 201, expected 200, 404-410")
        )
    );
}

#[test]
fn headers_are_compared_exactly_and_empty_takes_any() {
    let wanted = |name: &str, value: &str| HttpSpec {
        expect_headers: vec![(name.into(), value.into())],
        ..spec()
    };
    let head = "200 OK\r\nX-Role:  primary \r\nX-Role: other";
    for (name, value, want) in [
        ("x-role", "primary", Outcome::Ok),
        ("x-role", "other", Outcome::Ok),
        ("x-role", "", Outcome::Ok),
        ("x-role", "Primary", failed(Reason::BadHeader)),
        ("x-gone", "", failed(Reason::BadHeader)),
    ] {
        assert_eq!(
            judge(&wanted(name, value), head, "").0,
            want,
            "{name}: {value}"
        );
    }
    assert_eq!(
        judge(&wanted("a", "b"), head, "").1.unwrap(),
        "header a is missing"
    );
    assert_eq!(
        judge(&wanted("X-Role", "b"), head, "").1.unwrap(),
        "header X-Role is \"other\""
    );
}

#[test]
fn bodies_are_searched_as_bytes() {
    let contains = |text: &[u8]| HttpSpec {
        expect_body_contains: Some(text.to_vec()),
        ..spec()
    };
    let regex = |pattern: &str| HttpSpec {
        expect_body_regex: Some(pattern.into()),
        ..spec()
    };
    let body = "{\"status\": \"pass\"}";
    assert_eq!(judge(&contains(b"\"pass\""), "200 x", body).0, Outcome::Ok);
    assert_eq!(
        judge(&contains(b"PASS"), "200 x", body).0,
        failed(Reason::BadBody)
    );
    assert_eq!(
        judge(&regex(r#""status":\s*"(pass|warn)""#), "200 x", body).0,
        Outcome::Ok
    );
    assert_eq!(
        judge(&regex("^fail"), "200 x", body).0,
        failed(Reason::BadBody)
    );
    let message = judge(&regex("^fail"), "200 x", "\0no").1.unwrap();
    assert_eq!(
        message,
        "the body (3 bytes read) does not match; it begins \"\\x00no\""
    );
    let binary = answer(
        &contains(b"\xff\xfe"),
        b"HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\n\0\xff\xfe\0",
        End::Eof,
    );
    assert_eq!(binary.outcome, Outcome::Ok);
}

#[test]
fn what_lies_beyond_ten_kibibytes_is_not_seen() {
    let wanted = HttpSpec {
        expect_body_contains: Some(b"needle".to_vec()),
        ..spec()
    };
    assert_eq!(
        judge(&wanted, "200 x", &format!("{}needle", "x".repeat(10_234))).0,
        Outcome::Ok
    );
    assert_eq!(
        judge(&wanted, "200 x", &format!("{}needle", "x".repeat(10_235))).0,
        failed(Reason::BadBody)
    );
}

#[test]
fn the_status_is_judged_before_the_headers_and_the_headers_before_the_body() {
    let all = HttpSpec {
        expect_headers: vec![("X".into(), String::new())],
        expect_body_contains: Some(b"x".to_vec()),
        ..spec()
    };
    assert_eq!(judge(&all, "500 x", "").0, failed(Reason::BadStatus));
    assert_eq!(judge(&all, "200 x", "").0, failed(Reason::BadHeader));
    assert_eq!(judge(&all, "200 x\r\nX: 1", "").0, failed(Reason::BadBody));
    assert_eq!(judge(&all, "200 x\r\nX: 1", "x").0, Outcome::Ok);
}
