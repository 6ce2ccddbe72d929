//! One client: HTTP/1.1 over its connection, with limits on what it sends and how slowly.

use super::daemon::{Daemon, Peer};
use super::gate::Stage;
use super::limits::{HEAD, HEAD_TIME, HEADERS, LAST_WORDS, STALL};
use super::stall::Stalling;
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use tokio::net::UnixStream;

/// Serves a connection to its end. Once nothing is under way any more it is closed, with what is being sent.
pub async fn serve(stream: UnixStream, router: Router, daemon: Arc<Daemon>) {
    let peer = match stream.peer_cred() {
        Ok(credentials) => Peer { uid: credentials.uid() },
        // Of somebody the kernel does not know nothing is taken.
        Err(_) => return,
    };
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_header_size(HEAD)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(Stalling::new(stream, STALL)), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return told(ended),
        () = daemon.gate.at(Stage::Closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = tokio::time::timeout(LAST_WORDS, connection).await {
        told(ended);
    }
}

/// What a client does wrong is its own concern.
fn told(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
