//! libFuzzer over the target `bundle` of `fuzz-targets`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::read("bundle", input));
