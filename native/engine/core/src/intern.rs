//! Equal settings are kept once.

use crate::check::{Check, Process};
use crate::compile::{self, Clients};
use crate::endpoint::Endpoint;
use crate::error::EngineError;
use crate::poller::check as check_call;
use crate::proc_state;
use crate::raw_spec;
use crate::spec::{CheckSpec, CloseSpec};
use crate::stats::Kind;
use crate::talk::{GrpcShared, HttpShared, ScriptShared, Talk};
use crate::timing::{Timing, TimingSpec};
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::{Arc, Weak};

/// Shared settings by what they were made from. Entries die with their last target.
#[derive(Default)]
pub struct Interner {
    timings: FxHashMap<Timing, Weak<Timing>>,
    http: Plans<HttpShared>,
    scripts: Plans<ScriptShared>,
    grpc: Plans<GrpcShared>,
    clients: Clients,
    sweep_at: usize,
}

/// Plans by the text of their options, and the bundle that they verify against.
struct Plans<T>(FxHashMap<(Box<str>, Option<u64>), Weak<T>>);

impl<T> Default for Plans<T> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<T> Plans<T> {
    /// `name`: what messages call the options.
    fn get<O: DeserializeOwned>(
        &mut self,
        name: &str,
        text: &RawValue,
        bundle: Option<(u64, &str)>,
        compile: impl FnOnce(O) -> Result<T, String>,
    ) -> Result<Arc<T>, String> {
        let key = (Box::from(text.get()), bundle.map(|bundle| bundle.0));
        if let Some(shared) = self.0.get(&key).and_then(Weak::upgrade) {
            return Ok(shared);
        }
        let options =
            serde_json::from_str(text.get()).map_err(|error| format!("{name}: {error}"))?;
        let shared = Arc::new(compile(options).map_err(|message| format!("{name}.{message}"))?);
        self.0.insert(key, Arc::downgrade(&shared));
        Ok(shared)
    }

    fn sweep(&mut self) {
        self.0.retain(|_, shared| shared.strong_count() > 0);
    }

    fn bundles(&self) -> impl Iterator<Item = u64> {
        self.0.keys().filter_map(|key| key.1)
    }
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
            Kind::TcpSocket => Ok(Check::Connect {
                kind: spec.kind,
                endpoint: endpoint(spec)?,
                fin: spec.close == Some(CloseSpec::Fin),
            }),
            Kind::TcpHalfOpen => raw_spec::half_open(spec),
            Kind::Icmp => raw_spec::ping(spec),
            Kind::Arp | Kind::Ndp => raw_spec::neighbour(spec),
            Kind::HttpGet | Kind::TcpExchange | Kind::Grpc => {
                let talk = self.talk(spec, bundles)?;
                if matches!(talk, Talk::Nothing) {
                    return Err(format!("the options of {} are missing", spec.kind.code()));
                }
                Ok(Check::Talk {
                    kind: spec.kind,
                    endpoint: endpoint(spec)?,
                    talk,
                })
            }
            Kind::Vsock => {
                let talk = self.talk(spec, bundles)?;
                vsock(endpoint(spec)?, talk)
            }
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

    /// What is said over the connection: at most one of the options.
    fn talk(&mut self, spec: &CheckSpec<'_>, bundles: &mut Bundles<'_>) -> Result<Talk, String> {
        let bundle = spec.ca.map(|index| bundles.get(index)).transpose()?;
        let Self {
            http,
            scripts,
            grpc,
            clients,
            ..
        } = self;
        match (spec.http, spec.exchange, spec.grpc) {
            (None, None, None) => Ok(Talk::Nothing),
            (Some(text), None, None) => http
                .get("http", text, bundle, |options| {
                    compile::http(options, clients, bundle)
                })
                .map(Talk::Http),
            (None, Some(text), None) => scripts
                .get("exchange", text, bundle, |options| {
                    compile::script(options, clients, bundle)
                })
                .map(Talk::Script),
            (None, None, Some(text)) => grpc
                .get("grpc", text, bundle, |options| {
                    compile::grpc(options, clients, bundle)
                })
                .map(Talk::Grpc),
            _ => Err("a connection carries one conversation".to_owned()),
        }
    }

