//! One plugin's whole life through the `forgeone` binary. Every step is checked; the first that fails ends it.

mod evidence;
mod host;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::guests;
use crate::project::{build_binary, human, root, sample_wasm, target};
use host::{Answer, Host};

/// The log that is redacted when no other is given.
const DEFAULT_INPUT: &str = "tests/fixtures/access.log";
const PLUGIN: &str = "log-redactor";
const PUBLISHER: &str = "acme";
const PACKAGE: &str = "log-redactor-1.2.0.forgepkg";

/// Exit codes of the contract the demo provokes.
const REFUSED: i32 = 3;
const CONFLICT: i32 = 7;
const AUDIT_DAMAGED: i32 = 8;

/// `cargo xtask demo [--engine NAME] [--input FILE]`.
pub fn run(args: &[String]) -> Result<()> {
    let options = Options::parse(args)?;
    let begun = Instant::now();
    let demo = Demo::prepare(&options)?;
    for (name, step) in STEPS {
        let at = Instant::now();
        let said = step(&demo).with_context(|| format!("the step `{name}` failed"))?;
        demo.say(name, at.elapsed(), &said);
    }
    println!("\n{} steps held on {} in {}", STEPS.len(), options.engine, human(begun.elapsed()));
    println!("home, packages and the redacted log: {}", shown(&demo.dir));
    Ok(())
}

/// A step answers the lines of the transcript, or why it did not hold.
type Step = fn(&Demo) -> Result<Vec<String>>;

const STEPS: &[(&str, Step)] = &[
    ("build", build),
    ("keys", keys),
    ("policy", policy),
    ("pack", pack),
    ("unsigned", unsigned),
    ("sign", sign),
    ("tampered", tampered),
    ("install", install),
    ("redact", redact),
    ("stats", stats),
    ("probe", probe),
    ("audit tail", audit_tail),
    ("pause", pause),
    ("resume", resume),
    ("stop", stop),
    ("remove", remove),
    ("audit verify", audit_verify),
    ("audit damage", audit_damage),
];

struct Options {
    engine: String,
    input: PathBuf,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self { engine: "wasmtime".into(), input: root()?.join(DEFAULT_INPUT) };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let value = args.next().with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--engine" if ["wasmtime", "wasmer"].contains(&value.as_str()) => {
                    options.engine.clone_from(value)
                }
                "--engine" => bail!("there is no engine \"{value}\": wasmtime or wasmer"),
                "--input" => options.input = std::path::absolute(value)?,
                _ => bail!("there is no option \"{name}\""),
            }
        }
        Ok(options)
    }
}

/// What the steps share.
struct Demo {
    dir: PathBuf,
    input: PathBuf,
    host: Host,
}

impl Demo {
    /// A fresh directory with a home and its configuration in it.
    fn prepare(options: &Options) -> Result<Self> {
        let dir = target()?.join("demo").join(&options.engine);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let host = Host::new(dir.join("home"), &options.engine)?;
        println!("ForgeOne demo on {}: {} in {}", options.engine, shown(&options.input), shown(&dir));
        println!("environment staging, signatures required; namespace_isolation is false: the plugin runs");
        println!(
            "inside the forgeone process, held by its engine and its grant, without a wall of its own\n"
        );
        Ok(Self { dir, input: options.input.clone(), host })
    }

