//! One request of a probe: the first one or a followed redirect.

use super::plan::HttpPlan;
use super::spec::{HttpSpecError, bad, percent_encode};
use crate::transcript::Transcript;
use fluent_uri::{Uri, UriRef};
use rustls::pki_types::ServerName;
use std::net::Ipv6Addr;

/// Redirects that are followed.
pub const MAX_REDIRECTS: u8 = 10;

/// One request of a probe.
#[derive(Clone, Debug)]
pub struct HttpHop {
    /// Without brackets or zone.
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// `None`: the plan's.
    pub(super) target: Option<Box<str>>,
    /// The user's `Host` header holds for the first request and for relative redirects.
    pub(super) uses_host_header: bool,
    /// How many redirects led here.
    pub(super) redirects: u8,
    /// What the hops before this one said.
    pub(super) transcript: Option<Transcript>,
}

/// What a `Location` means.
#[derive(Debug)]
pub enum Redirect {
    Follow(HttpHop),
    /// Another host: not ours to follow.
    OtherHost,
    /// Not a URL, a scheme that is not HTTP, or no valid port.
    Bad,
}

impl HttpHop {
    pub(super) fn first(plan: &HttpPlan, host: &str) -> Result<Self, HttpSpecError> {
        // The zone of a link-local address is ours alone.
        let zoned = host.split_once('%').map(|(address, _)| address);
        let host = zoned
            .filter(|address| address.parse::<Ipv6Addr>().is_ok())
            .unwrap_or(host);
        let is_name = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if host.is_empty() || host.len() > 253 || !(is_name || host.parse::<Ipv6Addr>().is_ok()) {
            return Err(bad("host", "must be a host name or an IP address"));
        }
        let hop = Self {
            host: host.into(),
            port: plan.port,
            tls: plan.tls,
            target: None,
            uses_host_header: true,
            redirects: 0,
            transcript: None,
        };
        if hop.tls && hop.server_name(plan).is_none() {
            return Err(bad("host", "is not a name that TLS can ask for"));
        }
        Ok(hop)
    }

    /// Connect to this port of the same address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the conversation runs over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    fn host_header<'a>(&self, plan: &'a HttpPlan) -> Option<&'a str> {
        plan.host_header
            .as_deref()
            .filter(|_| self.uses_host_header)
    }

    /// Host, in brackets if it is an IPv6 literal, and the port unless it is the scheme's default.
    fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.to_string()
        };
        let default = if self.tls { 443 } else { 80 };
        if self.port == default {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// The value of the `Host` header.
    pub(super) fn host_line(&self, plan: &HttpPlan) -> String {
        self.host_header(plan)
            .map_or_else(|| self.authority(), str::to_owned)
    }

    /// The name for SNI and verification: of the `Host` header if there is one.
    pub(super) fn server_name(&self, plan: &HttpPlan) -> Option<ServerName<'static>> {
        let host = self
            .host_header(plan)
            .map_or(&*self.host, host_without_port);
        ServerName::try_from(host.to_owned()).ok()
    }

    /// Resolves a `Location` against this request.
    pub(super) fn redirect(&self, plan: &HttpPlan, location: &[u8]) -> Redirect {
        let location = location
            .split(|&byte| byte == b'#')
            .next()
            .unwrap_or_default();
        let location = percent_encode(location);
        let Ok(reference) =
            UriRef::parse(location).or_else(|(_, text)| UriRef::parse(without_brackets(&text)))
        else {
            return Redirect::Bad;
        };
        let scheme = if self.tls { "https" } else { "http" };
        let target = without_brackets(self.target.as_deref().unwrap_or(&plan.target));
        let Ok(base) = Uri::parse(format!("{scheme}://{}{target}", self.authority())) else {
            return Redirect::Bad;
        };
        let Ok(url) = reference.resolve_against(&base) else {
            return Redirect::Bad;
        };
        let Some(authority) = url
            .authority()
            .filter(|authority| same_host(&self.host, authority.host()))
        else {
            return Redirect::OtherHost;
        };
        let tls = match url.scheme().as_str().to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Redirect::Bad,
        };
        let port = match authority
            .port()
            .map(|port| port.as_str())
            .filter(|port| !port.is_empty())
        {
            None => Some(if tls { 443 } else { 80 }),
            Some(port) => port.parse().ok().filter(|&port| port != 0),
        };
        let Some(port) = port else {
            return Redirect::Bad;
        };
        let path = url.path().as_str();
        let query = url
            .query()
            .map(|query| format!("?{}", query.as_str()))
            .unwrap_or_default();
        let hop = Self {
            host: self.host.clone(),
            port,
            tls,
            target: Some(
                format!(
                    "{}{path}{query}",
                    if path.starts_with('/') { "" } else { "/" }
                )
                .into(),
            ),
            uses_host_header: self.uses_host_header && reference.scheme().is_none(),
            redirects: self.redirects + 1,
            transcript: None,
        };
        if hop.tls && hop.server_name(plan).is_none() {
            Redirect::Bad
        } else {
            Redirect::Follow(hop)
        }
    }
}

/// The host part of a `Host` header.
fn host_without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Brackets in paths and queries are common, though RFC 3986 allows them around IPv6 addresses only.
fn without_brackets(text: &str) -> String {
    text.replace('[', "%5B").replace(']', "%5D")
}

fn same_host(ours: &str, theirs: &str) -> bool {
    let theirs = theirs
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(theirs);
    match (ours.parse::<Ipv6Addr>(), theirs.parse::<Ipv6Addr>()) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        _ => ours.eq_ignore_ascii_case(theirs),
    }
}
