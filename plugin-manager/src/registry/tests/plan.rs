//! Several plugins installed as one: what is chosen, what is refused, what is taken back, and the lock file beside it.

use super::{GOOD, Guest, World, code};
use crate::{InstallRequest, PlannedChange, PluginManager};
use common::error::ForgeError;
use std::path::PathBuf;

/// A home, and a folder of packages beside it.
struct Market {
    world: World,
    folder: tempfile::TempDir,
}

impl Market {
    fn new() -> Self {
        let kind = crate::runtime::available()[0];
        Self { world: World::development(kind), folder: tempfile::tempdir().unwrap() }
    }
    fn offer(&self, file: &str, guest: &Guest) -> PathBuf {
        let path = self.folder.path().join(format!("{file}.forgepkg"));
        std::fs::write(&path, guest.package()).unwrap();
        path
    }
    /// What the folder offers, for these.
    fn request(&self, packages: &[&PathBuf]) -> InstallRequest {
        InstallRequest {
            packages: packages.iter().map(|path| (*path).clone()).collect(),
            from: vec![self.folder.path().to_owned()],
            start: true,
            ..InstallRequest::default()
        }
    }
    fn lock(&self) -> String {
        std::fs::read_to_string(self.world.path("forgeone.lock")).unwrap()
    }
}

fn guest(name: &str, version: &str, needs: &str) -> Guest {
    let tables = if needs.is_empty() { String::new() } else { format!("[dependencies]\n{needs}") };
    Guest::new(name).version(version).tables(&tables)
}

fn steps(host: &PluginManager, request: &InstallRequest) -> Vec<String> {
    let plan = host.plan_install(request).unwrap();
    plan.steps.iter().map(|s| format!("{} {} {}", s.change.name(), s.name, s.version)).collect()
}

fn there(host: &PluginManager) -> Vec<String> {
    host.list().unwrap().iter().map(|p| format!("{} {} {}", p.name, p.version, p.state)).collect()
}

fn says(error: &ForgeError, text: &str) {
    assert!(error.reasons().iter().any(|reason| reason.contains(text)), "{error}: {:?}", error.reasons());
}

#[test]
fn what_is_needed_is_chosen_and_installed_first() {
    let market = Market::new();
    let front = market.offer("front", &guest("front", "1.0.0", "back = \"^1\"\ncommon = \"^1\""));
    for version in ["1.0.0", "1.4.0", "1.5.0-rc.1", "2.0.0"] {
        market.offer(&format!("back-{version}"), &guest("back", version, "base = \"*\""));
    }
    market.offer("base", &guest("base", "0.3.0", ""));
    market.offer("apart", &guest("apart", "1.0.0", "gone = \"*\""));
    std::fs::write(market.folder.path().join("torn.forgepkg"), "half").unwrap();
    let host = market.world.open();
    let plan = host.plan_install(&market.request(&[&front])).unwrap();
    assert_eq!(plan.left_out.len(), 1);
    assert_eq!(plan.left_out[0].code.id, "E1002");
    assert_eq!(plan.steps[0].needed_by, ["back"]);
    assert_eq!(
        steps(&host, &market.request(&[&front])),
        ["install base 0.3.0", "install back 1.4.0", "install front 1.0.0"]
    );
    assert!(there(&host).is_empty() && !market.world.path("forgeone.lock").exists());
    let report = host.install_all(&market.request(&[&front])).unwrap();
    assert_eq!(report.done.len(), 3);
    assert_eq!(there(&host), ["back 1.4.0 Running", "base 0.3.0 Running", "front 1.0.0 Running"]);
    assert!(host.lock_differences().unwrap().is_empty());
    assert!(market.lock().contains("{ name = \"back\", wants = \"^1\", found = \"1.4.0\" }"));
    // What is installed is preferred to what is higher.
    market.offer("back-1.9.0", &guest("back", "1.9.0", ""));
    let other = market.offer("other", &guest("other", "1.0.0", "back = \">=1\""));
    assert_eq!(
        steps(&host, &market.request(&[&other])),
        ["stay base 0.3.0", "stay back 1.4.0", "install other 1.0.0"]
    );
    assert_eq!(code(host.plan_install(&market.request(&[&front]))), "E5004");
}

