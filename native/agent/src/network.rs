//! The network of the guest, as the QEMU guest agent tells it.

use crate::addresses::{self, AddressOf, InterfaceAddress};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What is told of at most.
const MAX_INTERFACES: usize = 64;
const MAX_ADDRESSES: usize = 64;

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Interface {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hardware_address: Option<String>,
    ip_addresses: Vec<Address>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Address {
    ip_address: String,
    ip_address_type: &'static str,
    prefix: u32,
}

/// `guest-network-get-interfaces`.
pub fn interfaces() -> std::io::Result<Vec<Interface>> {
    Ok(grouped(addresses::read()?))
}

fn grouped(addresses: Vec<InterfaceAddress>) -> Vec<Interface> {
    let mut found = BTreeMap::<String, Interface>::new();
    for InterfaceAddress { name, what } in addresses {
        if !found.contains_key(&name) && found.len() >= MAX_INTERFACES {
            continue;
        }
        let interface = found.entry(name.clone()).or_insert_with(|| Interface {
            name,
            ..Interface::default()
        });
        match what {
            AddressOf::Link(mac) => {
                let text = mac.map(|byte| format!("{byte:02x}")).join(":");
                interface.hardware_address = Some(text);
            }
            AddressOf::Ip { ip, prefix } if interface.ip_addresses.len() < MAX_ADDRESSES => {
                interface.ip_addresses.push(address(ip, prefix));
            }
            AddressOf::Ip { .. } | AddressOf::Other => {}
        }
    }
    found.into_values().collect()
}

fn address(ip: IpAddr, prefix: u32) -> Address {
    Address {
        ip_address: ip.to_string(),
        ip_address_type: if ip.is_ipv4() { "ipv4" } else { "ipv6" },
        prefix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_by_interface_in_the_words_of_qemu_s_agent() {
        let of = |name: &str, what| InterfaceAddress {
            name: name.to_owned(),
            what,
        };
        let ip = |text: &str, prefix| AddressOf::Ip {
            ip: text.parse().unwrap(),
            prefix,
        };
        let told = grouped(vec![
            of("lo", ip("127.0.0.1", 8)),
            of("eth0", AddressOf::Link([0x52, 0x54, 0, 0x12, 0x34, 0x56])),
            of("eth0", ip("192.0.2.7", 24)),
            of("eth0", ip("2001:db8::7", 64)),
            of("tun0", AddressOf::Other),
        ]);
        let expected = serde_json::json!([
            { "name": "eth0", "hardware-address": "52:54:00:12:34:56", "ip-addresses": [
                { "ip-address": "192.0.2.7", "ip-address-type": "ipv4", "prefix": 24 },
                { "ip-address": "2001:db8::7", "ip-address-type": "ipv6", "prefix": 64 },
            ] },
            { "name": "lo", "ip-addresses": [
                { "ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8 },
            ] },
            { "name": "tun0", "ip-addresses": [] },
        ]);
        assert_eq!(serde_json::to_value(told).unwrap(), expected);
    }

    #[test]
    fn tells_a_bounded_part() {
        let many = (0..100)
            .flat_map(|number| {
                (0..100).map(move |host| InterfaceAddress {
                    name: format!("if{number}"),
                    what: AddressOf::Ip {
                        ip: [10, 0, number, host].into(),
                        prefix: 32,
                    },
                })
            })
            .collect();
        let told = grouped(many);
        assert_eq!(told.len(), MAX_INTERFACES);
        assert!(
            told.iter()
                .all(|interface| interface.ip_addresses.len() == MAX_ADDRESSES)
        );
    }

    #[test]
    fn finds_the_loopback_of_this_host() {
        let told = interfaces().unwrap();
        let lo = told.iter().find(|interface| interface.name == "lo");
        assert!(lo.is_some(), "{told:?}");
    }
}