    /// Forgets what no target uses any more, whenever the tables have doubled.
    fn sweep(&mut self) {
        let size =
            |it: &Self| it.timings.len() + it.http.0.len() + it.scripts.0.len() + it.grpc.0.len();
        if size(self) < self.sweep_at.max(1024) {
            return;
        }
        self.timings.retain(|_, shared| shared.strong_count() > 0);
        self.http.sweep();
        self.scripts.sweep();
        self.grpc.sweep();
        let used = self.http.bundles().chain(self.scripts.bundles());
        let used = used.chain(self.grpc.bundles());
        self.clients.keep(&used.collect::<Vec<_>>());
        self.sweep_at = 2 * size(self);
    }
}

fn vsock(endpoint: Endpoint, talk: Talk) -> Result<Check, String> {
    let kind = Kind::Vsock;
    match (&endpoint, &talk) {
        (Endpoint::Vsock { .. }, Talk::Nothing) => Ok(Check::Connect {
            kind,
            endpoint,
            fin: true,
        }),
        (Endpoint::Vsock { .. } | Endpoint::Hybrid { .. }, _) => Ok(Check::Talk {
            kind,
            endpoint,
            talk,
        }),
        _ => Err("endpoint is no vsock".to_owned()),
    }
}

fn endpoint(spec: &CheckSpec<'_>) -> Result<Endpoint, String> {
    let endpoint = spec.endpoint.as_ref().ok_or("endpoint is missing")?;
    endpoint.check()
}

fn process(spec: &CheckSpec<'_>) -> Result<Check, String> {
    let pid = spec.pid.ok_or("pid is missing")?;
    if pid <= 0 {
        return Err(format!("pid {pid} is no process"));
    }
    let pidfd = match (spec.pidfd, spec.start_time_ticks) {
        (Some(pidfd), _) => duplicate(pidfd),
        (None, Some(ticks)) => open_process(pid, ticks),
        (None, None) => return Err("pidfd or startTimeTicks is missing".to_owned()),
    };
    let pidfd = pidfd.map_err(|error| error.message)?;
    Ok(Check::Process(Arc::new(Process { pidfd, pid })))
}

fn duplicate(pidfd: i32) -> Result<OwnedFd, EngineError> {
    // SAFETY: no pointers are passed; the kernel refuses a number that is no open descriptor.
    let copy = check_call(unsafe { libc::fcntl(pidfd, libc::F_DUPFD_CLOEXEC, 3) })
        .map_err(|error| EngineError::syscall("fcntl(F_DUPFD_CLOEXEC) of pidfd", &error))?;
    // SAFETY: `copy` was just created and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// A pidfd of the process; for one that has ended a descriptor that is readable, as its pidfd would be.
fn open_process(pid: i32, start_time_ticks: u64) -> Result<OwnedFd, EngineError> {
    // SAFETY: no pointers are passed.
    let opened = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if opened < 0 {
        let error = std::io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ESRCH) => ended(),
            _ => Err(EngineError::syscall("pidfd_open", &error)),
        };
    }
    // SAFETY: the descriptor was just created and nothing else owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(opened as i32) };
    // The pidfd is older than this look, so a process that started then is its process.
    if proc_state::start_time_ticks(pid) == Some(start_time_ticks) {
        Ok(pidfd)
    } else {
        ended()
    }
}

fn ended() -> Result<OwnedFd, EngineError> {
    // SAFETY: no pointers are passed.
    let fd = check_call(unsafe { libc::eventfd(1, libc::EFD_CLOEXEC) })
        .map_err(|error| EngineError::syscall("eventfd", &error))?;
    // SAFETY: `fd` was just created and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
