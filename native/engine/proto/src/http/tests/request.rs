use super::*;
use crate::http::USER_AGENT;

fn request_to(spec: &HttpSpec, host: &str) -> String {
    let plan = spec.clone().compile().expect("a valid spec");
    let hop = plan.first_hop(host).expect("a valid host");
    let mut conversation = HttpConversation::open(&plan, hop, OpenOptions::default()).unwrap();
    let mut out = Vec::new();
    conversation.pull(&mut out);
    let length = out.len();
    conversation.pull(&mut out);
    assert_eq!(out.len(), length, "sent once");
    String::from_utf8(out).unwrap()
}

fn request(spec: &HttpSpec) -> String {
    request_to(spec, "10.0.0.1")
}

fn with_headers(headers: &[(&str, &str)]) -> HttpSpec {
    let headers = headers
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    HttpSpec { headers, ..spec() }
}

#[test]
fn default_request() {
    let expected = format!(
        "GET /healthz HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(request(&spec()), expected);
}

#[test]
fn user_headers_replace_ours_whatever_their_case() {
    let text = request(&with_headers(&[
        ("user-agent", "me"),
        ("ACCEPT", "text/html"),
        ("X-A", "1"),
        ("X-A", "2"),
    ]));
    assert!(
        text.ends_with(
            "Connection: close\r\nuser-agent: me\r\nACCEPT: text/html\r\nX-A: 1\r\nX-A: 2\r\n\r\n"
        ),
        "{text}"
    );
    assert!(!text.contains("vmpulse"));
}

#[test]
fn an_empty_value_removes_ours_and_stays_empty_otherwise() {
    let text = request(&with_headers(&[
        ("Accept", ""),
        ("user-agent", ""),
        ("connection", ""),
        ("X-Empty", ""),
    ]));
    assert_eq!(
        text,
        "GET /healthz HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nX-Empty: \r\n\r\n"
    );
}

#[test]
fn host_header_sets_the_host_and_cannot_be_removed() {
    let text = request(&with_headers(&[("host", "app.example")]));
    assert_eq!(text.matches("ost: ").count(), 1);
    assert!(text.contains("\r\nHost: app.example\r\n"));
    assert!(request(&with_headers(&[("Host", "")])).contains("\r\nHost: 10.0.0.1:8080\r\n"));
}

#[test]
fn host_line_leaves_out_default_ports_and_brackets_ipv6() {
    let port = |port, tls| HttpSpec {
        port,
        tls,
        ..spec()
    };
    assert!(request(&port(80, false)).contains("Host: 10.0.0.1\r\n"));
    assert!(request(&port(443, false)).contains("Host: 10.0.0.1:443\r\n"));
    assert!(request_to(&port(80, false), "fe80::1%eth0").contains("Host: [fe80::1]\r\n"));
    assert!(request_to(&port(81, false), "::1").contains("Host: [::1]:81\r\n"));
    assert!(request_to(&port(80, false), "localhost").contains("Host: localhost\r\n"));
}

#[test]
fn hosts_that_are_none_are_refused() {
    let plan = spec().compile().unwrap();
    for host in [
        "",
        "a b",
        "a/b",
        "a\r\nX: y",
        "[::1]",
        "1:2:3",
        "app%2e",
        &"a".repeat(300),
    ] {
        assert_eq!(plan.first_hop(host).unwrap_err().field, "host", "{host:?}");
    }
    let tls = HttpSpec {
        tls: true,
        ..spec()
    }
    .compile()
    .unwrap();
    assert_eq!(tls.first_hop("a..b").unwrap_err().field, "host");
}

#[test]
fn bodies_come_with_their_length() {
    let post = |body: Option<&[u8]>| HttpSpec {
        method: "POST".into(),
        body: body.map(Into::into),
        ..spec()
    };
    assert!(
        request(&post(Some(b"hello")))
            .ends_with("Connection: close\r\nContent-Length: 5\r\n\r\nhello")
    );
    assert!(request(&post(None)).ends_with("Content-Length: 0\r\n\r\n"));
}

#[test]
fn keep_alive_says_nothing_of_closing() {
    assert!(
        !request(&HttpSpec {
            keep_alive: true,
            ..spec()
        })
        .contains("Connection")
    );
}

#[test]
fn paths_are_made_sendable() {
    for (path, sent) in [
        ("", "/"),
        ("healthz", "/healthz"),
        ("?a=b", "/?a=b"),
        ("/a b?q=\"ä\"#part", "/a%20b?q=%22%C3%A4%22"),
        ("/100%/%41?a[]=1", "/100%25/%41?a[]=1"),
    ] {
        let text = request(&HttpSpec {
            path: path.into(),
            ..spec()
        });
        assert!(
            text.starts_with(&format!("GET {sent} HTTP/1.1\r\n")),
            "{path:?} became {text:?}"
        );
    }
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_field() {
    let field = |spec: HttpSpec| spec.compile().unwrap_err().field;
    for (name, value) in [
        ("X-A", "a\r\nX-B: b"),
        ("X-A", "a\n"),
        ("X-A", "a\0"),
        ("X A", "a"),
        ("", "a"),
        ("X-A:", "a"),
        ("X\r\nY", "a"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("Host", "a b"),
    ] {
        assert_eq!(
            field(with_headers(&[(name, value)])),
            "headers",
            "{name:?}: {value:?}"
        );
    }
    assert_eq!(
        field(HttpSpec {
            headers: vec![("A".into(), "b".into()); 65],
            ..spec()
        }),
        "headers"
    );
    assert_eq!(
        field(HttpSpec {
            path: "/\r\n".into(),
            ..spec()
        }),
        "path"
    );
    assert_eq!(
        field(HttpSpec {
            path: "/".repeat(9000),
            ..spec()
        }),
        "path"
    );
    assert_eq!(
        field(HttpSpec {
            method: "GE T".into(),
            ..spec()
        }),
        "method"
    );
    assert_eq!(
        field(HttpSpec {
            method: "CONNECT".into(),
            ..spec()
        }),
        "method"
    );
    assert_eq!(
        field(HttpSpec {
            body: Some(vec![0; 70_000]),
            ..spec()
        }),
        "body"
    );
    assert_eq!(field(HttpSpec { port: 0, ..spec() }), "port");
    assert_eq!(
        field(HttpSpec {
            max_body_bytes: Some(0),
            ..spec()
        }),
        "maxBodyBytes"
    );
    assert_eq!(
        field(HttpSpec {
            max_body_bytes: Some(1 << 30),
            ..spec()
        }),
        "maxBodyBytes"
    );
    assert_eq!(
        field(HttpSpec {
            expect_status: vec![(300, 200)],
            ..spec()
        }),
        "expect.status"
    );
    assert_eq!(
        field(HttpSpec {
            expect_status: vec![(0, 200)],
            ..spec()
        }),
        "expect.status"
    );
    assert_eq!(
        field(HttpSpec {
            expect_body_regex: Some("(".into()),
            ..spec()
        }),
        "expect.bodyRegex"
    );
    assert_eq!(
        field(HttpSpec {
            expect_body_regex: Some("(a{1000}){1000}".into()),
            ..spec()
        }),
        "expect.bodyRegex"
    );
    assert_eq!(
        field(HttpSpec {
            expect_headers: vec![("a b".into(), String::new())],
            ..spec()
        }),
        "expect.headers"
    );
    let head = HttpSpec {
        method: "HEAD".into(),
        expect_body_contains: Some(b"x".to_vec()),
        ..spec()
    };
    assert_eq!(field(head), "expect");
}
