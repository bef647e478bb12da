#![allow(dead_code, reason = "each test file uses a part")]
//! Network namespaces of a test alone: ours, and a peer's with a kernel's own stack, joined by a pair of interfaces.

use std::io::{self, Write};
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Runs a test in a network namespace of its own; threads that it starts are in it, too. Says so where it may not.
pub fn isolated(test: impl FnOnce() + Send + 'static) {
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    let thread = std::thread::spawn(move || {
        if let Err(error) = enter_new_namespace() {
            // Past the capturing of output: a test that did not run should be seen.
            let _ = writeln!(
                io::stderr(),
                "skipped, no network namespace ({error}); run as root: {name}"
            );
            return;
        }
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn enter_new_namespace() -> io::Result<()> {
    // SAFETY: the call takes no pointers and changes this thread alone.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error());
    }
    ip("link set lo up");
    Ok(())
}

/// Runs the tool `ip` in the namespace of the calling thread.
pub fn ip(arguments: &str) {
    let words = arguments.split_whitespace();
    let output = Command::new("ip")
        .args(words)
        .output()
        .expect("the tool ip");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {text}");
}

/// Sets a sysctl of the namespace.
pub fn sysctl(name: &str, value: &str) {
    let path = format!("/proc/sys/{name}");
    std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
}

/// Raw sockets that are open in the namespace.
pub fn raw_sockets() -> usize {
    let tables = ["raw", "raw6"].map(|table| format!("/proc/thread-self/net/{table}"));
    let lines = tables
        .map(|table| std::fs::read_to_string(table).map_or(0, |text| text.lines().count() - 1));
    lines.iter().sum()
}

type Job = Box<dyn FnOnce() + Send>;

/// A namespace at the other end of the pair `near`-`far`. Its thread ends with the value.
pub struct Peer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Ours is 192.0.2.1/24 and 2001:db8::1/64 on `near`, the peer's 192.0.2.2 and 2001:db8::2 on `far`.
    pub fn new() -> Self {
        let (jobs, inbox) = channel::<Job>();
        let (ready, told) = channel();
        let thread = std::thread::spawn(move || {
            enter_new_namespace().unwrap();
            // SAFETY: the call takes nothing and cannot fail.
            ready.send(unsafe { libc::gettid() }).unwrap();
            for job in inbox {
                job();
            }
        });
        let thread_id = told.recv().unwrap();
        let peer = Self {
            jobs: Some(jobs),
            thread: Some(thread),
        };
        ip("link add near type veth peer name far");
        ip(&format!("link set far netns {thread_id}"));
        ip("addr add 192.0.2.1/24 dev near");
        ip("addr add 2001:db8::1/64 dev near nodad");
        ip("link set near up");
        peer.run(|| {
            ip("addr add 192.0.2.2/24 dev far");
            ip("addr add 2001:db8::2/64 dev far nodad");
            ip("link set far up");
        });
        // Packets that are sent before the kernel has noticed the carrier are lost.
        wait_for_carrier("near");
        peer.run(|| wait_for_carrier("far"));
        peer
    }

    /// Runs something in the peer's namespace and waits for its end.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (reply, answer) = channel();
        let job = Box::new(move || drop(reply.send(job())));
        self.jobs
            .as_ref()
            .expect("the peer lives")
            .send(job)
            .unwrap();
        answer.recv().expect("the peer's job ended well")
    }

    /// Packets to an address arrive at the peer, whose kernel ignores them.
    pub fn swallows(&self, address: &str) {
        let mac = self.run(|| mac("far"));
        ip(&format!(
            "neigh replace {address} lladdr {mac} dev near nud permanent"
        ));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn link(interface: &str) -> String {
    let words = ["-o", "link", "show", interface];
    let output = Command::new("ip").args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn wait_for_carrier(interface: &str) {
    let begin = Instant::now();
    while !link(interface).contains("state UP") {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{interface} does not come up"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The hardware address of an interface of this namespace.
pub fn mac(interface: &str) -> String {
    let text = link(interface);
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "link/ether");
    words[at.expect("an Ethernet interface") + 1].to_owned()
}
