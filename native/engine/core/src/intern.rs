//! Equal settings are kept once.

use crate::check::{Check, HttpShared, Process};
use crate::endpoint::Endpoint;
use crate::error::EngineError;
use crate::poller::check as check_call;
use crate::spec::{CheckSpec, CloseSpec, ExpectSpec, HttpOptionsSpec, SchemeSpec};
use crate::stats::Kind;
use crate::timing::{Timing, TimingSpec};
use rustc_hash::FxHashMap;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::{Arc, Weak};
use vmpulse_proto::{HttpSpec, TlsClient, TlsClientError};

/// Shared settings by what they were made from. Entries die with their last target.
#[derive(Default)]
pub struct Interner {
    timings: FxHashMap<Timing, Weak<Timing>>,
    http: FxHashMap<(Box<str>, Option<u64>), Weak<HttpShared>>,
    verifying: FxHashMap<u64, TlsClient>,
    insecure: Option<TlsClient>,
    sweep_at: usize,
}

/// The PEM bundles that came with a call, each with its hash once it was needed.
pub struct Bundles<'a> {
    pems: &'a [String],
    hashes: Vec<Option<u64>>,
}

impl<'a> Bundles<'a> {
    pub fn new(pems: &'a [String]) -> Self {
        Self {
            pems,
            hashes: vec![None; pems.len()],
        }
    }

    fn get(&mut self, index: usize) -> Result<(u64, &'a str), String> {
        let pem = self.pems.get(index).ok_or("ca is not in the list")?;
        let hash = *self.hashes[index].get_or_insert_with(|| crate::timing::id_hash(pem));
        Ok((hash, pem))
    }
}

impl Interner {
    pub fn timing(&mut self, spec: &TimingSpec) -> Result<Arc<Timing>, String> {
        self.sweep();
        let timing = spec.check()?;
        if let Some(shared) = self.timings.get(&timing).and_then(Weak::upgrade) {
            return Ok(shared);
        }
        let shared = Arc::new(timing.clone());
        self.timings.insert(timing, Arc::downgrade(&shared));
        Ok(shared)
    }

    /// Checks what a target is probed by. The pidfd is duplicated here, so the caller may close its own.
    pub fn check(
        &mut self,
        spec: &CheckSpec<'_>,
        bundles: &mut Bundles<'_>,
    ) -> Result<Check, String> {
        self.sweep();
        match spec.kind {
            Kind::TcpSocket => Ok(Check::Tcp {
                endpoint: spec
                    .endpoint
                    .as_ref()
                    .ok_or("endpoint is missing")?
                    .check()?,
                fin: spec.close == Some(CloseSpec::Fin),
            }),
            Kind::TcpHalfOpen => half_open(spec),
            Kind::HttpGet => Ok(Check::Http {
                endpoint: spec
                    .endpoint
                    .as_ref()
                    .ok_or("endpoint is missing")?
                    .check()?,
                shared: self.http(spec, bundles)?,
            }),
            Kind::GuestAgentPing => Ok(Check::AgentPing {
                channel: spec.channel.ok_or("channel is missing")?,
            }),
            Kind::VmState => Ok(Check::VmState {
                channel: spec.channel.ok_or("channel is missing")?,
            }),
            Kind::VmmProcess => process(spec),
            Kind::External => Ok(Check::External),
        }
    }

    fn http(
        &mut self,
        spec: &CheckSpec<'_>,
        bundles: &mut Bundles<'_>,
    ) -> Result<Arc<HttpShared>, String> {
        let text = spec.http.ok_or("http is missing")?.get();
        let bundle = spec.ca.map(|index| bundles.get(index)).transpose()?;
        let key = (Box::from(text), bundle.map(|bundle| bundle.0));
        if let Some(shared) = self.http.get(&key).and_then(Weak::upgrade) {
            return Ok(shared);
        }
        let options: HttpOptionsSpec =
            serde_json::from_str(text).map_err(|error| format!("http: {error}"))?;
        let shared = Arc::new(self.compile(options, bundle)?);
        self.http.insert(key, Arc::downgrade(&shared));
        Ok(shared)
    }

