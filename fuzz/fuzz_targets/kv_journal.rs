//! libFuzzer over the target `kv_journal` of `fuzz-targets`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::read("kv_journal", input));
