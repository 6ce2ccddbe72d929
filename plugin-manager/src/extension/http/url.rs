//! From the text of a URL to where it leads: strict, without any I/O, one spelling for one host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest URL, in bytes.
const MAX_URL: usize = 8192;

/// Why a text is no URL here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Longer than 8 KiB, or with a character no URL has.
    #[error("a URL has at most 8192 bytes, all of them printable ASCII, and no backslash")]
    Text,
    /// Neither `https` nor `http`.
    #[error("the scheme is neither https nor http")]
    Scheme,
    /// A name and a password before the host.
    #[error("a URL names no user")]
    User,
    /// No host, or one that is spelled in an unusual way: an address that is not dotted decimal, a trailing dot.
    #[error("the host is not a name, an IPv4 address or an IPv6 address in brackets")]
    Host,
    /// No port.
    #[error("the port is not 1 to 65535")]
    Port,
}

/// How it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::extension) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Who is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A name, in lower case.
    Name(String),
    /// An address.
    Ip(IpAddr),
}

/// A URL of this product's client: scheme, host, port and what is asked for.
///
/// ```
/// use plugin_manager::Url;
/// let url: Url = "HTTPS://API.example.com/v1?q=1#top".parse()?;
/// assert_eq!(url.authority(), "api.example.com:443");
/// assert!("https://2130706433/".parse::<Url>().is_err());
/// # Ok::<(), plugin_manager::BadUrl>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub(in crate::extension) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
    /// Path and query, beginning with `/`.
    pub(super) path: String,
}

impl std::str::FromStr for Url {
    type Err = BadUrl;
    fn from_str(text: &str) -> Result<Self, BadUrl> {
        plain(text)?;
        let (scheme, rest) = scheme(text).ok_or(BadUrl::Scheme)?;
        let rest = rest.strip_prefix("//").ok_or(BadUrl::Host)?;
        Self::after_slashes(scheme, rest)
    }
}

