//! TCP probes against listeners of the test.

mod common;

use common::network::skip;
use common::{Harness, PATIENCE, Silent, target, tcp};
use serde_json::json;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use vmpulse_engine::proto::{Outcome, Reason};
use vmpulse_engine::thresholds::State;
use vmpulse_engine::{EngineOptions, ReactorChoice};

with_either_reactor!(
    up_down_up,
    each_end_has_its_reason,
    fin_is_an_orderly_end_for_the_server,
    a_server_that_resets_at_once_was_connected_to,
    rst_leaves_nothing_behind,
    a_silent_destination_does_not_starve_the_others,
    several_reactors_share_the_targets,
    probes_that_are_cut_off_leave_nothing_behind,
);

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address where nothing listens.
fn refusing() -> SocketAddr {
    listener().1
}

fn up_down_up(reactor: ReactorChoice) {
    let (server, address) = listener();
    let mut harness = Harness::on(reactor);
    let handle = harness.add(&[target("a", tcp(address))])[0];
    let up = harness.transition(handle);
    assert_eq!((up.change.from, up.change.to), (State::Unknown, State::Ok));
    drop(server);
    let down = harness.transition(handle);
    assert_eq!(
        (down.change.from, down.change.to),
        (State::Ok, State::Failed)
    );
    assert_eq!(down.change.reason, Some(Reason::ConnectionRefused));
    assert_eq!(down.change.count, 2);
    assert!(down.change.last_ok_ms > 0 && down.change.streak_start_ms <= down.change.at_ms);
    let server = TcpListener::bind(address).unwrap();
    let up = harness.transition(handle);
    assert_eq!((up.change.from, up.change.to), (State::Failed, State::Ok));
    drop(server);
}

fn each_end_has_its_reason(reactor: ReactorChoice) {
    let mut harness = Harness::on(reactor);
    let (_server, address) = listener();
    assert_eq!(harness.outcome(&tcp(address), 1000.0), Outcome::Ok);
    assert_eq!(
        harness.outcome(&tcp(refusing()), 1000.0),
        Outcome::Failed(Reason::ConnectionRefused)
    );
    let silent = Silent::new();
    assert_eq!(
        harness.outcome(&tcp(silent.address), 300.0),
        Outcome::Failed(Reason::ConnectTimeout)
    );
    let missing = json!({ "kind": "tcpSocket", "endpoint": { "unix": "/nonexistent/socket" } });
    assert_eq!(
        harness.outcome(&missing, 300.0),
        Outcome::Failed(Reason::ConnectionRefused)
    );
}

fn fin_is_an_orderly_end_for_the_server(reactor: ReactorChoice) {
    let (server, address) = listener();
    let mut harness = Harness::on(reactor);
    let mut check = tcp(address);
    check["close"] = json!("fin");
    assert_eq!(harness.outcome(&check, 1000.0), Outcome::Ok);
    let (mut stream, _) = server.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(
        stream.read(&mut [0; 8]).unwrap(),
        0,
        "end of file, not a reset"
    );
}

/// QEMU's user network does so for a guest's port that is closed: the connect completed all the same.
fn a_server_that_resets_at_once_was_connected_to(reactor: ReactorChoice) {
    let (server, address) = listener();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let linger = libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            // SAFETY: the option takes a linger, whose own size is passed.
            unsafe {
                libc::setsockopt(
                    std::os::fd::AsRawFd::as_raw_fd(&stream.unwrap()),
                    libc::SOL_SOCKET,
                    libc::SO_LINGER,
                    std::ptr::from_ref(&linger).cast(),
                    size_of::<libc::linger>() as libc::socklen_t,
                )
            };
        }
    });
    let mut harness = Harness::on(reactor);
    let mut check = tcp(address);
    check["close"] = json!("fin");
    for _ in 0..300 {
        assert_eq!(harness.outcome(&check, 5000.0), Outcome::Ok);
    }
}

fn rst_leaves_nothing_behind(reactor: ReactorChoice) {
    let (_server, address) = listener();
    let mut harness = Harness::on(reactor);
    for _ in 0..20 {
        assert_eq!(harness.outcome(&tcp(address), 1000.0), Outcome::Ok);
    }
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X} ", address.port());
    let time_wait = table
        .lines()
        .filter(|line| line.contains(&port) && line.split_whitespace().nth(3) == Some("06"));
    assert_eq!(time_wait.count(), 0);
}

