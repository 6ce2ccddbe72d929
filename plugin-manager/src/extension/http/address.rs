//! What kind of place an address is, and which places a plugin may be led to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Kinds of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Anyone's.
    Public,
    /// This machine, a private network, a carrier's, a unique local one.
    Private,
    /// The link: neighbours and a cloud's metadata service.
    Link,
    /// No host: unspecified, multicast, reserved, documentation, tunnels.
    Nowhere,
}

/// What kind of place it is. An IPv6 address that carries an IPv4 address is as that one is.
pub(super) fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(v4) => place_v4(v4),
        IpAddr::V6(v6) => carried(v6).map_or_else(|| place_v6(v6), place_v4),
    }
}

/// Where clouds tell a machine about itself, outside the link: Azure, Alibaba.
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200)];
/// The same: Amazon.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

const PRIVATE_V4: [(Ipv4Addr, u32); 5] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];

const NOWHERE_V4: [(Ipv4Addr, u32); 8] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved and broadcast: everything from 224.0.0.0 on.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

fn place_v4(v4: Ipv4Addr) -> Place {
    let among = |ranges: &[(Ipv4Addr, u32)]| {
        ranges.iter().any(|(net, bits)| same_start(v4.to_bits().into(), net.to_bits().into(), 32, *bits))
    };
    match () {
        () if same_start(v4.to_bits().into(), 0xA9FE_0000, 32, 16) => Place::Link,
        () if METADATA_V4.contains(&v4) => Place::Link,
        () if among(&PRIVATE_V4) => Place::Private,
        () if among(&NOWHERE_V4) => Place::Nowhere,
        () => Place::Public,
    }
}

fn place_v6(v6: Ipv6Addr) -> Place {
    let within = |net: u128, bits| same_start(v6.to_bits(), net, 128, bits);
    match () {
        () if v6 == Ipv6Addr::LOCALHOST => Place::Private,
        () if v6 == METADATA_V6 => Place::Link,
        // Unique local, and the site local addresses before them.
        () if within(0xfc00 << 112, 7) || within(0xfec0 << 112, 10) => Place::Private,
        () if within(0xfe80 << 112, 10) => Place::Link,
        // Teredo, other protocol assignments, documentation.
        () if within(0x2001 << 112, 23) || within(0x2001_0db8 << 96, 32) || within(0x3fff << 112, 20) => {
            Place::Nowhere
        }
        () if within(0x2000 << 112, 3) => Place::Public,
        () => Place::Nowhere,
    }
}

/// The IPv4 address inside: mapped, compatible, NAT64 or 6to4.
fn carried(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = v6.to_bits();
    let low = |bits: u128| u32::try_from(bits & 0xffff_ffff).ok().map(Ipv4Addr::from_bits);
    let within = |net: u128, length| same_start(bits, net, 128, length);
    if v6 == Ipv6Addr::LOCALHOST || v6 == Ipv6Addr::UNSPECIFIED {
        return None;
    }
    if within(0, 96) || within(0xffff << 32, 96) || within(0x0064_ff9b << 96, 96) {
        return low(bits);
    }
    if within(0x2002 << 112, 16) { low(bits >> 80) } else { None }
}

fn same_start(one: u128, other: u128, width: u32, bits: u32) -> bool {
    let shift = width.saturating_sub(bits);
    one.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
}

/// Why a text is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address and the number of bits that count, like 10.1.0.0/16")]
pub struct BadRange(String);

/// A range of addresses: `10.1.0.0/16`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    network: IpAddr,
    bits: u32,
}

impl std::str::FromStr for Range {
    type Err = BadRange;
    fn from_str(text: &str) -> Result<Self, BadRange> {
        let bad = || BadRange(text.chars().take(64).flat_map(char::escape_debug).collect());
        let (network, bits) = text.split_once('/').ok_or_else(bad)?;
        let network: IpAddr = network.parse().map_err(|_| bad())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let digits = (1..=3).contains(&bits.len()) && bits.bytes().all(|b| b.is_ascii_digit());
        let bits = bits.parse().ok().filter(|bits| digits && *bits <= most).ok_or_else(bad)?;
        Ok(Self { network, bits })
    }
}

impl Range {
    /// Whether the address lies in it. An IPv4 address inside an IPv6 one counts as itself.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                same_start(ip.to_bits().into(), net.to_bits().into(), 32, self.bits)
            }
            (IpAddr::V4(net), IpAddr::V6(ip)) => carried(ip)
                .is_some_and(|ip| same_start(ip.to_bits().into(), net.to_bits().into(), 32, self.bits)),
            (IpAddr::V6(net), IpAddr::V6(ip)) => same_start(ip.to_bits(), net.to_bits(), 128, self.bits),
            (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Place {
        place(text.parse().unwrap())
    }

    #[test]
    fn fault_110_places_that_are_not_public_are_known_in_every_spelling() {
        for private in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fd00::1",
            "fc00::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "::127.0.0.1",
        ] {
            assert_eq!(of(private), Place::Private, "{private}");
        }
        for link in [
            "169.254.169.254",
            "fe80::1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "168.63.129.16",
            "100.100.100.200",
            "::ffff:100.100.100.200",
            "fd00:ec2::254",
        ] {
            assert_eq!(of(link), Place::Link, "{link}");
        }
        for nowhere in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "::",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
            "64:ff9b:1::1",
        ] {
            assert_eq!(of(nowhere), Place::Nowhere, "{nowhere}");
        }
        for public in [
            "8.8.8.8",
            "168.63.129.17",
            "172.32.0.1",
            "100.128.0.1",
            "169.255.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(of(public), Place::Public, "{public}");
        }
    }

    #[test]
    fn ranges_are_read_strictly() {
        let range: Range = "10.1.0.0/16".parse().unwrap();
        assert!(
            range.contains("10.1.255.1".parse().unwrap())
                && range.contains("::ffff:10.1.2.3".parse().unwrap())
        );
        assert!(!range.contains("10.2.0.1".parse().unwrap()) && !range.contains("fd00::1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Range>().unwrap().contains("1.2.3.4".parse().unwrap()));
        for bad in ["10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/", "10.0.0.0/+8", "/8"] {
            assert!(bad.parse::<Range>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_the_same_place_in_every_wrapping(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let plain = place(IpAddr::V4(v4));
            prop_assert_eq!(place(IpAddr::V6(v4.to_ipv6_mapped())), plain);
            let nat64 = Ipv6Addr::from_bits((0x0064_ff9b << 96) | u128::from(bits));
            prop_assert_eq!(place(IpAddr::V6(nat64)), plain);
            let six = Ipv6Addr::from_bits((0x2002 << 112) | (u128::from(bits) << 80));
            prop_assert_eq!(place(IpAddr::V6(six)), plain);
        }

        #[test]
        fn the_standard_library_agrees_on_what_it_can_name(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let local = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()
                || v4.is_documentation() || v4.is_multicast() || v4.is_unspecified();
            if local {
                prop_assert_ne!(place_v4(v4), Place::Public);
            }
        }
    }
}
