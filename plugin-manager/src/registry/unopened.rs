//! What can be said of a home that cannot be opened: each part that is read to open it, looked at by itself.

use super::doctor::{home_probe, keys_probe};
use super::judge::briefly;
use super::report::Probe;
use super::sources;
use crate::config::Config;
use common::error::ForgeError;
use common::words::counted;
use microkernel::syscall_bridge::builtin_actions;
use std::path::Path;

/// Looks at the configuration, the home, its keys, its trust and its policies without opening it. `error` is why it
/// cannot be opened, and has a line of its own where none of these is the reason.
pub fn doctor_unopened(home: &Path, config: Option<&Path>, error: &ForgeError) -> Vec<Probe> {
    let read = sources::config(home, config);
    let mut probes = vec![
        probe("configuration", read.as_ref().map(said_of).map_err(told)),
        home_probe(home),
        keys_probe(&home.join("keys")),
        trust_probe(home),
        probe("policies", policies(home, &read.unwrap_or_default())),
    ];
    if probes.iter().all(|probe| probe.verdict != "problem") {
        probes.push(probe("opening", Err(told(error))));
    }
    probes
}

fn probe(name: &str, seen: Result<String, String>) -> Probe {
    let (verdict, detail) = seen.map_or_else(|why| ("problem", why), |detail| ("ok", detail));
    Probe { name: name.to_owned(), verdict, detail }
}

fn told(error: &ForgeError) -> String {
    format!("{}: {}", error.code().id, briefly(error))
}

fn said_of(config: &Config) -> String {
    format!("valid; the environment is {}", config.environment.name())
}

fn trust_probe(home: &Path) -> Probe {
    probe(
        "trust",
        match sources::trust(&home.join("trust")) {
            Ok(Some(trust)) => Ok(format!("{} trusted", counted(trust.anchors().len(), "anchor"))),
            Ok(None) => Ok("there is no trust/trust.toml".to_owned()),
            Err(error) => Err(told(&error)),
        },
    )
}

fn policies(home: &Path, config: &Config) -> Result<String, String> {
    let dir = home.join("trust/policy");
    let files = sources::policies(&dir).map_err(|e| told(&e))?;
    let actions: Vec<_> = builtin_actions();
    let made = sources::evaluator(&actions, &dir, &files, config);
    made.map(|_| format!("{}, valid", counted(files.len(), "file"))).map_err(|e| told(&e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::error::codes;
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    fn problems(home: &Path) -> Vec<String> {
        let error = ForgeError::new(&codes::E0003, "the database is gone");
        let probes = doctor_unopened(home, None, &error);
        probes
            .into_iter()
            .filter(|p| p.verdict == "problem")
            .map(|p| format!("{}: {}", p.name, p.detail))
            .collect()
    }

    #[test]
    fn each_part_that_keeps_a_home_from_opening_has_its_line_and_the_others_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        set_permissions(home, Permissions::from_mode(0o700)).unwrap();
        std::fs::create_dir_all(home.join("trust/policy")).unwrap();
        assert_eq!(problems(home), ["opening: E0003: the database is gone"]);

        write(home.join("plugin-manager.yaml"), "plugin_manager: { max_plugin: 3 }").unwrap();
        write(home.join("trust/policy/a.cedar"), "permit(").unwrap();
        write(home.join("trust/trust.toml"), "version = 2").unwrap();
        set_permissions(home, Permissions::from_mode(0o770)).unwrap();
        let found = problems(home);
        let begins: Vec<&str> = found.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(begins, ["configuration", "home", "trust", "policies"], "{found:?}");
        assert!(
            found[0].contains("E0102") && found[1].contains("chmod 700") && found[3].contains("a.cedar"),
            "{found:?}"
        );
    }

    #[test]
    fn a_private_key_that_others_can_read_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("acme.key.pem");
        write(&key, "").unwrap();
        set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(keys_probe(dir.path()).verdict, "ok");
        set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        let seen = keys_probe(dir.path());
        assert!(seen.verdict == "problem" && seen.detail.contains("acme.key.pem"), "{seen:?}");
    }
}
