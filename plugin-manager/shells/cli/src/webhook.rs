//! Checkpoints posted to an `https://` address: TLS 1.2 or later on ring, ten seconds at most, no redirects.

use common::audit::{CheckpointSink, Made, SinkError};
use std::io;
use std::path::Path;
use std::time::Duration;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Error};

const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that says why it does not take a checkpoint.
const MAX_WHY: u64 = 256;

/// Posts each checkpoint, a signed note, as `text/plain`. Any 2xx answer says that it arrived.
#[derive(Debug)]
struct Webhook {
    url: String,
    name: String,
    agent: Agent,
}

/// The receiver at `url`, whose certificate must lead to the roots in the PEM file `ca`, or to those of the web.
///
/// # Errors
/// E3014 when the file cannot be read or holds no certificate.
pub fn sink(url: &str, ca: Option<&Path>) -> Result<Box<dyn CheckpointSink>, SinkError> {
    let roots = match ca {
        Some(file) => {
            let failed = |source| SinkError::Io { what: "read audit.checkpoints.webhook_ca", source };
            let pem = std::fs::read(file).map_err(failed)?;
            let found: Vec<Certificate<'static>> = parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if found.is_empty() {
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it holds no certificate")));
            }
            RootCerts::from(found)
        }
        None => RootCerts::WebPki,
    };
    let tls = TlsConfig::builder().root_certs(roots).build();
    let agent = Agent::config_builder()
        .https_only(true)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .tls_config(tls)
        .build()
        .new_agent();
    // A path or a query may hold a token, and names go into records and metrics.
    let host =
        url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    Ok(Box::new(Webhook { url: url.to_owned(), name: format!("webhook {host}"), agent }))
}

impl CheckpointSink for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn send(&mut self, made: &Made<'_>) -> Result<(), SinkError> {
        let sent = self
            .agent
            .post(&self.url)
            .header("content-type", "text/plain; charset=utf-8")
            .header("x-forgeone-records", made.size.to_string())
            .send(made.note);
        let mut answer = sent.map_err(|error| match error {
            Error::Io(source) => SinkError::Io { what: "post to the webhook", source },
            other => {
                SinkError::Io { what: "post to the webhook", source: io::Error::other(other.to_string()) }
            }
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let why = answer.body_mut().with_config().limit(MAX_WHY).read_to_string().unwrap_or_default();
        Err(SinkError::Refused(format!("{status} {}", crate::failure::one_line(why.trim()))))
    }
}
