use super::*;
use crate::poller::{READ, poll_once};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// `None`, and says so, where this kernel has no ring or forbids it.
fn ring() -> Option<Ring> {
    match Ring::new() {
        Ok(ring) => {
            ring.enable().unwrap();
            Some(ring)
        }
        Err(error) => {
            // Not eprintln, which the harness keeps to itself.
            let _ = writeln!(io::stderr(), "skipped: no io_uring here ({error})");
            None
        }
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A listener whose queue is full, with what fills it: nobody answers a SYN.
fn silent() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
    let (listener, address) = listener();
    // SAFETY: a listening socket may be told a smaller backlog.
    unsafe { libc::listen(listener.as_raw_fd(), 0) };
    let fill = |_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    (listener, address, (0..4).filter_map(fill).collect())
}

fn begin(ring: &mut Ring, to: &SocketAddr, key: Key) -> Key {
    let slot = ring.connect(to, Quirk::None).unwrap();
    ring.give_to(slot, key);
    slot
}

/// Turns until `enough`.
fn turn_until(ring: &mut Ring, ended: &mut Vec<Ended>, enough: impl Fn(&Ring, &[Ended]) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        ring.turn(ended);
        if enough(ring, ended) {
            return;
        }
        assert!(Instant::now() < end, "waited in vain");
        if poll_once(ring.as_fd(), READ) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn idle_of(ring: &Ring) -> usize {
    ring.idle.iter().map(Vec::len).sum()
}

#[test]
fn a_socket_serves_one_probe_after_the_other_and_its_peers_see_resets() {
    let Some(mut ring) = ring() else { return };
    let mut keys = Slab::default();
    for _ in 0..3 {
        let (server, address) = listener();
        let key = keys.insert(());
        begin(&mut ring, &address, key);
        let mut ended = Vec::new();
        turn_until(&mut ring, &mut ended, |ring, _| idle_of(ring) == 1);
        assert_eq!((ended[0].key, ended[0].end), (key, End::Connected));
        // Whether the peer ever had a connection depends on its acknowledgement, which a reset may come before.
        server.set_nonblocking(true).unwrap();
        if let Ok((mut peer, _)) = server.accept() {
            peer.set_nonblocking(false).unwrap();
            let error = peer.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
        assert_eq!(ring.slots.len(), 1, "it was one socket");
    }
    ring.close_idle();
    assert_eq!((ring.slots.len(), idle_of(&ring)), (0, 0));
}

#[test]
fn an_abandoned_connect_tells_nothing_and_its_socket_comes_back() {
    let Some(mut ring) = ring() else { return };
    let (_silent, nowhere, _fillers) = silent();
    let (_server, address) = listener();
    let mut keys = Slab::default();
    let (first, second) = (keys.insert(()), keys.insert(()));
    let slot = begin(&mut ring, &nowhere, first);
    let mut ended = Vec::new();
    ring.turn(&mut ended);
    ring.abandon(slot, second);
    ring.turn(&mut ended);
    assert!(
        ended.is_empty() && idle_of(&ring) == 0,
        "only its own probe may abandon it"
    );
    ring.abandon(slot, first);
    turn_until(&mut ring, &mut ended, |ring, _| idle_of(ring) == 1);
    assert!(ended.is_empty());
    assert_eq!(begin(&mut ring, &address, second), slot, "the same socket");
    turn_until(&mut ring, &mut ended, |_, ended| !ended.is_empty());
    assert_eq!((ended[0].key, ended[0].end), (second, End::Connected));
}

#[test]
fn more_than_the_queue_has_room_for_are_begun_in_one_turn() {
    let Some(mut ring) = ring() else { return };
    let (_server, address) = listener();
    let closed = listener().1;
    let mut keys = Slab::default();
    let count = ENTRIES as usize + 100;
    for n in 0..count {
        let key = keys.insert(());
        begin(&mut ring, if n % 2 == 0 { &address } else { &closed }, key);
    }
    let mut ended = Vec::new();
    turn_until(&mut ring, &mut ended, |_, ended| ended.len() == count);
    let refused = ended
        .iter()
        .filter(|one| one.end == End::Failed(libc::ECONNREFUSED))
        .count();
    assert_eq!(refused, count / 2);
    turn_until(&mut ring, &mut ended, |ring, _| {
        ring.slots.len() <= MAX_IDLE
    });
    assert_eq!(ended.len(), count, "each is told once");
}

/// As deadlines are judged: what the kernel has by then must not be left for the next look.
#[test]
fn a_drain_takes_all_that_is_there() {
    let Some(mut ring) = ring() else { return };
    let closed = listener().1;
    let mut keys = Slab::default();
    let count = 300;
    for _ in 0..count {
        let key = keys.insert(());
        begin(&mut ring, &closed, key);
    }
    ring.enter();
    let refused = |slot: &Slot| poll_once(slot.fd.as_fd(), READ) != 0;
    let end = Instant::now() + PATIENCE;
    while !ring.slots.values().all(refused) {
        assert!(Instant::now() < end, "waited in vain for the refusals");
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut ended = Vec::new();
    ring.drain(&mut ended);
    assert_eq!(ended.len(), count);
}

/// As when a whole host goes silent: more connects are cut off between two looks than there is room for.
#[test]
fn completions_that_find_no_room_are_kept_by_the_kernel() {
    let Some(mut ring) = ring() else { return };
    let count = (COMPLETIONS + 2 * ENTRIES) as usize;
    if !may_open(count + 500) {
        let _ = writeln!(
            io::stderr(),
            "skipped: too few descriptors are allowed here"
        );
        return;
    }
    let closed = listener().1;
    let (_silent, nowhere, _fillers) = silent();
    let mut keys = Slab::default();
    let mut cut = Vec::new();
    let mut waiting = Vec::new();
    for n in 0..count {
        let key = keys.insert(());
        if n % 100 == 0 {
            begin(&mut ring, &closed, key);
            waiting.push((key, End::Failed(libc::ECONNREFUSED)));
        } else {
            cut.push((begin(&mut ring, &nowhere, key), key));
        }
    }
    for (slot, key) in cut {
        ring.abandon(slot, key);
    }
    let overflown = ring.ring.submission().cq_overflow();
    assert!(overflown, "the kernel has more than there is room for");
    let mut ended = Vec::new();
    turn_until(&mut ring, &mut ended, |ring, _| {
        ring.slots.len() == idle_of(ring)
    });
    assert!(!ring.is_broken());
    let mut told: Vec<_> = ended.iter().map(|one| (one.key, one.end)).collect();
    told.sort_by_key(|(key, _)| key.bits());
    waiting.sort_by_key(|(key, _)| key.bits());
    assert_eq!(told, waiting, "who waits is told once, the others never");
}

/// Raises the limit of this process, where that is allowed.
fn may_open(count: usize) -> bool {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid rlimit for both calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
    limit.rlim_max >= count as u64
}

/// Whatever ends, is cut off or begins in between: each probe hears of its own connect, once, and of no other.
#[test]
fn no_answer_is_taken_for_that_of_another() {
    let Some(mut ring) = ring() else { return };
    let (_server, open) = listener();
    let closed = listener().1;
    let (_silent, nowhere, _fillers) = silent();
    let mut probes: Slab<(Key, SocketAddr)> = Slab::default();
    let mut waiting = Vec::new();
    let mut ended = Vec::new();
    let mut random = 1u32;
    let mut told = 0;
    for step in 0..20_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let die = random >> 16;
        if step < 18_000 && !die.is_multiple_of(3) && waiting.len() < 200 {
            let to = [open, closed, nowhere][(die / 3 % 3) as usize];
            let slot = ring.connect(&to, Quirk::None).unwrap();
            let key = probes.insert((slot, to));
            ring.give_to(slot, key);
            waiting.push(key);
        } else if !waiting.is_empty() {
            let key = waiting.swap_remove(die as usize % waiting.len());
            // One that has ended already is not among the probes any more.
            if let Some((slot, _)) = probes.remove(key) {
                ring.abandon(slot, key);
            }
        }
        if die.is_multiple_of(4) {
            ring.turn(&mut ended);
        }
        for Ended { key, address, end } in ended.drain(..) {
            let (_, to) = probes.remove(key).expect("a probe that waits, once");
            assert_eq!(address, to);
            let expected = if to == open {
                End::Connected
            } else {
                assert_eq!(to, closed, "silence has no end");
                End::Failed(libc::ECONNREFUSED)
            };
            assert_eq!(end, expected);
            told += 1;
        }
    }
    assert!(told > 1000, "{told}");
    for key in waiting {
        if let Some((slot, _)) = probes.remove(key) {
            ring.abandon(slot, key);
        }
    }
    turn_until(&mut ring, &mut ended, |ring, _| {
        ring.slots.len() == idle_of(ring)
    });
    assert!(ended.is_empty(), "nobody waits any more");
}

#[test]
fn what_comes_back_when_nobody_is_left_is_closed() {
    let Some(mut ring) = ring() else { return };
    let (_silent, nowhere, _fillers) = silent();
    let mut keys = Slab::default();
    let key = keys.insert(());
    let slot = begin(&mut ring, &nowhere, key);
    let mut ended = Vec::new();
    ring.turn(&mut ended);
    ring.abandon(slot, key);
    ring.close_idle();
    turn_until(&mut ring, &mut ended, |ring, _| ring.slots.len() == 0);
    assert!(ended.is_empty());
}
