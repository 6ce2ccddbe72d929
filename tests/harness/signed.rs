//! Packages made and signed through the binary, as a publisher would.

use crate::binary::workspace_root;
use crate::world::World;
use std::path::PathBuf;

/// The sample plugin's module: `FORGEONE_SAMPLE_WASM`, or where `cargo xtask` builds it.
pub fn sample_wasm() -> PathBuf {
    if let Some(named) = std::env::var_os("FORGEONE_SAMPLE_WASM") {
        return named.into();
    }
    let built = workspace_root().join("target/wasm32-unknown-unknown/guest/sample_plugin.wasm");
    assert!(built.is_file(), "no {}: run `cargo xtask guests`", built.display());
    built
}

/// Makes an authority and the publisher `acme` in the world's home, packs this module under this `plugin.toml`,
/// signs it, and returns the path of the signed package.
pub fn signed_package(world: &World, plugin_toml: &str, module: &[u8]) -> PathBuf {
    world.run(&["keys", "init", "--name", "test-authority"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    world.write("source/plugin.toml", plugin_toml);
    world.write("source/plugin.wasm", module);
    world.write("source/assets/notes.txt", "a supporting file\n");
    world.run(&["pack", "source", "-o", "signed.forgepkg"]).ok();
    world.run(&["sign", "signed.forgepkg", "--publisher", "acme"]).ok();
    world.path("signed.forgepkg")
}
