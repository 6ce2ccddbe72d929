//! Examples for every command, as they are typed; a test reads each with the grammar.

/// Commands with their examples.
pub const ALL: &[(&str, &[&str])] = &[
    ("forgeone new", &["forgeone new greeter", "forgeone new greeter --publisher acme --lang c"]),
    ("forgeone explain", &["forgeone explain", "forgeone explain E1204"]),
    ("forgeone schema", &["forgeone schema plugin-toml > plugin-toml.schema.json"]),
    (
        "forgeone pack",
        &["forgeone pack my-plugin", "forgeone pack my-plugin --wasm target/my_plugin.wasm -o my.forgepkg"],
    ),
    (
        "forgeone sign",
        &[
            "forgeone sign my.forgepkg --publisher acme",
            "forgeone sign my.forgepkg --cosigner ada",
            "forgeone sign my.forgepkg --key acme.pk8.pem --cert acme.pem",
            "forgeone sign my.forgepkg --publisher acme --timestamp local --log",
        ],
    ),
    ("forgeone verify", &["forgeone verify my.forgepkg", "forgeone verify my.forgepkg --json"]),
    (
        "forgeone stage",
        &[
            "forgeone stage my.forgepkg",
            "forgeone stage my.forgepkg --for 10m -o staged.forgepkg",
            "forgeone stage my.forgepkg --dry-run --calls 100",
        ],
    ),
    ("forgeone inspect", &["forgeone inspect my.forgepkg"]),
    (
        "forgeone keys init",
        &[
            "forgeone keys init --name corp",
            "forgeone keys init --name corp --passphrase",
            "forgeone keys init --name laptop --development",
        ],
    ),
    (
        "forgeone keys issue",
        &[
            "forgeone keys issue acme",
            "forgeone keys issue ada --signer --role review",
            "forgeone keys issue acme --algorithm ed25519 --days 30 --packages log-*",
        ],
    ),
    ("forgeone keys notary", &["forgeone keys notary"]),
    (
        "forgeone keys protect",
        &[
            "forgeone keys protect",
            "forgeone keys protect acme --passphrase-file old.pass --new-passphrase-file new.pass",
            "forgeone keys protect --notary --no-passphrase",
        ],
    ),
    ("forgeone keys list", &["forgeone keys list"]),
    ("forgeone keys revoke", &["forgeone keys revoke acme --kill", "forgeone keys revoke --days 30"]),
    ("forgeone keys rotate", &["forgeone keys rotate acme"]),
    (
        "forgeone keys export",
        &[
            "forgeone keys export > root.pem",
            "forgeone keys export acme -o acme.pem",
            "forgeone keys export --sigstore-root -o trusted_root.json",
            "forgeone keys export --host -o host.pem",
        ],
    ),
    (
        "forgeone install",
        &[
            "forgeone install my.forgepkg",
            "forgeone install front.forgepkg --from packages --dry-run",
            "forgeone install --locked forgeone.lock --from packages",
        ],
    ),
    (
        "forgeone upgrade",
        &[
            "forgeone upgrade log-redactor-1.1.0.forgepkg",
            "forgeone upgrade log-redactor-1.1.0.forgepkg --check self-test --accept-permissions",
            "forgeone upgrade log-redactor-1.1.0.forgepkg --canary 10% --for 5m --max-errors 0.5%",
        ],
    ),
    ("forgeone promote", &["forgeone promote log-redactor"]),
    ("forgeone abandon", &["forgeone abandon log-redactor"]),
    (
        "forgeone approve",
        &[
            "forgeone approve --list",
            "forgeone approve log-redactor --version 1.2.0",
            "forgeone approve log-redactor --reject",
        ],
    ),
    ("forgeone rollback", &["forgeone rollback log-redactor", "forgeone rollback log-redactor --to 1.0.0"]),
    ("forgeone remove", &["forgeone remove log-redactor", "forgeone remove log-redactor --keep-data"]),
    ("forgeone list", &["forgeone list", "forgeone list --json"]),
    ("forgeone status", &["forgeone status", "forgeone status log-redactor"]),
    ("forgeone start", &["forgeone start log-redactor"]),
    ("forgeone stop", &["forgeone stop log-redactor"]),
    ("forgeone pause", &["forgeone pause log-redactor"]),
    ("forgeone resume", &["forgeone resume log-redactor"]),
    ("forgeone release", &["forgeone release log-redactor"]),
    (
        "forgeone call",
        &[
            "echo 'mail ada@example.com' | forgeone call log-redactor redact --input -",
            "forgeone call log-redactor redact --input app.log > clean.log",
        ],
    ),
    ("forgeone config get", &["forgeone config log-redactor get mask"]),
    (
        "forgeone config set",
        &["forgeone config log-redactor set mask ***", "forgeone config log-redactor set --env LANG C"],
    ),
    ("forgeone config unset", &["forgeone config log-redactor unset mask"]),
    ("forgeone config list", &["forgeone config log-redactor list"]),
    (
        "forgeone secrets set",
        &[
            "forgeone secrets set api/token --input token.txt",
            "pass show api | forgeone secrets set api/token",
        ],
    ),
    ("forgeone secrets list", &["forgeone secrets list"]),
    ("forgeone secrets remove", &["forgeone secrets remove api/token"]),
    ("forgeone logs", &["forgeone logs log-redactor", "forgeone logs log-redactor -n 20"]),
    ("forgeone deps tree", &["forgeone deps tree", "forgeone deps tree front --with new.forgepkg"]),
    ("forgeone deps check", &["forgeone deps check", "forgeone deps check new.forgepkg other.forgepkg"]),
    (
        "forgeone deps graph",
        &[
            "forgeone deps graph --format svg -o plugins.svg",
            "forgeone deps graph new.forgepkg --about new --format mermaid",
        ],
    ),
    ("forgeone deps lock", &["forgeone deps lock", "forgeone deps lock -o forgeone.lock"]),
    ("forgeone policy check", &["forgeone policy check", "forgeone policy check site/policies/"]),
    (
        "forgeone policy explain",
        &["forgeone policy explain 42", "forgeone policy explain --plugin log-redactor"],
    ),
    ("forgeone policy test", &["forgeone policy test ./candidate"]),
    ("forgeone policy diff", &["forgeone policy diff ./now ./candidate --json"]),
    (
        "forgeone review plugin",
        &[
            "forgeone review plugin log-redactor",
            "forgeone review plugin log-redactor --by ada --note read-line-by-line",
        ],
    ),
    ("forgeone review policy", &["forgeone review policy --by ada"]),
    ("forgeone review list", &["forgeone review list", "forgeone review list --json"]),
    (
        "forgeone audit tail",
        &[
            "forgeone audit tail",
            "forgeone audit tail --plugin log-redactor --outcome denied",
            "forgeone audit tail -n 100 --json",
        ],
    ),
    (
        "forgeone audit verify",
        &["forgeone audit verify", "forgeone audit verify --from-checkpoint /mnt/other/checkpoints"],
    ),
    (
        "forgeone audit prove",
        &["forgeone audit prove 42", "forgeone audit prove --consistency earlier-checkpoint.txt"],
    ),
    ("forgeone audit cosign", &["forgeone audit cosign cosigned.txt"]),
    (
        "forgeone audit quarantine",
        &["forgeone audit quarantine bundle.json", "forgeone audit quarantine bundle.json -o statement.json"],
    ),
    (
        "forgeone audit export",
        &[
            "forgeone audit export --format ocsf --since 2026-11-01 --filter outcome!=ok",
            "forgeone audit export --follow --cursor siem.cursor --to tls:siem.example.com:6514",
        ],
    ),
    ("forgeone audit people", &["forgeone audit people"]),
    ("forgeone audit erase", &["forgeone audit erase --subject ann"]),
    ("forgeone audit classes", &["forgeone audit classes"]),
    (
        "forgeone evidence",
        &[
            "forgeone evidence --framework soc2 --from 2026-01-01 --to 2026-04-01 --out evidence",
            "forgeone evidence --framework gdpr --incident log-redactor --out incident",
        ],
    ),
    ("forgeone serve", &["forgeone serve", "forgeone serve --home /var/lib/forgeone --drain 60s"]),
    ("forgeone doctor", &["forgeone doctor"]),
    (
        "forgeone completions",
        &[
            "forgeone completions bash > ~/.local/share/bash-completion/completions/forgeone",
            "forgeone completions zsh > _forgeone",
        ],
    ),
    ("forgeone man", &["forgeone man --dir ~/.local/share/man/man1", "forgeone man > forgeone.1"]),
];

/// The examples of a command.
pub fn of(path: &str) -> Option<&'static [&'static str]> {
    ALL.iter().find(|(of, _)| *of == path).map(|(_, lines)| *lines)
}