#[test]
fn fault_067_a_name_of_another_publisher_is_never_chosen_silently() {
    let market = Market::new();
    let front = market.offer("front", &guest("front", "1.0.0", "back = \"*\""));
    market.offer("back", &guest("back", "1.0.0", ""));
    market.offer("back-9", &guest("back", "9.0.0", "").publisher("mallory"));
    let host = market.world.open();
    let error = host.plan_install(&market.request(&[&front])).unwrap_err();
    assert_eq!(error.code().id, "E1414");
    says(&error, "back is offered by acme and by mallory");
    // Who names a package says whose it is; and so does what is installed.
    let ours = market.folder.path().join("back.forgepkg");
    assert_eq!(
        steps(&host, &market.request(&[&front, &ours])),
        ["install back 1.0.0", "install front 1.0.0"]
    );
    let theirs = market.folder.path().join("back-9.forgepkg");
    assert_eq!(code(host.plan_install(&market.request(&[&ours, &theirs]))), "E1411");
    host.install_all(&market.request(&[&ours])).unwrap();
    let plan = host.plan_install(&market.request(&[&front])).unwrap();
    assert_eq!(plan.steps[0].change, PlannedChange::Stay);
    assert!(
        plan.left_out[0].why.contains("of publisher mallory; back here is of acme"),
        "{:?}",
        plan.left_out
    );
    let newer = market.offer("newer", &guest("newer", "1.0.0", "back = \"^9\""));
    let error = host.plan_install(&market.request(&[&newer])).unwrap_err();
    assert_eq!(error.code().id, "E1411");
    says(&error, "not chosen from");
    assert_eq!(there(&host), ["back 1.0.0 Running"]);
}

#[test]
fn an_installed_plugin_moves_only_with_those_that_use_it() {
    let market = Market::new();
    let host = market.world.open();
    host.install(&guest("base", "1.0.0", "").package(), true).unwrap();
    host.install(&guest("old", "1.0.0", "base = \"^1\"").package(), true).unwrap();
    market.offer("base", &guest("base", "2.0.0", ""));
    let new = market.offer("new", &guest("new", "1.0.0", "base = \"^2\""));
    let error = host.plan_install(&market.request(&[&new])).unwrap_err();
    assert_eq!(error.code().id, "E1603");
    says(&error, "old 1.0.0 (installed) needs base ^1; 1.0.0 will do");
    // A version that works with both goes first, although it needs what is replaced after it.
    market.offer("old", &guest("old", "1.1.0", "base = \">=1, <3\""));
    assert_eq!(
        steps(&host, &market.request(&[&new])),
        ["upgrade old 1.1.0", "upgrade base 2.0.0", "install new 1.0.0"]
    );
    // One that works with the new version alone cannot be put in place before or after it.
    std::fs::remove_file(market.folder.path().join("old.forgepkg")).unwrap();
    let old = market.offer("old-2", &guest("old", "2.0.0", "base = \"^2\""));
    let error = host.plan_install(&market.request(&[&new])).unwrap_err();
    assert!(error.message().contains("while the others are as they are"), "{error}");
    std::fs::remove_file(old).unwrap();
    market.offer("old", &guest("old", "1.1.0", "base = \">=1, <3\""));
    host.install_all(&market.request(&[&new])).unwrap();
    assert_eq!(there(&host), ["base 2.0.0 Running", "new 1.0.0 Running", "old 1.1.0 Running"]);
    // A lower version has to be asked for; it is one that was kept.
    let lower = market.offer("lower", &guest("lower", "1.0.0", "base = \"^1\""));
    let error = host.plan_install(&market.request(&[&lower])).unwrap_err();
    says(&error, "base 1.0.0 is lower than 2.0.0");
    std::fs::remove_file(&new).unwrap();
    host.remove("new", false).unwrap();
    let request = InstallRequest { allow_downgrade: true, ..market.request(&[&lower]) };
    assert_eq!(steps(&host, &request), ["rollback base 1.0.0", "install lower 1.0.0"]);
}

#[test]
fn what_was_done_is_taken_back_when_one_cannot_be_installed() {
    let market = Market::new();
    let host = market.world.open();
    host.install(&guest("base", "1.0.0", "").package(), true).unwrap();
    let before = market.lock();
    market.offer("base", &guest("base", "2.0.0", ""));
    market.offer("middle", &guest("middle", "1.0.0", "base = \"^2\""));
    let broken = GOOD.replace(
        "(func (export \"start\") (result i32) i32.const 0)",
        "(func (export \"start\") (result i32) i32.const 7)",
    );
    let top = market.offer("top", &guest("top", "1.0.0", "middle = \"*\"").body(&broken));
    let error = host.install_all(&market.request(&[&top])).unwrap_err();
    assert_eq!(error.code().id, "E4002");
    for line in [
        "this came of install top",
        "taken back: install top",
        "taken back: install middle",
        "taken back: upgrade base 2.0.0",
    ] {
        says(&error, line);
    }
    assert_eq!(there(&host), ["base 1.0.0 Running"]);
    assert_eq!(market.lock(), before);
    let request = InstallRequest { start: false, ..market.request(&[&top]) };
    host.install_all(&request).unwrap();
    assert_eq!(there(&host), ["base 2.0.0 Running", "middle 1.0.0 Stopped", "top 1.0.0 Stopped"]);
}

