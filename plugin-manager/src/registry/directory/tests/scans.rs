//! Drop, replace, delete; what was dropped and what was not; restarts.

use super::*;
use std::process::Command;

#[test]
fn a_file_is_installed_replaced_and_removed() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("any name.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    assert_eq!(desk.installed(), ["a 1.0.0 Running"]);
    assert_eq!(desk.host.call("a", "echo", vec![7]).unwrap(), [7]);
    desk.write("any name.forgepkg", &package("a", "1.1.0"));
    desk.settle();
    assert_eq!(desk.installed(), ["a 1.1.0 Running"]);
    assert_eq!(desk.host.status("a").unwrap().kept, ["1.0.0"]);
    desk.delete("any name.forgepkg");
    desk.settle();
    assert!(desk.installed().is_empty());
    let does = |does: &str| {
        let does = format!("\"does\":\"{does}\"");
        world.recorded(&desk.host, &["\"action\":\"directory\"", "any name.forgepkg", &does])
    };
    assert_eq!([does("install"), does("upgrade"), does("remove"), does("adopt")], [1, 1, 1, 0]);
    assert_eq!(world.recorded(&desk.host, &["\"action\":\"remove\"", "\"data\":\"kept\""]), 1);
}

#[test]
fn a_file_is_read_when_it_stands_still_or_was_closed_and_not_before() {
    let world = world("");
    let mut desk = Desk::at(&world);
    let whole = package("a", "1.0.0");
    for part in 1..6 {
        desk.write("a.forgepkg", &whole[..whole.len() * part / 6]);
        desk.closed(&[]);
        assert_eq!(desk.keeper.report().arriving, 1);
        desk.clock.advance(SETTLE - Duration::from_nanos(1));
        assert!(desk.closed(&[]) <= SETTLE);
    }
    assert_eq!((desk.installed().len(), desk.names("rejected").len()), (0, 0));
    desk.write("a.forgepkg", &whole);
    desk.closed(&["a.forgepkg"]);
    assert_eq!(desk.installed(), ["a 1.0.0 Running"]);
}

#[test]
fn nothing_is_read_or_done_while_nothing_changes() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    let records = |desk: &Desk| world.recorded(&desk.host, &["\"management\""]);
    let before = records(&desk);
    for _ in 0..20 {
        desk.settle();
    }
    assert_eq!(records(&desk), before);
}

#[test]
fn deleted_and_dropped_again_within_the_time_of_settling_is_an_exchange() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("a-1.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    desk.delete("a-1.forgepkg");
    desk.closed(&[]);
    desk.write("a-2.forgepkg", &package("a", "2.0.0"));
    desk.settle();
    assert_eq!(desk.installed(), ["a 2.0.0 Running"]);
    assert_eq!(world.recorded(&desk.host, &["\"action\":\"remove\""]), 0);
    // Renamed, it is the same package.
    std::fs::rename(desk.dir.join("a-2.forgepkg"), desk.dir.join("a.forgepkg")).unwrap();
    desk.settle();
    assert_eq!(world.recorded(&desk.host, &["\"action\":\"remove\""]), 0);
    desk.delete("a.forgepkg");
    desk.settle();
    assert!(desk.installed().is_empty());
}

#[test]
fn what_a_command_installed_is_its_own_until_the_same_package_is_dropped() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.host.install(&package("a", "1.0.0"), true).unwrap();
    desk.host.install(&package("b", "1.0.0"), true).unwrap();
    desk.settle();
    assert_eq!(desk.installed(), ["a 1.0.0 Running", "b 1.0.0 Running"]);
    desk.write("x.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    assert_eq!(desk.names(""), ["x.forgepkg"]);
    desk.delete("x.forgepkg");
    desk.settle();
    assert_eq!(desk.installed(), ["b 1.0.0 Running"]);
}

