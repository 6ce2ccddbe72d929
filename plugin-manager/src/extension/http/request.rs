//! The arguments of `http_request`, read once: method, URL, headers with references to secrets, body, timeout.

use super::url::Url;
use crate::extension::secret::{SecretValue, is_secret_name};
use crate::extension::service::{invalid, limit, number, required, text};
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, header};
use microkernel::syscall_bridge::{CallError, Status, list, take};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// Most headers of a request.
const HEADERS: usize = 64;
/// Most bytes of a request's headers, secrets not counted.
const HEADER_BYTES: usize = 32 << 10;
/// Most bytes of a request's body.
const BODY_BYTES: usize = 16 << 20;

const OPEN: &[u8] = b"{{secret:";
const CLOSE: &[u8] = b"}}";

/// Headers that say how the message is framed or where it goes: the client's own.
const OWN: [HeaderName; 9] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
];
const OWN_TOO: [&str; 3] = ["keep-alive", "proxy-connection", "http2-settings"];

/// A piece of a header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Secret(String),
}

/// A header as it was asked for.
#[derive(Debug, Clone)]
struct Field {
    name: HeaderName,
    pieces: Vec<Piece>,
}

/// A request as it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub method: Method,
    pub url: Url,
    pub body: Bytes,
    pub timeout: Option<Duration>,
    fields: Vec<Field>,
}

impl Asked {
    /// Reads the arguments.
    pub fn parse(args: &[u8]) -> Result<Self, CallError> {
        let [how, _, fields, body, timeout] = list::<5>(args, 4)?;
        let body = required(body)?;
        if body.len() > BODY_BYTES {
            return Err(limit("the body of a request is larger than 16 MiB"));
        }
        Ok(Self {
            method: method(required(how)?)?,
            url: url(args)?,
            body: Bytes::copy_from_slice(body),
            timeout: timeout.map(number).transpose()?.map(Duration::from_millis),
            fields: read_fields(required(fields)?)?,
        })
    }

    /// The names of the secrets its headers refer to, each once.
    pub fn secrets(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.fields.iter().flat_map(Field::secrets).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The headers with these secrets in their places. Of those that hold a secret nothing is shown by `Debug`.
    pub fn headers(&self, secrets: &BTreeMap<String, SecretValue>) -> Result<HeaderMap, CallError> {
        let mut headers = HeaderMap::new();
        for field in &self.fields {
            headers.append(field.name.clone(), field.filled(secrets)?);
        }
        Ok(headers)
    }

    /// What goes on to another origin: neither credentials nor anything a secret was filled in.
    pub fn headers_for_others(&self) -> Result<HeaderMap, CallError> {
        let credentials = [header::AUTHORIZATION, header::COOKIE, header::WWW_AUTHENTICATE];
        let mut headers = HeaderMap::new();
        for field in &self.fields {
            if field.secrets().next().is_none() && !credentials.contains(&field.name) {
                headers.append(field.name.clone(), field.filled(&BTreeMap::new())?);
            }
        }
        Ok(headers)
    }
}

impl Field {
    fn secrets(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Secret(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    fn filled(&self, secrets: &BTreeMap<String, SecretValue>) -> Result<HeaderValue, CallError> {
        let mut value = SecretValue::default();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => value.extend_from_slice(text),
                Piece::Secret(name) => {
                    let secret = secrets.get(name).ok_or_else(|| invalid("a secret is not at hand"))?;
                    value.extend_from_slice(secret);
                }
            }
        }
        let mut value = HeaderValue::from_bytes(&value)
            .map_err(|_| invalid("a header's value has a control character"))?;
        value.set_sensitive(self.secrets().next().is_some());
        Ok(value)
    }
}

/// The URL among the arguments.
pub(super) fn url(args: &[u8]) -> Result<Url, CallError> {
    let [_, url, ..] = list::<5>(args, 4)?;
    let parsed = text(required(url)?)?.parse::<Url>();
    let url = parsed.map_err(|e| CallError::new(Status::Invalid, e.to_string()))?;
    PathAndQuery::from_str(&url.path)
        .map_err(|_| invalid("the path has a character that is to be escaped"))?;
    Ok(url)
}

/// The method among the arguments, for the record.
pub(super) fn summary(args: &[u8]) -> Option<String> {
    let [how, _, _, body, _] = list::<5>(args, 4).ok()?;
    let method = method(how?).ok()?;
    Some(format!("{method}, {} bytes", body?.len()))
}

fn method(bytes: &[u8]) -> Result<Method, CallError> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    known
        .into_iter()
        .find(|method| method.as_str().as_bytes() == bytes)
        .ok_or_else(|| invalid("a method is GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"))
}

fn read_fields(mut nested: &[u8]) -> Result<Vec<Field>, CallError> {
    if nested.len() > HEADER_BYTES {
        return Err(limit("the headers of a request have more than 32 KiB"));
    }
    let mut fields = Vec::new();
    while let Some(name) = take(&mut nested)? {
        let value = take(&mut nested)?.ok_or_else(|| invalid("a header has no value"))?;
        if fields.len() == HEADERS {
            return Err(limit("a request has more than 64 headers"));
        }
        fields.push(field(name, value)?);
    }
    Ok(fields)
}

fn field(name: &[u8], value: &[u8]) -> Result<Field, CallError> {
    let name = HeaderName::from_bytes(name).map_err(|_| invalid("a header's name is not one"))?;
    // Servers that hand headers on as variables take `_` for `-`: to them it is the same header.
    let same = name.as_str().replace('_', "-");
    if OWN.iter().any(|own| own.as_str() == same) || OWN_TOO.contains(&same.as_str()) {
        return Err(invalid("a header that is the client's own (host, content-length, connection, …)"));
    }
    // Checked before secrets are filled in, so that a reference cannot hide a line of its own.
    HeaderValue::from_bytes(value).map_err(|_| invalid("a header's value has a control character"))?;
    Ok(Field { name, pieces: pieces(value)? })
}

/// The value cut at its references.
fn pieces(value: &[u8]) -> Result<Vec<Piece>, CallError> {
    let (mut pieces, mut rest) = (Vec::new(), value);
    while let Some((before, inside)) = split_at(rest, OPEN) {
        let (name, after) =
            split_at(inside, CLOSE).ok_or_else(|| invalid("a reference to a secret has no end"))?;
        let name = text(name)?;
        if !is_secret_name(name) {
            return Err(invalid("the name of a secret is 1 to 128 of a-z, 0-9, `.`, `_`, `-` and `/`"));
        }
        pieces.push(Piece::Text(before.to_vec()));
        pieces.push(Piece::Secret(name.to_owned()));
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_vec()));
    Ok(pieces)
}

/// What stands before and after the first `mark`.
fn split_at<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}
