use super::*;
use crate::reason::Reason;
use proptest::prelude::*;
use std::net::IpAddr;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const PAIRS: [(&str, &str); 2] = [("192.0.2.1", "192.0.2.77"), ("2001:db8::1", "2001:db8::77")];

fn syn(source: &str, destination: &str) -> Vec<u8> {
    let mut out = [0xffu8; 128];
    let from = (ip(source), 40_001);
    let length = tcp::write_syn(&mut out, from, (ip(destination), 22), 0xdead_beef).unwrap();
    out[..length].to_vec()
}

fn read(bytes: &[u8]) -> ip::Packet<'_> {
    ip::read_v4(bytes).or_else(|| ip::read_v6(bytes)).unwrap()
}

#[test]
fn a_syn_is_what_it_says_and_its_checksum_is_right() {
    for (source, destination) in PAIRS {
        let bytes = syn(source, destination);
        let packet = read(&bytes);
        assert_eq!(
            (packet.source, packet.destination),
            (ip(source), ip(destination))
        );
        assert_eq!(packet.payload.len(), tcp::SYN_BYTES);
        let quote = tcp::read_quote(packet.payload).unwrap();
        assert_eq!((quote.source_port, quote.destination_port), (40_001, 22));
        assert_eq!(quote.sequence, 0xdead_beef);
        // A right checksum makes the sum of everything zero.
        let (from, to) = (packet.source, packet.destination);
        assert_eq!(
            checksum::with_pseudo_header(from, to, ip::TCP, packet.payload),
            0
        );
        assert_eq!(
            tcp::read_reply(packet.payload),
            None,
            "a SYN answers nothing"
        );
    }
    let mut out = [0u8; 128];
    let mixed = tcp::write_syn(&mut out, (ip("192.0.2.1"), 1), (ip("2001:db8::1"), 2), 3);
    assert_eq!(mixed, None);
}

#[test]
fn only_syn_ack_and_rst_ack_answer_a_syn() {
    let mut segment = [0u8; 20];
    segment[..4].copy_from_slice(&[0, 22, 0x9c, 0x41]);
    segment[8..12].copy_from_slice(&0u32.to_be_bytes());
    for (flags, accepts) in [(0x12, Some(true)), (0x14, Some(false)), (0x52, Some(true))] {
        segment[13] = flags;
        let reply = tcp::read_reply(&segment).unwrap();
        assert_eq!(Some(reply.accepts), accepts);
        assert_eq!(reply.answers, u32::MAX, "the numbers wrap");
        assert_eq!((reply.source_port, reply.destination_port), (22, 40_001));
    }
    for flags in [0x00, 0x02, 0x04, 0x10, 0x11, 0x16, 0x18] {
        segment[13] = flags;
        assert_eq!(tcp::read_reply(&segment), None, "flags {flags:#x}");
    }
}

#[test]
fn errors_quote_the_packet_that_they_are_about() {
    let cases = [
        (4, 3, 0, Some(Reason::NetworkUnreachable)),
        (4, 3, 1, Some(Reason::HostUnreachable)),
        (4, 3, 3, Some(Reason::ConnectionRefused)),
        (4, 3, 4, None),
        (4, 3, 13, Some(Reason::HostUnreachable)),
        (4, 11, 0, Some(Reason::HostUnreachable)),
        (4, 0, 0, None),
        (6, 1, 0, Some(Reason::NetworkUnreachable)),
        (6, 1, 3, Some(Reason::HostUnreachable)),
        (6, 1, 4, Some(Reason::ConnectionRefused)),
        (6, 2, 0, None),
        (6, 3, 0, Some(Reason::HostUnreachable)),
    ];
    for (family, kind, code, reason) in cases {
        let (source, destination) = PAIRS[usize::from(family == 6)];
        let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
        message.extend(syn(source, destination));
        let error = if family == 4 {
            icmp::read_error_v4(&message)
        } else {
            icmp::read_error_v6(&message)
        };
        assert_eq!(
            error.map(|error| error.reason),
            reason,
            "{family} {kind} {code}"
        );
        if let Some(error) = error {
            assert_eq!(error.quoted.destination, ip(destination));
            assert!(tcp::read_quote(error.quoted.payload).is_some());
        }
    }
}

#[test]
fn a_later_fragment_says_nothing() {
    let mut bytes = syn(PAIRS[0].0, PAIRS[0].1);
    bytes[7] = 3;
    assert_eq!(ip::read_v4(&bytes), None);
}

#[test]
fn an_echo_comes_back_as_it_was_written() {
    let stamp = icmp::Stamp {
        magic: 0x1234_5678,
        ticket: 9,
        sent_us: u32::MAX,
        seal: 0xfeed_0000_0000_beef,
    };
    let echo = icmp::Echo {
        id: 7,
        sequence: 0x0102,
        stamp,
    };
    for v6 in [false, true] {
        let mut out = [0xffu8; 64];
        let length = icmp::write_echo(&mut out, v6, &echo).unwrap();
        if !v6 {
            assert_eq!(checksum::plain(&out[..length]), 0);
        }
        assert_eq!(icmp::read_request(&out, v6), Some(echo));
        assert_eq!(icmp::read_reply(&out, v6), None, "a question is no answer");
        out[0] = if v6 { 129 } else { 0 };
        assert_eq!(icmp::read_reply(&out, v6), Some(echo));
        assert_eq!(icmp::read_reply(&out[..length - 1], v6), None);
    }
}

#[test]
fn arp_and_ndp_name_who_has_the_address() {
    let mac = [2, 0, 0, 0, 0, 7];
    let mut out = [0xffu8; 64];
    let (ours, theirs) = ("192.0.2.1".parse().unwrap(), "192.0.2.7".parse().unwrap());
    let length = arp::write_request(&mut out, (mac, ours), theirs).unwrap();
    assert_eq!(
        arp::read_reply(&out[..length]),
        None,
        "a question is no answer"
    );
    out[7] = 2;
    assert_eq!(
        arp::read_reply(&out[..length]),
        Some(arp::Reply { ip: ours, mac })
    );
    out[4] = 8;
    assert_eq!(arp::read_reply(&out[..length]), None, "not Ethernet");

    let target = "2001:db8::1:2345:6789".parse().unwrap();
    assert_eq!(ndp::solicited_node(target).to_string(), "ff02::1:ff45:6789");
    let length = ndp::write_solicitation(&mut out, mac, target).unwrap();
    assert_eq!(ndp::read_advertisement(&out[..length]), None);
    (out[0], out[4], out[24]) = (136, 0x40, 2);
    let said = ndp::Advertisement { ip: target, mac };
    assert_eq!(ndp::read_advertisement(&out[..length]), Some(said));
    out[4] = 0x20;
    assert_eq!(
        ndp::read_advertisement(&out[..length]),
        None,
        "not asked for"
    );
    (out[4], out[25]) = (0x40, 0);
    assert_eq!(
        ndp::read_advertisement(&out[..length]),
        None,
        "an option without length"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ip::read_v4(&bytes).map(|packet| tcp::read_reply(packet.payload));
        let _ = ip::read_v6(&bytes).map(|packet| tcp::read_quote(packet.payload));
        let _ = (icmp::read_error_v4(&bytes), icmp::read_error_v6(&bytes));
        let _ = (arp::read_reply(&bytes), ndp::read_advertisement(&bytes));
        let _ = (icmp::read_reply(&bytes, false), icmp::read_reply(&bytes, true));
    }
}
