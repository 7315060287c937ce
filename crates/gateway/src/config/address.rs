//! Addresses that no configuration and no DNS answer may lead to.
//!
//! Link-local addresses reach the machine's own segment, and the metadata addresses hand out cloud
//! credentials to whoever asks from inside; a name that resolves there is an attack or a mistake.
//! Loopback and private ranges are allowed: local model servers live there. A configuration is
//! refused with file and line, a DNS answer when the connection is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metadata services outside the link-local ranges: AWS over IPv6 and Alibaba Cloud.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const METADATA_V4: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);

/// Whether nothing may ever be sent to this address.
#[must_use]
pub fn is_forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_forbidden_v4(v4),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || v6 == METADATA_V6
                || embedded_v4(v6).is_some_and(is_forbidden_v4)
        }
    }
}

fn is_forbidden_v4(v4: Ipv4Addr) -> bool {
    v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast() || v4 == METADATA_V4
}

/// The IPv4 address that an IPv6 one stands for: mapped (RFC 4291), compatible (the same), or
/// behind the well-known NAT64 prefix 64:ff9b::/96 (RFC 6052).
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = v6.segments();
    let embedding = [[0, 0, 0, 0, 0, 0xffff], [0, 0, 0, 0, 0, 0], [0x64, 0xff9b, 0, 0, 0, 0]];
    embedding.contains(&[a, b, c, d, e, f]).then(|| {
        let [[w, x], [y, z]] = [high.to_be_bytes(), low.to_be_bytes()];
        Ipv4Addr::new(w, x, y, z)
    })
}

#[cfg(test)]
mod tests {
    use super::is_forbidden;

    #[test]
    fn link_local_and_metadata_are_forbidden_in_every_spelling() {
        for ip in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert!(is_forbidden(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn loopback_private_and_public_are_allowed() {
        for ip in ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2600::1"] {
            assert!(!is_forbidden(ip.parse().unwrap()), "{ip}");
        }
    }
}
