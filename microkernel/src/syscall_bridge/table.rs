//! The table of actions: each syscall's name, what it needs, its resource and its class of record.

use crate::trust::ResourceKind;
use common::audit::RecordClass;
use common::permission::Capability;

/// The index of an action in its bridge's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ActionId(pub(crate) u16);

impl ActionId {
    /// The index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One action a plugin can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its name, as guests spell it.
    pub name: &'static str,
    /// Every capability it needs; none for what everyone may do.
    pub needs: &'static [Capability],
    /// The kind of resource it touches.
    pub resource: ResourceKind,
    /// How it is recorded.
    pub class: RecordClass,
}

const fn action(
    name: &'static str,
    needs: &'static [Capability],
    resource: ResourceKind,
    class: RecordClass,
) -> Action {
    Action { name, needs, resource, class }
}

/// The actions of ABI 1 in this build, in the order of the contract's table.
pub fn builtin_actions() -> Vec<Action> {
    use Capability as C;
    use RecordClass as R;
    use ResourceKind as K;
    vec![
        action("log", &[], K::None, R::C),
        action("ping", &[], K::None, R::C),
        action("file_read", &[C::FilesystemRead], K::Path, R::C),
        action("file_write", &[C::FilesystemWrite], K::Path, R::B),
        action("file_append", &[C::FilesystemWrite], K::Path, R::B),
        action("file_stat", &[C::FilesystemRead], K::Path, R::C),
        action("file_list", &[C::FilesystemList], K::Path, R::C),
        action("file_delete", &[C::FilesystemDelete], K::Path, R::B),
        action("kv_get", &[C::StorageGet], K::Key, R::C),
        action("kv_set", &[C::StorageSet], K::Key, R::B),
        action("kv_delete", &[C::StorageDelete], K::Key, R::B),
        action("kv_list", &[C::StorageList], K::Key, R::C),
        action("kv_cas", &[C::StorageGet, C::StorageSet], K::Key, R::B),
        action("object_get", &[C::ObjectsGet], K::Object, R::C),
        action("object_put", &[C::ObjectsPut], K::Object, R::B),
        action("object_list", &[C::ObjectsList], K::Object, R::C),
        action("object_delete", &[C::ObjectsDelete], K::Object, R::B),
        action("http_request", &[C::NetworkConnect], K::Host, R::B),
        // Not a call of its own: decided when a request fills a secret in.
        action("secret_use", &[C::SecretsUse], K::Secret, R::B),
        action("secret_reveal", &[C::SecretsReveal], K::Secret, R::B),
        action("auth_verify", &[C::AuthVerify], K::Token, R::B),
        action("metric_record", &[C::ObservabilityMetric], K::Metric, R::C),
        action("span_begin", &[C::ObservabilityTrace], K::None, R::C),
        action("span_end", &[C::ObservabilityTrace], K::None, R::C),
        action("event_emit", &[C::ObservabilityEvent], K::Event, R::B),
        action("plugin_call", &[C::PluginsCall], K::Plugin, R::B),
        action("time_now", &[C::ClockNow], K::None, R::C),
        action("random", &[C::RandomBytes], K::None, R::C),
        action("config_get", &[], K::Setting, R::C),
        action("env_get", &[C::EnvRead], K::Variable, R::C),
        action("file_open", &[C::FilesystemWrite], K::Path, R::B),
        action("file_write_at", &[C::FilesystemWrite], K::Path, R::B),
        action("file_resize", &[C::FilesystemWrite], K::Path, R::B),
        action("file_sync", &[C::FilesystemWrite], K::Path, R::C),
        action("file_rename_from", &[C::FilesystemRead, C::FilesystemDelete], K::Path, R::B),
        action("file_rename_to", &[C::FilesystemWrite], K::Path, R::B),
        action("dir_create", &[C::FilesystemWrite], K::Path, R::B),
        action("time_monotonic", &[C::ClockNow], K::None, R::C),
        action("time_sleep", &[C::ClockNow], K::None, R::C),
    ]
}
