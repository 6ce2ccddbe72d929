//! The client against servers of its own: on port 0, with certificates of its own authority.

mod hops;
mod limits;
mod messages;
pub(in crate::extension) mod server;

use super::super::testing::{Host, args, n};
use super::{Http, HttpAccess, HttpOptions, Resolve, Tls, Vouchers};
use microkernel::syscall_bridge::{CallError, Status, SyscallArgs, take};
use parking_lot::Mutex;
use server::{Authority, Server};
use std::net::IpAddr;
use std::sync::Arc;

/// Every name is where the next answer says; the last one stays.
#[derive(Debug)]
pub(in crate::extension) struct Names {
    answers: Mutex<Vec<&'static str>>,
    pub asked: Mutex<Vec<String>>,
}

impl Resolve for Names {
    fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        self.asked.lock().push(name.to_owned());
        let mut answers = self.answers.lock();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
        Ok(answer.split_whitespace().map(|ip| ip.parse().unwrap()).collect())
    }
}

/// A plugin, a client that trusts an authority, and what it is let reach.
pub(in crate::extension) struct World {
    pub host: Host,
    pub authority: Authority,
    pub names: Arc<Names>,
    pub options: HttpOptions,
}

impl World {
    /// Names lead to this machine, which is granted.
    pub fn new() -> Self {
        Self::with(&["127.0.0.1"], |_| ())
    }
    pub fn with(answers: &[&'static str], change: impl FnOnce(&mut HttpOptions)) -> Self {
        let authority = Authority::new();
        let names = Arc::new(Names { answers: Mutex::new(answers.to_vec()), asked: Mutex::default() });
        let mut options =
            HttpOptions { private_ranges: vec!["127.0.0.0/8".parse().unwrap()], ..HttpOptions::default() };
        change(&mut options);
        let mut host = Host::new();
        let dir = tempfile::tempdir().unwrap();
        let roots = dir.path().join("roots.pem");
        std::fs::write(&roots, authority.pem()).unwrap();
        let tls = Tls::from_file(&roots).unwrap();
        host.http = Arc::new(Http::new(options.clone(), Vouchers::Given(tls), names.clone()));
        Self { host, authority, names, options }
    }
    /// A server with TLS under this name.
    pub fn server(&self, name: &str, answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Server {
        Server::tls(self.authority.issue(name), name, answer)
    }
    pub fn get(&self, url: &str) -> Result<Answered, CallError> {
        self.send("GET", url, &[], "")
    }
    pub fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answered, CallError> {
        let answer = self.host.cause("http_request", request(method, url, headers).arg(body))?;
        Ok(Answered::read(&answer))
    }
    pub fn status(&self, url: &str) -> Result<u64, Status> {
        self.get(url).map(|a| a.status).map_err(|e| e.status)
    }
}

fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> SyscallArgs {
    let nested = headers.iter().fold(args(), |all, (name, value)| all.arg(name).arg(value));
    args().arg(method).arg(url).arg(nested.as_bytes())
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::extension) struct Answered {
    pub status: u64,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answered {
    fn read(mut answer: &[u8]) -> Self {
        let mut next = || take(&mut answer).unwrap().unwrap().to_vec();
        let (status, nested, body) = (next(), next(), next());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (mut nested, mut headers) = (nested.as_slice(), Vec::new());
        while let Some(name) = take(&mut nested).unwrap() {
            headers.push((text(name), text(take(&mut nested).unwrap().unwrap())));
        }
        Self { status: u64::from_le_bytes(status.try_into().unwrap()), headers, body: text(&body) }
    }
}

/// An answer with this status, these header lines and this body.
pub(in crate::extension) fn answer(status: u16, lines: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\n{lines}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
