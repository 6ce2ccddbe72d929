//! Host services behind the bridge: each a handler that acts only after a permit, on the name that was decided.
//!
//! Every handler is built from what it needs, given explicitly in [`Dependencies`]; [`services`] puts them
//! together under the names guests call them by. Causes of errors name what happened, never what was passed.

mod added;
mod auth;
mod basic;
mod event;
mod files;
mod http;
mod kv;
mod metric;
mod objects;
mod plugin_call;
mod secret;
mod service;
mod settings;
mod span;
#[cfg(test)]
mod testing;

pub use added::{
    Added, Argument, ExtensionCall, ExtensionError, ExtensionHandler, MAX_ARGUMENTS, SyscallExtension,
    checked,
};
#[cfg(feature = "fuzzing")]
pub use auth::fuzzing as auth_fuzzing;
pub use auth::{Issuer, Issuers, KeySource, TokenAlgorithm};
pub use event::{EventSink, SinkFull};
pub use files::{FileDirs, FileError, FileLimits, Files};
pub use http::{
    BadRange, BadUrl, Http, HttpAccess, HttpOptions, Range, Resolve, RootsError, SystemResolver, Tls, Url,
    Vouchers,
};
pub use kv::{Kv, KvError, KvLimits, KvPersist, KvRoom, KvWrite, PersistError};
pub use metric::{Measurement, MetricLimits, MetricSink, Metrics};
pub use objects::{ObjectOptions, ObjectPlace, Objects, ObjectsError, S3Keys, S3Place};
pub use plugin_call::{MAX_CHAIN, PluginRouter, RouteError, RoutedCall, RouterSlot};
pub use secret::{SecretFailure, SecretSource, SecretValue, is_secret_name};
pub use settings::{PluginSettings, Settings};

use microkernel::syscall_bridge::SyscallHandler;
use service::{Door, Permitted};
use std::sync::Arc;

/// What the services act on.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// Stored values.
    pub kv: Arc<Kv>,
    /// Private files.
    pub files: Arc<Files>,
    /// Configuration and environment of the plugins.
    pub settings: Arc<Settings>,
    /// Measurements.
    pub metrics: Arc<Metrics>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// The way to other plugins; may be filled later.
    pub router: Arc<RouterSlot>,
    /// The client of requests.
    pub http: Arc<Http>,
    /// Secrets.
    pub secrets: Arc<dyn SecretSource>,
    /// Issuers of tokens.
    pub issuers: Arc<Issuers>,
    /// Buckets of objects.
    pub objects: Arc<Objects>,
}

/// Every service with the name of its action.
pub fn services(on: &Dependencies) -> Vec<(&'static str, Arc<dyn SyscallHandler>)> {
    compose::<Permitted>(on)
}

/// Every service behind this kind of door.
fn compose<D: Door>(on: &Dependencies) -> Vec<(&'static str, D::Handler)> {
    let mut all = vec![
        ("ping", D::put(basic::Ping)),
        ("time_now", D::put(basic::TimeNow)),
        ("time_monotonic", D::put(basic::TimeMonotonic)),
        ("time_sleep", D::put(basic::TimeSleep)),
        ("random", D::put(basic::Random)),
        ("config_get", D::put(settings::ConfigGet(on.settings.clone()))),
        ("env_get", D::put(settings::EnvGet(on.settings.clone()))),
        ("metric_record", D::put(metric::MetricRecord(on.metrics.clone()))),
        ("span_begin", D::put(span::SpanBegin)),
        ("span_end", D::put(span::SpanEnd)),
        ("event_emit", D::put(event::EventEmit(on.events.clone()))),
        ("plugin_call", D::put(plugin_call::PluginCall(on.router.clone()))),
    ];
    all.extend([
        ("http_request", D::put(http::HttpRequest { http: on.http.clone(), secrets: on.secrets.clone() })),
        ("auth_verify", D::put(auth::AuthVerify(on.issuers.clone()))),
        ("secret_reveal", D::put(secret::SecretReveal(on.secrets.clone()))),
    ]);
    all.extend(kv::services::<D>(&on.kv));
    all.extend(files::services::<D>(&on.files));
    all.extend(objects::services::<D>(&on.objects));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use microkernel::syscall_bridge::builtin_actions;
    use std::collections::BTreeSet;

    #[test]
    fn every_action_that_can_be_called_has_exactly_one_service() {
        let host = testing::Host::new();
        let services = services(&host.dependencies());
        let names: BTreeSet<&str> = services.iter().map(|s| s.0).collect();
        assert_eq!(names.len(), services.len());
        // `log` is admitted by the bridge and done by the bus, `secret_use` is a decision within a request.
        let called = |name: &&str| !["log", "secret_use"].contains(name);
        let actions: BTreeSet<&str> = builtin_actions().iter().map(|a| a.name).filter(called).collect();
        assert_eq!(names, actions);
    }
}
