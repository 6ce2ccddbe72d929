//! Who runs the command: the user the kernel says this process is, never what an environment variable says.

use std::os::unix::fs::MetadataExt;

/// The user's name by `/etc/passwd`, or `uid-N` where it has none.
pub fn name() -> String {
    let Ok(me) = std::fs::metadata("/proc/self") else { return "unknown".to_owned() };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    user(&users, me.uid()).unwrap_or_else(|| format!("uid-{}", me.uid()))
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
}
