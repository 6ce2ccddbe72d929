//! What crosses the socket: a head in JSON, then the bytes that belong to it, none of them encoded.
//!
//! A frame is the length of the head as u32 little-endian, the head, and the body to the end. The head of a request
//! is an [`Envelope`]; of an answer with status 200 the reply, of any other the error. Versions and the daemon's
//! process stand in HTTP headers, so that two builds that frame differently can still tell each other so.

use crate::asks::Request;
use crate::when::rfc3339;
use serde::{Deserialize, Serialize};

/// The version of both ends; a daemon answers commands of its own alone.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Rises with every change of what crosses the socket within one version.
pub(crate) const PROTOCOL: &str = "1";
/// Where a daemon is asked.
pub(crate) const ROUTE: &str = "/v1/control";
/// The version and protocol of who speaks: `1.0.0 1`.
pub(crate) const SPEAKER: &str = "forgeone-version";
/// How long a command waits for a daemon that is starting, in milliseconds.
pub(crate) const WAIT: &str = "forgeone-wait";
/// The daemon's process and since when it runs, in nanoseconds since 1970: `4711 1700000000000000000`.
pub(crate) const DAEMON: &str = "forgeone-daemon";
/// Most bytes of a request. No file the command line reads is larger than 256 MiB.
pub(crate) const MAX_REQUEST: u64 = 272 << 20;

/// What a speaker says it is.
pub(crate) fn speaker() -> String {
    format!("{VERSION} {PROTOCOL}")
}

/// A question with what surrounds it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The configuration file the command names, absolute, if it names one.
    pub config: Option<String>,
    /// The question.
    pub ask: Request,
}

/// Which daemon answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DaemonInfo {
    /// Its process.
    pub pid: u32,
    /// When it opened the home: RFC 3339, UTC.
    pub since: String,
}

impl DaemonInfo {
    /// The value of the header [`DAEMON`].
    pub(crate) fn header(pid: u32, since_ns: u64) -> String {
        format!("{pid} {since_ns}")
    }
    /// Reads the value of that header.
    pub(crate) fn read(header: &str) -> Option<Self> {
        let (pid, since) = header.split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, since: rfc3339(since.parse().ok()?) })
    }
}

/// One frame.
pub(crate) fn frame(head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + head.len() + body.len());
    frame.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
    frame.extend_from_slice(head);
    frame.extend_from_slice(body);
    frame
}

/// The head and the body of a frame; `None` when it ends within its head.
pub(crate) fn open(mut frame: Vec<u8>) -> Option<(Vec<u8>, Vec<u8>)> {
    let (head, rest) = item(&frame)?;
    let (head, body) = (head.to_vec(), rest.len());
    // The body stays where it was received: a package is not held twice.
    frame.drain(..frame.len() - body);
    Some((head, frame))
}

/// Byte strings, each behind its length.
pub(crate) fn list(items: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    items.fold(Vec::new(), |mut list, item| {
        list.extend_from_slice(&frame(&item, &[]));
        list
    })
}

/// The byte strings of a list; `None` when it ends within one.
pub(crate) fn items(mut list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut items = Vec::new();
    while !list.is_empty() {
        let (first, rest) = item(list)?;
        items.push(first);
        list = rest;
    }
    Some(items)
}

fn item(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asks::{Call, Install};
    use proptest::prelude::*;

    #[test]
    fn a_frame_is_opened_as_it_was_closed() {
        for (head, body) in [(&b""[..], &b""[..]), (b"{}", b""), (b"", b"x"), (b"{\"a\":1}", b"\0\xff")] {
            assert_eq!(open(frame(head, body)), Some((head.to_vec(), body.to_vec())));
        }
    }

    #[test]
    fn a_frame_that_is_cut_or_lies_about_its_head_is_none() {
        let whole = frame(b"{\"a\":1}", b"");
        for end in 0..whole.len() {
            assert_eq!(open(whole[..end].to_vec()), None, "{end}");
        }
        assert_eq!(open(vec![0xff; 8]), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_frame_or_none(bytes: Vec<u8>) {
            if let Some((head, body)) = open(bytes.clone()) {
                prop_assert_eq!(frame(&head, &body), bytes);
            }
        }

        #[test]
        fn whatever_comes_is_a_list_or_none(bytes: Vec<u8>) {
            if let Some(found) = items(&bytes) {
                prop_assert_eq!(list(found.into_iter().map(<[u8]>::to_vec)), bytes);
            }
        }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let written = list([b"one".to_vec(), Vec::new(), b"three".to_vec()].into_iter());
        assert_eq!(items(&written).unwrap(), [&b"one"[..], b"", b"three"]);
        assert_eq!(items(&[]).unwrap().len(), 0);
        assert_eq!(items(&written[..written.len() - 1]), None);
    }

    #[test]
    fn requests_are_told_apart_by_their_names_and_unknown_ones_refused() {
        let json = |ask: Request| serde_json::to_string(&Envelope { config: None, ask }).unwrap();
        let call = Call { name: "a".into(), operation: "b".into(), timeout: None };
        assert_eq!(json(call.into()), r#"{"config":null,"ask":{"call":{"name":"a","operation":"b"}}}"#);
        assert_eq!(
            json(Install { start: true }.into()),
            r#"{"config":null,"ask":{"install":{"start":true}}}"#
        );
        for text in [r#"{"config":null,"ask":{"explode":{}}}"#, r#"{"ask":{}}"#, "{}", "null", "[", ""] {
            assert!(serde_json::from_str::<Envelope>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_daemon_header_says_who_answers() {
        let info = DaemonInfo::read(&DaemonInfo::header(7, 1_735_689_599_000_000_000)).unwrap();
        assert_eq!(info, DaemonInfo { pid: 7, since: "2024-12-31T23:59:59Z".to_owned() });
        assert_eq!(DaemonInfo::read("7"), None);
        assert_eq!(DaemonInfo::read("seven 1"), None);
    }
}
