//! Asks the daemon of a home, if there is one.

use crate::asks::{Ask, Parcel};
use crate::error::{DaemonError, Told};
use crate::place::{Address, socket};
use crate::wire::{self, DaemonInfo, Envelope, MAX_REQUEST};
use common::error::ForgeError;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use plugin_manager::{Phase, Progress};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;

/// Most bytes of an answer: a full list of as many plugins as a host may have.
const MAX_ANSWER: usize = 512 << 20;

/// What a daemon answered.
#[derive(Debug)]
pub struct Answered<T> {
    /// The answer.
    pub parcel: Parcel<T>,
    /// Who gave it.
    pub daemon: DaemonInfo,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// No daemon listens on this home.
    NoDaemon,
    /// One does and has done nothing of what was asked, and will not before the command's patience is over.
    NothingDone(ForgeError),
    /// What the daemon answered, or why it could not.
    Failed(ForgeError),
}

impl From<DaemonError> for Unanswered {
    fn from(error: DaemonError) -> Self {
        Self::Failed(error.into())
    }
}

/// Where a daemon is looked for, and how.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The home.
    pub home: &'a Path,
    /// The configuration the daemon must have, if it matters.
    pub config: Option<&'a Path>,
    /// How long to wait for a daemon that is starting.
    pub wait: Duration,
    /// Who hears that a daemon is at work.
    pub progress: &'a Arc<dyn Progress>,
}

impl Target<'_> {
    /// Asks the daemon of this home. How long the answer takes, once the daemon serves, is up to what is asked.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn ask<A: Ask>(&self, ask: &A, body: &[u8]) -> Result<Answered<A::Reply>, Unanswered> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| DaemonError::Start { part: "client", source })?;
        runtime.block_on(async {
            let stream = connect(self.home, self.wait).await?;
            self.progress.begin(Phase::Daemon, "what was asked", None);
            let answered = self.ask_over(stream, ask, body).await;
            self.progress.end(Phase::Daemon);
            answered
        })
    }

    async fn ask_over<A: Ask>(
        &self,
        stream: UnixStream,
        ask: &A,
        body: &[u8],
    ) -> Result<Answered<A::Reply>, Unanswered> {
        let config = self.config.map(|path| absolute(path).display().to_string());
        let envelope = Envelope { config, ask: ask.clone().into() };
        let head = serde_json::to_vec(&envelope).map_err(|e| malformed("the request", e))?;
        let (daemon, reply) = exchange(stream, wire::frame(&head, body), self.wait).await?;
        let (head, body) = reply;
        let head = serde_json::from_slice(&head).map_err(|e| malformed("the answer", e))?;
        Ok(Answered { parcel: Parcel { head, body }, daemon })
    }
}

fn absolute(path: &Path) -> std::path::PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

fn malformed(what: &'static str, why: impl ToString) -> DaemonError {
    DaemonError::Malformed { what, why: why.to_string() }
}

/// Between two tries to be let in where too many wait.
const PAUSE: Duration = Duration::from_millis(20);

/// A connection to the daemon of this user. A socket nobody listens on is what a killed daemon left.
async fn connect(home: &Path, wait: Duration) -> Result<UnixStream, Unanswered> {
    let path = socket(home);
    let trying = async {
        loop {
            let address = Address::of(&path)?;
            match UnixStream::connect(address.path()).await {
                Err(e) if e.kind() == ErrorKind::WouldBlock => tokio::time::sleep(PAUSE).await,
                done => return done,
            }
        }
    };
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => Unanswered::NoDaemon,
        _ => DaemonError::Socket { doing: "connect to", socket: path.clone(), source }.into(),
    };
    let late = |_| Err(io::Error::new(ErrorKind::TimedOut, "too many commands wait for the daemon"));
    let stream = tokio::time::timeout(wait.max(PAUSE), trying).await.unwrap_or_else(late).map_err(failed)?;
    let owner = stream.peer_cred().map_err(failed)?.uid();
    let me = rustix::process::geteuid();
    if me.is_root() || me.as_raw() == owner {
        return Ok(stream);
    }
    Err(DaemonError::OtherOwner { socket: path, owner }.into())
}

