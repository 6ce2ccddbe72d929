//! Makes every host call once through the SDK, and answers how each ended.

use std::collections::BTreeMap;

use forgeone_pdk::http::Request;
use forgeone_pdk::{
    Error, Json, Plugin, Stateful, clock, config, debug, env, export_plugin, file, json, kv, metric, object,
    ping, plugins, random, secret, trace,
};
use serde::{Deserialize, Serialize};

/// What `visit` takes.
#[derive(Debug, Deserialize)]
struct Route {
    /// Which calls: those whose names begin with this word. All of them when there is none.
    #[serde(default)]
    only: String,
}

/// What `visit` answers: the calls and how each ended.
type Visited = BTreeMap<&'static str, String>;

/// The plugin between calls, and the state that is carried over.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Tour {
    visits: u64,
}

impl Plugin for Tour {}

impl Stateful for Tour {
    fn save(&mut self) -> Result<Vec<u8>, Error> {
        json::to_vec(self)
    }

    fn load(&mut self, state: &[u8]) -> Result<(), Error> {
        *self = json::from_slice(state)?;
        Ok(())
    }
}

/// One stop: the name of a host call, and the call.
type Stop = (&'static str, fn() -> Result<String, Error>);

/// In this order: a stop may read what the one before it wrote.
const STOPS: [Stop; 28] = [
    ("ping", || ping().map(|()| "pong".to_owned()).map_err(Error::from)),
    ("kv_set", || done(kv::set("tour/a", b"1"))),
    ("kv_get", || Ok(format!("{:?}", kv::get("tour/a")?))),
    ("kv_cas", || Ok(kv::cas("tour/a", Some(b"1"), b"2")?.to_string())),
    ("kv_list", || Ok(kv::list("tour/", None, Some(10))?.join(","))),
    ("kv_delete", || done(kv::delete("tour/a"))),
    ("file_write", || done(file::write("/data/tour.txt", b"hello"))),
    ("file_append", || done(file::append("/data/tour.txt", b" world"))),
    ("file_read", || Ok(String::from_utf8_lossy(&file::read_at("/data/tour.txt", 4, 3)?).into_owned())),
    ("file_stat", || {
        let stat = file::stat("/data/tour.txt")?;
        Ok(format!("{} bytes, {:?}", stat.size, stat.kind))
    }),
    ("file_list", || Ok(file::list("/data")?.join(","))),
    ("file_delete", || done(file::delete("/data/tour.txt"))),
    ("config_get", || Ok(config::parse::<u64>("most")?.map_or("none".to_owned(), |most| most.to_string()))),
    ("env_get", || Ok(env::get("TOUR")?.unwrap_or_else(|| "none".to_owned()))),
    ("time_now", || Ok((clock::now()? > 0).to_string())),
    ("random", || {
        let mut bytes = [0; 32];
        random::fill(&mut bytes)?;
        Ok((bytes != [0; 32]).to_string())
    }),
    ("metric_record", || {
        metric::counter("tour_stops_total", 1.0, &[("kind", "metric")])?;
        metric::gauge("tour_depth", 0.5, &[])?;
        done(metric::histogram("tour_seconds", 0.25, &[]))
    }),
    ("event_emit", || {
        json::emit("tour.visited", &json::json!({"stop": "event_emit"})).map(|()| "done".to_owned())
    }),
    ("span_begin", || {
        // Left open: it ends with the visit, or when the next stop ends it.
        let span = std::mem::ManuallyDrop::new(trace::span("tour", &[("stop", "span_begin")])?);
        Ok(span.traceparent().starts_with("00-").to_string())
    }),
    ("span_end", || {
        let span = trace::span("tour", &[])?;
        done(span.end())
    }),
    ("object_put", || done(object::put("tour/a", b"hello"))),
    ("object_get", || Ok(format!("{:?}", object::get_at("tour/a", 1, 1)?))),
    ("object_list", || Ok(object::list("tour", None, None)?.join(","))),
    ("object_delete", || done(object::delete("tour/a"))),
    ("plugin_call", || json::call::<String>("echo", "say", &"hello")),
    ("http_request", || Ok(Request::get("https://example.com/").send()?.status().to_string())),
    ("secret_reveal", || done(secret::reveal("tour").map(drop))),
    ("auth_verify", || json::claims::<json::Value>("no token").map(|claims| claims.to_string())),
];

fn done(result: Result<(), impl Into<Error>>) -> Result<String, Error> {
    result.map(|()| "done".to_owned()).map_err(Into::into)
}

impl Tour {
    /// Makes the calls of a route.
    fn visit(&mut self, Json(route): Json<Route>) -> Result<Json<Visited>, Error> {
        self.visits += 1;
        let stops = STOPS.iter().filter(|(name, _)| name.starts_with(&route.only));
        let visited: Visited = stops
            .map(|(name, call)| (*name, call().unwrap_or_else(|error| error.message().to_owned())))
            .collect();
        debug!("{} stops", visited.len());
        match visited.is_empty() {
            true => Err(Error::new(1, format_args!("no host call begins with {:?}", route.only))),
            false => Ok(Json(visited)),
        }
    }

    /// Answers how many visits there were.
    fn visits(&self) -> Result<Json<u64>, Error> {
        Ok(Json(self.visits))
    }
}

export_plugin!(Tour, operations: [visit, visits], state);

#[cfg(test)]
mod tests {
    use super::exports;
    use forgeone_pdk::testing::Host;

    fn started() -> Host {
        let host = Host::install();
        host.step(exports::init).unwrap();
        host.step(exports::start).unwrap();
        host
    }

    #[test]
    fn every_call_of_the_contract_is_a_stop_and_each_is_made_once() {
        let host = started();
        host.set_time(1);
        host.plugin("echo", "say", |input| Ok(input.to_vec()));
        host.call(exports::visit, b"{}").unwrap();
        let mut made = host.calls();
        made.sort();
        made.dedup();
        assert_eq!(made.len(), super::STOPS.len(), "{made:?}");
    }

    #[test]
    fn a_denied_stop_is_told_and_the_others_are_made() {
        let host = started();
        host.deny("kv_set");
        let answer = host.call(exports::visit, br#"{"only":"kv_"}"#).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains(r#""kv_set":"kv_set: denied""#), "{answer}");
        assert!(answer.contains(r#""kv_list":"""#), "{answer}");
    }

    #[test]
    fn what_is_no_route_never_leaves() {
        let host = started();
        let refused = host.call(exports::visit, b"home").unwrap_err();
        assert_eq!(refused.status, forgeone_pdk::Error::INVALID_INPUT);
        assert_eq!(host.call(exports::visit, br#"{"only":"teleport"}"#).unwrap_err().status, 1);
    }

    #[test]
    fn visits_are_carried_over() {
        let host = started();
        host.call(exports::visit, b"{}").unwrap();
        let state = host.save(exports::state_save).unwrap();
        let host = started();
        host.load(exports::state_load, &state).unwrap();
        assert_eq!(host.call(exports::visits, b"").unwrap(), b"1");
    }
}
