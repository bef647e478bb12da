use super::*;

#[test]
fn complete_responses_are_ok_without_waiting_for_more() {
    for response in [
        ok("Content-Length: 2\r\n\r\nok"),
        ok("Content-Length: 0\r\n\r\n"),
        ok("Content-Length: 2\r\ncontent-length: 2\r\n\r\nok"),
        ok("Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        ok(
            "Transfer-Encoding: Chunked\r\nContent-Length: 77\r\n\r\n1;a=b\r\no\r\n01 \r\nk\r\n0\r\nT: x\r\n\r\n",
        ),
        b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n".to_vec(),
        b"HTTP/1.1 304 \r\n\r\n".to_vec(),
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1  200  OK\nContent-Length: 0\n\n".to_vec(),
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        ok("X: folded\r\n  value\r\nContent-Length: 0\r\n\r\n"),
        ok("Content-Length: 2\r\n\r\nokHTTP/1.1 500 pipelined garbage\r\n\r\n\0\x7f"),
    ] {
        assert_eq!(
            outcome(&response, End::Silence),
            Outcome::Ok,
            "{}",
            response.escape_ascii()
        );
    }
}

#[test]
fn without_a_length_the_end_of_the_stream_ends_the_body() {
    let response = ok("\r\nsome body");
    let result = answer(&spec(), &response, End::Eof);
    assert_eq!(
        (result.outcome, result.details.body_bytes),
        (Outcome::Ok, 9)
    );
    assert_eq!(
        outcome(&response, End::Silence),
        failed(Reason::ResponseTimeout)
    );
}

#[test]
fn a_head_request_expects_no_body() {
    let head = HttpSpec {
        method: "HEAD".into(),
        ..spec()
    };
    assert_eq!(
        answer(&head, &ok("Content-Length: 99\r\n\r\n"), End::Silence).outcome,
        Outcome::Ok
    );
    assert_eq!(
        answer(&head, &ok("\r\n"), End::Silence).outcome,
        Outcome::Ok
    );
}

#[test]
fn interim_responses_are_skipped_up_to_five() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        outcome(format!("{}{last}", interim.repeat(5)), End::Silence),
        Outcome::Ok
    );
    assert_eq!(
        outcome(format!("{}{last}", interim.repeat(6)), End::Silence),
        failed(Reason::ProtocolError)
    );
    assert_eq!(
        outcome(interim, End::Silence),
        failed(Reason::ResponseTimeout)
    );
    assert_eq!(outcome(interim, End::Eof), failed(Reason::ConnectionClosed));
    assert_eq!(
        outcome("HTTP/1.1 101 Switching Protocols\r\n\r\n", End::Silence),
        failed(Reason::ProtocolError)
    );
}

#[test]
fn early_ends_are_connection_closed_and_silence_is_a_timeout() {
    for response in [
        Vec::new(),
        b"HT".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(),
        ok("Content-Length: 5\r\n\r\nfour"),
        ok("Transfer-Encoding: chunked\r\n\r\n5\r\nfou"),
        ok("Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n"),
    ] {
        assert_eq!(
            outcome(&response, End::Eof),
            failed(Reason::ConnectionClosed),
            "{}",
            response.escape_ascii()
        );
        assert_eq!(
            outcome(&response, End::Silence),
            failed(Reason::ResponseTimeout)
        );
    }
}

#[test]
fn what_is_not_http_1_is_a_protocol_error_at_once() {
    for response in [
        &b"<html>HTTP/0.9</html>"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(
            outcome(response, End::Silence),
            failed(Reason::ProtocolError),
            "{}",
            response.escape_ascii()
        );
    }
}

#[test]
fn malformed_heads_are_protocol_errors() {
    for head in [
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.7 200 OK\r\n\r\n",
        "HTTP/1.1200 OK\r\n\r\n",
    ] {
        assert_eq!(
            outcome(head, End::Silence),
            failed(Reason::ProtocolError),
            "{head}"
        );
    }
    for line in ["no colon", "Bad Name: x", "Space : x", "Nul: \0", ": x"] {
        assert_eq!(
            outcome(ok(format!("{line}\r\n\r\n")), End::Silence),
            failed(Reason::ProtocolError),
            "{line}"
        );
    }
}

