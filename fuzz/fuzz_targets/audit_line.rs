//! libFuzzer over the target `audit_line` of `fuzz-targets`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::read("audit_line", input));
