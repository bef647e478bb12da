//! Any cut of any response gives the same outcome; no response breaks or bloats the reader.

use super::*;
use crate::http::HttpExchange;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Responses worth mutating: each framing, each stage.
const SEEDS: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-A: b\r\n\r\nhello, world",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nT: u\r\n\r\n",
    "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello, world",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: https://10.0.0.1:8443/login?x=1#y\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 503 Unavailable\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\ndown",
    "HTTP/1.1 200 OK\nX: folded\n  more\n\nuntil the end",
];

#[derive(Clone, Debug)]
enum Mutation {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Cut(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let telling = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        prop::sample::select(vec![
            "\r",
            "\n",
            "\r\n",
            "\r\n\r\n",
            "\0",
            "0",
            "ffffffffffffffff",
            ":",
            ";",
            " ",
            "HTTP/1.1 200 OK\r\n"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any::<Index>(), telling).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<Index>(), 1..20_usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        (any::<Index>(), 1..40_usize, 2..400_usize)
            .prop_map(|(at, count, times)| Mutation::Repeat(at, count, times)),
        any::<Index>().prop_map(Mutation::Cut),
    ]
}

fn mutate(mut response: Vec<u8>, mutation: &Mutation) -> Vec<u8> {
    let at = |index: &Index| index.index(response.len() + 1);
    let span = |start: usize, count: usize| start..(start + count).min(response.len());
    match mutation {
        Mutation::Replace(index, byte) if !response.is_empty() => {
            let place = index.index(response.len());
            response[place] = *byte;
        }
        Mutation::Replace(..) => {}
        Mutation::Insert(index, bytes) => {
            let place = at(index);
            response.splice(place..place, bytes.iter().copied());
        }
        Mutation::Remove(index, count) => drop(response.drain(span(at(index), *count))),
        Mutation::Repeat(index, count, times) => {
            let span = span(at(index), *count);
            let repeated = response[span.clone()].repeat(*times);
            response.splice(span, repeated);
        }
        Mutation::Cut(index) => response.truncate(at(index)),
    }
    response
}

fn response() -> impl Strategy<Value = Vec<u8>> {
    let seeds = prop::sample::select(SEEDS.to_vec());
    (seeds, vec(mutation(), 0..6))
        .prop_map(|(seed, mutations)| mutations.iter().fold(seed.as_bytes().to_vec(), mutate))
}

fn demanding() -> HttpSpec {
    HttpSpec {
        expect_body_contains: Some(b"world".to_vec()),
        expect_headers: vec![("x-a".into(), "b".into())],
        max_body_bytes: Some(10),
        ..spec()
    }
}

/// What must not depend on the cut.
fn essence(came: Came) -> String {
    match came {
        Came::Result(result) => format!(
            "{:?} {:?} {:?}",
            result.outcome, result.details, result.warnings
        ),
        Came::Redirect(hop) => format!("{hop:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_do_not_matter(response in response(), cuts in vec(any::<Index>(), 0..8), eof in any::<bool>(), strict in any::<bool>()) {
        let spec = if strict { demanding() } else { spec() };
        let end = if eof { End::Eof } else { End::Silence };
        let whole = essence(feed(&spec, std::iter::once(&*response).filter(|bytes| !bytes.is_empty()), end));
        let bytewise = essence(feed(&spec, response.chunks(1), end));
        prop_assert_eq!(&bytewise, &whole);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(response.len() + 1)).collect();
        places.extend([0, response.len()]);
        places.sort_unstable();
        let pieces = places.windows(2).map(|pair| &response[pair[0]..pair[1]]).filter(|piece| !piece.is_empty());
        prop_assert_eq!(essence(feed(&spec, pieces, end)), whole);
    }

    #[test]
    fn nothing_grows_beyond_its_bound(response in response(), times in 1..300_usize) {
        let plan = demanding().compile().unwrap();
        let hop = plan.first_hop("10.0.0.1").unwrap();
        let mut conversation = HttpExchange::new(plan, hop, true);
        conversation.pull(&mut Vec::new());
        let mut fed = 0_usize;
        let mut result = None;
        for chunk in std::iter::repeat_n(&*response, times).filter(|bytes| !bytes.is_empty()) {
            let progress = conversation.on_bytes(chunk);
            prop_assert!(conversation.held_bytes() <= 128 * 1024, "holds {}", conversation.held_bytes());
            fed += chunk.len();
            match progress {
                Progress::More => {}
                Progress::Done(done) => { result = Some(*done); break; }
                Progress::Redirect(_) => return Ok(()),
            }
        }
        let result = result.unwrap_or_else(|| conversation.on_timeout());
        prop_assert!(result.details.body_bytes <= 10);
        prop_assert!(result.message.is_none_or(|text| text.len() <= 1024));
        prop_assert!(result.transcript.is_some_and(|text| text.len() <= 17 * 1024));
        prop_assert!(fed > 0 || response.is_empty());
    }

    #[test]
    fn noise_never_panics(noise in vec(any::<u8>(), 0..512)) {
        let response = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", noise.as_slice()].concat();
        for bytes in [&*noise, &*response] {
            feed(&spec(), std::iter::once(bytes).filter(|bytes| !bytes.is_empty()), End::Eof);
        }
    }

    #[test]
    fn any_location_is_resolved_or_refused(location in vec(any::<u8>().prop_filter("no line end", |byte| *byte != b'\r' && *byte != b'\n'), 0..64)) {
        let plan = spec().compile().unwrap();
        let hop = plan.first_hop("10.0.0.1").unwrap();
        if let crate::http::hop::Redirect::Follow(next) = hop.redirect(&plan, &location) {
            let mut out = Vec::new();
            plan.write_head(&next, &mut out);
            // One request and nothing smuggled into it.
            let line = out.split(|&byte| byte == b'\n').next().unwrap();
            prop_assert_eq!(line.iter().filter(|byte| byte.is_ascii_whitespace()).count(), 3);
            prop_assert!(out.iter().all(|byte| byte.is_ascii()));
        }
    }
}
