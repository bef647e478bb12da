//! Targets as the caller gives them: JSON in the shapes of `src/engine/probe-engine.ts`.

use crate::endpoint::EndpointSpec;
use crate::stats::Kind;
use crate::thresholds::State;
use crate::timing::TimingSpec;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::net::IpAddr;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetSpec<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub check: CheckSpec<'a>,
    pub timing: TimingSpec,
    pub start_state: State,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec<'a> {
    pub kind: Kind,
    pub endpoint: Option<EndpointSpec>,
    /// Of icmp, arp and ndp.
    pub ip: Option<IpAddr>,
    pub ping: Option<PingSpec>,
    pub neighbour: Option<NeighbourSpec>,
    pub close: Option<CloseSpec>,
    /// Kept as text: equal texts share one compiled plan.
    #[serde(borrow)]
    pub http: Option<&'a RawValue>,
    #[serde(borrow)]
    pub exchange: Option<&'a RawValue>,
    #[serde(borrow)]
    pub grpc: Option<&'a RawValue>,
    /// Place in the list of PEM bundles that came with the call.
    pub ca: Option<usize>,
    pub channel: Option<u32>,
    pub pidfd: Option<i32>,
    pub pid: Option<i32>,
    /// Names the process with its PID where there is no pidfd.
    #[serde(rename = "startTimeTicks")]
    pub start_time_ticks: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PingSpec {
    pub count: u8,
    pub payload_bytes: u16,
    pub max_loss_percent: Option<u8>,
    pub max_latency_ms: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighbourSpec {
    pub interface: Option<Box<str>>,
    /// Six bytes as hexadecimal, separated by colons.
    pub mac: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CloseSpec {
    Rst,
    Fin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemeSpec {
    Http,
    Https,
}

/// `HttpGetOptions` of the model. What names files was read, and what names the address was resolved, by the caller.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpOptionsSpec {
    pub scheme: SchemeSpec,
    pub host: Option<String>,
    pub port: u16,
    pub path: String,
    pub method: Option<String>,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    #[serde(rename = "unixSocket")]
    pub _unix_socket: Option<String>,
    #[serde(default)]
    pub keep_alive: bool,
    #[serde(default)]
    pub verify: bool,
    #[serde(rename = "caFile")]
    pub _ca_file: Option<String>,
    pub certificate_expires_within_days: Option<u32>,
    #[serde(default)]
    pub expect: ExpectSpec,
    pub max_body_bytes: Option<u64>,
}

/// `StreamTls` of the model.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsSpec {
    pub server_name: Option<String>,
    #[serde(default)]
    pub verify: bool,
    #[serde(rename = "caFile")]
    pub _ca_file: Option<String>,
    pub certificate_expires_within_days: Option<u32>,
}

/// `TcpExchangeOptions` of the model; bytes are in hex.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExchangeOptionsSpec {
    pub host: Option<String>,
    #[serde(rename = "port")]
    pub _port: Option<u16>,
    #[serde(rename = "unixSocket")]
    pub _unix_socket: Option<String>,
    pub tls: Option<TlsSpec>,
    pub steps: Vec<StepSpec>,
    pub max_bytes: Option<u64>,
}

/// `GrpcOptions` of the model, with a place or without.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcOptionsSpec {
    pub host: Option<String>,
    pub port: Option<u16>,
    #[serde(rename = "unixSocket")]
    pub _unix_socket: Option<String>,
    #[serde(default)]
    pub service: String,
    pub authority: Option<String>,
    pub tls: Option<TlsSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum StepSpec {
    Send(String),
    Expect(String),
    ExpectRegex(String),
    StartTls(bool),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectSpec {
    #[serde(default)]
    pub status: Vec<(u16, u16)>,
    pub body_contains: Option<String>,
    pub body_regex: Option<String>,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// One entry of `update`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateSpec {
    pub handle: u32,
    pub timing: TimingSpec,
}

/// Parses a list whose first item has the index `first` for the caller. A mistake is found by its place in the list, at the cost of a second look in that case only.
pub fn parse_list<'a, T: Deserialize<'a>>(
    what: &str,
    first: usize,
    json: &'a str,
) -> Result<Vec<T>, String> {
    let error = match serde_json::from_str(json) {
        Ok(list) => return Ok(list),
        Err(error) => error,
    };
    let items: Vec<&RawValue> =
        serde_json::from_str(json).map_err(|_| format!("{what} are not a list: {error}"))?;
    for (index, item) in items.into_iter().enumerate() {
        if let Err(error) = serde_json::from_str::<T>(item.get()) {
            return Err(format!("{what}[{}]: {error}", first + index));
        }
    }
    Err(error.to_string())
}
