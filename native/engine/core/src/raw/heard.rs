//! From bytes of a lane to what they say about a probe.

use super::batch::Incoming;
use super::cookie::{Cookies, Ends};
use super::lane::LaneId;
use std::net::IpAddr;
use vmpulse_proto::Reason;
use vmpulse_proto::packet::arp::{self, Mac};
use vmpulse_proto::packet::{icmp, ip, ndp, tcp};

/// What a packet says; to be believed only if such a probe is in flight.
#[derive(Clone, Copy, Debug)]
pub enum Heard {
    /// `failure` `None`: accepted.
    Tcp {
        ends: Ends,
        ticket: u32,
        failure: Option<Reason>,
    },
    /// The echo of this index came back after a time, or could not get there.
    Echo {
        remote: IpAddr,
        ticket: u32,
        index: u8,
        answer: Result<u32, Reason>,
    },
    /// Who has an address on an interface.
    Neighbour {
        interface: u32,
        ip: IpAddr,
        mac: Mac,
    },
}

/// Reads a packet of a lane, or of its socket for errors.
pub fn read(id: LaneId, errors: bool, incoming: &Incoming<'_>, cookies: &Cookies) -> Option<Heard> {
    match id {
        LaneId::Tcp4 | LaneId::Tcp6 if errors => tcp_error(id.is_v6(), incoming.bytes, cookies),
        LaneId::Tcp4 | LaneId::Tcp6 => tcp_reply(id.is_v6(), incoming, cookies),
        LaneId::SmallIcmp4 | LaneId::Icmp4 | LaneId::Icmp6 => {
            let (from, message) = payload(id.is_v6(), incoming)?;
            echo_reply(id.is_v6(), from, message, incoming.at_us?, cookies)
                .or_else(|| echo_error(id.is_v6(), message, cookies))
        }
        LaneId::Arp => arp::read_reply(incoming.bytes).map(|reply| Heard::Neighbour {
            interface: incoming.interface.unwrap_or(0),
            ip: reply.ip.into(),
            mac: reply.mac,
        }),
        LaneId::Ndp => ndp::read_advertisement(incoming.bytes).map(|said| Heard::Neighbour {
            interface: incoming.interface.unwrap_or(0),
            ip: said.ip.into(),
            mac: said.mac,
        }),
    }
}

/// Who sent a packet, and what is behind its IP header; a raw IPv6 socket gives no header.
fn payload<'a>(v6: bool, incoming: &Incoming<'a>) -> Option<(IpAddr, &'a [u8])> {
    if v6 {
        return Some((incoming.from?, incoming.bytes));
    }
    let packet = ip::read_v4(incoming.bytes)?;
    Some((packet.source, packet.payload))
}

fn tcp_reply(v6: bool, incoming: &Incoming<'_>, cookies: &Cookies) -> Option<Heard> {
    let (remote, segment) = payload(v6, incoming)?;
    let reply = tcp::read_reply(segment)?;
    let ends = Ends {
        remote,
        remote_port: reply.source_port,
        local_port: reply.destination_port,
    };
    Some(Heard::Tcp {
        ends,
        ticket: cookies.open(&ends, reply.answers),
        failure: (!reply.accepts).then_some(Reason::ConnectionRefused),
    })
}

fn read_error(v6: bool, bytes: &[u8]) -> Option<icmp::Error<'_>> {
    if v6 {
        icmp::read_error_v6(bytes)
    } else {
        icmp::read_error_v4(bytes)
    }
}

fn tcp_error(v6: bool, bytes: &[u8], cookies: &Cookies) -> Option<Heard> {
    let message = if v6 {
        bytes
    } else {
        ip::read_v4(bytes)?.payload
    };
    let error = read_error(v6, message)?;
    if error.quoted.protocol != ip::TCP {
        return None;
    }
    let quote = tcp::read_quote(error.quoted.payload)?;
    let ends = Ends {
        remote: error.quoted.destination,
        remote_port: quote.destination_port,
        local_port: quote.source_port,
    };
    Some(Heard::Tcp {
        ends,
        ticket: cookies.open(&ends, quote.sequence),
        failure: Some(error.reason),
    })
}

fn echo_reply(
    v6: bool,
    remote: IpAddr,
    message: &[u8],
    at_us: u32,
    cookies: &Cookies,
) -> Option<Heard> {
    let echo = icmp::read_reply(message, v6)?;
    cookies.knows(remote, &echo).then(|| Heard::Echo {
        remote,
        ticket: echo.stamp.ticket,
        index: echo.sequence as u8,
        answer: Ok(at_us.wrapping_sub(echo.stamp.sent_us)),
    })
}

/// An error counts only if it quotes the whole stamp; routers that quote eight bytes alone are not heard.
fn echo_error(v6: bool, message: &[u8], cookies: &Cookies) -> Option<Heard> {
    let error = read_error(v6, message)?;
    let protocol = if v6 { ip::ICMPV6 } else { ip::ICMP };
    if error.quoted.protocol != protocol {
        return None;
    }
    let echo = icmp::read_request(error.quoted.payload, v6)?;
    let remote = error.quoted.destination;
    // To a connecting socket a protocol that is not there is a refusal; here nobody was asked to connect.
    let reason = match error.reason {
        Reason::ConnectionRefused => Reason::HostUnreachable,
        other => other,
    };
    cookies.knows(remote, &echo).then_some(Heard::Echo {
        remote,
        ticket: echo.stamp.ticket,
        index: echo.sequence as u8,
        answer: Err(reason),
    })
}
