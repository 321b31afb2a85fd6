//! The client's address behind proxies that the operator trusts.

use std::net::IpAddr;
use std::str::FromStr;

use hyper::header::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// An address, or a network in CIDR notation, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Network {
    address: IpAddr,
    /// How many leading bits of the address are the network's.
    prefix: u32,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let invalid = || {
            format!("`{text}` is not an address or a network: write 127.0.0.1, 10.0.0.0/8 or ::1")
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let bits = bits_of(address);
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| invalid())?,
            None => bits,
        };
        if prefix > bits {
            return Err(invalid());
        }
        Ok(Self { address, prefix })
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let bits = bits_of(self.address);
        // All bits are the host's for a prefix of 0.
        let network = |address: IpAddr| number(address).checked_shr(bits - self.prefix);
        bits_of(address) == bits && network(address) == network(self.address)
    }
}

fn bits_of(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Returns the address of the client: the last one that is not a trusted proxy's. Each proxy
/// appends the address of its peer to `X-Forwarded-For`, so what a client sends itself is further
/// to the left.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut addresses = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    while is_trusted(client) {
        match addresses.next().and_then(address) {
            Some(address) => client = address,
            // The proxy does not say whom it forwards for.
            None => break,
        }
    }
    client
}

/// Parses an address that may be followed by a port.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let address = text.parse().ok().or_else(|| {
        let with_port: Option<std::net::SocketAddr> = text.parse().ok();
        with_port.map(|address| address.ip())
    })?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn client_is_the_last_address_that_is_no_trusted_proxy() {
        let local = &["127.0.0.1"][..];
        for (peer, forwarded, trusted, expected) in [
            ("192.0.2.1", &[][..], local, "192.0.2.1"),
            // No proxy is trusted unless the operator names it.
            ("127.0.0.1", &["192.0.2.9"], &[], "127.0.0.1"),
            ("192.0.2.1", &["192.0.2.9"], local, "192.0.2.1"),
            ("127.0.0.1", &["192.0.2.9"], local, "192.0.2.9"),
            (
                "::ffff:127.0.0.1",
                &["::ffff:192.0.2.9"],
                local,
                "192.0.2.9",
            ),
            // What the client sent is on the left, or in an earlier field.
            ("127.0.0.1", &["10.9.9.9, 192.0.2.9"], local, "192.0.2.9"),
            ("127.0.0.1", &["10.9.9.9", "192.0.2.9"], local, "192.0.2.9"),
            ("127.0.0.1", &["127.0.0.1, 192.0.2.9"], local, "192.0.2.9"),
            (
                "10.1.2.3",
                &["203.0.113.5, 192.0.2.9 ,10.0.0.7"],
                &["10.0.0.0/8"],
                "192.0.2.9",
            ),
            ("127.0.0.1", &["192.0.2.9:4711"], local, "192.0.2.9"),
            ("127.0.0.1", &["[2001:db8::1]:80"], local, "2001:db8::1"),
            ("127.0.0.1", &["unknown"], local, "127.0.0.1"),
            ("127.0.0.1", &["192.0.2.9, "], local, "127.0.0.1"),
            ("127.0.0.1", &[], local, "127.0.0.1"),
        ] {
            assert_eq!(
                client(peer, forwarded, trusted),
                expected,
                "{peer} {forwarded:?} {trusted:?}"
            );
        }
    }

    #[test]
    fn network_contains_the_addresses_of_its_prefix() {
        for (network, address, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("127.0.0.1", "127.0.0.2", false),
            ("192.168.1.128/25", "192.168.1.127", false),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(
                parsed.contains(address.parse().unwrap()),
                is_in,
                "{network} {address}"
            );
        }
        for invalid in [
            "",
            "localhost",
            "10.0.0.0/33",
            "::1/129",
            "10.0.0.0/-1",
            "10.0.0/8",
            "1.2.3.4/",
        ] {
            let error = invalid.parse::<Network>().unwrap_err();
            assert!(error.contains(&format!("`{invalid}`")), "{error}");
        }
    }
}
