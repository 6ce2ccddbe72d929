//! Embeds the host, calls `keeper put` once for each number, and acknowledges each call on stdout.
//!
//! `embed_caller HOME COUNT PAUSE`: after call `i` returned, prints `i NANOSECONDS` (since 1970) in one write, and
//! lets PAUSE microseconds pass before the next.

use forgeone_tests::pack_args;
use plugin_manager::PluginManager;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(home), Some(count), Some(pause)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        anyhow::bail!("usage: embed_caller HOME COUNT PAUSE");
    };
    let pause = Duration::from_micros(pause.parse()?);
    let manager = PluginManager::builder().home(home).operator("embedder").open()?;
    let mut out = std::io::stdout().lock();
    for i in 0..count.parse::<u32>()? {
        let key = format!("k{i:05}");
        manager.call("keeper", "put", pack_args(&[key.as_bytes(), b"value"]))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        out.write_all(format!("{i} {now}\n").as_bytes())?;
        std::thread::sleep(pause);
    }
    manager.shutdown()?;
    Ok(())
}
