//! Checkpoints to a syslog receiver: RFC 5424 over a datagram socket of this machine, UDP, or TCP with the lengths
//! of RFC 6587.

use super::{CheckpointSink, Made, SinkError};
use crate::audit::line::time_text;
use crate::audit::marks::history_line;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

/// Facility 13 (log audit), severity 5 (notice).
const PRIORITY: u32 = 13 * 8 + 5;
/// How long connecting and writing may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a syslog receiver is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogTarget {
    /// A datagram socket of this machine, `/dev/log` as a rule. Arrived when the receiver's queue took it.
    Unix(PathBuf),
    /// `host:port`. Sent; whether it arrived, the receiver alone knows.
    Udp(String),
    /// `host:port`. Arrived when the connection took it and the receiver has not closed it.
    Tcp(String),
}

/// Sends each checkpoint to a syslog receiver.
#[derive(Debug)]
pub struct SyslogSink {
    target: SyslogTarget,
    name: String,
    stream: Option<TcpStream>,
}

impl SyslogSink {
    /// The sink that sends there.
    pub fn new(target: SyslogTarget) -> Self {
        let name = match &target {
            SyslogTarget::Unix(path) => format!("syslog unix:{}", path.display()),
            SyslogTarget::Udp(at) => format!("syslog udp:{at}"),
            SyslogTarget::Tcp(at) => format!("syslog tcp:{at}"),
        };
        Self { target, name, stream: None }
    }

    fn over_tcp(&mut self, at: &str, message: &[u8]) -> io::Result<()> {
        // Nobody writes to this side: what can be read at once is the end, or an error.
        if self.stream.as_mut().is_some_and(has_ended) {
            self.stream = None;
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(connect(at)?),
        };
        let mut frame = format!("{} ", message.len()).into_bytes();
        frame.extend_from_slice(message);
        stream.write_all(&frame).inspect_err(|_| self.stream = None)
    }
}

fn has_ended(stream: &mut TcpStream) -> bool {
    let look = |stream: &mut TcpStream| {
        stream.set_nonblocking(true)?;
        let read = stream.read(&mut [0; 64]);
        stream.set_nonblocking(false)?;
        read
    };
    !matches!(look(stream), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn connect(at: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in at.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn over_udp(at: &str, message: &[u8]) -> io::Result<()> {
    let address = at
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.send(message).map(drop)
}

/// The RFC 5424 message of a checkpoint. An origin has no characters a header or a parameter must escape but these.
fn message(made: &Made<'_>) -> Vec<u8> {
    let host: String = made.origin.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect();
    let parameter: String = made
        .origin
        .chars()
        .flat_map(|c| if matches!(c, '"' | '\\' | ']') { vec!['\\', c] } else { vec![c] })
        .collect();
    let header = format!(
        "<{PRIORITY}>1 {} {host} forgeone {} checkpoint [checkpoint@32473 origin=\"{parameter}\" size=\"{}\"] ",
        time_text(made.wall_ns),
        std::process::id(),
        made.size,
    );
    let mut message = header.into_bytes();
    let note = history_line(made.note);
    message.extend_from_slice(note.strip_suffix(b"\n").unwrap_or(&note));
    message
}

impl CheckpointSink for SyslogSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn send(&mut self, made: &Made<'_>) -> Result<(), SinkError> {
        let message = message(made);
        let sent = match self.target.clone() {
            SyslogTarget::Unix(path) => UnixDatagram::unbound().and_then(|socket| {
                socket.set_write_timeout(Some(PATIENCE))?;
                socket.send_to(&message, path).map(drop)
            }),
            SyslogTarget::Udp(at) => over_udp(&at, &message),
            SyslogTarget::Tcp(at) => self.over_tcp(&at, &message),
        };
        sent.map_err(SinkError::io("send to the syslog receiver"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn made() -> Made<'static> {
        let note = "no\"de\n7\nAAAA\n\n\u{2014} no\"de BBBB\n";
        Made { note, origin: "no\"de", size: 7, wall_ns: 1_795_219_200_000_000_000, dir: Path::new("/") }
    }

    fn check(text: &str) {
        let pid = std::process::id();
        let head = format!("<109>1 2026-11-21T00:00:00.000Z no\"de forgeone {pid} checkpoint ");
        let rest = text.strip_prefix(&head).unwrap_or_else(|| panic!("{text}"));
        let note = rest.strip_prefix("[checkpoint@32473 origin=\"no\\\"de\" size=\"7\"] ").unwrap();
        assert_eq!(serde_json::from_str::<String>(note).unwrap(), made().note);
    }

    #[test]
    fn a_datagram_holds_one_message() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let receiver = UnixDatagram::bind(&path).unwrap();
        SyslogSink::new(SyslogTarget::Unix(path)).send(&made()).unwrap();
        let mut bytes = [0; 2048];
        let length = receiver.recv(&mut bytes).unwrap();
        check(std::str::from_utf8(&bytes[..length]).unwrap());
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = receiver.local_addr().unwrap().to_string();
        SyslogSink::new(SyslogTarget::Udp(at)).send(&made()).unwrap();
        let length = receiver.recv(&mut bytes).unwrap();
        check(std::str::from_utf8(&bytes[..length]).unwrap());
    }

    #[test]
    fn a_stream_holds_messages_with_their_lengths_and_is_opened_again_when_it_ended() {
        let receiver = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sink = SyslogSink::new(SyslogTarget::Tcp(receiver.local_addr().unwrap().to_string()));
        for _ in 0..2 {
            sink.send(&made()).unwrap();
            sink.send(&made()).unwrap();
            let (mut stream, _) = receiver.accept().unwrap();
            for _ in 0..2 {
                let mut length = Vec::new();
                let mut byte = [0];
                while stream.read(&mut byte).unwrap() == 1 && byte != *b" " {
                    length.push(byte[0]);
                }
                let length: usize = std::str::from_utf8(&length).unwrap().parse().unwrap();
                let mut message = vec![0; length];
                stream.read_exact(&mut message).unwrap();
                check(std::str::from_utf8(&message).unwrap());
            }
            stream.shutdown(std::net::Shutdown::Both).unwrap();
            // The end is in this side's queue before the next message is written.
            while !sink.stream.as_mut().is_none_or(has_ended) {
                std::thread::yield_now();
            }
        }
        drop(receiver);
        sink.stream = None;
        assert!(sink.send(&made()).is_err());
    }
}
