//! A daemon in this process, asked through its routes as its socket never would let one.

use super::daemon::{Daemon, Peer};
use super::gate::Stage;
use super::routes::router;
use crate::asks::{self, Lane, List, Request, SetSetting};
use crate::error::Told;
use crate::wire::{self, Envelope};
use axum::body::Body;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use plugin_manager::{AuditSource, PluginManager};
use std::sync::Arc;
use std::time::Duration;

fn block_on<T>(job: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(job)
}

fn daemon(home: &std::path::Path) -> (PluginManager, Arc<Daemon>) {
    let manager = PluginManager::builder().home(home).operator("the-daemon").open().unwrap();
    let daemon = Daemon::new(manager.clone(), "/etc/forgeone.yaml".to_owned(), 0);
    daemon.gate.pass_to(Stage::Serving);
    (manager, daemon)
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The status of the answer to this envelope from this user, and its head.
async fn asked(daemon: &Arc<Daemon>, uid: u32, envelope: &Envelope) -> (u16, Vec<u8>) {
    let frame = wire::frame(&serde_json::to_vec(envelope).unwrap(), &[]);
    let mut request = hyper::Request::post(wire::ROUTE)
        .header(wire::SPEAKER, wire::speaker())
        .body(Body::from(frame))
        .unwrap();
    request.extensions_mut().insert(Peer { uid });
    let response = TowerToHyperService::new(router(daemon.clone())).call(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, wire::open(body.to_vec()).unwrap().0)
}

fn error_of(head: &[u8]) -> (String, String) {
    let error = serde_json::from_slice::<Told>(head).unwrap().into_error();
    (error.code().id.to_owned(), error.message().to_owned())
}

#[test]
fn a_user_who_is_neither_the_owner_nor_root_is_refused_before_anything_is_read() {
    let home = tempfile::tempdir().unwrap();
    let (_manager, daemon) = daemon(home.path());
    let list = Envelope { config: None, ask: List {}.into() };
    block_on(async {
        let (status, head) = asked(&daemon, 4_000_000, &list).await;
        assert_eq!((status, error_of(&head).0.as_str()), (403, "E0123"));
        assert_eq!(asked(&daemon, me(), &list).await, (200, b"[]".to_vec()));
        assert_eq!(asked(&daemon, 0, &list).await.0, 200);
    });
}

#[test]
fn what_is_recorded_names_who_asked_and_not_the_daemon() {
    let home = tempfile::tempdir().unwrap();
    let (manager, daemon) = daemon(home.path());
    let ask = SetSetting { name: "nobody".into(), section: "config".into(), key: "k".into(), value: None };
    let envelope = Envelope { config: None, ask: ask.into() };
    let (status, head) = block_on(asked(&daemon, me(), &envelope));
    assert_eq!((status, error_of(&head).0.as_str()), (409, "E5001"));
    manager.flush().unwrap();
    let source = AuditSource::of(home.path()).unwrap();
    let lines: Vec<String> = common::audit::tail(&source.dir, 1).unwrap().map(Result::unwrap).collect();
    let pseudonym = |name: &str| {
        let people = source.people().unwrap();
        people.into_iter().find(|person| person.name == name).map(|person| person.pseudonym).unwrap()
    };
    let user = pseudonym(&crate::operator::name());
    assert!(lines[0].contains("configure") && lines[0].contains(&user), "{lines:?}");
    assert!(!lines[0].contains(&pseudonym("the-daemon")), "{lines:?}");
}

#[test]
fn who_was_erased_goes_on_under_another_pseudonym() {
    let home = tempfile::tempdir().unwrap();
    let (manager, daemon) = daemon(home.path());
    let recorded = |ask: Request| {
        let (status, _) = block_on(asked(&daemon, me(), &Envelope { config: None, ask }));
        assert!(status == 200 || status == 409, "{status}");
        manager.flush().unwrap();
        let source = AuditSource::of(home.path()).unwrap();
        let line = common::audit::tail(&source.dir, 1).unwrap().map(Result::unwrap).next().unwrap();
        line.split("\"user\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let stop = || asks::Turn { name: "nobody".into(), verb: asks::Verb::Stop }.into();
    let before = recorded(stop());
    assert_eq!(recorded(stop()), before);
    assert_eq!(recorded(asks::ErasePerson { name: crate::operator::name() }.into()), before);
    assert_ne!(recorded(stop()), before);
}

#[test]
fn another_configuration_than_the_daemons_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let (_manager, daemon) = daemon(home.path());
    let named = |config: &str| Envelope { config: Some(config.to_owned()), ask: List {}.into() };
    block_on(async {
        assert_eq!(asked(&daemon, me(), &named("/etc/forgeone.yaml")).await.0, 200);
        let (status, head) = asked(&daemon, me(), &named("/etc/other.yaml")).await;
        assert_eq!((status, error_of(&head).0.as_str()), (400, "E0101"));
    });
}

#[test]
fn a_daemon_that_stops_says_that_nothing_was_done() {
    let home = tempfile::tempdir().unwrap();
    let (_manager, daemon) = daemon(home.path());
    daemon.gate.pass_to(Stage::Stopping);
    let (status, head) = block_on(asked(&daemon, me(), &Envelope { config: None, ask: List {}.into() }));
    assert_eq!(status, 409);
    assert!(serde_json::from_slice::<Told>(&head).unwrap().nothing_was_done());
}

#[test]
fn as_many_calls_as_there_may_be_keep_no_other_request_waiting() {
    let home = tempfile::tempdir().unwrap();
    let (_manager, daemon) = daemon(home.path());
    block_on(async {
        let mut calls = Vec::new();
        for _ in 0..super::limits::CALLS {
            calls.push(daemon.place(Lane::Calls).await);
        }
        let one_more = tokio::time::timeout(Duration::ZERO, daemon.place(Lane::Calls)).await;
        assert!(one_more.is_err());
        assert_eq!(asked(&daemon, me(), &Envelope { config: None, ask: List {}.into() }).await.0, 200);
    });
}