#[test]
fn bad_lengths_are_protocol_errors() {
    for value in [
        "",
        "-1",
        "+1",
        "1, 1",
        "0x10",
        "1 1",
        "9223372036854775808",
        "99999999999999999999",
        "five",
    ] {
        let response = ok(format!("Content-Length: {value}\r\n\r\n"));
        assert_eq!(
            outcome(response, End::Silence),
            failed(Reason::ProtocolError),
            "{value}"
        );
    }
    let conflict = ok("Content-Length: 2\r\nContent-Length: 3\r\n\r\nok");
    assert_eq!(
        outcome(conflict, End::Silence),
        failed(Reason::ProtocolError)
    );
}

#[test]
fn other_transfer_encodings_are_protocol_errors() {
    for lines in [
        "gzip",
        "gzip, chunked",
        "",
        "chunked\r\nTransfer-Encoding: chunked",
    ] {
        let response = ok(format!("Transfer-Encoding: {lines}\r\n\r\n0\r\n\r\n"));
        assert_eq!(
            outcome(response, End::Silence),
            failed(Reason::ProtocolError),
            "{lines}"
        );
    }
}

#[test]
fn bad_chunks_are_protocol_errors() {
    for body in [
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "5;ext\n",
        "2\nok",
        "2\r\nokay\r\n",
        "2\r\nok\n",
        "2\r\nok\rX",
        "2 \rX",
        "2x\r\n",
        "11111111111111111\r\n",
        "0\r\n\n",
        "0\r\n\rX",
    ] {
        let response = ok(format!("Transfer-Encoding: chunked\r\n\r\n{body}"));
        assert_eq!(
            outcome(response, End::Silence),
            failed(Reason::ProtocolError),
            "{body:?}"
        );
    }
}

#[test]
fn floods_are_response_too_large() {
    let chunked = |body: String| ok(format!("Transfer-Encoding: chunked\r\n\r\n{body}"));
    for response in [
        ok("X: y\r\n".repeat(129) + "\r\n"),
        ok("X: ".to_owned() + &"y".repeat(70_000)),
        ok("X-Long: 0123456789\r\n".repeat(4000)),
        format!("HTTP/1.1 {}", "2".repeat(70_000)).into_bytes(),
        chunked("1;".to_owned() + &"e".repeat(5000)),
        chunked(format!("1;{}\r\nx\r\n", "e".repeat(4000)).repeat(6)),
        chunked("0\r\n".to_owned() + &"T: x\r\n".repeat(2000)),
    ] {
        assert_eq!(
            outcome(&response, End::Silence),
            failed(Reason::ResponseTooLarge)
        );
    }
    let headers = ok("X: y\r\n".repeat(127) + "Content-Length: 0\r\n\r\n");
    assert_eq!(
        outcome(headers, End::Silence),
        Outcome::Ok,
        "128 headers are allowed"
    );
    let tiny = chunked("1\r\nx\r\n".repeat(9000) + "0\r\n\r\n");
    assert_eq!(
        outcome(tiny, End::Silence),
        Outcome::Ok,
        "a byte a chunk is allowed"
    );
}

#[test]
fn ten_kibibytes_of_body_are_enough() {
    let body = "x".repeat(20_000);
    for response in [
        ok(format!("\r\n{body}")),
        ok(format!("Content-Length: 100000000\r\n\r\n{body}")),
        ok(format!(
            "Transfer-Encoding: chunked\r\n\r\n2800\r\n{}\r\nnot a chunk",
            &body[..0x2800]
        )),
    ] {
        let result = answer(&spec(), &response, End::Silence);
        assert_eq!(
            (result.outcome, result.details.body_bytes),
            (Outcome::Ok, 10_240)
        );
    }
}

#[test]
fn a_limit_of_the_users_own_is_a_bound() {
    let limited = HttpSpec {
        max_body_bytes: Some(4),
        ..spec()
    };
    let judge = |rest: &str, end| answer(&limited, &ok(rest), end).outcome;
    assert_eq!(
        judge("Content-Length: 4\r\n\r\nfour", End::Silence),
        Outcome::Ok
    );
    assert_eq!(
        judge("Content-Length: 5\r\n\r\n", End::Silence),
        failed(Reason::ResponseTooLarge)
    );
    assert_eq!(judge("\r\nfour", End::Eof), Outcome::Ok);
    assert_eq!(
        judge("\r\nfive!", End::Silence),
        failed(Reason::ResponseTooLarge)
    );
    let large = HttpSpec {
        max_body_bytes: Some(100_000),
        expect_body_contains: Some(b"end".to_vec()),
        ..spec()
    };
    let response = ok(format!("\r\n{}end", "x".repeat(90_000)));
    assert_eq!(
        answer(&large, &response, End::Eof).outcome,
        Outcome::Ok,
        "what is read is matched"
    );
}
