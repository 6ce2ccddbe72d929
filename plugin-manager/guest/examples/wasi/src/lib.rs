//! Keeps notes in files: a plugin for wasm32-wasip1 that uses `std::fs` where it could use the SDK.

use forgeone_pdk::{Error, Plugin, export_plugin};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The plugin between calls.
#[derive(Debug, Default)]
struct Notes;

impl Plugin for Notes {}

fn failed(error: std::io::Error) -> Error {
    Error::new(1, &error.to_string())
}

impl Notes {
    fn note(&mut self, input: &str) -> Result<String, Error> {
        let (name, text) = input.split_once('\n').unwrap_or((input, ""));
        fs::create_dir_all("/data/notes").map_err(failed)?;
        fs::write(format!("/data/notes/{name}"), text).map_err(failed)?;
        println!("noted {name}");
        Ok(String::new())
    }

    fn noted(&mut self, input: &str) -> Result<String, Error> {
        fs::read_to_string(format!("/data/notes/{}", input.trim_end())).map_err(failed)
    }

    fn tour(&mut self) -> Result<String, Error> {
        let told = tour().map_err(failed)?;
        Ok(told.join("\n"))
    }
}

/// One line for each thing done.
fn tour() -> std::io::Result<Vec<String>> {
    let mut told = Vec::new();
    let mut tell = |line: String| told.push(line);
    let begun = Instant::now();
    fs::create_dir("/data/tour")?;
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open("/data/tour/a")?;
    file.write_all(b"0123456789")?;
    file.seek(SeekFrom::Start(3))?;
    file.write_all(b"abc")?;
    file.set_len(8)?;
    file.sync_all()?;
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    tell(format!("file {text} {}", file.metadata()?.len()));
    drop(file);
    let mut file = OpenOptions::new().append(true).open("/data/tour/a")?;
    file.write_all(b"!")?;
    fs::rename("/data/tour/a", "/data/tour/b")?;
    fs::create_dir("/data/tour/d")?;
    File::create("/data/tour/d/e")?;
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir("/data/tour")? {
        let entry = entry?;
        let kind = if entry.file_type()?.is_dir() { "/" } else { "" };
        names.push(format!("{}{kind}", entry.file_name().to_string_lossy()));
    }
    tell(format!("names {}", names.join(" ")));
    tell(format!("text {}", fs::read_to_string("/data/tour/b")?));
    for (what, ended) in [
        ("again", fs::create_dir("/data/tour")),
        ("full", fs::remove_dir("/data/tour")),
        ("none", fs::read("/data/tour/none").map(drop)),
        ("no directory", fs::read_dir("/data/tour/b").map(drop)),
        ("directory", fs::remove_file("/data/tour/d")),
        ("outside", fs::read("/etc/passwd").map(drop)),
        ("above", fs::read("/data/../etc/passwd").map(drop)),
    ] {
        tell(format!("{what} {:?}", ended.map_err(|e| e.raw_os_error())));
    }
    fs::remove_dir_all("/data/tour")?;
    tell(format!("left {}", fs::exists("/data/tour")?));
    std::thread::sleep(Duration::from_millis(2));
    tell(format!("slept {}", begun.elapsed() >= Duration::from_millis(2)));
    tell(format!("after 2020 {}", SystemTime::now().duration_since(UNIX_EPOCH).is_ok_and(|t| t.as_secs() > 1 << 30)));
    let map: HashMap<u8, u8> = (0..9).map(|n| (n, n)).collect();
    tell(format!("hashed {}", map.len()));
    let mut variables: Vec<_> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    variables.sort();
    tell(format!("variables {}", variables.join(" ")));
    tell(format!("arguments {}", std::env::args().count()));
    eprint!("done");
    Ok(told)
}

export_plugin!(Notes, operations: [note, noted, tour]);
