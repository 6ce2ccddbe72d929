//! A server that answers each connection once, with bytes a test chose, and remembers what it was sent.

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }
    pub fn pem(&self) -> &str {
        &self.pem
    }
    /// A server's side of TLS under this name.
    pub fn issue(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap());
        Arc::new(config.unwrap())
    }
}

type Answers = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// It serves until the test's process ends.
pub struct Server {
    origin: String,
    authority: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn tls(
        config: Arc<ServerConfig>,
        name: &str,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(config), name, Arc::new(answer))
    }
    pub fn plain(name: &str, answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(None, name, Arc::new(answer))
    }

    fn start(tls: Option<Arc<ServerConfig>>, name: &str, answer: Answers) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let all = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tls, answer, seen) = (tls.clone(), answer.clone(), all.clone());
                std::thread::spawn(move || match tls {
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(connection, stream), &answer, &seen)
                    }
                    None => serve(stream, &answer, &seen),
                });
            }
        });
        Self { origin: format!("{scheme}://{name}:{port}"), authority: format!("{name}:{port}"), seen }
    }

    /// The URL of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
    /// `name:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }
    /// What it was sent, in order.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

/// What can be told that nothing more comes.
trait End: Read + Write {
    fn end(&mut self);
}

impl End for TcpStream {
    fn end(&mut self) {
        self.shutdown(std::net::Shutdown::Write).ok();
    }
}

impl End for StreamOwned<ServerConnection, TcpStream> {
    fn end(&mut self) {
        self.conn.send_close_notify();
        self.flush().ok();
    }
}

fn serve(mut stream: impl End, answer: &Answers, seen: &Mutex<Vec<String>>) {
    let Some(request) = read(&mut stream) else { return };
    seen.lock().push(request.clone());
    let bytes = answer(&request);
    if !bytes.is_empty() {
        stream.write_all(&bytes).ok();
        stream.end();
    }
    // Until the client has gone.
    stream.read_to_end(&mut Vec::new()).ok();
}

/// A whole request, as text.
fn read(stream: &mut impl Read) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
    }
}