#[test]
fn a_lock_file_is_followed_to_the_byte_or_not_at_all() {
    let market = Market::new();
    let host = market.world.open();
    let front = market.offer("front", &guest("front", "1.0.0", "back = \"^1\""));
    let back = market.offer("back", &guest("back", "1.0.0", ""));
    host.install_all(&market.request(&[&front])).unwrap();
    let lock = market.folder.path().join("forgeone.lock");
    std::fs::write(&lock, market.lock()).unwrap();
    // Higher versions are there by then, and are not what the file says.
    market.offer("back-1.9", &guest("back", "1.9.0", ""));
    let other = Market::new();
    let second = other.world.open();
    let request = InstallRequest { locked: Some(lock.clone()), ..market.request(&[]) };
    second.install_all(&request).unwrap();
    assert_eq!(there(&second), ["back 1.0.0 Running", "front 1.0.0 Running"]);
    assert_eq!(other.lock(), market.lock());
    assert!(second.install_all(&request).unwrap().done.is_empty());
    second.upgrade(&guest("back", "1.9.0", "").package(), &crate::UpgradeOptions::default()).unwrap();
    second.install(&guest("more", "1.0.0", "").package(), false).unwrap();
    says(&second.plan_install(&request).unwrap_err(), "more 1.0.0 is installed and not in it");
    second.remove("more", false).unwrap();
    assert_eq!(steps(&second, &request), ["rollback back 1.0.0", "stay front 1.0.0"]);
    second.install_all(&request).unwrap();
    assert_eq!(other.lock(), market.lock());
    // Other bytes of the same version are another package.
    std::fs::remove_file(back).unwrap();
    market.offer("back", &guest("back", "1.0.0", "common = \"^1\""));
    let third = Market::new();
    let error = third.world.open().plan_install(&request).unwrap_err();
    assert_eq!(error.code().id, "E1606");
    says(&error, "back 1.0.0 of acme with the package sha256:");
    std::fs::write(&lock, "version = 7").unwrap();
    assert_eq!(code(second.plan_install(&request)), "E1606");
}

#[test]
fn the_lock_file_is_true_again_after_a_change_was_stopped_in_between() {
    let market = Market::new();
    let host = market.world.open();
    host.install(&guest("a", "1.0.0", "").package(), false).unwrap();
    let before = market.lock();
    host.install(&guest("b", "1.0.0", "").package(), false).unwrap();
    let after = market.lock();
    host.shutdown().unwrap();
    // As a process leaves it that dies between the row and the file.
    std::fs::write(market.world.path("forgeone.lock"), &before).unwrap();
    std::fs::write(market.world.path("tmp/lock.doubtful"), "").unwrap();
    let host = market.world.open();
    assert_eq!(market.lock(), after);
    // What somebody wrote into it is told, and decides nothing.
    std::fs::write(market.world.path("forgeone.lock"), after.replace("1.0.0", "1.0.9")).unwrap();
    assert_eq!(code(host.check_lock()), "E1607");
    assert_eq!(host.lock_differences().unwrap().len(), 2);
    assert_eq!(host.relock().unwrap().text, after);
    host.check_lock().unwrap();
    std::fs::write(market.world.path("forgeone.lock"), "{").unwrap();
    assert_eq!(code(host.check_lock()), "E1607");
    host.remove("a", false).unwrap();
    host.check_lock().unwrap();
    host.shutdown().unwrap();
    std::fs::remove_file(market.world.path("forgeone.lock")).unwrap();
    market.world.open().check_lock().unwrap();
}

#[test]
fn a_folder_that_cannot_be_read_or_is_too_full_is_refused() {
    let market = Market::new();
    let host = market.world.open();
    let front = market.offer("front", &guest("front", "1.0.0", ""));
    let nowhere = InstallRequest { from: vec!["/nowhere/at/all".into()], ..market.request(&[&front]) };
    assert_eq!(code(host.plan_install(&nowhere)), "E5008");
    for i in 0..=super::super::offers::MAX_OFFERS {
        std::os::unix::fs::symlink(&front, market.folder.path().join(format!("{i}.forgepkg"))).unwrap();
    }
    assert_eq!(code(host.plan_install(&market.request(&[&front]))), "E0101");
}

#[test]
fn levels_are_sets_that_may_start_side_by_side() {
    let market = Market::new();
    let host = market.world.open();
    for (name, needs) in [
        ("a", ""),
        ("b", ""),
        ("c", "a = \"*\"\nb = \"*\""),
        ("d", "c = \"*\"\na = \"*\""),
        ("e", "b = \"*\""),
    ] {
        host.install(&guest(name, "1.0.0", needs).package(), false).unwrap();
    }
    let levels = host.start_levels().unwrap();
    assert_eq!(levels, [vec!["a", "b"], vec!["c", "e"], vec!["d"]]);
}
