//! Which calls could carry out what an instance has read. Total: a kind nobody thought of carries out.

use super::{Resource, ResourceKind};
use crate::syscall_bridge::Action;
use common::audit::RecordClass;

/// The families whose calls of class C stay within the host: they read, or change nothing.
const WITHIN: [&str; 8] = ["filesystem", "storage", "secrets", "env", "config", "clock", "random", "auth"];

/// Whether this call could take something out of the instance and its own private area: it has an effect outside
/// the instance, or it hands data to whoever watches metrics, events, hosts or other plugins. `log` does not: its
/// lines go to the host's own files.
pub(super) fn carries_out(action: &Action, resource: &Resource<'_>) -> bool {
    if resource.private {
        return false;
    }
    let leaves = match resource.kind {
        // Asking a store for an object tells it the name that was asked for.
        ResourceKind::Host
        | ResourceKind::Object
        | ResourceKind::Plugin
        | ResourceKind::Metric
        | ResourceKind::Event => true,
        ResourceKind::None
        | ResourceKind::Path
        | ResourceKind::Key
        | ResourceKind::Secret
        | ResourceKind::Variable
        | ResourceKind::Setting
        | ResourceKind::Token => false,
    };
    let strays = action.needs.iter().any(|need| !WITHIN.contains(&need.family()));
    // A token is verified within the host; it is recorded one by one because somebody is believed for it.
    let acts = action.class != RecordClass::C && resource.kind != ResourceKind::Token;
    leaves || strays || acts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall_bridge::builtin_actions;

    #[test]
    fn of_the_calls_of_this_build_these_carry_out() {
        let carrying = |private: bool| -> Vec<&str> {
            let on = |a: &Action| Resource { kind: a.resource, name: "x", private };
            builtin_actions().iter().filter(|a| carries_out(a, &on(a))).map(|a| a.name).collect()
        };
        let named = carrying(false);
        let expected = [
            "file_write",
            "file_append",
            "file_delete",
            "kv_set",
            "kv_delete",
            "kv_cas",
            "object_get",
            "object_put",
            "object_list",
            "object_delete",
            "metric_record",
            "event_emit",
            "plugin_call",
        ];
        assert!(expected.iter().all(|name| named.contains(name)), "{named:?}");
        for stays in [
            "log",
            "ping",
            "file_read",
            "kv_get",
            "kv_list",
            "time_now",
            "random",
            "config_get",
            "env_get",
            "auth_verify",
        ] {
            assert!(!named.contains(&stays), "{stays}");
        }
        assert!(carrying(true).is_empty(), "the private area is the plugin's own");
    }
}
