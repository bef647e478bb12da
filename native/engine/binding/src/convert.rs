//! The engine's values in JavaScript's shapes.

use napi::bindgen_prelude::{Float64Array, Uint8Array, Uint32Array};
use napi_derive::napi;
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::{
    Answer, ChannelEvent, ChannelNews, Collected, Completion, EngineError, ProbeReport, Stats,
    TargetStatus, outcome_index,
};

/// An error whose `code` is the engine's.
pub type Result<T> = napi::Result<T, String>;

pub fn fail(error: EngineError) -> napi::Error<String> {
    napi::Error::new(error.code.code().to_owned(), error.message)
}

/// 0 is ok, n is the reason n - 1.
pub fn outcome(index: u32) -> Result<Outcome> {
    if index == 0 {
        return Ok(Outcome::Ok);
    }
    u8::try_from(index - 1)
        .ok()
        .and_then(Reason::from_index)
        .map(Outcome::of)
        .ok_or_else(|| {
            fail(EngineError::argument(format!(
                "no outcome has the number {index}"
            )))
        })
}

fn reason_number(reason: Option<Reason>) -> f64 {
    reason.map_or(-1.0, |reason| f64::from(reason as u8))
}

/// What waits, all at once. Numbers of transitions and dues are flat: eleven and three an entry.
#[napi(object)]
pub struct Batch {
    pub transitions: Float64Array,
    pub dues: Float64Array,
    pub completions: Vec<CompletionObject>,
    pub channel_events: Vec<ChannelEventObject>,
    /// All reactors ended.
    pub stopped: bool,
}

#[napi(object)]
pub struct CompletionObject {
    pub call: u32,
    pub probe: Option<ProbeObject>,
    /// JSON text.
    pub value: Option<String>,
    pub snapshot: Option<Uint8Array>,
    pub error: Option<ErrorObject>,
}

#[napi(object)]
pub struct ErrorObject {
    pub code: String,
    pub message: String,
    pub class: Option<String>,
}

#[napi(object)]
pub struct ProbeObject {
    pub outcome: u32,
    pub duration_ms: f64,
    pub warnings: Vec<String>,
    pub status: Option<u32>,
    pub body_bytes: Option<f64>,
    pub redirects: Option<u32>,
    pub tls_version: Option<String>,
    pub certificate_not_after: Option<f64>,
    pub sent: Option<u32>,
    pub received: Option<u32>,
    pub latency_ms: Option<f64>,
    pub mac: Option<String>,
    pub message: Option<String>,
    pub transcript: Option<String>,
}

#[napi(object)]
pub struct ChannelEventObject {
    pub channel: u32,
    pub at_ms: f64,
    /// `connected`, `disconnected`, `event` or `dropped`.
    pub r#type: String,
    pub reason: Option<u32>,
    /// Detail of a disconnection.
    pub detail: Option<String>,
    /// Name of an event.
    pub name: Option<String>,
    /// JSON text of an event.
    pub data: Option<String>,
    /// Events dropped.
    pub count: Option<f64>,
}

pub fn batch(collected: Collected, stopped: bool) -> Batch {
    let mut transitions = Vec::with_capacity(collected.transitions.len() * 11);
    for entry in &collected.transitions {
        let change = &entry.change;
        transitions.extend_from_slice(&[
            f64::from(entry.handle),
            f64::from(entry.epoch),
            f64::from(change.from as u8),
            f64::from(change.to as u8),
            reason_number(change.reason),
            change.at_ms as f64,
            change.streak_start_ms as f64,
            f64::from(change.count),
            change.last_ok_ms as f64,
            f64::from(entry.duration_us) / 1000.0,
            f64::from(entry.coalesced),
        ]);
    }
    let mut dues = Vec::with_capacity(collected.dues.len() * 3);
    for due in &collected.dues {
        dues.extend_from_slice(&[
            f64::from(due.handle),
            f64::from(due.epoch),
            due.deadline_ms as f64,
        ]);
    }
    Batch {
        transitions: transitions.into(),
        dues: dues.into(),
        completions: collected.completions.into_iter().map(completion).collect(),
        channel_events: collected
            .channel_events
            .into_iter()
            .map(channel_event)
            .collect(),
        stopped,
    }
}

fn completion(completion: Completion) -> CompletionObject {
    let mut object = CompletionObject {
        call: completion.call,
        probe: None,
        value: None,
        snapshot: None,
        error: None,
    };
    match completion.answer {
        Answer::Probe(report) => object.probe = Some(probe(*report)),
        Answer::Value(value) => object.value = Some(value.get().to_owned()),
        Answer::Snapshot(bytes) => object.snapshot = Some(bytes.into()),
        Answer::Error { error, class } => {
            object.error = Some(ErrorObject {
                code: error.code.code().to_owned(),
                message: error.message,
                class: class.map(Into::into),
            });
        }
    }
    object
}

