//! A host program with two plugins linked into it: one that works, and one whose manifest names another publisher.
//! It registers neither. `linked_plugin HOME` prints what it sees, a line at a time.

use plugin_manager::{ForgePlugin, NativeError, NativeHost, PluginManager, submit_plugin};
use std::sync::atomic::{AtomicU32, Ordering};

static MADE: AtomicU32 = AtomicU32::new(0);

#[derive(Clone)]
struct Greeter {
    greeting: &'static str,
}

impl Greeter {
    fn make() -> Self {
        MADE.fetch_add(1, Ordering::SeqCst);
        Self { greeting: "hello" }
    }
}

impl ForgePlugin for Greeter {
    const MANIFEST: &'static str = r#"
        [plugin]
        name = "greeter"
        version = "1.0.0"
        [instances]
        mode = "pooled"
        max = 4
        [[operations]]
        name = "greet"
    "#;

    fn call(&mut self, _operation: &str, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        let name = std::str::from_utf8(host.input())?;
        Ok(host.output(format!("{} {name}", self.greeting))?)
    }
}

submit_plugin!(Greeter, Greeter::make);

#[derive(Clone, Default)]
struct Stranger;

impl ForgePlugin for Stranger {
    const MANIFEST: &'static str =
        "[plugin]\nname = \"stranger\"\nversion = \"1.0.0\"\npublisher = \"somebody-else\"";

    fn call(&mut self, _: &str, _: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
}

submit_plugin!(Stranger);

fn main() -> anyhow::Result<()> {
    let Some(home) = std::env::args().nth(1) else { anyhow::bail!("usage: linked_plugin HOME") };
    let manager = PluginManager::builder().home(home).open()?;
    for plugin in manager.list()? {
        println!("{} {} {}, made {}", plugin.name, plugin.kind, plugin.state, made());
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| manager.call("greeter", "greet", b"you".to_vec()));
        }
    });
    let answer = manager.call("greeter", "greet", b"world".to_vec())?;
    println!("{}, made {}", String::from_utf8_lossy(&answer), made());
    for probe in manager.doctor().iter().filter(|probe| probe.name.starts_with("native plugin")) {
        println!("{}: {}: {}", probe.name, probe.verdict, probe.detail);
    }
    manager.shutdown()?;
    Ok(())
}

fn made() -> u32 {
    MADE.load(Ordering::SeqCst)
}
