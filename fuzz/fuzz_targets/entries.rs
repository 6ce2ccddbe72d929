//! libFuzzer over the target `entries` of `fuzz-targets`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::read("entries", input));
