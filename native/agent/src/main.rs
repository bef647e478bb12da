use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use vmpulse_agent::agent::Agent;
use vmpulse_agent::config::{Config, DEFAULT_PATH};
use vmpulse_agent::{listen, sys};

const SAMPLE: Duration = Duration::from_secs(3);
const USAGE: u8 = 64;
const BAD_CONFIG: u8 = 78;

enum Job {
    Run(Option<PathBuf>),
    Check(Option<PathBuf>),
    Say(String),
}

fn main() -> ExitCode {
    let job = match read_arguments(std::env::args().skip(1)) {
        Ok(job) => job,
        Err(text) => {
            eprintln!("vmpulse-agent: {text}; see vmpulse-agent --help");
            return ExitCode::from(USAGE);
        }
    };
    let (path, runs) = match job {
        Job::Say(text) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Job::Check(path) => (path, false),
        Job::Run(path) => (path, true),
    };
    match Config::load(path.as_deref()) {
        Err(error) => {
            eprintln!("vmpulse-agent: {error}");
            ExitCode::from(BAD_CONFIG)
        }
        Ok(_) if !runs => ExitCode::SUCCESS,
        Ok(config) => run(config),
    }
}

fn read_arguments(mut words: impl Iterator<Item = String>) -> Result<Job, String> {
    let mut path = None;
    let mut checks = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--config" => {
                let file = words.next().ok_or("--config needs a file")?;
                path = Some(PathBuf::from(file));
            }
            "--check" => checks = true,
            "--version" => return Ok(Job::Say(env!("CARGO_PKG_VERSION").to_owned())),
            "--help" => {
                let text = format!(
                    "Usage: vmpulse-agent [--config FILE] [--check] [--version]\n\nServes the host of this VM. FILE: default {DEFAULT_PATH}. --check only reads it.\nExit status: 0 stopped, {USAGE} usage, {BAD_CONFIG} configuration."
                );
                return Ok(Job::Say(text));
            }
            _ => return Err(format!("'{word}' is no option")),
        }
    }
    Ok(if checks {
        Job::Check(path)
    } else {
        Job::Run(path)
    })
}

fn run(config: Config) -> ExitCode {
    let signals = match sys::block_end_signals() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("vmpulse-agent: signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (port, vsock) = (config.listen.virtio_port.clone(), config.listen.vsock_port);
    let agent = Arc::new(Agent::new(config));
    each(&agent, SAMPLE, |agent| agent.meter.sample());
    each(&agent, agent.health.period(), |agent| agent.health.round());
    each(&agent, agent.watchdog.period(), |agent| {
        agent.watchdog.turn(&agent.health)
    });
    if !port.is_empty() {
        let agent = Arc::clone(&agent);
        thread::spawn(move || listen::virtio(&port, &agent));
    }
    if vsock != 0 {
        let agent = Arc::clone(&agent);
        thread::spawn(move || listen::vsock(vsock, &agent));
    }
    sys::wait_for_signal(&signals);
    agent.watchdog.stop();
    ExitCode::SUCCESS
}

/// Does something again and again, on a thread of its own.
fn each(agent: &Arc<Agent>, period: Duration, turn: fn(&Agent)) {
    let agent = Arc::clone(agent);
    thread::spawn(move || {
        loop {
            turn(&agent);
            thread::sleep(period);
        }
    });
}
