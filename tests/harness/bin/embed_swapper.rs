//! Embeds the host and puts plugin `tally` from version 1.0.0 to 1.1.0 and back without end, while two threads call
//! it without pause.
//!
//! `embed_swapper HOME PACKAGE`: PACKAGE is version 1.1.0. After each swap it prints, in one write, what the plugin had
//! counted before the swap began.

use plugin_manager::{PluginManager, UpgradeOptions};
use std::io::Write;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(home), Some(package)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: embed_swapper HOME PACKAGE");
    };
    let manager = PluginManager::builder().home(home).operator("embedder").open()?;
    let package = std::fs::read(package)?;
    for _ in 0..2 {
        let mut add = manager.handle("tally")?.operation("add")?;
        std::thread::spawn(move || -> anyhow::Result<()> {
            loop {
                add.call(&mut Vec::new(), &mut Vec::new())?;
            }
        });
    }
    let mut out = std::io::stdout().lock();
    for i in 0_u64.. {
        let count = manager.call("tally", "count", Vec::new())?;
        let swapped = match i {
            0 => manager.upgrade(&package, &UpgradeOptions::default()),
            _ if i % 2 == 0 => manager.rollback("tally", Some("1.1.0")),
            _ => manager.rollback("tally", None),
        };
        swapped?;
        let count = u64::from_le_bytes(count.try_into().map_err(|_| anyhow::anyhow!("not eight bytes"))?);
        out.write_all(format!("{count}\n").as_bytes())?;
    }
    Ok(())
}