    fn say(&self, name: &str, time: Duration, lines: &[String]) {
        let mut lines = lines.iter();
        println!("{name:<13} {:>8}  {}", human(time), lines.next().map_or("", String::as_str));
        lines.for_each(|line| println!("{:24}{line}", ""));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn package(&self) -> PathBuf {
        self.file(PACKAGE)
    }

    fn call(&self, operation: &str, input: &Path) -> Result<Answer> {
        self.host.forgeone(&["call", PLUGIN, operation, "--input", text(input)?])
    }

    /// Calls with a line of its own, for the steps that are not about the log.
    fn call_small(&self) -> Result<Answer> {
        let small = self.file("small.txt");
        fs::write(&small, "ada@example.com from 192.0.2.1\n")?;
        self.call("redact", &small)
    }

    /// The desired state `status` tells.
    fn desired(&self) -> Result<String> {
        let status = self.host.forgeone(&["status", PLUGIN, "--json"])?.succeeded()?.json()?;
        let desired = evidence::field(&status, "desired").and_then(|value| value.as_str());
        Ok(desired.context("status tells no desired state")?.to_lowercase())
    }

    /// Changes the desired state and checks that calls are refused in it.
    fn leave_running(&self, verb: &str, desired: &str) -> Result<Vec<String>> {
        self.host.forgeone(&[verb, PLUGIN])?.succeeded()?;
        let now = self.desired()?;
        ensure!(now == desired, "the desired state is {now}, not {desired}");
        let refused = self.call_small()?.ended(CONFLICT)?;
        ensure!(refused.stdout.is_empty(), "a refused call wrote to stdout");
        Ok(vec![format!("desired state {desired}; a call is refused:"), refused.error_line()?])
    }
}

fn lines(line: impl Into<String>) -> Result<Vec<String>> {
    Ok(vec![line.into()])
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// A path as a reader in the workspace would write it.
fn shown(path: &Path) -> String {
    let root = root().unwrap_or_default();
    path.strip_prefix(&root).unwrap_or(path).display().to_string()
}

fn build(_demo: &Demo) -> Result<Vec<String>> {
    let size = guests::build()?;
    build_binary()?;
    lines(format!("sample_plugin.wasm ({size} bytes, wasm32-unknown-unknown) and the forgeone binary"))
}

fn keys(demo: &Demo) -> Result<Vec<String>> {
    demo.host.forgeone(&["keys", "init", "--name", "acme-root"])?.succeeded()?;
    demo.host.forgeone(&["keys", "issue", PUBLISHER])?.succeeded()?;
    let made = evidence::files(&demo.host.home.join("keys"))?;
    ensure!(!made.is_empty(), "no key was written");
    lines(format!("certificate authority acme-root, publisher {PUBLISHER}: {} files in keys/", made.len()))
}

/// What the operator permits beyond the plugin's private areas.
const POLICY: &str = r#"@id("log-redactor-observes")
permit (
    principal == Plugin::"log-redactor",
    action in [Action::"observability.*", Action::"clock.*"],
    resource
);
"#;

fn policy(demo: &Demo) -> Result<Vec<String>> {
    let dir = demo.host.home.join("trust/policy");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("log-redactor.cedar"), POLICY)?;
    let checked = demo.host.forgeone(&["policy", "check"])?.succeeded()?;
    ensure!(checked.stdout_text()?.contains("log-redactor.cedar"), "policy check does not name the file");
    lines("trust/policy/log-redactor.cedar permits metrics, events and the clock; valid against the schema")
}

fn pack(demo: &Demo) -> Result<Vec<String>> {
    let (plugin, wasm) = (root()?.join("sample-plugin"), sample_wasm()?);
    let again = demo.file("packed-again.forgepkg");
    for out in [&demo.package(), &again] {
        let args = ["pack", text(&plugin)?, "--wasm", text(&wasm)?, "-o", text(out)?];
        demo.host.forgeone(&args)?.succeeded()?;
    }
    let (first, second) = (fs::read(demo.package())?, fs::read(&again)?);
    ensure!(first == second, "packing the same inputs twice gave different bytes");
    fs::remove_file(&again)?;
    lines(format!("{PACKAGE}, {} bytes; packed twice, the same bytes", first.len()))
}

fn unsigned(demo: &Demo) -> Result<Vec<String>> {
    let refused = demo.host.forgeone(&["verify", text(&demo.package())?])?.ended(REFUSED)?;
    ensure!(refused.stderr.contains("E1201"), "refused for another reason: {}", refused.stderr);
    Ok(vec!["the package is refused while it is unsigned:".into(), refused.error_line()?])
}

fn sign(demo: &Demo) -> Result<Vec<String>> {
    let package = demo.package();
    demo.host.forgeone(&["sign", text(&package)?, "--publisher", PUBLISHER])?.succeeded()?;
    let verified = demo.host.forgeone(&["verify", text(&package)?])?.succeeded()?;
    ensure!(verified.stdout_text()?.contains(PUBLISHER), "verify does not name the publisher");
    lines(format!("signed by {PUBLISHER}; verify proves it in {}", human(verified.time)))
}

fn tampered(demo: &Demo) -> Result<Vec<String>> {
    let mut bytes = fs::read(demo.package())?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("the package is not empty")? ^= 1;
    let copy = demo.file("tampered.forgepkg");
    fs::write(&copy, bytes)?;
    let refused = demo.host.forgeone(&["verify", text(&copy)?])?.ended(REFUSED)?;
    Ok(vec![format!("a copy with bit 0 of byte {middle} flipped is refused:"), refused.error_line()?])
}

fn install(demo: &Demo) -> Result<Vec<String>> {
    let installed = demo.host.forgeone(&["install", text(&demo.package())?])?.succeeded()?;
    let status = demo.host.forgeone(&["status", PLUGIN, "--json"])?.succeeded()?.json()?;
    for (key, expected) in
        [("name", PLUGIN), ("version", "1.2.0"), ("desired", "running"), ("engine", &demo.host.engine)]
    {
        let value = evidence::field(&status, key).and_then(|value| value.as_str()).unwrap_or_default();
        ensure!(value.eq_ignore_ascii_case(expected), "status says {key} is \"{value}\", not \"{expected}\"");
    }
    let took = human(installed.time);
    lines(format!(
        "{PLUGIN} 1.2.0 on {}: proven, granted, compiled, brought up once in {took}",
        demo.host.engine
    ))
}

fn redact(demo: &Demo) -> Result<Vec<String>> {
    let before = fs::read(&demo.input).with_context(|| format!("{} cannot be read", demo.input.display()))?;
    let answer = demo.call("redact", &demo.input)?.succeeded()?;
    let out = demo.file("redacted.log");
    fs::write(&out, &answer.stdout)?;
    evidence::redacted(&before, &answer.stdout)?;
    let again = demo.call("redact", &out)?.succeeded()?;
    ensure!(again.stdout == answer.stdout, "redacting the redacted log changes it");
    let masked = evidence::masks_added(&before, &answer.stdout);
    let count = evidence::line_count(&before);
    let mut said = vec![format!("{count} lines, {} bytes in {}", before.len(), human(answer.time))];
    said.push(masked.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", "));
    said.extend(evidence::example(&before, &answer.stdout));
    said.push("nothing of it is left, and redacting again changes nothing".into());
    Ok(said)
}

