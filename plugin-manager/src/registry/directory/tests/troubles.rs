//! What is refused, and is moved aside, waits, or is left alone; never tried in a loop.

use super::*;
use crate::registry::tests::code;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_bad_file_is_moved_aside_once_with_its_reason() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("bad.forgepkg", b"not a package");
    desk.settle();
    assert_eq!(
        (desk.names(""), desk.names("rejected")),
        (vec![], vec!["bad.forgepkg".into(), "bad.forgepkg.reason.txt".into()])
    );
    let reason = desk.reason("bad.forgepkg");
    for part in [
        "error[E1002]: ",
        "help: pack it again",
        "file: bad.forgepkg",
        "bytes: 13",
        "package: sha256:",
        "time: 2",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    for _ in 0..5 {
        desk.settle();
    }
    assert_eq!(world.recorded(&desk.host, &["\"action\":\"install\"", "\"E1002\""]), 1);
    desk.write("bad.forgepkg", b"not a package");
    desk.settle();
    assert_eq!(desk.names("rejected").len(), 4);
}

#[test]
fn a_bad_replacement_leaves_the_plugin_and_the_next_good_one_replaces_it() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    let broken = Guest::new("a").version("2.0.0").body(
        r#"(func (export "init") (result i32) i32.const 5)
        (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)"#,
    );
    desk.write("a.forgepkg", &broken.package());
    for _ in 0..3 {
        desk.settle();
    }
    assert_eq!((desk.installed(), desk.names("")), (vec!["a 1.0.0 Running".into()], vec![]));
    assert!(desk.reason("a.forgepkg").contains("error[E4002]"));
    desk.write("a.forgepkg", &package("a", "2.0.1"));
    desk.settle();
    assert_eq!(desk.installed(), ["a 2.0.1 Running"]);
    desk.delete("a.forgepkg");
    desk.settle();
    assert!(desk.installed().is_empty());
}

#[test]
fn lower_versions_and_more_permissions_are_moved_aside() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("a.forgepkg", &package("a", "2.0.0"));
    desk.settle();
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    assert!(desk.reason("a.forgepkg").contains("error[E1406]"));
    let more = Guest::new("a").version("3.0.0").tables("[permissions]\nstorage = [\"get\"]").package();
    desk.write("more.forgepkg", &more);
    desk.settle();
    assert!(desk.reason("more.forgepkg").contains("error[E1407]"));
    desk.write("other.forgepkg", &Guest::new("a").publisher("umbrella").version("9.0.0").package());
    desk.settle();
    assert!(desk.reason("other.forgepkg").contains("error[E1411]"));
    assert_eq!(desk.installed(), ["a 2.0.0 Running"]);
}

#[test]
fn a_lower_version_comes_where_the_configuration_allows_it() {
    let world = world("  directory: { allow_downgrade: true }\n");
    let mut desk = Desk::at(&world);
    desk.write("a.forgepkg", &package("a", "2.0.0"));
    desk.settle();
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    assert_eq!(desk.installed(), ["a 1.0.0 Running"]);
}

#[test]
fn a_plugin_that_does_not_start_is_there_and_its_file_too() {
    let world = world("");
    let mut desk = Desk::at(&world);
    let body = r#"(func (export "init") (result i32) i32.const 5)
        (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)"#;
    desk.write("a.forgepkg", &Guest::new("a").body(body).package());
    for _ in 0..3 {
        desk.settle();
    }
    assert_eq!(
        (desk.installed(), desk.names("")),
        (vec!["a 1.0.0 Failed".into()], vec!["a.forgepkg".into()])
    );
    assert_eq!(world.recorded(&desk.host, &["\"action\":\"directory\""]), 1);
    desk.delete("a.forgepkg");
    desk.settle();
    assert!(desk.installed().is_empty());
}

