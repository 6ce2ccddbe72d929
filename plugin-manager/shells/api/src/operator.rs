//! Who asks: the user the kernel says a process is, never what an environment variable or a request says.

use std::os::unix::fs::MetadataExt;

/// The name of the user this process runs as; `unknown` where the kernel does not say.
pub fn name() -> String {
    std::fs::metadata("/proc/self").map_or_else(|_| "unknown".to_owned(), |me| name_of(me.uid()))
}

/// A user's name by `/etc/passwd`, or `uid-N` where it has none.
pub fn name_of(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    user(&users, uid).unwrap_or_else(|| format!("uid-{uid}"))
}

fn user(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(user(passwd, 1000).as_deref(), Some("ada"));
        assert_eq!(user(passwd, 7), None);
    }

    #[test]
    fn a_user_without_a_name_is_a_number() {
        assert_eq!(name_of(4_000_000_001), "uid-4000000001");
    }
}