fn stats(demo: &Demo) -> Result<Vec<String>> {
    let (before, after) = (fs::read(&demo.input)?, fs::read(demo.file("redacted.log"))?);
    let answer = demo.host.forgeone(&["call", PLUGIN, "stats"])?.succeeded()?;
    let stats = answer.json()?;
    let totals = stats.get("totals").context("stats tells no totals")?;
    let number = |path: &str| totals.pointer(path).and_then(serde_json::Value::as_u64).unwrap_or_default();
    ensure!(number("/calls") == 2, "two calls were made, {} counted", number("/calls"));
    for (kind, found) in evidence::masks_added(&before, &after) {
        let counted = number(&format!("/masked/{kind}"));
        ensure!(counted == found, "{found} {kind} are masked in the file, {counted} counted by the plugin");
    }
    lines("the plugin's counters, kept in storage over two runs, are the masks in the file")
}

fn probe(demo: &Demo) -> Result<Vec<String>> {
    let answer = demo.host.forgeone(&["call", PLUGIN, "probe"])?.succeeded()?;
    let said = answer.stdout_text()?;
    ensure!(said == "kv_get: ok\nrandom: denied\n", "probe answered {said:?}");
    Ok(vec![
        "kv_get, which the manifest asks for: ok".into(),
        "random, which it does not ask for: denied, as a status the plugin can handle".into(),
    ])
}

fn audit_tail(demo: &Demo) -> Result<Vec<String>> {
    let answer = demo.host.forgeone(&["audit", "tail", "--json", "-n", "500"])?.succeeded()?;
    let records = evidence::records(&answer.stdout_text()?)?;
    let permitted = evidence::record(&records, "kv_", false).context("no record of a permitted kv call")?;
    let denied = evidence::record(&records, "random", true).context("no record of the denied call")?;
    Ok(vec![
        format!("permitted: {}", evidence::brief(permitted)),
        format!("denied:    {}", evidence::brief(denied)),
    ])
}

fn pause(demo: &Demo) -> Result<Vec<String>> {
    demo.leave_running("pause", "paused")
}

fn resume(demo: &Demo) -> Result<Vec<String>> {
    demo.host.forgeone(&["resume", PLUGIN])?.succeeded()?;
    let answer = demo.call_small()?.succeeded()?;
    let said = answer.stdout_text()?;
    ensure!(said == "[email] from [ipv4]\n", "the call answered {said:?}");
    lines(format!("a call is answered again: {}", said.trim_end()))
}

fn stop(demo: &Demo) -> Result<Vec<String>> {
    demo.leave_running("stop", "stopped")
}

fn remove(demo: &Demo) -> Result<Vec<String>> {
    demo.host.forgeone(&["remove", PLUGIN])?.succeeded()?;
    let gone = demo.host.forgeone(&["status", PLUGIN])?.ended(CONFLICT)?;
    let list = demo.host.forgeone(&["list", "--json"])?.succeeded()?;
    ensure!(!list.stdout_text()?.contains(PLUGIN), "list still shows it");
    Ok(vec!["status and list know it no more:".into(), gone.error_line()?])
}

fn audit_verify(demo: &Demo) -> Result<Vec<String>> {
    let verified = demo.host.forgeone(&["audit", "verify"])?.succeeded()?;
    let said = verified.stdout_text()?;
    lines(said.lines().next().unwrap_or("whole and in order").to_owned())
}

fn audit_damage(demo: &Demo) -> Result<Vec<String>> {
    let copy = demo.file("damaged-home");
    evidence::copy(&demo.host.home, &copy)?;
    let (segment, offset) = evidence::flip_a_byte(&copy.join("audit"))?;
    let found = demo.host.at(copy.clone()).forgeone(&["audit", "verify"])?.ended(AUDIT_DAMAGED)?;
    fs::remove_dir_all(&copy)?;
    Ok(vec![
        format!("in a copy of the home, one bit of byte {offset} of {segment} flipped is found:"),
        found.error_line()?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<Options> {
        Options::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_have_defaults_and_are_checked() {
        let default = options(&[]).unwrap();
        assert_eq!(default.engine, "wasmtime");
        assert!(default.input.ends_with(DEFAULT_INPUT));
        assert_eq!(options(&["--engine", "wasmer"]).unwrap().engine, "wasmer");
        assert!(options(&["--input", "x.log"]).unwrap().input.is_absolute());
        for bad in [&["--engine", "v8"][..], &["--engine"], &["--fast", "1"]] {
            assert!(options(bad).is_err(), "{bad:?}");
        }
    }
}
