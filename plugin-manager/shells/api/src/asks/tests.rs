//! What a policy forbids an operator is not done, whatever verb asks for it: no question has a way around the evaluator.

use super::*;
use crate::wire;
use common::error::ErrorClass;
use plugin_manager::test_utils::echo_package;
use plugin_manager::{InstallRequest, PluginManager};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every question that there is, with what makes it meaningful in the home of these tests.
fn every_question(home: &Path) -> Vec<(Request, Vec<u8>)> {
    let (name, version) = (|| "echo".to_owned(), |v: &str| echo_package("echo", v).unwrap());
    let turn = |verb| (Turn { name: name(), verb }.into(), Vec::new());
    let upgrade =
        Upgrade { allow_downgrade: false, accept_permissions: true, check: None, trial: None, drain: None };
    let install_all = InstallAll {
        request: InstallRequest {
            packages: vec![home.join("other.forgepkg")],
            start: true,
            ..Default::default()
        },
        dry_run: false,
    };
    let issue = KeysIssue {
        publisher: "acme".into(),
        ed25519: false,
        days: 10,
        development: false,
        packages: vec!["*".into()],
        roles: None,
    };
    let setting =
        SetSetting { name: name(), section: "config".into(), key: "k".into(), value: Some("v".into()) };
    let stage = Stage { calls: Some(1), time: None, stager: None, dry_run: true };
    let review = Review { plugin: Some(name()), by: None, note: None };
    let none = Vec::new;
    vec![
        (Install { start: true }.into(), echo_package("new", "1.0.0").unwrap()),
        (install_all.into(), none()),
        (upgrade.into(), version("2.0.0")),
        (Rollback { name: name(), to: None }.into(), none()),
        (Remove { name: name(), keep_data: false }.into(), none()),
        turn(Verb::Start),
        turn(Verb::Stop),
        turn(Verb::Pause),
        turn(Verb::Resume),
        turn(Verb::Release),
        (Call { name: name(), operation: "echo".into(), timeout: None }.into(), b"x".to_vec()),
        (Approve { name: name(), version: None }.into(), none()),
        (Reject { name: name(), version: None }.into(), none()),
        (Pending { name: None }.into(), none()),
        (Promote { name: name() }.into(), none()),
        (Abandon { name: name() }.into(), none()),
        (CheckLock {}.into(), none()),
        (Relock {}.into(), none()),
        (List {}.into(), none()),
        (Status { name: name() }.into(), none()),
        (StatusOfAll {}.into(), none()),
        (Logs { name: name(), lines: 5 }.into(), none()),
        (Doctor {}.into(), none()),
        (DependenciesOf {}.into(), wire::list(std::iter::empty())),
        (Settings { name: name() }.into(), none()),
        (setting.into(), none()),
        (SetSecret { name: "token".into() }.into(), b"hush".to_vec()),
        (RemoveSecret { name: "kept".into() }.into(), none()),
        (SecretNames {}.into(), none()),
        (KeysInit { name: "other".into(), development: false }.into(), none()),
        (issue.into(), none()),
        (KeysNotary {}.into(), none()),
        (KeysRevoke { who: Some("ada".into()), serial: None, kill: true, days: 5 }.into(), none()),
        (stage.into(), version("3.0.0")),
        (review.into(), none()),
        (Review { plugin: None, by: None, note: None }.into(), none()),
        (Reviews {}.into(), none()),
        (KeysRotate { who: "ada".into(), days: 5 }.into(), none()),
        (KeysProtect { who: Some("ada".into()) }.into(), none()),
        (ErasePerson { name: "bob".into() }.into(), none()),
    ]
}

/// The one question that every operator may ask: what is wrong with the host has to be told to whoever mends it. It
/// names no plugin but those whose class fell, and changes nothing.
const FREE: [&str; 1] = ["Doctor"];

