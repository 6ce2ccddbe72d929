//! libFuzzer over the target `wasi` of `fuzz-targets`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::read("wasi", input));