/// Sends one frame and reads the answer's.
async fn exchange(
    stream: UnixStream,
    frame: Vec<u8>,
    wait: Duration,
) -> Result<(DaemonInfo, (Vec<u8>, Vec<u8>)), Unanswered> {
    let bytes = u64::try_from(frame.len()).unwrap_or(u64::MAX);
    if bytes > MAX_REQUEST {
        return Err(DaemonError::TooLarge { bytes, limit: MAX_REQUEST }.into());
    }
    let lost = |e: hyper::Error| DaemonError::Lost(e.into());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    // Its errors are the sender's too.
    let driver = tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method(Method::POST)
        .uri(wire::ROUTE)
        .header("host", "forgeone")
        .header(wire::SPEAKER, wire::speaker())
        .header(wire::WAIT, wait.as_millis().to_string())
        .body(Full::new(Bytes::from(frame)))
        .map_err(|e| malformed("the request", e))?;
    let response = sender.send_request(request).await.map_err(lost)?;
    let answer = read(response).await;
    driver.abort();
    answer
}

async fn read(response: Response<Incoming>) -> Result<(DaemonInfo, (Vec<u8>, Vec<u8>)), Unanswered> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let speaker = header(wire::SPEAKER).unwrap_or("of an unknown version").to_owned();
    let daemon = header(wire::DAEMON).and_then(DaemonInfo::read);
    let status = response.status();
    if speaker != wire::speaker() {
        return Err(DaemonError::Version { daemon: speaker, command: wire::speaker() }.into());
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(DaemonError::Lost)?;
    let frame = wire::open(Vec::from(body.to_bytes()));
    let (head, body) = frame.ok_or_else(|| malformed("the answer", "it ends too early"))?;
    if status != StatusCode::OK {
        let told: Told = serde_json::from_slice(&head).map_err(|e| malformed("the answer", e))?;
        let nothing = told.nothing_was_done();
        let error = told.into_error();
        return Err(if nothing { Unanswered::NothingDone(error) } else { Unanswered::Failed(error) });
    }
    let daemon = daemon.ok_or_else(|| malformed("the answer", "it does not say which daemon it is of"))?;
    Ok((daemon, (head, body)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asks::List;
    use plugin_manager::NoProgress;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    /// What a command is told by a daemon that answers with these bytes and closes.
    fn told_by(answer: &'static str) -> Result<Answered<<List as Ask>::Reply>, Unanswered> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("run")).unwrap();
        let listener = UnixListener::bind(socket(home.path())).unwrap();
        let daemon = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut some = [0; 4096];
            assert!(stream.read(&mut some).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let told = ask(home.path());
        daemon.join().unwrap();
        told
    }

    fn ask(home: &Path) -> Result<Answered<<List as Ask>::Reply>, Unanswered> {
        let progress: Arc<dyn Progress> = Arc::new(NoProgress);
        let wait = Duration::from_secs(10);
        Target { home, config: None, wait, progress: &progress }.ask(&List {}, &[])
    }

    fn failed<T>(told: Result<T, Unanswered>) -> ForgeError {
        match told {
            Err(Unanswered::Failed(error)) => error,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it was answered"),
        }
    }

    #[test]
    fn without_a_socket_or_with_one_nobody_listens_on_there_is_no_daemon() {
        let home = tempfile::tempdir().unwrap();
        assert!(matches!(ask(home.path()), Err(Unanswered::NoDaemon)));
        assert!(matches!(ask(&home.path().join("nowhere")), Err(Unanswered::NoDaemon)));
        std::fs::create_dir(home.path().join("run")).unwrap();
        drop(UnixListener::bind(socket(home.path())).unwrap());
        assert!(matches!(ask(home.path()), Err(Unanswered::NoDaemon)));
    }

    #[test]
    fn a_daemon_of_another_version_is_named_with_both() {
        let answer = "HTTP/1.1 200 OK\r\nforgeone-version: 0.9.0 1\r\ncontent-length: 0\r\n\r\n";
        let error = failed(told_by(answer));
        assert_eq!(error.code().id, "E0121");
        assert!(error.message().contains("0.9.0 1") && error.message().contains(&wire::speaker()), "{error}");
    }

    #[test]
    fn an_answer_that_is_cut_off_or_is_none_is_an_error() {
        assert_eq!(failed(told_by("")).code().id, "E0122");
        assert_eq!(failed(told_by("HTTP/1.1 200 OK\r\ncontent-le")).code().id, "E0122");
        let short = "HTTP/1.1 200 OK\r\nforgeone-version: 1.0.0 1\r\ncontent-length: 100\r\n\r\nshort";
        assert_eq!(failed(told_by(short)).code().id, "E0122");
        let empty = "HTTP/1.1 200 OK\r\nforgeone-version: 1.0.0 1\r\ncontent-length: 0\r\n\r\n";
        assert!(failed(told_by(empty)).message().contains("it ends too early"));
        let odd = "HTTP/1.1 409 No\r\nforgeone-version: 1.0.0 1\r\ncontent-length: 6\r\n\r\n\u{2}\0\0\0{}";
        assert!(failed(told_by(odd)).message().contains("missing field"));
    }
}
