//! The thread: what it hears and what it finds by listing alone.

use super::*;
use crate::registry::tests::code;
use std::time::Instant;

/// Waits for something that comes by itself, for longer than it can take.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn watched(more: &str) {
    let world = world(more);
    let host = world.open();
    let dir = host.plugins_directory().unwrap();
    let watch = host.watch_plugins_directory().unwrap();
    assert_eq!(code(host.watch_plugins_directory()), "E5009");
    assert_eq!(watch.report().path, dir);
    let version = |name: &str| host.status(name).ok().map(|p| p.version);
    std::fs::write(world.path("new"), package("a", "1.0.0")).unwrap();
    std::fs::rename(world.path("new"), dir.join("a.forgepkg")).unwrap();
    std::fs::write(dir.join("b.forgepkg"), package("b", "1.0.0")).unwrap();
    std::fs::write(dir.join("bad.forgepkg"), "bad").unwrap();
    until("what was dropped", || version("a").is_some() && version("b").is_some());
    until("the reason", || dir.join("rejected/bad.forgepkg.reason.txt").exists());
    std::fs::write(dir.join("a.forgepkg"), package("a", "1.1.0")).unwrap();
    until("the other version", || version("a").as_deref() == Some("1.1.0"));
    std::fs::remove_file(dir.join("a.forgepkg")).unwrap();
    until("the removal", || version("a").is_none());
    assert!(watch.scan().scans > 0);
    drop(watch);
    let again = host.watch_plugins_directory().unwrap();
    until("a scan", || again.report().scans > 0);
    drop(again);
    host.shutdown().unwrap();
}

#[test]
fn what_is_heard_of_is_done_without_waiting_for_a_listing() {
    watched("  directory: { settle: 20ms, rescan: 1h }\n");
}

#[test]
fn another_directory_is_made_and_watched() {
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("deep/plugins");
    watched(&format!(
        "  plugin_directory: {}\n  directory: {{ settle: 20ms, rescan: 1h }}\n",
        path.display()
    ));
}

/// As on a file system that tells nothing: no file is said to be closed.
#[test]
fn listing_alone_suffices() {
    let world = world("  directory: { settle: 10ms, rescan: 20ms }\n");
    let host = world.open();
    let keeper = Keeper::new(host.clone(), world.path("plugins"), host.host().clock.clone());
    let keeper = std::sync::Mutex::new(keeper);
    let scan = || keeper.lock().unwrap().scan(&BTreeSet::new());
    std::fs::write(world.path("plugins/a.forgepkg"), package("a", "1.0.0")).unwrap();
    until("the plugin", || {
        assert!(scan() <= Duration::from_millis(20));
        host.status("a").is_ok()
    });
    std::fs::remove_file(world.path("plugins/a.forgepkg")).unwrap();
    until("the removal", || {
        scan();
        host.status("a").is_err()
    });
}
