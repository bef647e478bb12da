//! Descriptors, ports, buffers or memory run out: the prober's trouble, not the targets'.

mod common;

use common::network::{in_own_network, skip};
use common::{Harness, Silent, http, reactor_of_process, run_alone, target, tcp};
use serde_json::json;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;
use vmpulse_engine::{Answer, Kind, ReactorChoice, outcome_index};

with_either_reactor!(
    without_descriptors_targets_turn_blind_and_recover,
    without_ephemeral_ports_targets_turn_blind_and_recover,
    with_a_full_connection_table_silence_is_no_failure,
    no_buffers_and_no_memory_are_about_the_prober,
);

/// Limits are of a whole process, so the test runs itself again in one of its own.
fn without_descriptors_targets_turn_blind_and_recover(reactor: ReactorChoice) {
    run_alone("descriptors_run_out", reactor);
}

#[test]
#[ignore = "lowers the limits of its process; run by the test above"]
fn descriptors_run_out() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut harness = Harness::on(reactor_of_process());
    let address = server.local_addr().unwrap();
    let mut check = tcp(address);
    check["close"] = json!("fin");
    let handles = harness.add(&[target("own", check), target("pooled", tcp(address))]);
    let handle = handles[0];
    for handle in &handles {
        harness.until(*handle, State::Ok);
    }
    let normal = limit(None);
    // Descriptors that are open stay, so a probe whose socket is used again goes on; new ones are refused.
    limit(Some(3));
    blind_by_resources(&mut harness, handle);
    assert_eq!(harness.engine.status(handles[1]).unwrap().state, State::Ok);
    limit(Some(normal));
    recovers(&mut harness, handle);
}

fn without_ephemeral_ports_targets_turn_blind_and_recover(reactor: ReactorChoice) {
    in_own_network(move || {
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001").unwrap();
        let server = TcpListener::bind("127.0.0.1:4000").unwrap();
        let address = server.local_addr().unwrap();
        let mut harness = Harness::on(reactor);
        let handles = harness.add(&[
            target("tcp", tcp(address)),
            target("other", tcp("127.0.0.2:4000".parse().unwrap())),
        ]);
        harness.until(handles[0], State::Ok);
        harness.until(handles[1], State::Failed);
        // Both ports are taken towards this address; a probe of our own may hold one for a moment.
        let mut taken = Vec::new();
        while taken.len() < 2 {
            taken.extend(TcpStream::connect(address));
        }
        blind_by_resources(&mut harness, handles[0]);
        // Other addresses may still be reached by the same ports.
        assert_eq!(
            harness.engine.status(handles[1]).unwrap().state,
            State::Failed
        );
        drop(taken);
        drop(std::iter::from_fn(|| accepted(&server)).collect::<Vec<_>>());
        recovers(&mut harness, handles[0]);
    });
}

fn accepted(server: &TcpListener) -> Option<TcpStream> {
    server.set_nonblocking(true).unwrap();
    server.accept().ok().map(|(stream, _)| stream)
}

/// The bound of the table is one for the whole host and may not be changed from within a namespace, so it is filled:
/// each datagram to another address is a connection to it. What is dropped then looks as if the target were silent.
fn with_a_full_connection_table_silence_is_no_failure(reactor: ReactorChoice) {
    in_own_network(move || {
        let max = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max");
        let Some(max) = max.ok().and_then(|text| text.trim().parse::<u32>().ok()) else {
            return skip("this kernel tracks no connections");
        };
        let rules = "add table inet t; add chain inet t c { type filter hook output priority 0; };
            add rule inet t c ct state new counter";
        if !Command::new("nft")
            .arg(rules)
            .status()
            .is_ok_and(|status| status.success())
        {
            return skip("tracking is begun by nft (nftables), which is not here");
        }
        if max > 300_000 {
            return skip("the table of this host is too large to be filled by a test");
        }
        let silent = Silent::new();
        let mut harness = Harness::on(reactor);
        let slow = |id| {
            let mut target = target(id, tcp(silent.address));
            target["timing"]["failureThreshold"] = json!(1);
            target
        };
        let first = harness.add(&[slow("before")])[0];
        let failed = harness.until(first, State::Failed);
        assert_eq!(
            failed.change.reason,
            Some(Reason::ConnectTimeout),
            "silence while there is room"
        );
        fill(max);
        let blind = harness.until(first, State::Blind);
        assert_eq!(blind.change.reason, Some(Reason::ProberResources));
        let second = harness.add(&[slow("after")])[0];
        assert_eq!(harness.transition(second).change.to, State::Blind);
    });
}

fn fill(connections: u32) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..connections {
        let [_, a, b, c] = number.to_be_bytes();
        // Nobody listens: what comes back is an error, now and then, and tells nothing.
        let _ = socket.send_to(b"x", SocketAddr::from(([127, 1 + a, b, c], 9)));
    }
}

