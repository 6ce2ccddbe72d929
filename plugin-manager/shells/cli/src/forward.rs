//! A syslog receiver over TCP or TLS: a batch has arrived when the receiver has read to its end and closed.
//!
//! Syslog has no acknowledgements, and what a sender wrote may be lost in the receiver's buffers when it ends. So each
//! batch is a connection of its own, messages framed by their length (RFC 6587, RFC 5425): the sender closes its half,
//! and the receiver's orderly close says that it has read everything. Anything else, and the batch is sent again: each
//! message arrives at least once, and its `seq` tells repetitions.

use common::error::{ForgeError, codes};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Between bytes of one batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes a receiver may say before it closes: this is no way to keep a sender.
const MOST_SAID: u64 = 64 << 10;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// Messages as they are.
    Tcp(String),
    /// Messages in TLS.
    Tls(String),
}

impl FromStr for Receiver {
    type Err = ForgeError;

    fn from_str(text: &str) -> Result<Self, ForgeError> {
        let at = |at: &str| {
            let port = at.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
            port.and_then(|port| port.parse::<u16>().ok()).map(|_| at.to_owned())
        };
        match text.split_once(':') {
            Some(("tcp", rest)) => at(rest).map(Self::Tcp),
            Some(("tls", rest)) => at(rest).map(Self::Tls),
            _ => None,
        }
        .ok_or_else(|| {
            let what = format!("`{text}` is no receiver: write tcp:HOST:PORT or tls:HOST:PORT");
            ForgeError::new(&codes::E0101, what)
        })
    }
}

/// A receiver and what reaching it needs.
#[derive(Debug)]
pub struct Forward {
    receiver: Receiver,
    tls: Option<Arc<ClientConfig>>,
}

impl Forward {
    /// For this receiver, with the roots of the PEM file `ca` or those of the web.
    ///
    /// # Errors
    /// E3016 when the file cannot be read or holds no certificate.
    pub fn new(receiver: Receiver, ca: Option<&Path>) -> Result<Self, ForgeError> {
        let tls = match receiver {
            Receiver::Tcp(_) => None,
            Receiver::Tls(_) => Some(Arc::new(client(ca)?)),
        };
        Ok(Self { receiver, tls })
    }

    /// Sends these messages and waits until the receiver has read them all.
    ///
    /// # Errors
    /// When it cannot be reached, or ends before it has.
    pub fn send(&self, messages: &[String]) -> io::Result<()> {
        let mut frames = Vec::new();
        for message in messages {
            write!(frames, "{} {message}", message.len())?;
        }
        match (&self.receiver, &self.tls) {
            (Receiver::Tls(at), Some(config)) => {
                let host = at.rsplit_once(':').map_or(at.as_str(), |(host, _)| host).trim_matches(['[', ']']);
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                let session = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(session, connect(at)?);
                stream.write_all(&frames)?;
                stream.conn.send_close_notify();
                stream.flush()?;
                stream.sock.shutdown(Shutdown::Write)?;
                // A receiver may close the connection without a word of TLS: what counts is that it was not reset.
                match read_to_end(&mut stream) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
                    other => other,
                }
            }
            (Receiver::Tls(at) | Receiver::Tcp(at), _) => {
                let mut stream = connect(at)?;
                stream.write_all(&frames)?;
                stream.shutdown(Shutdown::Write)?;
                read_to_end(&mut stream)
            }
        }
    }

    /// Its address, for messages.
    pub fn address(&self) -> &str {
        match &self.receiver {
            Receiver::Tcp(at) | Receiver::Tls(at) => at,
        }
    }
}

fn connect(at: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in at.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads what the receiver says, which is nothing or little, until it closes.
fn read_to_end(stream: &mut impl Read) -> io::Result<()> {
    let said = io::copy(&mut stream.take(MOST_SAID), &mut io::sink())?;
    if said < MOST_SAID { Ok(()) } else { Err(io::Error::other("it talks and does not close")) }
}

fn client(ca: Option<&Path>) -> Result<ClientConfig, ForgeError> {
    let failed = |what: String| ForgeError::new(&codes::E3016, what);
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            let unread = |reason: String| failed(format!("cannot trust {}", file.display())).reason(reason);
            for found in CertificateDer::pem_file_iter(file).map_err(|e| unread(e.to_string()))? {
                let found = found.map_err(|e| unread(e.to_string()))?;
                roots.add(found).map_err(|e| unread(e.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unread("it holds no certificate".to_owned()));
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|e| failed("cannot use TLS".to_owned()).reason(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn receivers_are_read_from_their_form() {
        assert_eq!("tcp:h:601".parse::<Receiver>().unwrap(), Receiver::Tcp("h:601".to_owned()));
        assert_eq!("tls:[::1]:6514".parse::<Receiver>().unwrap(), Receiver::Tls("[::1]:6514".to_owned()));
        for wrong in ["", "h:1", "udp:h:1", "tcp:h", "tcp::1", "tcp:h:x"] {
            assert!(wrong.parse::<Receiver>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_batch_has_arrived_when_the_receiver_has_read_to_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let reader = thread::spawn(move || {
            let mut text = String::new();
            listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        let forward = Forward::new(Receiver::Tcp(at), None).unwrap();
        forward.send(&["one".to_owned(), "zwölf".to_owned()]).unwrap();
        assert_eq!(reader.join().unwrap(), "3 one6 zwölf");
    }

    #[test]
    fn a_receiver_that_ends_with_bytes_unread_has_not_taken_the_batch() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let reader = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.read_exact(&mut [0; 4]).unwrap();
        });
        let forward = Forward::new(Receiver::Tcp(at), None).unwrap();
        let many = vec!["x".repeat(1000); 1000];
        assert!(forward.send(&many).is_err());
        reader.join().unwrap();
    }

    /// A receiver in TLS that reads one connection to its end, and its certificate as a PEM file.
    fn tls(dir: &Path) -> (String, std::path::PathBuf, thread::JoinHandle<String>) {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let ca = dir.join("ca.pem");
        std::fs::write(&ca, own.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let reader = thread::spawn(move || {
            let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
            let mut text = String::new();
            // What a client that does not trust it says is an error here.
            let _ = StreamOwned::new(session, listener.accept().unwrap().0).read_to_string(&mut text);
            text
        });
        (at, ca, reader)
    }

    #[test]
    fn a_batch_in_tls_arrives_at_a_receiver_that_is_trusted_and_at_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let batch = ["one".to_owned(), "x".repeat(100_000)];
        let (at, ca, reader) = tls(dir.path());
        Forward::new(Receiver::Tls(at), Some(&ca)).unwrap().send(&batch).unwrap();
        assert_eq!(reader.join().unwrap(), format!("3 one100000 {}", batch[1]));
        let (at, _, reader) = tls(dir.path());
        let error = Forward::new(Receiver::Tls(at), None).unwrap().send(&batch).unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
        assert_eq!(reader.join().unwrap(), "");
        assert!(Forward::new(Receiver::Tls("h:1".to_owned()), Some(Path::new("/nowhere"))).is_err());
    }

    #[test]
    fn a_receiver_that_talks_without_end_is_left() {
        let endless = &mut io::repeat(b'x');
        assert!(read_to_end(endless).is_err());
        assert!(read_to_end(&mut &b"bye"[..]).is_ok());
    }
}
