//! An unsigned package whose operation `echo` answers its input.

use crate::loader::{LoadError, PackageLimits, Source, pack};

/// What `echo.wat` beside this file compiles to.
const MODULE: &[u8] = b"\x00asm\x01\x00\x00\x00\x01\x17\x04`\x03\x7f\x7f\x7f\x01\x7f`\x02\x7f\x7f\x01\x7f`\x00\x01\x7f`\x01\x7f\x01\x7f\x02\x1f\x02\x03env\x0ainput_r\
    ead\x00\x00\x03env\x06output\x00\x01\x03\x05\x04\x02\x02\x02\x03\x05\x03\x01\x00\x01\x07'\x05\x06memory\x02\x00\x04init\x00\
    \x02\x05start\x00\x03\x04stop\x00\x04\x04echo\x00\x05\x0a\x22\x04\x04\x00A\x00\x0b\x04\x00A\x00\x0b\x04\x00A\x00\x0b\x11\x00A\x00A\x00 \
    \x00\x10\x00\x1aA\x00 \x00\x10\x01\x0b";

/// An unsigned package of the publisher `acme` with this name and version. Its operation `echo` answers an input of
/// up to 64 KiB as it is, and its manifest asks for its private files. A home takes it in development with
/// `verify_signatures: false`, or once it is signed.
///
/// ```
/// use plugin_manager::{Package, PackageLimits, test_utils::echo_package};
/// let bytes = echo_package("echo", "1.0.0")?;
/// let package = Package::load(&bytes, &PackageLimits::default())?;
/// assert_eq!(package.manifest().operations[0].name.as_str(), "echo");
/// # Ok::<(), plugin_manager::loader::LoadError>(())
/// ```
///
/// # Errors
/// When the name or the version is not one that a manifest may have.
pub fn echo_package(name: &str, version: &str) -> Result<Vec<u8>, LoadError> {
    let plugin_toml = format!(
        "[plugin]\nname = {name:?}\nversion = {version:?}\npublisher = \"acme\"\n\n\
         [permissions]\nfilesystem = [\"read\", \"write\"]\n\n[[operations]]\nname = \"echo\"\n"
    );
    let source = Source { plugin_toml: &plugin_toml, publisher: None, module: MODULE, assets: &[] };
    pack(&source, &PackageLimits::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_what_its_text_compiles_to() {
        assert_eq!(MODULE, wat::parse_str(include_str!("echo.wat")).unwrap());
    }

    #[test]
    fn names_and_versions_are_those_of_manifests() {
        assert!(echo_package("echo", "1.0.0").is_ok());
        for (name, version) in [("Echo", "1.0.0"), ("e\"\n", "1.0.0"), ("echo", "1")] {
            assert!(echo_package(name, version).is_err(), "{name} {version}");
        }
    }
}