/// The kernel's errors for what cannot be used up on purpose, given by a seccomp filter in a process of its own.
fn no_buffers_and_no_memory_are_about_the_prober(reactor: ReactorChoice) {
    for name in [
        "connect_enobufs",
        "socket_enomem",
        "epoll_enospc",
        "send_enobufs",
    ] {
        run_alone(name, reactor);
    }
}

#[test]
#[ignore = "filters the calls of its process; run by the test above"]
fn connect_enobufs() {
    inconclusive_when(libc::SYS_connect, libc::ENOBUFS);
}

#[test]
#[ignore = "filters the calls of its process; run by the test above"]
fn socket_enomem() {
    inconclusive_when(libc::SYS_socket, libc::ENOMEM);
}

#[test]
#[ignore = "filters the calls of its process; run by the test above"]
fn epoll_enospc() {
    inconclusive_when(libc::SYS_epoll_ctl, libc::ENOSPC);
}

#[test]
#[ignore = "filters the calls of its process; run by the test above"]
fn send_enobufs() {
    inconclusive_when(libc::SYS_sendto, libc::ENOBUFS);
}

/// The probes that wait in the ring go on by calls. One whose peer then says nothing is not said to be silent: whether the
/// kernel ever sent its connect is not known.
#[test]
fn a_ring_that_takes_nothing_any_more_is_no_silence() {
    if !Harness::new().engine.stats().unwrap().ring {
        return skip("no io_uring here");
    }
    run_alone("ring_is_forbidden_later", ReactorChoice::Auto);
}

#[test]
#[ignore = "filters the calls of its process; run by the test above"]
fn ring_is_forbidden_later() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let sound = tcp(server.local_addr().unwrap());
    let silent = Silent::new();
    let mute = tcp(silent.address);
    let mut harness = Harness::new();
    assert_eq!(
        harness.outcome(&mute, 300.0),
        Outcome::Failed(Reason::ConnectTimeout)
    );
    let waits = harness.call();
    let check = mute.to_string();
    let started = harness.engine.probe_once(waits, &check, &[], 3000.0, true);
    started.unwrap();
    // It began before this one ended.
    assert_eq!(harness.outcome(&sound, 5000.0), Outcome::Ok);
    assert!(harness.engine.stats().unwrap().ring);
    refuse(libc::SYS_io_uring_enter, libc::EPERM);
    assert_eq!(harness.outcome(&sound, 5000.0), Outcome::Ok);
    assert!(!harness.engine.stats().unwrap().ring);
    match harness.answer(waits) {
        Answer::Probe(report) => assert_eq!(
            report.outcome,
            Outcome::Inconclusive(Reason::ProberResources)
        ),
        other => panic!("{other:?}"),
    }
    assert_eq!(harness.outcome(&sound, 5000.0), Outcome::Ok);
}

fn inconclusive_when(call: libc::c_long, errno: i32) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let check = http(server.local_addr().unwrap(), json!({}));
    let mut harness = Harness::on(reactor_of_process());
    refuse(call, errno);
    let outcome = harness.outcome(&check, 5000.0);
    assert_eq!(outcome, Outcome::Inconclusive(Reason::ProberResources));
}

/// Makes one system call fail with an errno from now on, in all threads of this process.
fn refuse(call: libc::c_long, errno: i32) {
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let step = |code: u32, jt, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf: 0,
        k,
    };
    let mut same = step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, call as u32);
    same.jf = 1;
    let mut filter = [
        // The number of the call is the first word of what a filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        same,
        step(libc::BPF_RET | libc::BPF_K, 0, ERRNO | errno as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: `program` and the filter it points to are valid for the length of the call, which copies them.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let flags = libc::SECCOMP_FILTER_FLAG_TSYNC;
        let mode = libc::SECCOMP_SET_MODE_FILTER;
        assert_eq!(libc::syscall(libc::SYS_seccomp, mode, flags, &program), 0);
    }
}

fn blind_by_resources(harness: &mut Harness, handle: u32) {
    let blind = harness.until(handle, State::Blind);
    assert_eq!(blind.change.reason, Some(Reason::ProberResources));
    let place = outcome_index(Outcome::Inconclusive(Reason::ProberResources));
    let outcomes = harness.engine.stats().unwrap().outcomes;
    let counted = outcomes
        .iter()
        .find(|(kind, outcome, _)| (*kind, *outcome) == (Kind::TcpSocket, place));
    assert!(
        counted.is_some_and(|entry| entry.2 >= 3),
        "the metric counts them: {outcomes:?}"
    );
}

fn recovers(harness: &mut Harness, handle: u32) {
    let sighted = harness.transition(handle);
    assert_eq!(
        (sighted.change.from, sighted.change.to),
        (State::Blind, State::Ok)
    );
}

fn limit(set: Option<u64>) -> u64 {
    let mut value = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `value` is a valid rlimit for both calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut value), 0);
        if let Some(soft) = set {
            value.rlim_cur = soft;
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &value), 0);
        }
    }
    value.rlim_cur
}
