//! Programs that the host runs here, if the configuration allows them: begun by one request, asked for by others.

use crate::child::{self, End, Ended, Limits, Output};
use crate::config;
use crate::request::{ExecRequest, Refusal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Programs that run or whose end was not asked for yet.
const MAX_JOBS: usize = 16;
/// An end that nobody asks for is forgotten after this long.
const KEPT: Duration = Duration::from_secs(300);

enum Job {
    Running,
    Ended(Instant, Ended),
}

#[derive(Default)]
struct Jobs {
    last: i64,
    by_id: BTreeMap<i64, Job>,
}

/// What may run, and what does.
pub struct Programs {
    config: config::Exec,
    jobs: Mutex<Jobs>,
}

impl Programs {
    pub fn new(config: config::Exec) -> Arc<Self> {
        Arc::new(Self {
            config,
            jobs: Mutex::default(),
        })
    }

    pub fn enabled(&self) -> bool {
        self.config.enabled
    }

    /// Begins a program; the answer has its number.
    pub fn start(self: &Arc<Self>, mut request: ExecRequest) -> Result<Value, Refusal> {
        if !self.config.enabled {
            let text = "running programs is off in this guest; set enabled in [exec] of its vmpulse-agent.toml";
            return Err(Refusal::forbidden(text));
        }
        // The list has paths: what is run is what was compared.
        if let Some(path) = child::find(&request.argv[0]) {
            request.argv[0] = path;
        }
        if !self.config.allows(&request.argv) {
            let text = "this command is not on the guest's list; add it to allow in [exec] of its vmpulse-agent.toml";
            return Err(Refusal::forbidden(text));
        }
        let most = Duration::from_secs(self.config.timeout_seconds);
        let timeout = request
            .timeout_ms
            .map_or(most, |ms| most.min(Duration::from_millis(ms)));
        let id = self.lock().reserve()?;
        let running = child::start(&request.argv, request.input).map_err(|error| {
            self.lock().by_id.remove(&id);
            Refusal::error(format!("{} cannot be run: {error}", request.argv[0]))
        })?;
        let limits = Limits {
            timeout,
            max_output: self.config.max_output_bytes,
        };
        let programs = Arc::clone(self);
        thread::spawn(move || {
            let ended = running.finish(&limits);
            programs
                .lock()
                .by_id
                .insert(id, Job::Ended(Instant::now(), ended));
        });
        Ok(json!({ "pid": id }))
    }

    /// Whether it has ended, and how; that is told once.
    pub fn status(&self, id: i64) -> Result<Value, Refusal> {
        let mut jobs = self.lock();
        match jobs.by_id.remove(&id) {
            None => Err(Refusal::error(
                "no program has this number, or its end was told already",
            )),
            Some(Job::Running) => {
                jobs.by_id.insert(id, Job::Running);
                Ok(json!({ "exited": false }))
            }
            Some(Job::Ended(_, ended)) => Ok(told(&ended)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    /// A number for a new program. Ends that nobody asked for make room.
    fn reserve(&mut self) -> Result<i64, Refusal> {
        let now = Instant::now();
        self.by_id
            .retain(|_, job| !matches!(job, Job::Ended(at, _) if now.duration_since(*at) > KEPT));
        if self.by_id.len() >= MAX_JOBS {
            let oldest = self
                .by_id
                .iter()
                .find(|(_, job)| matches!(job, Job::Ended(..)));
            let Some((&id, _)) = oldest else {
                let text = format!("{MAX_JOBS} programs run already");
                return Err(Refusal::error(text));
            };
            self.by_id.remove(&id);
        }
        self.last += 1;
        self.by_id.insert(self.last, Job::Running);
        Ok(self.last)
    }
}

/// As the QEMU guest agent tells it; `vmpulse-timed-out` is ours.
fn told(ended: &Ended) -> Value {
    let mut value = json!({ "exited": true });
    match ended.end {
        End::Code(code) => value["exitcode"] = code.into(),
        End::Signal(signal) => value["signal"] = signal.into(),
        End::TimedOut => {
            value["signal"] = 9.into();
            value["vmpulse-timed-out"] = true.into();
        }
    }
    for (name, Output { bytes, truncated }) in [("out", &ended.stdout), ("err", &ended.stderr)] {
        if !bytes.is_empty() {
            value[format!("{name}-data")] = STANDARD.encode(bytes).into();
        }
        if *truncated {
            value[format!("{name}-truncated")] = true.into();
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(allow: &[&[&str]]) -> Arc<Programs> {
        Programs::new(config::Exec {
            enabled: true,
            allow: allow
                .iter()
                .map(|argv| argv.iter().map(|&word| word.to_owned()).collect())
                .collect(),
            ..config::Exec::default()
        })
    }

    fn request(words: &[&str]) -> ExecRequest {
        ExecRequest {
            argv: words.iter().map(|&word| word.to_owned()).collect(),
            input: Vec::new(),
            timeout_ms: None,
        }
    }

    fn end_of(programs: &Arc<Programs>, id: i64) -> Value {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let status = programs.status(id).unwrap();
            if status["exited"] == true {
                return status;
            }
            assert!(Instant::now() < until, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn runs_what_is_allowed_and_nothing_else() {
        let off = Programs::new(config::Exec::default());
        let refusal = off.start(request(&["/bin/true"])).unwrap_err();
        assert_eq!(refusal.class, "CommandNotAllowed");
        let programs = programs(&[&["/bin/echo", "**"]]);
        let refusal = programs
            .start(request(&["/bin/sh", "-c", "id"]))
            .unwrap_err();
        assert_eq!(refusal.class, "CommandNotAllowed");
        let id = programs.start(request(&["/bin/echo", "a"])).unwrap()["pid"]
            .as_i64()
            .unwrap();
        let expected = json!({ "exited": true, "exitcode": 0, "out-data": "YQo=" });
        assert_eq!(end_of(&programs, id), expected);
        assert_eq!(programs.status(id).unwrap_err().class, "GenericError");
    }

    #[test]
    fn a_program_that_is_named_alone_is_looked_up_before_the_list() {
        let programs = programs(&[&["/usr/bin/env"], &["/bin/env"]]);
        assert!(programs.start(request(&["env"])).is_ok());
        let refusal = programs.start(request(&["cat"])).unwrap_err();
        assert_eq!(refusal.class, "CommandNotAllowed");
        let refusal = programs.start(request(&["no-such-program"])).unwrap_err();
        assert_eq!(refusal.class, "CommandNotAllowed");
    }

    #[test]
    fn a_program_that_cannot_begin_is_told_at_once_and_keeps_no_place() {
        let programs = programs(&[&["/no/such"]]);
        for _ in 0..MAX_JOBS + 1 {
            let refusal = programs.start(request(&["/no/such"])).unwrap_err();
            assert!(refusal.desc.contains("/no/such"), "{}", refusal.desc);
        }
    }

    #[test]
    fn the_host_may_shorten_the_time_and_the_places_are_bounded() {
        let programs = programs(&[&["/bin/sleep", "*"]]);
        let long = || ExecRequest {
            timeout_ms: Some(400),
            ..request(&["/bin/sleep", "1000"])
        };
        let ids: Vec<i64> = (0..MAX_JOBS)
            .map(|_| programs.start(long()).unwrap()["pid"].as_i64().unwrap())
            .collect();
        let refusal = programs.start(long()).unwrap_err();
        assert!(refusal.desc.contains("16"), "{}", refusal.desc);
        let status = end_of(&programs, ids[0]);
        assert_eq!(
            (&status["signal"], &status["vmpulse-timed-out"]),
            (&json!(9), &json!(true))
        );
    }
}
