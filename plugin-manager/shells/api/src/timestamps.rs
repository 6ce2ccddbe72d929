//! Asks an RFC 3161 authority for a timestamp over plain HTTP: the token is signed, so that nothing rests on the way.

use common::error::{ForgeError, codes};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// Longest answer, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// How long an authority has to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The response of the authority at `url` about `message`: granted, of this message and of this request. Whether the
/// authority is trusted is asked when a package is verified.
///
/// # Errors
/// E0101 when the URL is not one of plain HTTP; E0002 when the authority cannot be reached or does not answer in 30 s;
/// E1415 when its answer is no timestamp of `message`.
pub fn fetch_timestamp(url: &str, message: &[u8]) -> Result<Vec<u8>, ForgeError> {
    let request = plugin_manager::timestamp_request(message)?;
    let (host, port, path) = target(url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| unreachable_at(url, &e.to_string()))?;
    let answer = runtime.block_on(async {
        let asked = tokio::time::timeout(PATIENCE, ask(&host, port, &path, request.clone()));
        asked.await.map_err(|_| "it did not answer within 30 s".to_owned())?
    });
    let answer = answer.map_err(|why| unreachable_at(url, &why))?;
    plugin_manager::check_timestamp(&answer, message, &request)?;
    Ok(answer)
}

fn unreachable_at(url: &str, why: &str) -> ForgeError {
    ForgeError::new(&codes::E0002, format!("the timestamp authority {url} cannot be used")).reason(why)
}

/// Host, port and path of a plain HTTP address.
fn target(url: &str) -> Result<(String, u16, String), ForgeError> {
    let bad = |why: &str| {
        ForgeError::new(&codes::E0101, format!("{url} is no address of a timestamp authority"))
            .reason(why)
            .with_help(
                "name it as http://host/path; RFC 3161 answers are signed, and https is not spoken here",
            )
    };
    let uri: Uri = url.parse().map_err(|_| bad("it is not a URL"))?;
    if uri.scheme_str() != Some("http") {
        return Err(bad("its scheme is not http"));
    }
    let host = uri.host().ok_or_else(|| bad("it has no host"))?.to_owned();
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    Ok((host, uri.port_u16().unwrap_or(80), path))
}

async fn ask(host: &str, port: u16, path: &str, request: Vec<u8>) -> Result<Vec<u8>, String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, port)).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, format!("{host}:{port}"))
        .header(header::CONTENT_TYPE, "application/timestamp-query")
        .header(header::ACCEPT, "application/timestamp-reply")
        .body(Full::new(Bytes::from(request)))
        .map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("it answered {}", response.status()));
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|e| format!("its answer cannot be read: {e}"))?.to_bytes().to_vec();
    connection.abort();
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn addresses_are_of_plain_http() {
        assert_eq!(target("http://tsa.example/a?b").unwrap(), ("tsa.example".into(), 80, "/a?b".into()));
        assert_eq!(target("http://[::1]:3161").unwrap(), ("[::1]".into(), 3161, "/".into()));
        for bad in ["https://tsa.example", "tsa.example", "/tmp/x", "ftp://a/b", ""] {
            assert_eq!(target(bad).unwrap_err().code().id, "E0101", "{bad}");
        }
    }

    /// An authority that gives every client this answer.
    fn authority(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = [0; 4096];
            let _ = stream.read(&mut seen);
            let _ = stream.write_all(&answer);
        });
        url
    }

    fn code(answer: &[u8]) -> &'static str {
        fetch_timestamp(&authority(answer.to_vec()), b"signature").unwrap_err().code().id
    }

    #[test]
    fn an_answer_that_is_no_timestamp_is_refused() {
        assert_eq!(code(b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n"), "E0002");
        assert_eq!(code(b"HTTP/1.1 200 ok\r\ncontent-length: 3\r\n\r\nabc"), "E1415");
        let long = [b"HTTP/1.1 200 ok\r\ncontent-length: 65537\r\n\r\n".as_slice(), &[0; 65537]].concat();
        assert_eq!(code(&long), "E0002");
    }
}
