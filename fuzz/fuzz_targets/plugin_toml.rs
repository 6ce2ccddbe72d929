//! libFuzzer over the target `plugin_toml` of `fuzz-targets`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::read("plugin_toml", input));
