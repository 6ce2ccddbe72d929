//! Greets whoever is named, and remembers whom it greeted last.

use forgeone_pdk::{Error, Plugin, config, export_plugin, info, kv};

/// The storage key of the last name.
const LAST: &str = "last";

/// The plugin between calls.
#[derive(Debug, Default)]
struct Greeter {
    greeting: String,
}

impl Plugin for Greeter {
    fn init(&mut self) -> Result<(), Error> {
        self.greeting = config::get("greeting")?.unwrap_or_else(|| "Hello".to_owned());
        Ok(())
    }
}

impl Greeter {
    /// Answers a greeting.
    fn greet(&mut self, input: &str) -> Result<String, Error> {
        let name = input.trim_end();
        if name.is_empty() {
            return Err(Error::new(1, "there is no name in the input"));
        }
        kv::set(LAST, name.as_bytes())?;
        info!("greeting {name}");
        Ok(format!("{}, {name}!\n", self.greeting))
    }

    /// Answers whom it greeted last.
    fn last(&self) -> Result<Vec<u8>, Error> {
        kv::get(LAST)?.ok_or_else(|| Error::new(2, "nobody was greeted yet"))
    }
}

export_plugin!(Greeter, operations: [greet, last]);

#[cfg(test)]
mod tests {
    use super::exports;
    use forgeone_pdk::testing::Host;

    fn started() -> Host {
        let host = Host::install();
        host.step(exports::init).unwrap();
        host.step(exports::start).unwrap();
        host
    }

    #[test]
    fn a_name_is_greeted_and_kept() {
        let host = started();
        assert_eq!(
            host.call(exports::greet, b"Ada\n").unwrap(),
            b"Hello, Ada!\n"
        );
        assert_eq!(host.call(exports::last, b"").unwrap(), b"Ada");
    }

    #[test]
    fn the_greeting_is_configured() {
        let host = Host::install();
        host.set_config("greeting", "Good morning");
        host.step(exports::init).unwrap();
        assert_eq!(
            host.call(exports::greet, b"Ada").unwrap(),
            b"Good morning, Ada!\n"
        );
    }

    #[test]
    fn what_cannot_be_done_has_a_status_and_a_reason() {
        let host = started();
        let nobody = host.call(exports::last, b"").unwrap_err();
        assert_eq!(nobody.status, 2);
        assert_eq!(nobody.text.as_deref(), Some("nobody was greeted yet"));
        assert_eq!(host.call(exports::greet, b" \n").unwrap_err().status, 1);
        host.deny("kv_set");
        let denied = host.call(exports::greet, b"Ada").unwrap_err();
        assert_eq!(denied.text.as_deref(), Some("kv_set: denied"));
    }
}
