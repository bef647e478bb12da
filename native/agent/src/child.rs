//! One program: bounded in time and output, in a process group of its own.

use crate::sys;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How often it is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(20);
/// What has left the program may hold its output open; that long it is still read.
const LAST_OUTPUT: Duration = Duration::from_millis(100);
/// How long SIGKILL may take.
const KILL: Duration = Duration::from_secs(2);

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(i32),
    /// Killed after its time.
    TimedOut,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub end: End,
    pub stdout: Output,
    pub stderr: Output,
}

/// The first bytes of an output; the rest is read and thrown away, so that the program can go on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Output {
    pub bytes: Vec<u8>,
    pub truncated: bool,
}

pub struct Limits {
    pub timeout: Duration,
    pub max_output: usize,
}

/// A program that was begun.
pub struct Running {
    child: Child,
    input: Vec<u8>,
}

/// The absolute path of a program that is named alone: that of the first folder that has it.
pub fn find(program: &str) -> Option<String> {
    if program.starts_with('/') {
        return Some(program.to_owned());
    }
    PATH.split(':')
        .map(|folder| format!("{folder}/{program}"))
        .find(|path| std::path::Path::new(path).is_file())
}

/// Begins a program: argv only, no shell, a plain environment.
pub fn start(argv: &[String], input: Vec<u8>) -> io::Result<Running> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let stdin = if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .process_group(0)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(Running { child, input })
}

impl Running {
    /// Follows it to its end, which comes soon after the time-out.
    pub fn finish(mut self, limits: &Limits) -> Ended {
        let deadline = Instant::now() + limits.timeout;
        let mut pipes = Pipes::take(&mut self.child, self.input, limits.max_output);
        let mut status = None;
        while status.is_none() && Instant::now() < deadline {
            pipes.turn(LOOK.min(deadline.saturating_duration_since(Instant::now())));
            status = self.child.try_wait().ok().flatten();
        }
        let end = match status {
            Some(status) => {
                let until = Instant::now() + LAST_OUTPUT;
                while pipes.are_open() && Instant::now() < until {
                    pipes.turn(LOOK);
                }
                end_of(status)
            }
            None => {
                sys::kill_group(self.child.id());
                reap(self.child);
                End::TimedOut
            }
        };
        let [stdout, stderr] = pipes.outputs;
        Ended {
            end,
            stdout,
            stderr,
        }
    }
}

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Code(code),
        (None, signal) => End::Signal(signal.unwrap_or(0)),
    }
}

/// Waits for a killed program; one that the kernel cannot end now is waited for aside.
fn reap(mut child: Child) {
    let until = Instant::now() + KILL;
    while Instant::now() < until {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(LOOK);
    }
    thread::spawn(move || child.wait());
}

trait Source: Read + AsFd + Send {}
impl<T: Read + AsFd + Send> Source for T {}

struct Pipes {
    stdin: Option<ChildStdin>,
    input: Vec<u8>,
    /// stdout and stderr.
    sources: [Option<Box<dyn Source>>; 2],
    outputs: [Output; 2],
    max_output: usize,
}

impl Pipes {
    fn take(child: &mut Child, input: Vec<u8>, max_output: usize) -> Self {
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        if let Some(stdin) = &stdin {
            // What cannot be made non-blocking would only be written in one go: it is at most what a pipe holds.
            let _ = sys::set_nonblocking(stdin.as_fd());
        }
        Self {
            stdin,
            input,
            sources: [
                stdout.map(|pipe| Box::new(pipe) as Box<dyn Source>),
                stderr.map(|pipe| Box::new(pipe) as Box<dyn Source>),
            ],
            outputs: [Output::default(), Output::default()],
            max_output,
        }
    }

    fn are_open(&self) -> bool {
        self.sources.iter().any(Option::is_some)
    }

