//! `forgeone.lock`: which plugins are installed, with the digests of their packages, as text that is the same for the
//! same plugins. Reading and writing the text; no file is touched here.

use crate::resolver::{Candidate, HostVersions};
use crate::store::InstalledPlugin;
use common::error::{ForgeError, codes};
use common::identity::{Digest, Name, Publisher};
use semver::{Version, VersionReq};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

/// The version of the text this build writes and reads.
const VERSION: u32 = 1;

const HEAD: &str = "\
# What is installed in this home, with the digests of its packages. forgeone writes this file with every change. Where
# the two differ what is installed decides, and `forgeone deps lock` writes the file anew.
";

/// What a lock file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lock {
    pub plugins: BTreeMap<Name, LockedPlugin>,
}

/// One plugin of a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockedPlugin {
    pub version: Version,
    pub publisher: Publisher,
    /// The digest of the package file.
    pub package: Digest,
    /// The digest of the manifest.
    pub manifest: Digest,
    pub needs: BTreeMap<Name, LockedNeed>,
}

/// One requirement, and the version that meets it; none is known of what the program itself brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockedNeed {
    pub wants: VersionReq,
    pub found: Option<Version>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLock {
    version: u32,
    #[serde(default)]
    plugin: Vec<RawPlugin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlugin {
    name: String,
    version: Version,
    publisher: String,
    package: String,
    manifest: String,
    #[serde(default)]
    needs: Vec<RawNeed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNeed {
    name: String,
    wants: VersionReq,
    found: Option<Version>,
}

impl Lock {
    /// What these installed packages make.
    pub fn of(rows: &[Arc<InstalledPlugin>], candidates: &[Arc<Candidate>], host: &HostVersions) -> Self {
        let there: HashMap<&Name, &Version> = candidates.iter().map(|c| (&c.name, &c.version)).collect();
        let found = |name: &Name| host.version_of(name).or_else(|| there.get(name).copied()).cloned();
        let need = |(name, wants): (&Name, &VersionReq)| {
            (name.clone(), LockedNeed { wants: wants.clone(), found: found(name) })
        };
        let plugins = candidates.iter().zip(rows).map(|(candidate, row)| {
            let locked = LockedPlugin {
                version: candidate.version.clone(),
                publisher: candidate.publisher.clone(),
                package: row.plugin.package,
                manifest: row.plugin.manifest,
                needs: candidate.dependencies.iter().map(need).collect(),
            };
            (candidate.name.clone(), locked)
        });
        Self { plugins: plugins.collect() }
    }

    /// The text: plugins and their requirements by name.
    #[cfg(test)]
    pub fn text(&self) -> String {
        let mut text = head();
        for (name, plugin) in &self.plugins {
            let LockedPlugin { version, publisher, package, manifest, needs } = plugin;
            let needs = needs.iter().map(|(on, need)| (on, &need.wants, need.found.as_ref()));
            write_plugin(&mut text, (name, version, publisher), (package, manifest), needs);
        }
        text
    }

    /// The text of [`Lock::of`], without making one.
    pub fn text_of(
        rows: &[Arc<InstalledPlugin>],
        candidates: &[Arc<Candidate>],
        host: &HostVersions,
    ) -> String {
        let there: HashMap<&Name, &Version> = candidates.iter().map(|c| (&c.name, &c.version)).collect();
        let mut text = head();
        for (Candidate { name, publisher, version, dependencies }, row) in
            candidates.iter().map(|c| &**c).zip(rows)
        {
            let found = |on| host.version_of(on).or_else(|| there.get(on).copied());
            let needs = dependencies.iter().map(|(on, wants)| (on, wants, found(on)));
            let digests = (&row.plugin.package, &row.plugin.manifest);
            write_plugin(&mut text, (name, version, publisher), digests, needs);
        }
        text
    }

    /// Reads the text, whose file is `named` in errors.
    ///
    /// # Errors
    /// E1606 for a text that is none of this version, or names a plugin twice.
    pub fn parse(named: &str, text: &str) -> Result<Self, ForgeError> {
        let unfit =
            |why: String| ForgeError::new(&codes::E1606, format!("{named} is no lock file")).reason(why);
        let raw: RawLock = toml::from_str(text).map_err(|e| unfit(e.message().to_owned()))?;
        if raw.version != VERSION {
            return Err(unfit(format!("it has version {}, this build reads {VERSION}", raw.version)));
        }
        let mut plugins = BTreeMap::new();
        for plugin in raw.plugin {
            let (name, locked) = plugin.read().map_err(unfit)?;
            if plugins.insert(name.clone(), locked).is_some() {
                return Err(unfit(format!("it names {name} twice")));
            }
        }
        Ok(Self { plugins })
    }

    /// How this differs from what is installed, a line for each plugin.
    pub fn differences(&self, installed: &Self) -> Vec<String> {
        let gone = self.plugins.iter().filter(|(name, _)| !installed.plugins.contains_key(*name));
        let gone = gone.map(|(name, locked)| {
            (name, format!("{name} {} is in the lock file and not installed", locked.version))
        });
        let others = installed.plugins.iter().filter_map(|(name, now)| match self.plugins.get(name) {
            None => Some((name, format!("{name} {} is installed and not in the lock file", now.version))),
            Some(locked) if locked == now => None,
            Some(locked) if locked.version != now.version => Some((
                name,
                format!("{name} is installed at {}; the lock file has {}", now.version, locked.version),
            )),
            Some(locked) if (locked.package, &locked.publisher) != (now.package, &now.publisher) => Some((
                name,
                format!("{name} {} is installed from another package than the lock file has", now.version),
            )),
            Some(_) => Some((name, format!("what {name} needs is not what the lock file has"))),
        });
        let mut lines: Vec<(&Name, String)> = gone.chain(others).collect();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

fn head() -> String {
    format!("{HEAD}version = {VERSION}\n")
}

/// Adds one plugin. Writing to a text cannot fail; names, versions and digests have no character that TOML escapes.
fn write_plugin<'a>(
    text: &mut String,
    (name, version, publisher): (&Name, &Version, &Publisher),
    (package, manifest): (&Digest, &Digest),
    needs: impl Iterator<Item = (&'a Name, &'a VersionReq, Option<&'a Version>)>,
) {
    let _ = write!(
        text,
        "\n[[plugin]]\nname = \"{name}\"\nversion = \"{version}\"\npublisher = \"{publisher}\"\n\
         package = \"{package}\"\nmanifest = \"{manifest}\"\n"
    );
    let mut some = false;
    for (on, wants, found) in needs {
        text.push_str(if some { "" } else { "needs = [\n" });
        some = true;
        let _ = write!(text, "  {{ name = \"{on}\", wants = \"{wants}\"");
        if let Some(found) = found {
            let _ = write!(text, ", found = \"{found}\"");
        }
        text.push_str(" },\n");
    }
    text.push_str(if some { "]\n" } else { "" });
}

impl RawPlugin {
    fn read(self) -> Result<(Name, LockedPlugin), String> {
        let name = Name::new(&self.name).map_err(|e| e.to_string())?;
        let digest = |text: &str| text.parse::<Digest>().map_err(|e| format!("{name}: {e}"));
        let mut needs = BTreeMap::new();
        for RawNeed { name: on, wants, found } in self.needs {
            let on = Name::new(&on).map_err(|e| e.to_string())?;
            needs.insert(on, LockedNeed { wants, found });
        }
        let locked = LockedPlugin {
            version: self.version,
            publisher: Publisher::new(&self.publisher).map_err(|e| format!("{name}: {e}"))?,
            package: digest(&self.package)?,
            manifest: digest(&self.manifest)?,
            needs,
        };
        Ok((name, locked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Lock {
        let plugin = |version: &str, needs: &[(&str, &str, Option<&str>)]| LockedPlugin {
            version: version.parse().unwrap(),
            publisher: Publisher::new("acme").unwrap(),
            package: Digest::of(version.as_bytes()),
            manifest: Digest::of(b"manifest"),
            needs: needs
                .iter()
                .map(|(on, wants, found)| {
                    let need = LockedNeed {
                        wants: wants.parse().unwrap(),
                        found: found.map(|f| f.parse().unwrap()),
                    };
                    (Name::new(on).unwrap(), need)
                })
                .collect(),
        };
        let front = plugin("2.0.0-rc.1+b5", &[("back", ">=1.2, <2", Some("1.4.2")), ("own", "*", None)]);
        let plugins = [("front", front), ("back", plugin("1.4.2", &[("common", "^1", Some("1.0.0"))]))];
        Lock { plugins: plugins.into_iter().map(|(name, p)| (Name::new(name).unwrap(), p)).collect() }
    }

    #[test]
    fn the_text_is_read_back_and_shown_for_people() {
        let text = sample().text();
        assert_eq!(Lock::parse("x", &text).unwrap(), sample());
        let digest = Digest::of(b"manifest");
        let needs = "needs = [\n  { name = \"back\", wants = \">=1.2, <2\", found = \"1.4.2\" },\n  { name = \"own\", wants = \"*\" },\n]\n";
        assert!(text.ends_with(&format!("manifest = \"{digest}\"\n{needs}")), "{text}");
        assert_eq!(Lock::parse("x", &Lock::default().text()).unwrap(), Lock::default());
    }

    #[test]
    fn what_is_no_lock_file_is_told_why() {
        let text = sample().text();
        let name = "name = \"front\"";
        for (from, to, why) in [
            ("version = 1", "version = 2", "it has version 2"),
            (name, "name = \"back\"", "it names back twice"),
            (name, "name = \"../x\"", "name"),
            ("sha256:", "md5:", ""),
            ("publisher", "author", "unknown field"),
            ("wants", "wanted", "unknown field"),
            ("version = 1\n", "", "version"),
        ] {
            let error = Lock::parse("x", &text.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.code(), &codes::E1606);
            assert!(error.reasons()[0].contains(why), "{to}: {:?}", error.reasons());
        }
    }

    #[test]
    fn differences_are_told_by_name() {
        let (file, mut now) = (sample(), sample());
        assert!(file.differences(&now).is_empty());
        let moved = now.plugins.get_mut(&Name::new("back").unwrap()).unwrap();
        moved.version = Version::new(1, 5, 0);
        let front = now.plugins.remove(&Name::new("front").unwrap()).unwrap();
        now.plugins.insert(Name::new("other").unwrap(), front);
        assert_eq!(
            file.differences(&now),
            [
                "back is installed at 1.5.0; the lock file has 1.4.2",
                "front 2.0.0-rc.1+b5 is in the lock file and not installed",
                "other 2.0.0-rc.1+b5 is installed and not in the lock file",
            ]
        );
        let mut other = sample();
        other.plugins.get_mut(&Name::new("front").unwrap()).unwrap().package = Digest::of(b"else");
        assert!(file.differences(&other)[0].contains("from another package"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,400}") {
            let _ = Lock::parse("x", &text);
        }
    }
}
