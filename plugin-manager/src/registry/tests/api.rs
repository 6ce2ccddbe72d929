//! What embedding programs rely on without naming it: threads, `Debug`, and one host behind all handles.

use super::{Guest, World};
use crate::{
    AuditSource, InstallReport, KeyRing, ManagerBuilder, OperationHandle, Package, PluginHandle,
    PluginManager, PluginRegistry, PluginStatus, Probe, Verification,
};
use common::error::ForgeError;
use common::identity::{IdentityContext, PluginId};
use microkernel::Kernel;
use microkernel::trust::TrustContext;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};

const fn shared<T: Debug + Send + Sync + 'static>() {}
const fn moved<T: Debug + Send>() {}

const _: () = {
    shared::<PluginManager>();
    shared::<PluginRegistry>();
    shared::<PluginHandle>();
    shared::<OperationHandle>();
    shared::<ManagerBuilder>();
    shared::<InstallReport>();
    shared::<PluginStatus>();
    shared::<Probe>();
    shared::<Package>();
    shared::<Verification>();
    shared::<AuditSource>();
    shared::<ForgeError>();
    shared::<Kernel>();
    shared::<TrustContext>();
    moved::<Box<PluginRegistry>>();
};

#[test]
fn handles_of_several_operators_call_and_manage_one_host_from_many_threads() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..4u8 {
            let who = IdentityContext::operator(&format!("thread-{number}"));
            let own = host.acting_as(&TrustContext::new(&who));
            let answered = &answered;
            scope.spawn(move || {
                let name = format!("own-{number}");
                for _ in 0..3 {
                    own.install(&Guest::new(&name).package(), true).unwrap();
                    for call in 0..50u8 {
                        assert_eq!(own.call("a", "echo", vec![number, call]).unwrap(), [number, call]);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    own.remove(&name, false).unwrap();
                }
            });
        }
    });
    assert_eq!((answered.into_inner(), host.status("a").unwrap().calls), (600, 600));
    for number in 0..4 {
        let who = world.pseudonym(&format!("thread-{number}"));
        assert_eq!(world.recorded(&host, &["\"action\":\"remove\"", &who]), 3);
    }
    host.shutdown().unwrap();
}

#[test]
fn a_kernel_over_an_open_host_serves_whom_it_knows_and_records_it() {
    use microkernel::syscall_bridge::SyscallArgs;
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    let stores = Guest::new("a").tables("[permissions]\nstorage = [\"get\", \"set\"]\n");
    host.install(&stores.package(), false).unwrap();
    let kernel = host.kernel().unwrap();
    let trust = host.trust_of("a").unwrap();
    let set = SyscallArgs::new().arg("key").arg("value");
    assert!(kernel.execute("kv_set", &set, trust.identity()).is_err(), "the kernel knows nobody at first");
    kernel.register(&trust).unwrap();
    kernel.execute("kv_set", &set, trust.identity()).unwrap();
    let get = SyscallArgs::new().arg("key");
    assert_eq!(kernel.execute("kv_get", &get, trust.identity()).unwrap(), b"value");
    assert!(kernel.execute("file_read", &get, trust.identity()).is_err(), "it was not granted");
    assert_eq!(
        world.recorded(&host, &["\"action\":\"kv_set\"", "\"outcome\":\"ok\"", "\"plugin\":\"a\""]),
        1
    );
    assert!(host.trust_of("b").is_err());
}

#[test]
fn an_id_is_small_and_says_itself() {
    fn copied<T: Copy + std::fmt::Display>(_: T) {}
    copied(PluginId::new(&"acme".parse().unwrap(), &"a".parse().unwrap()));
    // A key ring borrows the host it records with.
    fn of(host: &PluginManager) -> Result<KeyRing<'_>, ForgeError> {
        host.keys()
    }
    let world = World::development(crate::runtime::available()[0]);
    assert!(of(&world.open()).is_ok());
}
