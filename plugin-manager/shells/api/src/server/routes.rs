//! What may be asked over HTTP, and how each question finds its way to the manager and back.

use super::body::{Answer, receive};
use super::daemon::{Daemon, Peer};
use super::gate::UnderWay;
use super::limits::LONGEST_WAIT;
use crate::asks::Parcel;
use crate::error::{DaemonError, Told, fault, status};
use crate::wire::{self, Envelope};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use common::cancel::CancelToken;
use common::error::{ForgeError, codes};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

/// Every route of the daemon.
pub fn router(daemon: Arc<Daemon>) -> Router {
    Router::new().route(wire::ROUTE, post(control)).with_state(daemon)
}

/// `POST /v1/control`: one question of the command line.
async fn control(State(daemon): State<Arc<Daemon>>, request: Request) -> Response {
    let (status, frame, under_way) = match answer(&daemon, request).await {
        Ok((answer, under_way)) => (StatusCode::OK, wire::frame(&answer.head, &answer.body), Some(under_way)),
        Err(error) => {
            // What is told of an error is text and numbers alone, which have a form in JSON.
            let head = serde_json::to_vec(&Told::of(&error)).unwrap_or_default();
            let status = StatusCode::from_u16(status(error.class()));
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), wire::frame(&head, &[]), None)
        }
    };
    let room = daemon.sent.room(frame.len()).await;
    let mut response = Response::new(Body::new(Answer::new(frame, room, under_way)));
    *response.status_mut() = status;
    describe(response.headers_mut(), &daemon);
    response
}

/// Who answers, and that it is no page of a browser.
fn describe(headers: &mut HeaderMap, daemon: &Daemon) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-forgeone-control"));
    for (name, value) in [(wire::SPEAKER, wire::speaker()), (wire::DAEMON, daemon.info.clone())] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// From a request to the manager's answer. Nothing is received from who may not ask, nor before the daemon serves.
async fn answer(daemon: &Daemon, request: Request) -> Result<(Parcel<Vec<u8>>, Arc<UnderWay>), ForgeError> {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().ok_or_else(nobody)?;
    let manager = daemon.manager_for(*peer)?;
    same_version(&parts.headers)?;
    let under_way = daemon.gate.enter(patience(&parts.headers)).await?;
    let (frame, room) = receive(body, &daemon.received).await?;
    let (envelope, body) = open(frame)?;
    same_configuration(daemon, envelope.config)?;
    let place = daemon.place(envelope.ask.lane()).await;
    let (job, asked) = (under_way.clone(), Asked::begun());
    let unwanted = asked.unwanted.clone();
    let working = tokio::task::spawn_blocking(move || {
        let _held = (place, room, job);
        envelope.ask.execute_while(&manager, body, &unwanted)
    });
    let answer = finished(working).await?;
    asked.answered();
    Ok((answer, under_way))
}

/// What a job came to; a fault of the program is an error of it alone.
async fn finished(
    job: tokio::task::JoinHandle<Result<Parcel<Vec<u8>>, ForgeError>>,
) -> Result<Parcel<Vec<u8>>, ForgeError> {
    match job.await {
        Ok(answer) => answer,
        Err(error) => Err(match error.try_into_panic() {
            Ok(payload) => fault(&*payload),
            Err(cancelled) => {
                ForgeError::new(&codes::E0001, "the work was given up").reason(cancelled.to_string())
            }
        }),
    }
}

fn nobody() -> ForgeError {
    DaemonError::Malformed { what: "the request", why: "it came from nobody".to_owned() }.into()
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn same_version(headers: &HeaderMap) -> Result<(), DaemonError> {
    match header(headers, wire::SPEAKER) {
        Some(speaker) if speaker == wire::speaker() => Ok(()),
        other => {
            let command = other.unwrap_or("of an unknown version").to_owned();
            Err(DaemonError::Version { daemon: wire::speaker(), command })
        }
    }
}

fn patience(headers: &HeaderMap) -> Duration {
    let milliseconds = header(headers, wire::WAIT).and_then(|text| text.parse().ok()).unwrap_or(0);
    Duration::from_millis(milliseconds).min(LONGEST_WAIT)
}

fn open(frame: Vec<u8>) -> Result<(Envelope, Vec<u8>), DaemonError> {
    let malformed = |why: String| DaemonError::Malformed { what: "the request", why };
    let (head, body) = wire::open(frame).ok_or_else(|| malformed("it ends within its head".to_owned()))?;
    let envelope = serde_json::from_slice(&head).map_err(|e| malformed(e.to_string()))?;
    Ok((envelope, body))
}

/// A command that names a configuration gets that one or an error.
fn same_configuration(daemon: &Daemon, named: Option<String>) -> Result<(), DaemonError> {
    match named {
        Some(named) if named != daemon.config => {
            Err(DaemonError::OtherConfiguration { with: daemon.config.clone(), named })
        }
        _ => Ok(()),
    }
}

/// A question that is being answered. Dropped before it is answered, its client has gone away: this is the one place
/// that learns of it, and gives up what can be given up.
#[derive(Debug)]
struct Asked {
    answered: bool,
    unwanted: CancelToken,
}

impl Asked {
    fn begun() -> Self {
        Self { answered: false, unwanted: CancelToken::new() }
    }
    fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.answered {
            tracing::debug!(
                "a client went away; a call it made is given up, anything else goes on to its end"
            );
            self.unwanted.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_program_is_an_error_of_the_request_it_was_met_in() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(async {
            finished(tokio::task::spawn_blocking(|| panic!("the sky fell"))).await.unwrap_err()
        });
        assert_eq!((error.code(), error.reasons()), (&codes::E0001, &["the sky fell".to_owned()][..]));
    }

    #[test]
    fn no_request_waits_for_longer_than_an_hour() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(wire::WAIT, HeaderValue::from_static(text));
            patience(&headers)
        };
        assert_eq!(of("250"), Duration::from_millis(250));
        assert_eq!(of("18446744073709551615"), LONGEST_WAIT);
        assert_eq!((of("-1"), of("soon"), patience(&HeaderMap::new())), Default::default());
    }
}
