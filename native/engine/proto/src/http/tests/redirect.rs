use super::*;
use crate::exchange::Warning;
use crate::http::{HttpPlan, MAX_REDIRECTS};
use std::sync::Arc;

fn moved(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

fn redirected(spec: &HttpSpec, response: &[u8]) -> Came {
    feed(spec, std::iter::once(response), End::Silence)
}

fn next_request(spec: &HttpSpec, location: &str) -> (bool, u16, String) {
    let plan = spec.clone().compile().unwrap();
    let hop = redirected(spec, &moved(302, location)).hop();
    let (tls, port) = (hop.is_tls(), hop.port());
    let mut out = Vec::new();
    plan.write_head(&hop, &mut out);
    (tls, port, String::from_utf8(out).unwrap())
}

#[test]
fn each_redirect_status_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        assert_eq!(
            redirected(&spec(), &moved(status, "/x")).hop().redirects,
            1,
            "{status}"
        );
    }
    for status in [300, 304, 305, 306, 399] {
        let result = redirected(&spec(), &moved(status, "/x")).result();
        assert_eq!(
            (result.outcome, result.warnings.len()),
            (Outcome::Ok, 0),
            "{status}"
        );
    }
}

#[test]
fn locations_are_resolved() {
    let base = HttpSpec {
        path: "/a/b?old=1".into(),
        ..spec()
    };
    for (location, tls, port, target) in [
        ("/x?y=1#part", false, 8080, "/x?y=1"),
        ("c", false, 8080, "/a/c"),
        ("../../c", false, 8080, "/c"),
        ("?new=2", false, 8080, "/a/b?new=2"),
        ("//10.0.0.1/z", false, 80, "/z"),
        ("http://10.0.0.1:81", false, 81, "/"),
        ("HTTP://user:secret@10.0.0.1:81/x", false, 81, "/x"),
        ("https://10.0.0.1/x", true, 443, "/x"),
        ("https://10.0.0.1:8443?q", true, 8443, "/?q"),
        ("http://10.0.0.1:/x", false, 80, "/x"),
        (
            "/with space/ä?a[]=1",
            false,
            8080,
            "/with%20space/%C3%A4?a%5B%5D=1",
        ),
    ] {
        let (to_tls, to_port, request) = next_request(&base, location);
        assert_eq!((to_tls, to_port), (tls, port), "{location}");
        assert!(
            request.starts_with(&format!("GET {target} HTTP/1.1\r\n")),
            "{location}: {request}"
        );
    }
    let odd = HttpSpec {
        path: "/100%/a[]=1".into(),
        ..spec()
    };
    assert!(
        next_request(&odd, "?q")
            .2
            .starts_with("GET /100%25/a%5B%5D=1?q "),
        "any path can be a base"
    );
}

#[test]
fn hosts_are_compared_without_case_and_notation() {
    let plan = spec().compile().unwrap();
    for (host, location, followed) in [
        ("app.example", "http://APP.example/x", true),
        ("::1", "http://[0:0:0:0:0:0:0:1]/x", true),
        ("::1", "http://[::2]/x", false),
        ("app.example", "http://app.example.evil.example/x", false),
        ("app.example", "http://app.example@evil.example/x", false),
        ("app.example", "mailto:someone", false),
        ("app.example", "http:///x", false),
    ] {
        let hop = plan.first_hop(host).unwrap();
        let mut conversation = HttpConversation::open(&plan, hop, OpenOptions::default()).unwrap();
        match conversation.on_bytes(&moved(302, location)) {
            Progress::Redirect(_) => assert!(followed, "{location}"),
            Progress::Done(result) => {
                assert!(!followed, "{location}");
                assert_eq!(result.outcome, Outcome::Ok);
                assert_eq!(result.warnings, [Warning::RedirectNotFollowed]);
            }
            Progress::More => panic!("undecided"),
        }
    }
}

#[test]
fn a_redirect_that_is_not_followed_is_judged_as_the_answer() {
    let strict = HttpSpec {
        expect_status: vec![(200, 200)],
        ..spec()
    };
    let result = redirected(&strict, &moved(302, "http://other.example/")).result();
    assert_eq!(result.outcome, failed(Reason::BadStatus));
    assert_eq!(result.warnings, [Warning::RedirectNotFollowed]);
}