impl Url {
    fn after_slashes(scheme: Scheme, rest: &str) -> Result<Self, BadUrl> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(BadUrl::User);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => scheme.port(),
            Some(digits) => number(digits).ok_or(BadUrl::Port)?,
        };
        Ok(Self { scheme, host: parse_host(host)?, port, path: whole_path(path) })
    }

    /// Host and port as decisions and records name them: `api.example.com:443`, `[::1]:8080`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host_text(), self.port)
    }

    /// The host as a `host` header spells it, with the port where it is not the scheme's own.
    pub(super) fn host_header(&self) -> String {
        if self.port == self.scheme.port() { self.host_text() } else { self.authority() }
    }

    fn host_text(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::Ip(IpAddr::V4(ip)) => ip.to_string(),
            Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
        }
    }

    /// Whether both are of one origin: scheme, host and port.
    pub(super) fn same_origin(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// Where a `location` header leads from here.
    ///
    /// # Errors
    /// When that is no URL.
    pub fn join(&self, location: &str) -> Result<Self, BadUrl> {
        plain(location)?;
        if let Some(rest) = location.strip_prefix("//") {
            return Self::after_slashes(self.scheme, rest);
        }
        let relative = location.split_once('#').map_or(location, |(before, _)| before);
        let first = relative.split(['/', '?']).next().unwrap_or_default();
        if first.contains(':') {
            return location.parse();
        }
        let own = self.path.split_once('?').map_or(self.path.as_str(), |(path, _)| path);
        let path = match relative.chars().next() {
            None => self.path.clone(),
            Some('/') => relative.to_owned(),
            Some('?') => format!("{own}{relative}"),
            Some(_) => {
                let directory = own.rsplit_once('/').map_or("", |(directory, _)| directory);
                format!("{directory}/{relative}")
            }
        };
        if path.len() > MAX_URL {
            return Err(BadUrl::Text);
        }
        Ok(Self { path: whole_path(&path), ..self.clone() })
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

fn plain(text: &str) -> Result<(), BadUrl> {
    let fits = text.len() <= MAX_URL && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if fits { Ok(()) } else { Err(BadUrl::Text) }
}

fn scheme(text: &str) -> Option<(Scheme, &str)> {
    let (word, rest) = text.split_once(':')?;
    let scheme = match word.to_ascii_lowercase().as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return None,
    };
    Some((scheme, rest))
}

/// Path and query without the fragment, which is never sent; dot segments are resolved, as a browser does.
fn whole_path(rest: &str) -> String {
    let sent = rest.split_once('#').map_or(rest, |(before, _)| before);
    let (path, query) = sent.split_once('?').map_or((sent, None), |(path, query)| (path, Some(query)));
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let last = segments.len().saturating_sub(1);
    for (i, segment) in segments.into_iter().enumerate() {
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if i == last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    let path = format!("/{}", kept.join("/"));
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), BadUrl> {
    if authority.starts_with('[') {
        let (inside, after) = authority.split_once(']').ok_or(BadUrl::Host)?;
        let host = authority.get(..=inside.len()).ok_or(BadUrl::Host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(BadUrl::Host),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn number(digits: &str) -> Option<u16> {
    let plain = (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok().filter(|port| *port > 0) } else { None }
}

fn parse_host(text: &str) -> Result<Host, BadUrl> {
    if let Some(inside) = text.strip_prefix('[') {
        let address: Ipv6Addr = inside.trim_end_matches(']').parse().map_err(|_| BadUrl::Host)?;
        // An IPv4 address in the clothes of the other family is that IPv4 address, to policies as to anybody.
        let mapped = address.to_ipv4_mapped().map(IpAddr::V4);
        return Ok(Host::Ip(mapped.unwrap_or(IpAddr::V6(address))));
    }
    let name = text.to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    // A last label that is a number makes every resolver read the whole as an address, and each in its own way
    // (decimal, octal, hexadecimal, fewer parts): one spelling is accepted.
    let numeric = last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit());
    if numeric {
        let address: Ipv4Addr = name.parse().map_err(|_| BadUrl::Host)?;
        return Ok(Host::Ip(IpAddr::V4(address)));
    }
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if name.len() <= 253 && name.split('.').all(label) { Ok(Host::Name(name)) } else { Err(BadUrl::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Result<String, BadUrl> {
        text.parse::<Url>().map(|url| format!("{} {}", url.authority(), url.path))
    }

    #[test]
    fn a_url_leads_to_one_host_port_and_path() {
        for (text, leads) in [
            ("https://example.com", "example.com:443 /"),
            ("HTTP://Example.COM:8080/a?b#c", "example.com:8080 /a?b"),
            ("https://example.com?x=/../y", "example.com:443 /?x=/../y"),
            ("https://e.x/a/./b/../../c/..", "e.x:443 /"),
            ("https://e.x/../../a", "e.x:443 /a"),
            ("https://127.0.0.1:1/", "127.0.0.1:1 /"),
            ("https://[::FFFF:1.2.3.4]/", "1.2.3.4:443 /"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(leads), "{text}");
        }
    }

    #[test]
    fn fault_110_unusual_spellings_of_addresses_are_no_urls() {
        for host in [
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "0x7f.0.0.1",
            "127.0.0.1.",
            "1.2.3.4.5",
            "256.1.1.1",
            "[::1",
            "::1",
            "[::1%25eth0]",
            "[127.0.0.1]",
            "",
            ".",
            "a..b",
            "-a",
            "a_b",
            "ex\u{430}mple.com",
            "a b",
            "example.com.",
            "127.0.0.0x1",
        ] {
            assert!(at(&format!("https://{host}/")).is_err(), "{host}");
        }
        for text in [
            "file:///etc/passwd",
            "gopher://x/",
            "https:/x",
            "//x",
            "",
            "https://",
            "https://a:0/",
            "https://a:99999/",
            "https://a:/",
            "https://a:+1/",
            "https://u:p@a/",
            "https://a\\@b/",
            "https://a/\r\nx: y",
        ] {
            assert!(at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_location_leads_on_from_where_it_was_found() {
        let base: Url = "https://a.b/x/y?q".parse().unwrap();
        let leads = |location: &str| base.join(location).map(|u| format!("{} {}", u.authority(), u.path));
        for (location, to) in [
            ("/z", "a.b:443 /z"),
            ("z?k", "a.b:443 /x/z?k"),
            ("?n", "a.b:443 /x/y?n"),
            ("//c.d/e", "c.d:443 /e"),
            ("http://c.d:81", "c.d:81 /"),
            ("../..", "a.b:443 /"),
            ("", "a.b:443 /x/y?q"),
        ] {
            assert_eq!(leads(location).as_deref(), Ok(to), "{location}");
        }
        for bad in ["file:///x", "javascript:alert(1)", "//", "https://", "http://u@c.d/"] {
            assert!(leads(bad).is_err(), "{bad}");
        }
        assert!(!base.same_origin(&base.join("http://a.b:443/").unwrap()));
    }

    proptest! {
        #[test]
        fn any_text_is_a_url_or_refused_and_what_it_is_does_not_change(text in "(https?://)?[ -~]{0,60}") {
            if let Ok(url) = text.parse::<Url>() {
                let again: Url = url.to_string().parse().unwrap();
                prop_assert_eq!(&again, &url);
                prop_assert!(url.path.starts_with('/'));
                if let Ok(next) = url.join(&text) {
                    prop_assert_eq!(next, url);
                }
            }
        }

        #[test]
        fn a_location_never_changes_the_host_unless_it_names_one(location in "[a-z./?=&]{0,30}") {
            let base: Url = "https://a.b/x/y".parse().unwrap();
            if !location.starts_with("//") {
                prop_assert_eq!(base.join(&location).map(|u| u.authority()), Ok("a.b:443".to_owned()));
            }
        }
    }
}
