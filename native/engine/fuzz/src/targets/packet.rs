//! What raw sockets hear: packets, segments, errors with quoted packets.

use vmpulse_proto::packet::{icmp, ip, tcp};

pub fn fuzz(data: &[u8]) {
    for packet in [ip::read_v4(data), ip::read_v6(data)].into_iter().flatten() {
        tcp::read_reply(packet.payload);
        let errors = [
            icmp::read_error_v4(packet.payload),
            icmp::read_error_v6(packet.payload),
        ];
        for error in errors.into_iter().flatten() {
            tcp::read_quote(error.quoted.payload);
        }
    }
    tcp::read_reply(data);
    icmp::read_error_v4(data);
    icmp::read_error_v6(data);
}
