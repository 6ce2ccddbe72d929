//! libFuzzer over the target `trust_toml` of `fuzz-targets`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::read("trust_toml", input));
