//! Packets of the raw probes, built and read without I/O. Whatever bytes a reader is given, it answers or says `None`.

pub mod arp;
mod checksum;
pub mod icmp;
pub mod ip;
pub mod ndp;
pub mod tcp;
#[cfg(test)]
mod tests;