    fn compile(
        &mut self,
        options: HttpOptionsSpec,
        bundle: Option<(u64, &str)>,
    ) -> Result<HttpShared, String> {
        let tls = options.scheme == SchemeSpec::Https;
        let tls_client = if tls && options.verify {
            self.verifying(bundle.ok_or("http.verify needs caPem: the bundle to verify against")?)?
        } else {
            self.insecure
                .get_or_insert_with(TlsClient::insecure)
                .clone()
        };
        let ExpectSpec {
            status,
            body_contains,
            body_regex,
            headers,
        } = options.expect;
        let keep_alive = options.keep_alive;
        let plan = HttpSpec {
            tls,
            port: options.port,
            path: options.path,
            method: options.method.unwrap_or_else(|| "GET".to_owned()),
            headers: options.headers,
            body: options.body.map(String::into_bytes),
            keep_alive,
            tls_client,
            certificate_expires_within_days: options.certificate_expires_within_days,
            expect_status: status,
            expect_body_contains: body_contains.map(String::into_bytes),
            expect_body_regex: body_regex,
            expect_headers: headers,
            max_body_bytes: options.max_body_bytes,
        }
        .compile()
        .map_err(|error| format!("http.{}: {}", error.field, error.message))?;
        if let Some(host) = &options.host {
            plan.first_hop(host)
                .map_err(|error| format!("http.{}: {}", error.field, error.message))?;
        }
        Ok(HttpShared {
            plan,
            host: options.host.map(String::into_boxed_str),
            keep_alive,
        })
    }

    fn verifying(&mut self, (hash, pem): (u64, &str)) -> Result<TlsClient, String> {
        if let Some(client) = self.verifying.get(&hash) {
            return Ok(client.clone());
        }
        let client = TlsClient::verifying(pem.as_bytes()).map_err(|error| match error {
            TlsClientError::NoCertificates => "caPem holds no certificate".to_owned(),
            TlsClientError::BadCertificate(text) => format!("caPem: {text}"),
        })?;
        self.verifying.insert(hash, client.clone());
        Ok(client)
    }

    /// Forgets what no target uses any more, whenever the tables have doubled.
    fn sweep(&mut self) {
        if self.timings.len() + self.http.len() < self.sweep_at.max(1024) {
            return;
        }
        self.timings.retain(|_, shared| shared.strong_count() > 0);
        self.http.retain(|_, shared| shared.strong_count() > 0);
        let used: Vec<u64> = self.http.keys().filter_map(|key| key.1).collect();
        self.verifying.retain(|hash, _| used.contains(hash));
        self.sweep_at = 2 * (self.timings.len() + self.http.len());
    }
}

fn half_open(spec: &CheckSpec<'_>) -> Result<Check, String> {
    match spec
        .endpoint
        .as_ref()
        .ok_or("endpoint is missing")?
        .check()?
    {
        Endpoint::Tcp(address) => Ok(Check::HalfOpen { address }),
        Endpoint::Unix(_) => Err("endpoint is no IP address and port".to_owned()),
    }
}

fn process(spec: &CheckSpec<'_>) -> Result<Check, String> {
    let pidfd = spec.pidfd.ok_or("pidfd is missing")?;
    let pid = spec.pid.ok_or("pid is missing")?;
    if pid <= 0 {
        return Err(format!("pid {pid} is no process"));
    }
    // SAFETY: no pointers are passed; the kernel refuses a number that is no open descriptor.
    let copy = check_call(unsafe { libc::fcntl(pidfd, libc::F_DUPFD_CLOEXEC, 3) })
        .map_err(|error| EngineError::syscall("fcntl(F_DUPFD_CLOEXEC) of pidfd", &error).message)?;
    Ok(Check::Process(Arc::new(Process {
        // SAFETY: `copy` was just created and nothing else owns it.
        pidfd: unsafe { OwnedFd::from_raw_fd(copy) },
        pid,
    })))
}
