//! Compiled code at rest: it runs again where it was made for, and nowhere else.

use super::{Bench, Guest, conformance};
use crate::runtime::{CodeKey, CompiledModule, EngineKind, RuntimeError};
use common::crypto::MacKey;
use common::identity::Digest;
use std::sync::Arc;

conformance! {
    code_runs_again_after_being_sealed
    fault_052_code_for_another_key_does_not_open
    fault_052_authenticated_code_of_other_settings_does_not_load
    fingerprints_tell_settings_apart_and_are_stable
    a_module_of_another_engine_is_refused
}

fn wat() -> String {
    format!("(module {} {} {} {})", super::IMPORTS, super::MEMORY, super::LIFECYCLE, super::calls::ECHO)
}

fn sealed(bench: &Bench, key: &MacKey) -> (CodeKey, Vec<u8>) {
    let wasm = wat::parse_str(wat()).unwrap();
    let module = bench.engine.compile(&wasm, false).unwrap();
    let code_key = CodeKey { module: Digest::of(&wasm), fingerprint: bench.engine.fingerprint(false) };
    let code = bench.engine.serialize(&module).unwrap();
    let sealed = code_key.seal(key, &code);
    (code_key, sealed)
}

fn guest(bench: &Bench) -> Guest<'_> {
    bench.module(&wat())
}

fn code_runs_again_after_being_sealed(bench: &Bench) {
    let key = MacKey::new(&[7; 32]);
    let (code_key, sealed) = sealed(bench, &key);
    let module = bench.engine.load(&code_key.open(&key, sealed).unwrap(), false).unwrap();
    let mut one = guest(bench).run_module(&module).unwrap();
    let mut two = guest(bench).run_module(&module).unwrap();
    assert_eq!(one.call(0, b"from the cache").unwrap().1, b"from the cache");
    assert_eq!(two.call(0, b"twice").unwrap().1, b"twice");
    assert!(!bench.engine.serialize(&module).unwrap().is_empty());
}

fn fault_052_code_for_another_key_does_not_open(bench: &Bench) {
    let key = MacKey::new(&[7; 32]);
    let (code_key, sealed) = sealed(bench, &key);
    let other = CodeKey { module: Digest::of(b"another module"), ..code_key.clone() };
    assert!(matches!(other.open(&key, sealed.clone()), Err(RuntimeError::Seal)));
    let other = CodeKey { fingerprint: bench.engine.fingerprint(true), ..code_key.clone() };
    assert!(matches!(other.open(&key, sealed.clone()), Err(RuntimeError::Seal)));
    assert!(matches!(code_key.open(&MacKey::new(&[8; 32]), sealed.clone()), Err(RuntimeError::Seal)));
    let mut bad = sealed;
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    assert!(matches!(code_key.open(&key, bad), Err(RuntimeError::Seal)));
}

fn fault_052_authenticated_code_of_other_settings_does_not_load(bench: &Bench) {
    let key = MacKey::new(&[7; 32]);
    let (code_key, sealed) = sealed(bench, &key);
    let code = code_key.open(&key, sealed).unwrap();
    let loaded = bench.engine.load(&code, true);
    assert!(matches!(loaded, Err(RuntimeError::Load(..))), "{loaded:?}");
    for bytes in [&b""[..], b"not code at all"] {
        let code = code_key.open(&key, code_key.seal(&key, bytes)).unwrap();
        assert!(matches!(bench.engine.load(&code, false), Err(RuntimeError::Load(..))));
    }
}

fn fingerprints_tell_settings_apart_and_are_stable(bench: &Bench) {
    let again = crate::runtime::engine(bench.engine.kind(), &bench.clock).unwrap();
    for fuel in [false, true] {
        assert_eq!(bench.engine.fingerprint(fuel), again.fingerprint(fuel));
        assert!(bench.engine.fingerprint(fuel).starts_with(bench.engine.kind().name()));
    }
    assert_ne!(bench.engine.fingerprint(false), bench.engine.fingerprint(true));
}

fn a_module_of_another_engine_is_refused(bench: &Bench) {
    let kind = match bench.engine.kind() {
        EngineKind::Wasmtime => EngineKind::Wasmer,
        EngineKind::Wasmer | EngineKind::Native => EngineKind::Wasmtime,
    };
    let foreign = CompiledModule { kind, inner: Arc::new(()) };
    let made = guest(bench).run_module(&foreign);
    assert!(matches!(made, Err(RuntimeError::Mismatch(_))), "{:?}", made.err());
    assert!(bench.engine.serialize(&foreign).is_err());
}
