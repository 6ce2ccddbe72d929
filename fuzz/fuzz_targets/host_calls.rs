//! libFuzzer over the target `host_calls` of `fuzz-targets`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::read("host_calls", input));