#[test]
fn what_a_command_changed_since_is_not_the_files_any_more() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    desk.write("b.forgepkg", &package("b", "1.0.0"));
    desk.settle();
    desk.host.remove("a", false).unwrap();
    desk.host.upgrade(&package("b", "2.0.0"), &crate::UpgradeOptions::default()).unwrap();
    desk.settle();
    assert_eq!(desk.installed(), ["b 2.0.0 Running"], "a file that stays as it is brings nothing back");
    desk.delete("a.forgepkg");
    desk.delete("b.forgepkg");
    desk.settle();
    assert_eq!(desk.installed(), ["b 2.0.0 Running"]);
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    assert_eq!(desk.installed(), ["a 1.0.0 Running", "b 2.0.0 Running"]);
}

#[test]
fn the_highest_version_of_two_files_wins_whichever_comes_first() {
    for names in [["1.forgepkg", "2.forgepkg"], ["2.forgepkg", "1.forgepkg"]] {
        let world = world("");
        let mut desk = Desk::at(&world);
        desk.write(names[0], &package("a", "1.0.0"));
        desk.write(names[1], &package("a", "2.0.0"));
        desk.settle();
        assert_eq!(
            (desk.installed(), desk.names("")),
            (vec!["a 2.0.0 Running".into()], vec![names[1].into()])
        );
        assert!(desk.reason(names[0]).contains("error[E1406]"), "{}", desk.reason(names[0]));
        // A later drop of a higher version beside it.
        desk.write("3.forgepkg", &package("a", "3.0.0"));
        desk.settle();
        assert_eq!(
            (desk.installed(), desk.names("")),
            (vec!["a 3.0.0 Running".into()], vec!["3.forgepkg".into()])
        );
        desk.write("4.forgepkg", &package("a", "3.0.0"));
        desk.settle();
        assert!(desk.reason("4.forgepkg").contains("error[E5004]"));
        desk.delete("3.forgepkg");
        desk.settle();
        assert!(desk.installed().is_empty());
    }
}

#[test]
fn what_happened_while_nobody_watched_is_caught_up_with() {
    let world = world("");
    let mut desk = Desk::at(&world);
    for name in ["gone", "new", "same"] {
        desk.write(&format!("{name}.forgepkg"), &package(name, "1.0.0"));
    }
    desk.host.install(&package("own", "1.0.0"), true).unwrap();
    desk.settle();
    desk.delete("gone.forgepkg");
    desk.write("new.forgepkg", &package("new", "1.1.0"));
    desk.write("fresh.forgepkg", &package("fresh", "1.0.0"));
    let Desk { host, keeper, .. } = desk;
    drop((host, keeper));
    let mut desk = Desk::at(&world);
    desk.settle();
    let versions: Vec<String> =
        desk.host.list().unwrap().iter().map(|p| format!("{} {}", p.name, p.version)).collect();
    assert_eq!(versions, ["fresh 1.0.0", "new 1.1.0", "own 1.0.0", "same 1.0.0"]);
    assert_eq!(world.recorded(&desk.host, &["\"action\":\"directory\"", "same.forgepkg"]), 1);
}

#[test]
fn a_file_that_brings_another_plugin_takes_the_first_one_away() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("x.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    desk.write("x.forgepkg", &package("b", "1.0.0"));
    desk.settle();
    assert_eq!(desk.installed(), ["b 1.0.0 Running"]);
}

#[test]
fn dependencies_come_first_and_go_last() {
    let world = world("");
    let mut desk = Desk::at(&world);
    let needs =
        |name: &str, on: &str| Guest::new(name).tables(&format!("[dependencies]\n{on} = \"^1\"")).package();
    desk.write("1.forgepkg", &needs("a", "b"));
    desk.write("2.forgepkg", &needs("b", "c"));
    desk.settle();
    assert!(desk.installed().is_empty());
    let held: Vec<_> = desk.keeper.report().held_back.iter().map(|h| h.plugin.clone().unwrap()).collect();
    assert_eq!((held, desk.names("").len()), (vec!["a".to_owned(), "b".to_owned()], 2));
    desk.write("3.forgepkg", &package("c", "1.0.0"));
    desk.settle();
    assert_eq!(desk.installed(), ["a 1.0.0 Running", "b 1.0.0 Running", "c 1.0.0 Running"]);
    assert!(desk.keeper.report().held_back.is_empty());
    for file in ["1.forgepkg", "2.forgepkg", "3.forgepkg"] {
        desk.delete(file);
    }
    desk.settle();
    assert!(desk.installed().is_empty());
    assert_eq!(world.recorded(&desk.host, &["\"E5007\""]), 0, "in an order in which nobody needs what goes");
}