#[test]
fn a_missing_location_is_a_warning_and_a_bad_one_a_failure() {
    for response in [
        "HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 x\r\nLocation: \r\nContent-Length: 0\r\n\r\n",
    ] {
        let result = redirected(&spec(), response.as_bytes()).result();
        assert_eq!(
            (result.outcome, &*result.warnings),
            (Outcome::Ok, &[Warning::RedirectWithoutLocation][..])
        );
    }
    for location in [
        "http://[::1",
        "http://10.0.0.1:99999/",
        "http://10.0.0.1:0/",
        "http://10.0.0.1:x/",
        "ftp://10.0.0.1/",
        "1:2",
    ] {
        let result = redirected(&spec(), &moved(302, location)).result();
        assert_eq!(result.outcome, failed(Reason::BadHeader), "{location}");
    }
}

#[test]
fn expecting_only_redirects_makes_the_redirect_the_answer() {
    let wanted = HttpSpec {
        expect_status: vec![(301, 302)],
        ..spec()
    };
    let result = redirected(&wanted, &moved(302, "/login")).result();
    assert_eq!(
        (result.outcome, result.details.status, result.warnings.len()),
        (Outcome::Ok, Some(302), 0)
    );
    assert_eq!(
        redirected(&wanted, &moved(307, "/login")).result().outcome,
        failed(Reason::BadStatus)
    );
}

#[test]
fn the_host_header_holds_for_relative_redirects_only() {
    let named = HttpSpec {
        headers: vec![("Host".into(), "app.example".into())],
        ..spec()
    };
    assert!(
        next_request(&named, "/x")
            .2
            .contains("\r\nHost: app.example\r\n")
    );
    assert!(
        next_request(&named, "http://10.0.0.1:81/x")
            .2
            .contains("\r\nHost: 10.0.0.1:81\r\n")
    );
}

#[test]
fn a_post_is_followed_as_a_get_without_its_body() {
    let post = HttpSpec {
        method: "POST".into(),
        body: Some(b"data".to_vec()),
        ..spec()
    };
    let plan = post.clone().compile().unwrap();
    for status in [302, 307, 308] {
        let hop = redirected(&post, &moved(status, "/x")).hop();
        let mut conversation = HttpConversation::open(&plan, hop, OpenOptions::default()).unwrap();
        let mut out = Vec::new();
        conversation.pull(&mut out);
        let request = String::from_utf8(out).unwrap();
        assert!(
            request.starts_with("GET /x ") && request.ends_with("\r\n\r\n"),
            "{request}"
        );
        assert!(!request.contains("Content-Length"));
    }
}

fn follow_loop(plan: &Arc<HttpPlan>, options: OpenOptions) -> (u32, ExchangeResult) {
    let mut hop = plan.first_hop("10.0.0.1").unwrap();
    for requests in 1.. {
        let mut conversation = HttpConversation::open(plan, hop, options).unwrap();
        conversation.pull(&mut Vec::new());
        match conversation.on_bytes(&moved(302, "/again")) {
            Progress::Redirect(next) => hop = *next,
            Progress::Done(result) => return (requests, *result),
            Progress::More => panic!("undecided"),
        }
    }
    unreachable!("the loop has no other end")
}

#[test]
fn a_loop_ends_after_ten_redirects() {
    let plan = spec().compile().unwrap();
    let (requests, result) = follow_loop(
        &plan,
        OpenOptions {
            debug: true,
            ..OpenOptions::default()
        },
    );
    assert_eq!(requests, u32::from(MAX_REDIRECTS) + 1);
    assert_eq!(result.outcome, failed(Reason::ProtocolError));
    assert_eq!(result.details.redirects, MAX_REDIRECTS);
    let transcript = result.transcript.expect("a transcript over all hops");
    assert_eq!(transcript.matches("> GET ").count(), 11);
    assert_eq!(transcript.matches("* redirect ").count(), 10);
}
