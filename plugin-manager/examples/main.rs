//! Embeds the host: opens a home, installs a package from a file, calls one of its operations and prints the answer.
//!
//! `cargo run -p plugin-manager --example main -- HOME PACKAGE OPERATION INPUT`. A package that is installed already is
//! found again, so it can be run twice.

#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use common::error::ForgeError;
use common::identity::IdentityContext;
use microkernel::trust::TrustContext;
use plugin_manager::{PluginManager, PluginRegistry};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [home, package, operation, input] = arguments.as_slice() else {
        return Err("usage: main HOME PACKAGE OPERATION INPUT".into());
    };
    match answer(home, package, operation, input.as_bytes()) {
        Ok(output) => println!("{}", String::from_utf8_lossy(&output)),
        Err(error) => return Err(told(&error).into()),
    }
    Ok(())
}

/// One call of an operation of the plugin in this package.
pub fn answer(home: &str, package: &str, operation: &str, input: &[u8]) -> Result<Vec<u8>, ForgeError> {
    // The home holds configuration, trust, packages, data and the audit log. This process alone uses it until it is
    // let go of.
    let host = PluginManager::builder().home(home).open()?;
    let mut registry = PluginRegistry::over(host);

    // Policies decide whether this operator may install and call; the audit log names it.
    let operator = IdentityContext::operator("example");
    let trust = TrustContext::new(&operator);

    // Proven, granted, compiled, recorded; nothing of the plugin has run.
    let plugin = registry.load_plugin(package, &operator, &trust)?;
    // `init` and `start`.
    registry.start_plugin(plugin)?;
    let output = registry.call(plugin, operation, input.to_vec());
    // `stop`; what the plugin stored and every record are on disk when this returns.
    registry.shutdown()?;
    output
}

/// What happened, why, and what to try next.
pub fn told(error: &ForgeError) -> String {
    let reasons: String = error.reasons().iter().map(|reason| format!("; {reason}")).collect();
    format!("{} {error}{reasons}; {}", error.code(), error.help())
}