#[test]
fn what_is_needed_stays_until_it_is_not_and_says_so() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("base.forgepkg", &package("base", "1.0.0"));
    desk.settle();
    desk.host.install(&Guest::new("user").tables("[dependencies]\nbase = \"^1\"").package(), true).unwrap();
    desk.delete("base.forgepkg");
    for _ in 0..5 {
        desk.settle();
    }
    assert_eq!(desk.installed(), ["base 1.0.0 Running", "user 1.0.0 Running"]);
    let held = &desk.keeper.report().held_back;
    assert_eq!((held.len(), held[0].plugin.as_deref()), (1, Some("base")));
    assert!(held[0].why.starts_with("E5007: plugin base is needed by user"), "{held:?}");
    assert_eq!(world.recorded(&desk.host, &["\"action\":\"remove\"", "\"E5007\""]), 1, "not tried in a loop");
    let status = desk.host.status("base").unwrap();
    assert_eq!(
        (status.file.as_deref(), status.file_problem),
        (Some("base.forgepkg"), Some(held[0].why.clone()))
    );
    desk.host.remove("user", false).unwrap();
    desk.settle();
    assert!(desk.installed().is_empty());
}

/// So many plugins at once, ten by ten each dependent on the next by name, and gone again at once: thirty, or as many as
/// `FORGEONE_TEST_FILES` says.
#[test]
fn many_files_at_once() {
    let count: usize = std::env::var("FORGEONE_TEST_FILES").map_or(30, |count| count.parse().unwrap());
    let world = world("");
    let mut desk = Desk::at(&world);
    let files: Vec<String> = (0..count).map(|i| format!("{i:03}.forgepkg")).collect();
    for (i, file) in files.iter().enumerate() {
        let next =
            if i % 10 == 9 { String::new() } else { format!("[dependencies]\np{:03} = \"^1\"", i + 1) };
        desk.write(file, &Guest::new(&format!("p{i:03}")).tables(&next).package());
    }
    let closed: Vec<&str> = files.iter().map(String::as_str).collect();
    desk.closed(&closed);
    assert_eq!(desk.host.list().unwrap().iter().filter(|p| p.state == "Running").count(), count);
    assert!(desk.keeper.report().held_back.is_empty());
    files.iter().for_each(|file| desk.delete(file));
    desk.closed(&[]);
    desk.clock.advance(SETTLE);
    desk.closed(&[]);
    assert!(desk.installed().is_empty());
}

const KILLED: &str = "FORGEONE_TEST_KILLED";

/// Run by the test below in a process of its own, which kills itself where it is told to.
#[test]
fn killed_between_installing_and_remembering() {
    let Ok(home) = std::env::var(KILLED) else { return };
    let host = PluginManager::builder().home(&home).open().unwrap();
    let bytes = std::fs::read(std::path::Path::new(&home).join("plugins/a.forgepkg")).unwrap();
    host.install(&bytes, true).unwrap();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_kill_between_installing_and_remembering_changes_nothing() {
    let world = world("");
    std::fs::create_dir(world.path("plugins")).unwrap();
    std::fs::write(world.path("plugins/a.forgepkg"), package("a", "1.0.0")).unwrap();
    let killed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "registry::directory::tests::scans::killed_between_installing_and_remembering"])
        .env(KILLED, world.path(""))
        .output()
        .unwrap();
    assert!(!killed.status.success() && killed.status.code().is_none(), "{killed:?}");
    let mut desk = Desk::at(&world);
    assert_eq!(desk.host.list().unwrap().len(), 1);
    desk.settle();
    assert_eq!(desk.host.call("a", "echo", vec![1]).unwrap(), [1]);
    assert_eq!((desk.installed(), desk.names("rejected").len()), (vec!["a 1.0.0 Running".into()], 0));
    // And between removing and forgetting: the row of a plugin that is gone.
    desk.delete("a.forgepkg");
    desk.host.remove("a", true).unwrap();
    desk.settle();
    assert!(desk.host.host().home.dropped().unwrap().is_empty());
}
