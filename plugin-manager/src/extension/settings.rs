//! `config_get` and `env_get`: the calling plugin's own settings, replaced as a whole while it runs.

use super::service::{Service, invalid, plugin, required, target, text};
use arc_swap::ArcSwap;
use common::identity::{IdentityContext, Name};
use microkernel::syscall_bridge::{Call, CallError, Status, Target, list};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most bytes of a key.
const KEY_BYTES: usize = 256;

/// The settings of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginSettings {
    /// What `config_get` answers.
    pub config: BTreeMap<String, String>,
    /// What `env_get` answers.
    pub env: BTreeMap<String, String>,
}

/// The settings of every plugin, by name. Readers never wait for a change.
#[derive(Debug, Default)]
pub struct Settings(ArcSwap<BTreeMap<Name, PluginSettings>>);

impl Settings {
    /// These settings.
    pub fn new(all: BTreeMap<Name, PluginSettings>) -> Self {
        Self(ArcSwap::from_pointee(all))
    }
    /// Replaces the settings of every plugin; the next call sees them.
    pub fn replace(&self, all: BTreeMap<Name, PluginSettings>) {
        self.0.store(Arc::new(all));
    }
    /// Replaces the settings of one plugin, or with `None` removes them.
    pub fn set(&self, plugin: &Name, settings: Option<PluginSettings>) {
        self.0.rcu(|all| {
            let mut all = BTreeMap::clone(all);
            match &settings {
                Some(settings) => all.insert(plugin.clone(), settings.clone()),
                None => all.remove(plugin),
            };
            all
        });
    }
    /// The settings of one plugin; empty when it has none.
    pub fn of(&self, plugin: &Name) -> PluginSettings {
        self.0.load().get(plugin).cloned().unwrap_or_default()
    }

    fn answer(
        &self,
        call: Call<'_>,
        section: fn(&PluginSettings) -> &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let all = self.0.load();
        let value = all.get(&plugin(call.identity)?.name).and_then(|own| section(own).get(call.target));
        let value = value.ok_or_else(|| CallError::new(Status::NotFound, "not set"))?;
        call.response.extend_from_slice(value.as_bytes());
        Ok(())
    }
}

/// Answers a value of the plugin's `config` section.
pub(super) struct ConfigGet(pub(super) Arc<Settings>);

impl Service for ConfigGet {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        key(args).map(|key| target(key, true))
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        self.0.answer(call, |own| &own.config)
    }
}

/// Answers a variable of the plugin's `env` section.
pub(super) struct EnvGet(pub(super) Arc<Settings>);

impl Service for EnvGet {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        key(args).map(|key| target(key, false))
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        self.0.answer(call, |own| &own.env)
    }
}

fn key(args: &[u8]) -> Result<&str, CallError> {
    let [key] = list::<1>(args, 1)?;
    let key = text(required(key)?)?;
    if key.is_empty() || key.len() > KEY_BYTES || key.contains(char::is_control) {
        return Err(invalid("a key has 1 to 256 bytes and no control character"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Host, args};
    use super::*;

    fn own(key: &str, config: &str, env: &str) -> PluginSettings {
        let one = |value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        PluginSettings { config: one(config), env: one(env) }
    }

    #[test]
    fn each_plugin_reads_its_own_sections_and_sees_changes_at_once() {
        let host = Host::new();
        let (me, other) = (host.name(), Name::new("other").unwrap());
        host.settings
            .replace(BTreeMap::from([(me.clone(), own("k", "c", "e")), (other, own("x", "y", "z"))]));
        assert_eq!(host.call("config_get", args().arg("k")), Ok(b"c".to_vec()));
        assert_eq!(host.call("env_get", args().arg("k")), Ok(b"e".to_vec()));
        assert_eq!(host.call("config_get", args().arg("x")), Err(Status::NotFound));
        host.settings.set(&me, Some(own("k", "", "e")));
        assert_eq!(host.call("config_get", args().arg("k")), Ok(Vec::new()));
        host.settings.set(&me, None);
        assert_eq!(host.call("env_get", args().arg("k")), Err(Status::NotFound));
        assert_eq!(host.settings.of(&me), PluginSettings::default());
    }

    #[test]
    fn keys_that_are_none_are_invalid() {
        let host = Host::new();
        let long = "k".repeat(KEY_BYTES + 1);
        for service in ["config_get", "env_get"] {
            for bad in [&b""[..], b"\xff", b"a\0b", b"a\nb", long.as_bytes()] {
                assert_eq!(host.call(service, args().arg(bad)), Err(Status::Invalid), "{bad:?}");
            }
            assert_eq!(host.call(service, args()), Err(Status::Invalid));
            assert_eq!(host.call(service, args().arg("a").arg("b")), Err(Status::Invalid));
            assert_eq!(host.call(service, args().arg(&long[1..])), Err(Status::NotFound));
        }
    }

    #[test]
    fn config_is_the_plugins_own_and_variables_are_named_by_policy() {
        let host = Host::new();
        assert!(host.target("config_get", args().arg("k")).unwrap().1);
        assert_eq!(host.target("env_get", args().arg("k")), Ok(("k".into(), false)));
    }
}
