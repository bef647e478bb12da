//! What raw probes are asked to do, checked.

use crate::check::Check;
use crate::endpoint::Endpoint;
use crate::raw::{MOST_ZEROS, NeighbourPlan, PingPlan};
use crate::spec::CheckSpec;
use crate::stats::Kind;
use crate::timing::micros;
use std::net::IpAddr;
use std::sync::Arc;
use vmpulse_proto::packet::arp::Mac;
use vmpulse_proto::packet::icmp::STAMP_BYTES;

const MOST_PINGS: u8 = 20;

pub fn half_open(spec: &CheckSpec<'_>) -> Result<Check, String> {
    match spec
        .endpoint
        .as_ref()
        .ok_or("endpoint is missing")?
        .check()?
    {
        Endpoint::Tcp(address) => {
            one_host(address.ip())?;
            Ok(Check::HalfOpen { address })
        }
        _ => Err("endpoint is no IP address and port".to_owned()),
    }
}

pub fn ping(spec: &CheckSpec<'_>) -> Result<Check, String> {
    let ping = spec.ping.as_ref().ok_or("ping is missing")?;
    if !(1..=MOST_PINGS).contains(&ping.count) {
        return Err(format!(
            "ping.count {} is not between 1 and {MOST_PINGS}",
            ping.count
        ));
    }
    let payload = STAMP_BYTES..=MOST_ZEROS;
    if !payload.contains(&ping.payload_bytes.into()) {
        return Err(format!(
            "ping.payloadBytes {} is not between {STAMP_BYTES} and {MOST_ZEROS}",
            ping.payload_bytes
        ));
    }
    if let Some(percent) = ping.max_loss_percent.filter(|percent| *percent > 100) {
        return Err(format!("ping.maxLossPercent {percent} is more than 100"));
    }
    let latency = ping
        .max_latency_ms
        .map(|ms| micros("ping.maxLatencyMs", ms, 0.001))
        .transpose()?;
    Ok(Check::Ping {
        remote: address(spec)?,
        plan: PingPlan {
            count: ping.count,
            payload_bytes: ping.payload_bytes,
            max_loss_percent: ping.max_loss_percent,
            max_latency_us: latency.map(|us| u32::try_from(us).unwrap_or(u32::MAX)),
        },
    })
}

pub fn neighbour(spec: &CheckSpec<'_>) -> Result<Check, String> {
    let given = spec.neighbour.as_ref().ok_or("neighbour is missing")?;
    let ip = address(spec)?;
    match (spec.kind, ip) {
        (Kind::Arp, IpAddr::V6(_)) => {
            return Err("ip: ARP asks for IPv4 addresses; use ndp".to_owned());
        }
        (Kind::Ndp, IpAddr::V4(_)) => {
            return Err("ip: NDP asks for IPv6 addresses; use arp".to_owned());
        }
        _ => {}
    }
    let mac = given.mac.as_deref().map(read_mac).transpose()?;
    let interface = given.interface.clone();
    Ok(Check::Neighbour {
        ip,
        plan: Arc::new(NeighbourPlan { interface, mac }),
    })
}

fn address(spec: &CheckSpec<'_>) -> Result<IpAddr, String> {
    let ip = spec.ip.ok_or("ip is missing")?;
    one_host(ip)?;
    Ok(ip)
}

/// Refuses addresses that nobody, or more than one, has.
fn one_host(ip: IpAddr) -> Result<(), String> {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    if ip.is_unspecified() || ip.is_multicast() || is_broadcast {
        return Err(format!("{ip} is not the address of one host"));
    }
    Ok(())
}

fn read_mac(text: &str) -> Result<Mac, String> {
    let wrong =
        || format!("neighbour.mac {text:?} is no hardware address such as 52:54:00:12:34:56");
    let mut mac = Mac::default();
    let mut parts = text.split(':');
    for byte in &mut mac {
        let is_byte = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let part = parts.next().filter(is_byte).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
    }
    if parts.next().is_some() {
        return Err(wrong());
    }
    Ok(mac)
}