/// 200 targets of one silent address, at most two of them in flight, do not keep the healthy one from its probes.
fn a_silent_destination_does_not_starve_the_others(reactor: ReactorChoice) {
    let silent = Silent::new();
    let (server, address) = listener();
    let mut harness = Harness::with(EngineOptions {
        max_in_flight: 4,
        max_in_flight_per_destination: 2,
        reactor,
        ..EngineOptions::default()
    });
    let mut targets: Vec<_> = (0..200)
        .map(|index| target(&format!("silent-{index}"), tcp(silent.address)))
        .collect();
    let mut healthy = tcp(address);
    healthy["endpoint"]["ip"] = json!("127.0.0.2");
    drop(server);
    let _server = TcpListener::bind(("127.0.0.2", address.port())).unwrap();
    targets.push(target("healthy", healthy));
    let handles = harness.add(&targets);
    let healthy = handles[200];
    let begin = Instant::now();
    harness.until(healthy, State::Ok);
    loop {
        let stats = harness.engine.stats().unwrap();
        assert!(stats.in_flight <= 4, "{}", stats.in_flight);
        let oks = stats
            .outcomes
            .iter()
            .find(|entry| entry.1 == 0)
            .map_or(0, |entry| entry.2);
        if oks >= 10 {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "only {oks} healthy probes");
        std::thread::yield_now();
    }
    assert_eq!(harness.engine.status(healthy).unwrap().state, State::Ok);
}

fn several_reactors_share_the_targets(reactor: ReactorChoice) {
    let (_server, address) = listener();
    let mut harness = Harness::with(EngineOptions {
        threads: 3,
        reactor,
        ..EngineOptions::default()
    });
    let targets: Vec<_> = (0..30)
        .map(|index| target(&format!("t{index}"), tcp(address)))
        .collect();
    for handle in harness.add(&targets) {
        harness.until(handle, State::Ok);
        assert_eq!(harness.engine.status(handle).unwrap().state, State::Ok);
    }
}

/// Removed or suspended while they connect, they give no answer to those that get their sockets.
fn probes_that_are_cut_off_leave_nothing_behind(reactor: ReactorChoice) {
    let silent = Silent::new();
    let (_server, address) = listener();
    let mut harness = Harness::on(reactor);
    for round in 0..20 {
        let targets: Vec<_> = (0..20)
            .map(|index| target(&format!("{round}-{index}"), tcp(silent.address)))
            .collect();
        let handles = harness.add(&targets);
        let begin = Instant::now();
        while harness.engine.stats().unwrap().in_flight < 5 {
            assert!(begin.elapsed() < PATIENCE, "they do not connect");
            std::thread::yield_now();
        }
        harness.engine.suspend(&handles[..10]).unwrap();
        harness.engine.remove(&handles).unwrap();
        assert_eq!(harness.outcome(&tcp(address), 5000.0), Outcome::Ok);
        assert_eq!(
            harness.outcome(&tcp(refusing()), 5000.0),
            Outcome::Failed(Reason::ConnectionRefused)
        );
        let end = Instant::now() + PATIENCE;
        while harness.engine.stats().unwrap().in_flight > 0 {
            assert!(Instant::now() < end, "something is still in flight");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Otherwise the tests above would be of epoll twice, and nobody would know.
#[test]
fn the_ring_is_chosen_where_the_kernel_has_one() {
    let reported = |reactor| Harness::on(reactor).engine.stats().unwrap().ring;
    assert!(!reported(ReactorChoice::Epoll));
    if kernel_has_ring() {
        assert!(reported(ReactorChoice::Auto));
    } else {
        skip("this kernel has no ring, or forbids it");
    }
}

/// Of Linux 6.1 or newer, and allowed.
fn kernel_has_ring() -> bool {
    const SINGLE_ISSUER_AND_DEFER_TASKRUN: u32 = 3 << 12;
    let mut params = [0u32; 30];
    params[2] = SINGLE_ISSUER_AND_DEFER_TASKRUN;
    // SAFETY: the kernel reads and writes an io_uring_params, which has 120 bytes; its third word are the flags.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, params.as_mut_ptr()) };
    if fd < 0 {
        return false;
    }
    // SAFETY: the descriptor was just made and is nobody else's.
    unsafe { libc::close(fd as i32) };
    true
}
