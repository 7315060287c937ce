//! The base URL of a provider: scheme, host, port and path, and nothing that could hide a secret.
//!
//! Written here and not taken from a URL crate because so little is allowed: no user, no query, no
//! fragment, no host that resolves to the machine's own metadata service. The same hosts are
//! refused again by address when a connection is made; here they are refused with file and line.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::address::is_forbidden;

/// Where a provider's API begins, for example `https://api.openai.com/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// Whether TLS is spoken.
    pub https: bool,
    /// A name or an address; an IPv6 address stands without brackets.
    pub host: String,
    /// The port, explicit or the scheme's.
    pub port: u16,
    /// What stands before every path: empty, or `/` and more without a slash at its end.
    pub path_prefix: String,
}

impl BaseUrl {
    /// Host and port as the `host` header says them; the scheme's own port is left out.
    #[must_use]
    pub fn authority(&self) -> String {
        let v6 = self.host.contains(':');
        let host = if v6 { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.https) { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether the host is this machine, by name or address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let by_address = self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        by_address || self.host == "localhost" || self.host.ends_with(".localhost")
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path_prefix)
    }
}

/// Why a text is no base URL. The text itself is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlError {
    /// It begins with neither `http://` nor `https://`.
    Scheme,
    /// It holds a user or a password.
    Credentials,
    /// It holds a query or a fragment.
    Query,
    /// The host is missing or has characters no host has.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The path has characters no path has.
    Path,
    /// The host is link-local or a cloud's metadata service.
    Forbidden,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "a base URL begins with `https://` or `http://`",
            Self::Credentials => "a base URL holds no user or password; use `api_key`",
            Self::Query => "a base URL holds no `?query` or `#fragment`",
            Self::Host => "the host of the base URL is missing or malformed",
            Self::Port => "the port of the base URL is not a number from 1 to 65535",
            Self::Path => "the path of the base URL has spaces or control characters",
            Self::Forbidden => "link-local addresses and metadata services are never connected to",
        })
    }
}

impl std::error::Error for UrlError {}

impl FromStr for BaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (https, rest) = split_scheme(text).ok_or(UrlError::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        if path.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        let (host, port) = split_port(authority)?;
        let host = checked_host(host)?;
        let port = port.unwrap_or(default_port(https));
        Ok(Self { https, host, port, path_prefix: checked_path(path)? })
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

fn split_scheme(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Some((true, rest)),
        "http" => Some((false, rest)),
        _ => None,
    }
}

/// Host without brackets, and the port if one is written.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(UrlError::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
            (host, after.strip_prefix(':').or((!after.is_empty()).then_some("")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map(|digits| digits.parse().map_err(|_| UrlError::Port)).transpose()?;
    if port == Some(0) { Err(UrlError::Port) } else { Ok((host, port)) }
}

fn checked_host(host: &str) -> Result<String, UrlError> {
    let host = host.to_ascii_lowercase();
    if let Ok(address) = host.parse::<IpAddr>() {
        return if is_forbidden(address) { Err(UrlError::Forbidden) } else { Ok(host) };
    }
    let name = host.strip_suffix('.').unwrap_or(&host);
    if name.is_empty() || name.len() > 253 || !name.split('.').all(is_label) {
        return Err(UrlError::Host);
    }
    // `2852039166` and `0xa9fea9fe` are addresses to some resolvers and names to nobody.
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(UrlError::Host);
    }
    if METADATA_NAMES.contains(&name) { Err(UrlError::Forbidden) } else { Ok(host) }
}

/// The names of the clouds' metadata services (Google Compute Engine, Alibaba's is an address).
const METADATA_NAMES: &[&str] = &["metadata.google.internal", "metadata", "metadata.goog"];

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed)
}

fn checked_path(path: &str) -> Result<String, UrlError> {
    if path.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(path.trim_end_matches('/').to_owned())
    } else {
        Err(UrlError::Path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_reads_as_scheme_host_port_and_prefix() {
        let url: BaseUrl = "https://API.OpenAI.com/v1/".parse().unwrap();
        assert_eq!((url.https, url.host.as_str(), url.port), (true, "api.openai.com", 443));
        assert_eq!(url.path_prefix, "/v1");
        assert_eq!(url.to_string(), "https://api.openai.com/v1");
        let local: BaseUrl = "http://[::1]:8000".parse().unwrap();
        assert_eq!((local.authority().as_str(), local.path_prefix.as_str()), ("[::1]:8000", ""));
        assert!(local.is_loopback());
    }

    #[test]
    fn what_is_no_base_url_is_refused_for_its_reason() {
        for (text, error) in [
            ("api.openai.com/v1", UrlError::Scheme),
            ("ftp://api.openai.com", UrlError::Scheme),
            ("https://me:secret@host/v1", UrlError::Credentials),
            ("https://host/v1?key=secret", UrlError::Query),
            ("https://host#x", UrlError::Query),
            ("https:///v1", UrlError::Host),
            ("https://ho st/v1", UrlError::Host),
            ("https://[::1/v1", UrlError::Host),
            ("https://2852039166/", UrlError::Host),
            ("https://0xa9fea9fe/", UrlError::Host),
            ("https://host:0/", UrlError::Port),
            ("https://host:99999/", UrlError::Port),
            ("https://[::1]x/", UrlError::Port),
            ("https://host/v 1", UrlError::Path),
            ("http://169.254.169.254/latest", UrlError::Forbidden),
            ("http://[fe80::1]/", UrlError::Forbidden),
            ("http://[::ffff:169.254.169.254]/", UrlError::Forbidden),
            ("http://[fd00:ec2::254]/", UrlError::Forbidden),
            ("http://100.100.100.200/", UrlError::Forbidden),
            ("http://metadata.google.internal./", UrlError::Forbidden),
            ("http://0.0.0.0:1/", UrlError::Forbidden),
        ] {
            assert_eq!(text.parse::<BaseUrl>(), Err(error), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_base_url_that_prints_itself_or_an_error(text in "(https?://)?.{0,40}") {
            if let Ok(url) = text.parse::<BaseUrl>() {
                proptest::prop_assert_eq!(url.to_string().parse::<BaseUrl>(), Ok(url));
            }
        }
    }
}
