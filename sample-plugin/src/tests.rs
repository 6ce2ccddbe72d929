//! The plugin as its host sees it, through the exported functions.

use super::*;
use forgeone_pdk::LogLevel;
use forgeone_pdk::testing::{Failure, Host};

const LINE: &[u8] = b"192.0.2.1 bob@example.com 192.0.2.2\n";

fn started() -> Host {
    let host = Host::install();
    host.set_time(7);
    assert_eq!([exports::init(), exports::start()], [0, 0]);
    host
}

fn stored(host: &Host) -> Tally {
    Tally::decode(&host.kv(TOTALS).unwrap()).unwrap()
}

#[test]
fn redact_masks_counts_stores_measures_and_announces() {
    let host = started();
    let before = host.calls().len();
    assert_eq!(host.call(exports::redact, LINE).unwrap(), b"[ipv4] [email] [ipv4]\n");
    let totals = stored(&host);
    assert_eq!((totals.calls, totals.bytes, totals.last, totals.masked.total()), (1, 36, 7, 3));
    let metrics: Vec<_> = host.metrics().into_iter().map(|m| (m.value, m.labels)).collect();
    let label = |kind: &str| vec![("kind".to_owned(), kind.to_owned())];
    assert_eq!(metrics, [(1.0, label("email")), (2.0, label("ipv4"))]);
    assert_eq!(host.events().len(), 1);
    assert_eq!(
        host.calls()[before..],
        ["time_now", "kv_cas", "metric_record", "metric_record", "event_emit"]
    );
}

#[test]
fn a_text_with_nothing_to_mask_is_answered_as_it_is() {
    let host = started();
    assert_eq!(host.call(exports::redact, b"GET /index.html 200\n").unwrap(), b"GET /index.html 200\n");
    assert_eq!(host.call(exports::redact, b"").unwrap(), b"");
    assert_eq!((stored(&host).calls, host.metrics().len(), host.events().len()), (2, 0, 0));
}

#[test]
fn totals_survive_the_instance_and_the_session_is_carried_over() {
    let host = started();
    host.call(exports::redact, LINE).unwrap();
    let state = host.call(|_| exports::state_save(), b"").unwrap();
    assert_eq!([exports::stop(), exports::init(), exports::start()], [0; 3]);
    host.call(exports::state_load, &state).unwrap();
    host.call(exports::redact, LINE).unwrap();
    assert_eq!(stored(&host).calls, 2);
    let both =
        r#"{"calls":2,"bytes":72,"last_ns":7,"masked":{"email":2,"ipv4":4,"ipv6":0,"card":0,"bearer":0}}"#;
    let stats = host.call(exports::stats, b"").unwrap();
    assert_eq!(String::from_utf8(stats).unwrap(), format!("{{\"totals\":{both},\"session\":{both}}}\n"));
}

#[test]
fn another_instances_totals_are_added_to_not_overwritten() {
    let host = started();
    host.call(exports::redact, LINE).unwrap();
    let mut other = stored(&host);
    other.add(&Tally { calls: 40, ..Tally::default() });
    host.set_kv(TOTALS, other.encode().as_bytes());
    host.call(exports::redact, LINE).unwrap();
    assert_eq!(stored(&host).calls, 42);
}

#[test]
fn masking_goes_on_while_storage_is_refused_and_nothing_is_lost() {
    let host = started();
    host.fail_with("kv_cas", Status::Limit);
    assert_eq!(host.call(exports::redact, LINE).unwrap(), b"[ipv4] [email] [ipv4]\n");
    assert_eq!(host.kv(TOTALS), None);
    assert!(
        host.logs().contains(&(LogLevel::Warn, "totals are kept for the next call: kv_cas: limit".into()))
    );
    assert_eq!(exports::stop(), Status::Limit.code());
    host.allow("kv_cas");
    assert_eq!(exports::stop(), 0);
    assert_eq!(stored(&host).calls, 1);
}

#[test]
fn endless_conflicts_end() {
    let host = started();
    host.fail_with("kv_cas", Status::Conflict);
    assert!(host.call(exports::redact, LINE).is_ok());
    let attempts = host.calls().iter().filter(|call| *call == "kv_cas").count();
    assert_eq!(attempts, ATTEMPTS as usize);
}

#[test]
fn rules_and_mask_come_from_the_configuration() {
    let host = Host::install();
    host.set_config("rules", "email");
    host.set_config("mask", "<{kind}>");
    assert_eq!([exports::init(), exports::start()], [0, 0]);
    assert_eq!(host.call(exports::redact, LINE).unwrap(), b"192.0.2.1 <email> 192.0.2.2\n");
    assert_eq!(host.logs(), [(LogLevel::Info, "masking email with <{kind}>".to_owned())]);
}

#[test]
fn a_wrong_configuration_or_a_damaged_record_keeps_the_plugin_from_running() {
    let host = Host::install();
    host.set_config("rules", "phone");
    assert_eq!(exports::init(), Error::GENERAL);
    assert!(host.failure().unwrap().contains("\"phone\""));
    host.set_config("rules", "card");
    host.set_kv(TOTALS, b"v1 x");
    assert_eq!([exports::init(), exports::start()], [0, Error::GENERAL]);
    assert!(host.failure().unwrap().contains("damaged"));
    assert_eq!(host.call(exports::state_load, b"junk").unwrap_err().status, Error::GENERAL);
}

#[test]
fn probe_answers_what_the_host_said() {
    let host = started();
    host.deny("random");
    assert_eq!(host.call(exports::probe, b"").unwrap(), b"kv_get: ok\nrandom: denied\n");
}

#[test]
fn stats_without_storage_fails_with_the_hosts_status() {
    let host = started();
    host.deny("kv_get");
    let failure = Failure { status: -1, text: Some("kv_get: denied".into()) };
    assert_eq!(host.call(exports::stats, b"").unwrap_err(), failure);
}