fn probe(report: ProbeReport) -> ProbeObject {
    let details = report.details;
    let spoke = details.status.is_some();
    ProbeObject {
        outcome: outcome_index(report.outcome) as u32,
        duration_ms: report.duration_us as f64 / 1000.0,
        warnings: report
            .warnings
            .iter()
            .map(|warning| warning.code().to_owned())
            .collect(),
        status: details.status.map(u32::from),
        body_bytes: spoke.then_some(details.body_bytes as f64),
        redirects: spoke.then_some(u32::from(details.redirects)),
        tls_version: details.tls_version.map(str::to_owned),
        certificate_not_after: details.certificate_not_after.map(|at| at as f64),
        sent: details.packets.map(|packets| u32::from(packets.0)),
        received: details.packets.map(|packets| u32::from(packets.1)),
        latency_ms: details.round_trip_us.map(|us| f64::from(us) / 1000.0),
        mac: details
            .mac
            .map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":")),
        message: report.message.map(Into::into),
        transcript: report.transcript.map(Into::into),
    }
}

fn channel_event(event: ChannelEvent) -> ChannelEventObject {
    let mut object = ChannelEventObject {
        channel: event.channel,
        at_ms: event.at_ms as f64,
        r#type: String::new(),
        reason: None,
        detail: None,
        name: None,
        data: None,
        count: None,
    };
    object.r#type = match event.news {
        ChannelNews::Connected => "connected",
        ChannelNews::Disconnected { reason, detail } => {
            object.reason = Some(reason as u32);
            object.detail = Some(detail.into());
            "disconnected"
        }
        ChannelNews::Event { name, data } => {
            object.name = Some(name.into());
            object.data = data.map(|data| data.get().to_owned());
            "event"
        }
        ChannelNews::Dropped { count } => {
            object.count = Some(count as f64);
            "dropped"
        }
    }
    .to_owned();
    object
}

#[napi(object)]
pub struct StatusObject {
    pub epoch: u32,
    pub state: u32,
    pub suspended: bool,
    pub reason: Option<u32>,
    pub consecutive_ok: u32,
    pub consecutive_failed: u32,
    pub consecutive_inconclusive: u32,
    pub last_outcome: Option<u32>,
    pub last_at_ms: f64,
    pub last_duration_ms: f64,
    pub last_ok_ms: f64,
}

impl From<TargetStatus> for StatusObject {
    fn from(status: TargetStatus) -> Self {
        Self {
            epoch: status.epoch,
            state: status.state as u32,
            suspended: status.suspended,
            reason: status.reason.map(|reason| reason as u32),
            consecutive_ok: status.consecutive_ok,
            consecutive_failed: status.consecutive_failed,
            consecutive_inconclusive: status.consecutive_inconclusive,
            last_outcome: status
                .last_outcome
                .map(|outcome| outcome_index(outcome) as u32),
            last_at_ms: status.last_at_ms as f64,
            last_duration_ms: f64::from(status.last_duration_us) / 1000.0,
            last_ok_ms: status.last_ok_ms as f64,
        }
    }
}

#[napi(object)]
pub struct StatsObject {
    pub targets: f64,
    pub in_flight: f64,
    pub started: f64,
    pub coalesced: f64,
    pub reactor_panics: f64,
    pub reactors_down: f64,
    /// `epoll` or `io_uring`.
    pub reactor: String,
    /// Kind, outcome, count; three an entry.
    pub outcomes: Float64Array,
    pub durations: Vec<DurationsObject>,
    /// p50, p99, maximum, microseconds.
    pub lateness_us: Uint32Array,
}

#[napi(object)]
pub struct DurationsObject {
    pub kind: u32,
    pub counts: Float64Array,
    pub sum_seconds: f64,
}

impl From<Stats> for StatsObject {
    fn from(stats: Stats) -> Self {
        let outcomes: Vec<f64> = stats
            .outcomes
            .iter()
            .flat_map(|(kind, outcome, count)| {
                [f64::from(*kind as u8), *outcome as f64, *count as f64]
            })
            .collect();
        let durations = stats.durations.into_iter();
        Self {
            targets: stats.targets as f64,
            in_flight: stats.in_flight as f64,
            started: stats.started as f64,
            coalesced: stats.coalesced as f64,
            reactor_panics: stats.reactor_panics as f64,
            reactors_down: stats.reactors_down as f64,
            reactor: if stats.ring { "io_uring" } else { "epoll" }.to_owned(),
            outcomes: outcomes.into(),
            durations: durations
                .map(|(kind, counts, sum_us)| DurationsObject {
                    kind: kind as u32,
                    counts: counts.map(|count| count as f64).to_vec().into(),
                    sum_seconds: sum_us as f64 / 1e6,
                })
                .collect(),
            lateness_us: stats
                .lateness_us
                .map(|us| u32::try_from(us).unwrap_or(u32::MAX))
                .to_vec()
                .into(),
        }
    }
}
