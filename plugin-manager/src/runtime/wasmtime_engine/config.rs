//! How wasmtime is configured, and the fingerprint of code made so.

use crate::runtime::STACK_BYTES;
use common::identity::Digest;
use std::hash::{Hash, Hasher};
use wasmtime::{Config, Engine, WasmBacktraceDetails, WasmFeatures};

/// The WebAssembly that plugins may use; everything else is off. Threads, 64-bit and multiple memories, relaxed
/// SIMD, tail calls, GC, exceptions and components are left out: no plugin asks for them yet, and each is code
/// that a hostile module could reach.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FLOATS);

/// The configuration, with or without fuel.
///
/// - Epochs end calls at their deadline; fuel only where a quota is asked for.
/// - NaNs are canonical, so that the same input gives the same bytes on every engine and machine. The cost is
///   in float-heavy code alone.
/// - No backtraces of guest code: a trap stays cheap, and what it would name is the guest's own claim. Nothing
///   unwinds through guest frames, so no unwind tables are registered either.
pub(super) fn config(fuel: bool) -> Config {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(FEATURES, true)
        .epoch_interruption(true)
        .consume_fuel(fuel)
        .max_wasm_stack(STACK_BYTES)
        .cranelift_nan_canonicalization(true)
        .parallel_compilation(true)
        .wasm_backtrace_max_frames(None)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .native_unwind_info(false);
    config
}

/// Engine, version, machine and a digest of everything compiled code depends on: settings, features and the
/// CPU features the compiler found.
pub(super) fn fingerprint(engine: &Engine, fuel: bool) -> String {
    let mut parts = Parts(Vec::new());
    engine.precompile_compatibility_hash().hash(&mut parts);
    let digest = Digest::of(&parts.0);
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("wasmtime {arch}-{os} fuel={fuel} {digest}")
}

/// Keeps what is hashed, so that it can be given to SHA-256: 64 bits are too few to tell code apart by.
struct Parts(Vec<u8>);

impl Hasher for Parts {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
    fn finish(&self) -> u64 {
        0
    }
}