#[test]
fn a_file_larger_than_a_package_is_not_read() {
    let world = world("");
    let mut desk = Desk::at(&world);
    std::fs::File::create(desk.dir.join("large.forgepkg")).unwrap().set_len(1 << 40).unwrap();
    desk.settle();
    let reason = desk.reason("large.forgepkg");
    assert!(reason.contains("error[E1001]") && reason.contains("package: not read"), "{reason}");
}

#[test]
fn a_full_host_takes_the_file_when_there_is_room() {
    let world = world("  max_plugins: 1\n");
    let mut desk = Desk::at(&world);
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    desk.write("b.forgepkg", &package("b", "1.0.0"));
    for _ in 0..5 {
        desk.settle();
    }
    assert!(desk.keeper.report().held_back[0].why.starts_with("E4018"));
    assert_eq!(world.recorded(&desk.host, &["\"E4018\""]), 1, "not tried in a loop");
    desk.delete("a.forgepkg");
    desk.settle();
    assert_eq!(desk.installed(), ["b 1.0.0 Running"]);
}

#[test]
fn a_file_that_cannot_be_moved_aside_is_not_tried_again() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("rejected", b"a file where the directory should be");
    desk.write("bad.forgepkg", b"not a package");
    for _ in 0..5 {
        desk.settle();
    }
    assert_eq!(desk.names(""), ["bad.forgepkg"]);
    assert_eq!(world.recorded(&desk.host, &["\"E1002\""]), 1);
    assert!(desk.keeper.report().held_back[0].why.starts_with("E1002"));
    desk.delete("rejected");
    desk.write("bad.forgepkg", b"not a package either");
    desk.settle();
    assert_eq!(desk.names("rejected").len(), 2);
}

#[test]
fn a_directory_that_is_another_one_deletes_nothing() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    // As when what was mounted there is not.
    let away = world.path("away");
    std::fs::rename(&desk.dir, &away).unwrap();
    desk.settle();
    assert!(desk.keeper.report().problem.as_deref().unwrap().starts_with("E0002"));
    std::fs::create_dir(&desk.dir).unwrap();
    desk.settle();
    assert_eq!((desk.installed().len(), desk.keeper.report().problem.clone()), (1, None));
    std::fs::remove_dir(&desk.dir).unwrap();
    std::fs::rename(&away, &desk.dir).unwrap();
    desk.delete("a.forgepkg");
    desk.settle();
    assert!(desk.installed().is_empty());
}

#[test]
fn a_directory_others_write_to_is_refused_and_watched_again_when_it_is_mended() {
    let world = world("");
    let mut desk = Desk::at(&world);
    std::fs::set_permissions(&desk.dir, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(code(desk.host.watch_plugins_directory()), "E0108");
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    assert!(desk.settle().problem.unwrap().starts_with("E0108"));
    assert!(desk.installed().is_empty());
    std::fs::set_permissions(&desk.dir, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(desk.settle().problem, None);
    assert_eq!(desk.installed(), ["a 1.0.0 Running"]);
}

#[test]
fn a_host_that_cannot_record_tries_again_later_and_ever_more_seldom() {
    let world = world("");
    let mut desk = Desk::at(&world);
    desk.host.hall().close();
    desk.write("a.forgepkg", &package("a", "1.0.0"));
    desk.settle();
    // Installed, for that needs no open door; it is not running.
    assert_eq!(desk.installed(), ["a 1.0.0 Stopped"]);
    desk.write("a.forgepkg", &package("a", "1.1.0"));
    let mut tries = Vec::new();
    for step in 0..100 {
        let before = world.recorded(&desk.host, &["\"action\":\"upgrade\"", "\"E5003\""]);
        desk.settle();
        if world.recorded(&desk.host, &["\"action\":\"upgrade\"", "\"E5003\""]) > before {
            tries.push(step);
        }
    }
    let gaps: Vec<i32> = tries.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.len() >= 3 && gaps.windows(2).all(|w| w[0] < w[1]), "{tries:?}");
}