/// A home with a plugin that runs and was upgraded once, a secret, and an authority with a publisher.
fn home() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let security = "security: { verify_signatures: false, namespace_isolation: false }";
    let config = format!("plugin_manager:\n  environment: development\n  {security}\n");
    std::fs::write(dir.path().join("plugin-manager.yaml"), config).unwrap();
    let manager = open(dir.path());
    manager.install(&echo_package("echo", "1.0.0").unwrap(), true).unwrap();
    let newer = echo_package("echo", "1.1.0").unwrap();
    manager.upgrade(&newer, &plugin_manager::UpgradeOptions::default()).unwrap();
    manager.set_secret("kept", &plugin_manager::SecretValue::new(b"v".to_vec())).unwrap();
    let ask = |ask: Request| ask.execute_while(&manager, Vec::new(), &CancelToken::new()).unwrap();
    ask(KeysInit { name: "root".into(), development: false }.into());
    let (packages, publisher) = (vec!["*".into()], "ada".into());
    ask(KeysIssue { publisher, ed25519: true, days: 9, development: false, packages, roles: None }.into());
    manager.shutdown().unwrap();
    std::fs::write(dir.path().join("other.forgepkg"), echo_package("other", "1.0.0").unwrap()).unwrap();
    dir
}

fn open(home: &Path) -> PluginManager {
    PluginManager::builder().home(home).operator("ada").open().unwrap()
}

/// Every file of the home but its log, its database and what the running host holds open, with its bytes.
fn files(home: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut below = vec![home.to_owned()];
    while let Some(dir) = below.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let passing =
                ["audit", "run", "tmp", "logs", "state.redb"].iter().any(|part| entry.ends_with(part));
            match entry.is_dir() {
                _ if passing => {}
                true => below.push(entry),
                false => drop(all.insert(entry.clone(), std::fs::read(&entry).unwrap_or_default())),
            }
        }
    }
    all
}

/// What the host says of itself, by who may ask.
fn told(manager: &PluginManager) -> String {
    let plugins = manager.list().unwrap();
    let told = plugins.iter().map(|p| {
        format!("{} {} {} {} {:?} {:?} {}", p.name, p.version, p.state, p.desired, p.kept, p.pending, p.calls)
    });
    let settings = manager.settings("echo").unwrap();
    format!("{:?} {settings:?} {:?}", told.collect::<Vec<_>>(), manager.secret_names().unwrap())
}

#[test]
fn no_question_is_answered_to_an_operator_whom_a_policy_forbids_it_and_nothing_is_done() {
    let dir = home();
    let forbid =
        "@id(\"shut\") forbid(principal == Operator::\"eve\", action in Action::\"management.*\", resource);";
    std::fs::write(dir.path().join("trust/policy/shut.cedar"), forbid).unwrap();
    let ada = open(dir.path());
    ada.start("echo").unwrap();
    let eve = common::identity::IdentityContext::operator("eve");
    let eve = ada.acting_as(&plugin_manager::TrustContext::new(&eve));
    let before = (told(&ada), files(dir.path()));
    let mut asked = Vec::new();
    for (request, body) in every_question(dir.path()) {
        let name = request.name();
        let answer = request.execute_while(&eve, body, &CancelToken::new());
        if FREE.contains(&name) {
            assert!(answer.is_ok(), "{name}");
        } else {
            let error = answer.expect_err(name);
            assert_eq!((error.class(), error.code().id), (ErrorClass::Denied, "E2001"), "{name}: {error}");
            assert_eq!(told(&ada), before.0, "{name} had an effect");
        }
        asked.push(name);
    }
    let after = files(dir.path());
    let changed: Vec<_> = after.iter().filter(|(path, bytes)| before.1.get(*path) != Some(bytes)).collect();
    assert!(
        changed.is_empty() && after.len() == before.1.len(),
        "{:?}",
        changed.first().map(|(path, _)| path)
    );
    asked.sort_unstable();
    asked.dedup();
    let mut all = Request::NAMES.to_vec();
    all.sort_unstable();
    assert_eq!(asked, all, "every question there is was asked");
}

/// The same questions, of an operator who may ask them, are not refused by policy: they are meaningful here.
#[test]
fn whoever_is_not_forbidden_is_not_denied() {
    let dir = home();
    let ada = open(dir.path());
    for (request, body) in every_question(dir.path()) {
        let name = request.name();
        if let Err(error) = request.execute_while(&ada, body, &CancelToken::new()) {
            assert_ne!(error.class(), ErrorClass::Denied, "{name}: {error}");
        }
    }
}
