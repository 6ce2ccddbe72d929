//! Schemas of added host calls: what they accept, what they refuse, and which cannot be added at all.

use super::argument::{accept, summary};
use super::*;
use common::error::Coded;
use microkernel::syscall_bridge::{Status, SyscallArgs};
use microkernel::trust::ResourceKind;
use proptest::prelude::*;

fn call(name: &'static str) -> SyscallExtension {
    SyscallExtension::new(name, |_: &mut ExtensionCall<'_>| Ok(()))
}

fn schema() -> Vec<Argument> {
    vec![
        Argument::text("bell", 1..=4).recorded(),
        Argument::number("times", 1..=12).recorded(),
        Argument::bytes("score", 0..=2).optional(),
    ]
}

#[test]
fn lists_fit_the_schema_or_are_invalid() {
    let args = SyscallArgs::new;
    let (five, zero) = (5u64.to_le_bytes(), 0u64.to_le_bytes());
    for good in [args().arg("a").arg(five), args().arg("four").arg(five).arg("xy")] {
        assert!(accept(&schema(), good.as_bytes()).is_ok(), "{good:?}");
    }
    for bad in [
        args(),
        args().arg("a"),
        args().arg("").arg(five),
        args().arg("fives").arg(five),
        args().arg(b"\xff").arg(five),
        args().arg("a").arg(zero),
        args().arg("a").arg("1"),
        args().arg("a").arg(five).arg("xyz"),
        args().arg("a").arg(five).arg("xy").arg("z"),
    ] {
        assert_eq!(accept(&schema(), bad.as_bytes()).unwrap_err().status, Status::Invalid, "{bad:?}");
    }
    assert_eq!(accept(&schema(), &[1, 2]).unwrap_err().status, Status::Invalid);
}

#[test]
fn a_summary_has_what_is_to_be_recorded_and_no_bytes() {
    let args = SyscallArgs::new().arg("a").arg(5u64.to_le_bytes()).arg("xy");
    assert_eq!(summary(&schema(), args.as_bytes()).as_deref(), Some("bell=a times=5"));
    assert_eq!(summary(&[Argument::text("quiet", 0..=9)], args.as_bytes()), None);
    let long = SyscallArgs::new().arg("é".repeat(100));
    let shown = summary(&[Argument::text("long", 0..=999).recorded()], long.as_bytes()).unwrap();
    assert_eq!(shown.chars().count(), "long=".len() + 64);
}

#[test]
fn what_cannot_be_added_says_why() {
    let error = |extensions: Vec<SyscallExtension>| {
        let error = checked(extensions).err().unwrap();
        assert_eq!(error.code().id, "E0101");
        error
    };
    assert!(matches!(error(vec![call("Bell")]), ExtensionError::Name("Bell")));
    assert!(matches!(error(vec![call("")]), ExtensionError::Name("")));
    assert!(matches!(error(vec![call("kv_get")]), ExtensionError::BuiltIn("kv_get")));
    assert!(matches!(error(vec![call("log")]), ExtensionError::BuiltIn("log")));
    assert!(matches!(error(vec![call("install")]), ExtensionError::BuiltIn("install")));
    assert!(matches!(error(vec![call("a"), call("a")]), ExtensionError::Duplicate("a")));
    let unknown = error(vec![call("a").needs("storag", "get")]);
    let ExtensionError::Permission { name: "a", source } = unknown else { panic!("{unknown:?}") };
    assert!(source.to_string().contains("did you mean \"storage\""), "{source}");
    assert!(matches!(error(vec![call("a").needs("storage", "fetch")]), ExtensionError::Permission { .. }));
    assert!(matches!(error(vec![call("a").needs("storage", "get:x")]), ExtensionError::Scope("a")));
    let many = |n: usize| (0..n).fold(call("a"), |c, _| c.argument(Argument::text("x", 0..=1)));
    let (text, bytes) = (Argument::text("t", 0..=9), Argument::bytes("b", 0..=9));
    for misfit in [
        many(MAX_ARGUMENTS + 1),
        call("a").argument(text.clone().optional()).argument(text.clone()),
        call("a").argument(bytes.clone().recorded()),
        call("a").resource(ResourceKind::Key, 0),
        call("a").argument(bytes).resource(ResourceKind::Key, 0),
        call("a").argument(text.clone().optional()).resource(ResourceKind::Key, 0),
        call("a").argument(text).resource(ResourceKind::None, 0),
    ] {
        assert!(matches!(error(vec![misfit]), ExtensionError::Schema { name: "a", .. }));
    }
    assert!(checked(vec![many(MAX_ARGUMENTS)]).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_accepted_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let accepted = accept(&schema(), &bytes).is_ok();
        let shown = summary(&schema(), &bytes);
        prop_assert!(!accepted || shown.is_some());
    }
}
