//! The installed kernel and the two free functions over it.

use super::*;
use crate::trust::{Verdict, evaluate_syscall};
use crate::{Kernel, KernelError, install};
use common::error::Coded;

#[test]
fn the_free_functions_work_over_what_is_installed_and_only_for_whom_is_registered() {
    let args = SyscallArgs::new().arg("k");
    let identity = plugin("redactor", "acme");
    assert!(matches!(execute_syscall("kv_get", &args, &identity), Err(KernelError::NotInstalled)));
    assert!(matches!(evaluate_syscall("kv_get", &args, &identity), Err(KernelError::NotInstalled)));

    let door = Door::new(Setup { private: true, ..Setup::default() });
    let installed = install(Kernel::new(door.bridge.clone())).unwrap();
    assert!(matches!(install(Kernel::new(door.bridge.clone())), Err(KernelError::AlreadyInstalled)));
    let error = execute_syscall("kv_get", &args, &identity).unwrap_err();
    assert_eq!(error.code().id, "E2006");
    assert_eq!(evaluate_syscall("kv_get", &args, &identity).unwrap_err().code().id, "E2006");
    assert_eq!(door.log.events(), [], "nobody known, nothing done");

    let trust = TrustContext::with_grants(Arc::new(identity.clone()), permissions(&[("storage", "get")]));
    installed.kernel().register(&trust).unwrap();
    assert_eq!(execute_syscall("kv_get", &args, &identity).unwrap(), b"half an answer");
    assert!(acted(&door.log.events()));
    assert!(matches!(evaluate_syscall("kv_get", &args, &identity), Ok(Verdict::Allow(_))));
    assert!(matches!(evaluate_syscall("kv_set", &args, identity.clone()), Ok(Verdict::Deny(_))));
    assert_eq!(door.log.events(), [], "judging records nothing and does nothing");
    assert_eq!(execute_syscall("kv_set", &args, &identity).unwrap_err().code().id, "E2007");
    assert_eq!(execute_syscall("no_such", &args, &identity).unwrap_err().code().id, "E4061");
    assert_eq!(evaluate_syscall("no_such", &args, &identity).unwrap_err().code().id, "E4061");
    assert_eq!(evaluate_syscall("kv_get", &SyscallArgs::new(), &identity).unwrap_err().code().id, "E4060");

    let other_role = identity.clone().with_role("admin");
    assert_eq!(execute_syscall("kv_get", &args, &other_role).unwrap_err().code().id, "E2006");
    installed.kernel().unregister(&identity);
    assert_eq!(execute_syscall("kv_get", &args, &identity).unwrap_err().code().id, "E2006");
    drop(installed);
    assert!(matches!(execute_syscall("kv_get", &args, &identity), Err(KernelError::NotInstalled)));
}

#[test]
fn one_identity_may_call_from_many_threads_at_once() {
    let door = Door::new(Setup { private: true, ..Setup::default() });
    let (kernel, identity) = (Kernel::new(door.bridge.clone()), plugin("redactor", "acme"));
    kernel.register(&TrustContext::with_grants(Arc::new(identity.clone()), everything())).unwrap();
    let args = SyscallArgs::new().arg("k");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| drop(kernel.execute("kv_set", &args, &identity).unwrap())));
        }
    });
    let effects = door.log.events().into_iter().filter(|e| matches!(e, Event::Effect(_))).count();
    assert_eq!(effects, 200);
}