    /// Waits for something to be ready, and reads and writes that.
    fn turn(&mut self, wait: Duration) {
        let stdin = self.stdin.as_ref().map(|pipe| (pipe.as_fd(), true));
        let sources = self
            .sources
            .iter()
            .flatten()
            .map(|pipe| (pipe.as_fd(), false));
        let wanted: Vec<(BorrowedFd<'_>, bool)> = sources.chain(stdin).collect();
        let open: Vec<usize> = (0..2)
            .filter(|&index| self.sources[index].is_some())
            .collect();
        let Ok(ready) = sys::poll(&wanted, wait) else {
            return thread::sleep(wait);
        };
        for (index, ready) in open.iter().zip(&ready) {
            if ready.readable || ready.hung_up {
                self.read(*index);
            }
        }
        if ready
            .get(open.len())
            .is_some_and(|ready| ready.writable || ready.hung_up)
        {
            self.write();
        }
        if open.is_empty() && self.stdin.is_none() {
            thread::sleep(wait);
        }
    }

    fn read(&mut self, index: usize) {
        let mut buffer = [0; 4096];
        let Some(source) = &mut self.sources[index] else {
            return;
        };
        match source.read(&mut buffer) {
            Ok(0) | Err(_) => self.sources[index] = None,
            Ok(count) => {
                let output = &mut self.outputs[index];
                let room = self.max_output.saturating_sub(output.bytes.len());
                output.bytes.extend_from_slice(&buffer[..count.min(room)]);
                output.truncated |= count > room;
            }
        }
    }

    fn write(&mut self) {
        let Some(stdin) = &mut self.stdin else {
            return;
        };
        match stdin.write(&self.input) {
            Ok(count) if count < self.input.len() => {
                self.input.drain(..count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // All is written, or nobody reads.
            _ => self.stdin = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn run(words: &[&str], input: &[u8], timeout_ms: u64, max_output: usize) -> Ended {
        let limits = Limits {
            timeout: Duration::from_millis(timeout_ms),
            max_output,
        };
        start(&argv(words), input.to_vec()).unwrap().finish(&limits)
    }

    #[test]
    fn tells_code_signal_and_outputs() {
        let ended = run(
            &["/bin/sh", "-c", "echo out; echo err >&2; exit 3"],
            b"",
            20_000,
            100,
        );
        assert_eq!(ended.end, End::Code(3));
        assert_eq!(ended.stdout.bytes, b"out\n");
        assert_eq!(ended.stderr.bytes, b"err\n");
        let ended = run(&["/bin/sh", "-c", "kill -9 $$"], b"", 20_000, 100);
        assert_eq!(ended.end, End::Signal(9));
        assert!(start(&argv(&["/no/such/program"]), Vec::new()).is_err());
    }

    #[test]
    fn gives_input_and_a_plain_environment() {
        let ended = run(&["/bin/sh", "-s"], b"env | sort; pwd", 20_000, 1000);
        let text = String::from_utf8(ended.stdout.bytes).unwrap();
        assert!(
            text.contains("PATH=/usr/local/sbin") && text.ends_with("/\n"),
            "{text}"
        );
        assert!(!text.contains("CARGO"), "{text}");
        let input = vec![b'x'; crate::request::MAX_INPUT_BYTES];
        let ended = run(&["/usr/bin/wc", "-c"], &input, 20_000, 100);
        assert_eq!(ended.stdout.bytes.trim_ascii(), b"65536");
        // Nobody reads it.
        assert_eq!(run(&["/bin/true"], &input, 20_000, 100).end, End::Code(0));
    }

    #[test]
    fn an_endless_output_is_cut_and_the_group_ends_at_the_time_out() {
        let script = "sleep 1000 & echo $!; exec yes";
        let ended = run(&["/bin/sh", "-c", script], b"", 500, 50);
        assert_eq!(ended.end, End::TimedOut);
        assert!(ended.stdout.truncated && ended.stdout.bytes.len() == 50);
        let text = String::from_utf8_lossy(&ended.stdout.bytes).into_owned();
        let pid: u32 = text.lines().next().unwrap().parse().unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while alive(pid) {
            assert!(Instant::now() < until, "the child of the group lives");
            thread::sleep(LOOK);
        }
    }

    fn alive(pid: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    }

    #[test]
    fn what_outlives_it_does_not_hold_up_its_end() {
        let begun = Instant::now();
        let ended = run(&["/bin/sh", "-c", "sleep 60 & exit 0"], b"", 50_000, 100);
        assert_eq!(ended.end, End::Code(0));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
