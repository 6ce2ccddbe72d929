//! One request and its answer over one connection: resolve, check, connect to what was checked, speak HTTP/1.1.

use super::address::{Place, Range, place};
use super::answer::Answer;
use super::fault::Fault;
use super::lookups::{Asker, Lookups};
use super::moved::{Counted, Moved};
use super::net::HttpAccess;
use super::roots::Tls;
use super::url::{Host, Scheme, Url};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Addresses of one name that are tried, at most.
const TRIED: usize = 4;
/// How long one address of several is tried.
const TRY: Duration = Duration::from_secs(3);
/// Most headers of an answer.
const HEADERS: usize = 100;
/// Most bytes of an answer's head.
const HEAD_BYTES: usize = 64 << 10;

/// One request to one server.
#[derive(Debug, Clone)]
pub(in crate::extension) struct Hop {
    pub url: Url,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What an exchange may do.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub access: HttpAccess,
    pub ranges: Arc<[Range]>,
    pub tls: Option<Tls>,
    pub lookups: Arc<Lookups>,
    pub asker: Asker,
    pub response_limit: usize,
}

/// The whole exchange. Dropping it closes the connection.
pub(super) async fn exchange(terms: Terms, hop: Hop, moved: Moved) -> Result<Answer, Fault> {
    let stream = connect(&addresses(&terms, &hop.url).await?).await?;
    let tcp = Counted { stream, moved };
    match hop.url.scheme {
        Scheme::Http => speak(tcp, hop, terms.response_limit).await,
        Scheme::Https => {
            let tls = terms.tls.ok_or(Fault::NoRoots)?;
            let name = match &hop.url.host {
                Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Fault::Tls)?,
                Host::Ip(ip) => ServerName::from(*ip),
            };
            let stream = tokio_rustls::TlsConnector::from(tls.0).connect(name, tcp);
            speak(stream.await.map_err(|_| Fault::Tls)?, hop, terms.response_limit).await
        }
    }
}

/// The addresses that may be connected to; resolved once, and only these are used.
async fn addresses(terms: &Terms, url: &Url) -> Result<Vec<SocketAddr>, Fault> {
    let (found, named) = match &url.host {
        Host::Ip(ip) => (vec![*ip], true),
        Host::Name(name) => (terms.lookups.find(terms.asker, name).await?, false),
    };
    if found.is_empty() {
        return Err(Fault::NoName);
    }
    let may = |ip: &IpAddr| may_reach(terms.access, &terms.ranges, *ip, named);
    let allowed: Vec<SocketAddr> =
        found.into_iter().filter(may).take(TRIED).map(|ip| SocketAddr::new(ip, url.port)).collect();
    if allowed.is_empty() { Err(Fault::Address) } else { Ok(allowed) }
}

/// Whether an address may be connected to. `named` is whether the URL, and so the policy that decided on it, spells
/// the address itself: a name's owner decides what it resolves to.
pub(super) fn may_reach(access: HttpAccess, ranges: &[Range], ip: IpAddr, named: bool) -> bool {
    let granted = ranges.iter().any(|range| range.contains(ip));
    match (access, place(ip)) {
        (HttpAccess::None, _) | (_, Place::Nowhere) => false,
        (HttpAccess::Restricted, Place::Public) | (HttpAccess::Open, Place::Public | Place::Private) => true,
        (HttpAccess::Open, Place::Link) => named || granted,
        (HttpAccess::Restricted, Place::Private | Place::Link) => granted,
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Fault> {
    for address in addresses {
        let tried = TcpStream::connect(address);
        let connected = match addresses.len() {
            1 => tried.await.ok(),
            _ => tokio::time::timeout(TRY, tried).await.ok().and_then(Result::ok),
        };
        if let Some(tcp) = connected {
            tcp.set_nodelay(true).ok();
            return Ok(tcp);
        }
    }
    Err(Fault::Connect)
}

async fn speak<S>(stream: S, hop: Hop, limit: usize) -> Result<Answer, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = message(hop)?;
    let mut builder = http1::Builder::new();
    builder.max_headers(HEADERS).max_buf_size(HEAD_BYTES);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|_| Fault::Protocol)?;
    // The connection may end before all that it brought has been read.
    let driven = async {
        connection.await.ok();
        std::future::pending::<std::convert::Infallible>().await
    };
    let answered = async {
        let response = sender.send_request(request).await.map_err(|_| Fault::Protocol)?;
        whole(response, limit).await
    };
    tokio::select! {
        answer = answered => answer,
        never = driven => match never {},
    }
}

/// The request as it is sent.
fn message(hop: Hop) -> Result<Request<Full<Bytes>>, Fault> {
    let Hop { url, method, headers, body } = hop;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = url.path.parse().map_err(|_| Fault::BadRedirect)?;
    *request.headers_mut() = headers;
    let host = HeaderValue::from_str(&url.host_header()).map_err(|_| Fault::Internal)?;
    request.headers_mut().insert(HOST, host);
    let agent = HeaderValue::from_static(concat!("forgeone/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().entry(USER_AGENT).or_insert(agent);
    Ok(request)
}

/// The answer with all of its body, within the limit.
async fn whole(response: Response<Incoming>, limit: usize) -> Result<Answer, Fault> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        // Trailers are not handed on.
        if let Ok(data) = frame.map_err(|_| Fault::Protocol)?.into_data() {
            if body.len().saturating_add(data.len()) > limit {
                return Err(Fault::TooLarge);
            }
            body.extend_from_slice(&data);
        }
    }
    Ok(Answer { status: head.status, headers: head.headers, body })
}
