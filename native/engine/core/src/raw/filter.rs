//! Filters that the kernel runs before it wakes us: only what may answer a probe of ours passes.
//!
//! A raw IPv4 socket shows them the packet from its IP header on, a raw IPv6 socket from the transport header on.

use crate::poller::check;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

type Instruction = libc::sock_filter;

const LOAD_BYTE_AT_X: u16 = 0x50; // BPF_LD | BPF_B | BPF_IND
const LOAD_HALF_AT_X: u16 = 0x48; // BPF_LD | BPF_H | BPF_IND
const LOAD_WORD_AT_X: u16 = 0x40; // BPF_LD | BPF_W | BPF_IND
const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_IP_HEADER_LENGTH: u16 = 0xb1; // BPF_LDX | BPF_B | BPF_MSH
const LOAD_X: u16 = 0x01; // BPF_LDX | BPF_W | BPF_IMM
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_IF_SET: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

const DROP: u32 = 0;
const PASS: u32 = 0xffff;
/// IPv4 flags and fragment offset: the offset.
const FRAGMENT_OFFSET: u32 = 0x1fff;

const fn op(code: u16, k: u32) -> Instruction {
    Instruction {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// Begins a program with X at the transport header.
fn at_transport_header(v6: bool) -> Vec<Instruction> {
    if v6 {
        return vec![op(LOAD_X, 0)];
    }
    vec![
        op(LOAD_HALF, 6),
        jump(JUMP_IF_SET, FRAGMENT_OFFSET, 0, 1),
        op(RETURN, DROP),
        op(LOAD_IP_HEADER_LENGTH, 0),
    ]
}

/// SYN-ACK and RST-ACK to a port of a block of `2^n` ports that begins at `first`; `mask` is that of the block.
pub fn tcp_replies(v6: bool, first: u16, mask: u16) -> Vec<Instruction> {
    let mut program = at_transport_header(v6);
    program.extend([
        op(LOAD_HALF_AT_X, 2),
        op(AND, mask.into()),
        jump(JUMP_IF_EQUAL, first.into(), 0, 4),
        op(LOAD_BYTE_AT_X, 13),
        op(AND, 0x16),
        jump(JUMP_IF_EQUAL, 0x12, 2, 0),
        jump(JUMP_IF_EQUAL, 0x14, 1, 0),
        op(RETURN, DROP),
        op(RETURN, PASS),
    ]);
    program
}

/// ICMP errors that quote a segment of such a port; the socket's own filter has chosen the types.
pub fn tcp_errors(v6: bool, first: u16, mask: u16) -> Vec<Instruction> {
    const ICMP_HEADER: u32 = 8;
    let mut program = at_transport_header(v6);
    // Packets of ours have no options, so the quoted header has a length that is known.
    let (protocol_at, quoted) = if v6 { (6, 40) } else { (9, 20) };
    program.extend([
        op(LOAD_BYTE_AT_X, ICMP_HEADER + protocol_at),
        jump(JUMP_IF_EQUAL, libc::IPPROTO_TCP as u32, 0, 3),
        op(LOAD_HALF_AT_X, ICMP_HEADER + quoted),
        op(AND, mask.into()),
        jump(JUMP_IF_EQUAL, first.into(), 1, 0),
        op(RETURN, DROP),
        op(RETURN, PASS),
    ]);
    program
}

/// Echo replies with the magic word in their stamp, and errors that quote a request with it.
pub fn echos(v6: bool, magic: u32) -> Vec<Instruction> {
    let mut program = at_transport_header(v6);
    let (reply, protocol_at, protocol, quoted) = if v6 { (129, 6, 58, 40) } else { (0, 9, 1, 20) };
    program.extend([
        op(LOAD_BYTE_AT_X, 0),
        jump(JUMP_IF_EQUAL, reply, 0, 2),
        op(LOAD_WORD_AT_X, 8),
        jump(JUMP_IF_EQUAL, magic, 5, 4),
        op(LOAD_BYTE_AT_X, 8 + protocol_at),
        jump(JUMP_IF_EQUAL, protocol, 0, 2),
        op(LOAD_WORD_AT_X, 8 + quoted + 8),
        jump(JUMP_IF_EQUAL, magic, 1, 0),
        op(RETURN, DROP),
        op(RETURN, PASS),
    ]);
    program
}

/// ARP replies.
pub fn arp_replies() -> Vec<Instruction> {
    vec![
        op(LOAD_HALF, 6),
        jump(JUMP_IF_EQUAL, 2, 1, 0),
        op(RETURN, DROP),
        op(RETURN, PASS),
    ]
}

/// What comes from a neighbour: nobody else can send it with a hop limit of 255.
pub fn from_neighbours() -> Vec<Instruction> {
    /// Offsets from here on are those of the IP header (SKF_NET_OFF).
    const NETWORK_HEADER: u32 = -0x10_0000i32 as u32;
    vec![
        op(LOAD_BYTE, NETWORK_HEADER + 7),
        jump(JUMP_IF_EQUAL, 255, 1, 0),
        op(RETURN, DROP),
        op(RETURN, PASS),
    ]
}

/// Attaches a program. What came before it stays in the socket's queue.
pub fn attach(fd: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let value = libc::sock_fprog {
        len: program.len() as u16,
        // The kernel reads it only.
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `value` is a valid sock_fprog whose length is that of the program, which the kernel copies.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            std::ptr::from_ref(&value).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    })
    .map(drop)
}
