//! Why each code comes and an example of it: one entry per code of the table.

use super::Explanation;
use crate::error::codes;

macro_rules! texts {
    ($($id:ident: $($reason:literal),+ ; $example:literal;)*) => {
        pub(super) static TEXTS: &[Explanation] = &[$(Explanation {
            code: &codes::$id, reasons: &[$($reason),+], example: $example,
        }),*];
    };
}

texts! {
    E0001: "a fault of the program, not of what it was given", "a record in the home lacks a field that this build always writes"; "any command, when its own code panics";
    E0002: "the disk is full or failing", "a path is a directory, or may not be read or written"; "`forgeone pack source -o taken`, where `taken` is a directory";
    E0003: "the state database or a key file was cut short, edited or removed", "a journal of stored values lost bytes that were durable"; "`forgeone list` after `state.redb` was truncated";

    E0101: "an option or word the command does not have, or a value missing", "a setting with a section, key or value that is not allowed"; "`forgeone call good`, without an operation";
    E0102: "an unknown, doubled or misspelt key", "a value of the wrong type or out of its range", "a size or duration without a unit"; "`max_plugin: 3` in plugin-manager.yaml";
    E0103: "production allows no weakened security key", "`audit_logging: false` is allowed nowhere", "`verify_signatures: false` is allowed in development only"; "`security: { verify_signatures: false }` without an `environment`";
    E0104: "others may write to the home or to a file that decides", "the home is not a directory, or belongs to someone else", "neither --home nor FORGEONE_HOME nor HOME is set"; "`chmod 777 HOME`, then any command on it";
    E0105: "`engine` names one that was not compiled in", "the build has no engine at all"; "`engine: wasmer` with a binary built for wasmtime alone";
    E0106: "the home was written by a newer or an older forgeone whose schema differs"; "a newer forgeone's home opened by this one";
    E0107: "one probe of `doctor` has the verdict `problem`"; "`forgeone doctor` in a production home: this build has no worker processes";
    E0108: "others may write to it or own it, and what is dropped there is installed without asking who dropped it", "it has more than 10000 packages"; "`chmod 777 HOME/plugins`, then a host that watches it";
    E0109: "the home's `environment` is production or development; only staging issues staging attestations"; "`forgeone stage my.forgepkg` in a new home";

    E0121: "the daemon was started before this forgeone was installed, or is another build"; "any command after an upgrade of the binary, with the old daemon still running";
    E0122: "the daemon was killed, or ended before the answer"; "`kill -9` of the daemon while a call runs";
    E0123: "a process of another user reached the socket"; "`su nobody -c 'forgeone list --home HOME'`, with a home that was opened to everybody";
    E0124: "a request is larger than any file a command reads", "its bytes came too slowly"; "a program that opens the socket and sends a byte a minute";
    E0125: "the daemon was still bringing plugins up, or already stopping, when --wait was over"; "`forgeone list --wait 0s` while the daemon starts";
    E0126: "calls or plugins that stop took longer than --drain", "the daemon was signalled a second time"; "`forgeone serve`, stopped with Ctrl-C twice while a call runs";

    E0141: "no passphrase was given, and there is no terminal to ask on"; "`forgeone keys issue acme < /dev/null`, where the authority's key has a passphrase";
    E0142: "the passphrase was mistyped, or is another key's", "the file was changed"; "`FORGEONE_PASSPHRASE=wrong forgeone keys issue acme`";

    E1001: "the package, one of its files or what it unpacks to is over its cap", "the gzip ratio or the number of entries is over its cap"; "a package of 10 MB that unpacks to 10 GB";
    E1002: "the file is not gzip, not tar, or ends early", "bytes stand after the end of the archive"; "`forgeone install photo.png`";
    E1003: "an absolute name, `..`, or a character that package names do not have", "a link, device, pipe, socket or sparse file"; "an archive with the entry `../../etc/passwd`";
    E1004: "two entries have one name, or names that differ in letter case alone"; "an archive with `manifest.json` twice";
    E1005: "`manifest.json`, `plugin.wasm` or a file listed in the manifest is not there"; "a tar of `plugin.wasm` alone";
    E1006: "a file outside the allowed names", "a file the manifest does not list"; "`README.md` at the top of a package";
    E1010: "the module is not WebAssembly, is a component, or does not validate"; "`plugin.wasm` that holds text";
    E1011: "an import of a function that ABI 1 does not have, or with another type", "an imported memory, table or global"; "`(import \"env\" \"open_the_door\" (func))`";
    E1012: "`memory`, `init`, `start` or `stop` is not exported", "an operation of the manifest is not exported as `(i32) -> i32`, or its name is misspelt in plugin.toml"; "a module without `(export \"init\")`";
    E1013: "the module exports `_start` and not the lifecycle functions"; "`fn main()` built for wasm32-wasip1";
    E1014: "a WASI import whose permission the manifest does not ask for"; "a module that imports `path_open` without `filesystem`";
    E1015: "memory64, threads, exceptions or another feature this host leaves off"; "a module with `(memory i64 1)`";
    E1016: "more functions, locals, imports, exports, data or element segments than allowed"; "a function with 60,000 locals";
    E1017: "imports of WASI that this build does not provide: it lacks the feature `wasi`, or they are of another preview", "the manifest's `engine` is not compiled in"; "`\"engine\": \"wasmer\"` on a build with wasmtime alone";
    E1018: "a file of `assets/tests/` is no list of tests, names an operation the manifest does not have, or is over a bound", "the package has no tests, so that there is nothing to attest"; "`forgeone stage` of a package without `assets/tests/`";

    E1101: "a byte of a file changed after packing"; "`plugin.wasm` replaced inside a package, `manifest.json` left as it was";
    E1102: "a file was added or changed after signing", "a signed file is not in the package"; "an asset added to a signed package";
    E1103: "name, version, publisher or digest of the manifest is not the signed one"; "`version` edited in the manifest of a signed package";
    E1104: "an unknown, doubled or missing key in `manifest.json` or `plugin.toml`", "a name, version, permission or limit that does not parse", "`plugin.toml` says something else than the manifest"; "`version = \"1.2\"` in plugin.toml";

    E1201: "the package has no `attestations/package.sigstore.json`, and only development may install such"; "`forgeone verify` of a package fresh from `forgeone pack`";
    E1202: "the bundle is not JSON, has unknown keys, or lacks the certificate or the signature"; "an empty `attestations/package.sigstore.json`";
    E1203: "a key or signature of another kind than ECDSA P-256 or Ed25519", "a bundle of another version than v0.3"; "a package signed with an RSA key";
    E1204: "the payload, the signature or the certificate was changed"; "one bit of the signature flipped";
    E1205: "the payload is no in-toto statement of type v1 with this product's predicate"; "a container image's signature put into a package";

    E1301: "no anchor in trust.toml issued the certificate or its issuers"; "a package signed under another company's authority";
    E1302: "the certificate's time is over"; "a package signed with a certificate of last year";
    E1303: "the certificate's time has not come, or this machine's clock is behind"; "a certificate issued tomorrow";
    E1304: "the authority's CRL lists the certificate"; "a publisher's key was stolen and its certificate revoked";
    E1305: "no CRL of the issuer is at hand, and the trust configuration demands one"; "a new intermediate authority without a CRL";
    E1306: "the CRL's next update is past"; "a host that has not fetched CRLs for a month";
    E1307: "the certificate lacks the extended key usage codeSigning"; "a web server's certificate used to sign";
    E1308: "a leaf without digitalSignature, or an issuer that may not sign certificates"; "a certificate issued by another publisher's leaf";
    E1309: "an authority in the chain may not issue certificates for this identity"; "an authority for `acme.example` issues one for `other.example`";
    E1310: "the path from the certificate to an anchor is longer than allowed"; "a chain of a hundred intermediates";
    E1311: "the certificate does not parse, or has a critical extension this host does not know"; "a certificate cut off in the middle";
    E1312: "the certificate's URI does not lie under the prefix its anchor may vouch for"; "an identity `forgeone://other/…` under an anchor for `forgeone://acme/`";

    E1401: "trust.toml has no entry for the publisher in this environment"; "a package of `stranger`, whose certificate is otherwise in order";
    E1402: "the publisher's `packages` globs do not match the plugin's name", "the manifest names another publisher than the certificate's"; "`acme`, who may sign `acme-*`, signs `log-redactor`";
    E1403: "trust.toml sets a floor above this version"; "1.0.0 after the floor was set to 1.0.1";
    E1404: "the kill list names the package's digest, the certificate or the key"; "a package found to be harmful after its release";
    E1405: "trust.toml requires an attestation that the package does not carry"; "`required_signers = 2` in trust.toml and a package that its publisher alone signed";
    E1406: "`forgeone upgrade` was given a lower version than the installed one, without `--allow-downgrade`"; "version 1.0.0 of a plugin that is installed in 1.1.0";
    E1407: "the manifest names permissions that the installed version's does not, and nobody consented to them"; "an upgrade that adds `network = [\"connect\"]`";
    E1408: "there is no trust.toml, or it has an unknown, doubled or bad key", "a file that trust.toml names cannot be read"; "`forgeone verify` of a signed package in a home without trust.toml";
    E1409: "a key of trust.toml asks for a check of a later version"; "`[[witness]]` in trust.toml";
    E1410: "the certificate was made with --development, and this home is production"; "a developer's package brought to production";
    E1411: "a plugin of this name is installed from another publisher"; "`log-redactor` of `other` while that of `acme` is installed";
    E1412: "the manifest asks for a permission outside the publisher's `max_permissions`"; "`network = [\"connect\"]` of a publisher held to `storage`";
    E1413: "a plugin whose name differs by one letter or hyphen is installed from another publisher"; "`log-redacter` of `other` while `log-redactor` of `acme` is installed";
    E1414: "a plugin that is needed is in none of the named packages, and the folders have it of two publishers"; "`pii-rules` of `acme` and of `other` in one folder, and neither installed";
    E1415: "a bundle's timestamp is of other bytes, of an authority `trust.toml` does not name, or of a time at which its certificate was not valid; or `require_timestamp` is set and there is none"; "a timestamp copied from another package's bundle";
    E1416: "a bundle's log entry is of another signature, its proof does not lead to a checkpoint of a log `trust.toml` names; or `require_log_entry` is set and there is none"; "one hash of the inclusion proof changed";
    E1417: "the only staging attestations that count are older than `verify.staging.max_age`"; "a package that was staged in January, in May, with `max_age = \"90d\"`";

    E1501: "what the host signed about the installed package is gone"; "a file removed from `store/summaries`";
    E1502: "what the host signed about the installed package was changed, or is about another one", "the compiled code is not the code it names"; "a byte of `store/summaries/*.json` that was changed";
    E1503: "a file below `store/` was changed or removed"; "one byte of a stored package edited";
    E1505: "a file below `cache/` was changed, or written by another build"; "one byte of compiled code edited";

    E1601: "a plugin needs itself, directly or through others"; "`a` needs `b`, which needs `a`";
    E1602: "a plugin in `dependencies` is not installed"; "`forgeone install` of a plugin before what it needs";
    E1603: "the installed version does not satisfy one of those who need it"; "`a` needs `x ^1` and `b` needs `x ^2`";
    E1604: "`common` or `microkernel` is asked for at a version this host does not have"; "`microkernel = \"^9\"` in the manifest";
    E1605: "the versions that are offered ask for each other in so many ways that the search was ended"; "dozens of plugins in dozens of versions of which no two fit";
    E1606: "it is no lock file, a package it lists is not offered, or a plugin that is installed is not in it"; "`forgeone install --locked forgeone.lock --from packages` without one of the packages";
    E1607: "the file was edited or replaced, or the home restored without it"; "a version number changed by hand in `forgeone.lock`";

    E2001: "a `forbid` policy matches, and forbid wins"; "`forbid(principal, action == Action::\"call\", resource);`";
    E2002: "the manifest does not ask for it, or no `permit` policy matches"; "`time_now` of a plugin for which no policy permits `clock.now`";
    E2003: "a policy reads an attribute that is not there, or overflows"; "`principal.team == \"x\"`, where no team is known";
    E2004: "a policy does not parse, or does not fit the schema"; "`Action::\"cal\"` in a policy file";
    E2006: "an embedding program asks in the name of an identity it did not register"; "`evaluate_syscall` with a plugin id nobody loaded";
    E2007: "a host call of the plugin was denied, and the plugin made that its own failure"; "`plugin_call` to a plugin that denies it";
    E2008: "a policy labels what the instance has read as secret, and this call could take it out"; "`event_emit` after `kv_get` of a key under `@label(\"secret\")`";

    E3001: "the disk under audit/ is full, failing or read-only"; "any command on a home whose disk is full";
    E3002: "a checkpoint's signature or tree does not fit the log"; "`audit/checkpoint` taken from another home";
    E3003: "a record was changed, removed or put in another order"; "one byte of a segment edited, then `forgeone audit verify`";
    E3004: "the segments or the key of the log cannot be read"; "`audit/` owned by another user";
    E3005: "records that a checkpoint covers are not there"; "the newest segment removed, then `forgeone audit verify`";
    E3006: "the sequence number lies past the end of the log"; "`forgeone audit prove 99999999`";
    E3007: "lines, or a whole segment no retention removed, are gone"; "one line of a segment deleted, then `forgeone audit verify`";
    E3008: "lines were swapped or stand there twice"; "two lines of a segment exchanged, then `forgeone audit verify`";
    E3009: "an older copy of the checkpoint, or of all of `audit/`, was put in place of the newer one"; "`audit/` restored from yesterday's backup";
    E3010: "lines were changed and chained anew, but the signed root is that of others"; "every `prev` computed again after an edit, then `forgeone audit verify`";
    E3011: "the checkpoint and the records name different nodes"; "the `checkpoint` and `checkpoints` of another host copied in";
    E3012: "a checkpoint that left the host has another root than the log has at that size"; "`forgeone audit verify --from-checkpoint kept.txt` on a log that was made again";
    E3013: "the record or its path does not lead to the signed root"; "a proof checked against another line";
    E3014: "the receiver of checkpoints cannot be reached or does not take them"; "`audit.checkpoints.syslog` names a host that is down";
    E3015: "a verifier key is malformed, or a signature under a checkpoint is not of the witness it names"; "one character of `audit.witnesses` mistyped";
    E3016: "a receiver named by --to does not take records, or the file of --cursor holds no number"; "`forgeone audit export --to tcp:127.0.0.1:9`";

    E4001: "`unreachable`, a division by zero, an access outside memory, or a Rust panic"; "an operation that executes `unreachable`";
    E4002: "the plugin ended with a status of its own", "status -1: a host call of the plugin was denied, and it handed that on; `forgeone audit tail` names the missing permission"; "an operation that calls `fail` and returns 42";
    E4003: "the engine gave an error of its own"; "an engine that cannot reserve address space";
    E4004: "the engine refuses the module although it validates"; "a module that is valid for one engine and not for the other";
    E4005: "the start function traps, or a segment lies outside memory"; "`(data (i32.const 0xffffff) \"x\")` with a memory of one page";
    E4010: "the call took longer than the smaller of the manifest's and the host's timeout"; "an endless loop";
    E4011: "the module's first memory is over the limit, or the plugin ended where memory ran out"; "`(memory 65536)` with a limit of 64MB";
    E4012: "recursion without end"; "a function that calls itself";
    E4013: "the call used more fuel than `limits.fuel`"; "`\"fuel\": 1000` and a loop of a million turns";
    E4014: "a table or the number of instances is over the limit"; "`(table 10000000 funcref)`";
    E4015: "an input or output over 16 MiB"; "`forgeone call good echo --input` with 20 MB";
    E4016: "keys and files of the plugin are at the quota"; "a cache that never deletes";
    E4017: "the plugin trapped more often than its restart budget allows"; "an operation that traps on each call";
    E4018: "`max_plugins` plugins are installed"; "`max_plugins: 1`, and a second install";
    E4030: "as many calls wait for an instance of the plugin, or for a call thread, as may"; "`limits.queue_length: 0`, and a second call of a shared plugin that is answering one";
    E4031: "the caller dropped the future of the call, or cancelled its token"; "a future of `call_async` that is dropped while an endless operation runs";
    E4032: "supervision called the operation of `health.operation`, or looked at the calls of `health.status`, and found the plugin unwell `health.failures` times in a row"; "`forgeone serve` with `health: { operation: check, failures: 3 }`, and a plugin whose `check` returns 1";
    E4033: "a call was still running, or `stop` had not returned, when the time given to `shutdown_within` was over"; "a shutdown within one second while a plugin loops in a call of ten";
    E4034: "the host was being shut down, or `upgrade --drain` gave the replaced version so much time, and a call took longer: its guest was ended"; "SIGTERM to `forgeone serve --drain 1s` while a plugin loops";
    E4050: "`security.namespace_isolation` is true and this build has no worker processes"; "`forgeone install` in a production home";
    E4051: "`security.native_plugins` is false and the host program registers a plugin of its own code"; "`PluginManager::register` in a home whose configuration has `native_plugins: false`";
    E4060: "a host call with a pointer outside memory or a malformed argument list"; "`kv_get` without a key";
    E4061: "a syscall name no service answers"; "`syscall(\"open_door\")`";
    E4062: "a host call asked for more than its bound"; "`random` with a length of 1 MiB";
    E4063: "the service behind the call is shutting down or its disk fails"; "`kv_set` while the home is closed";
    E4064: "an error inside the host's service"; "a file of the private area that cannot be read";
    E4065: "the call's condition does not hold"; "`kv_cas` with a value that is no longer stored";

    E5001: "no plugin of this name is installed"; "`forgeone call nobody hello`";
    E5002: "the move is not in the table of states"; "`forgeone resume` of a stopped plugin";
    E5003: "the plugin is stopped, paused or failed"; "`forgeone call` of a paused plugin";
    E5004: "a plugin of this name is installed, or this version of it is installed or kept"; "`forgeone install` of the same package twice";
    E5005: "the manifest declares no such operation"; "`forgeone call good nothing`";
    E5006: "another process holds the home's lock for longer than --wait"; "two commands on one home, one of them held up";
    E5007: "an installed plugin depends on it"; "`forgeone remove` of a plugin that another needs";
    E5008: "a file, key, certificate or setting that is named is not there"; "`forgeone verify missing.forgepkg`";
    E5009: "an authority, key or file is there and is not overwritten"; "`forgeone keys init` twice";
    E5010: "plugins call each other in a circle"; "`a` calls `b`, which calls `a`";
    E5011: "`forgeone rollback` names a version that is not kept, or none is kept below the installed one"; "`forgeone rollback` of a plugin that was never upgraded";
    E5021: "`forgeone approve` names a plugin or version that nobody offered, that was put in place or rejected since, or of which several versions wait and none is named"; "`forgeone approve NAME` after `forgeone approve NAME --reject`";
    E5022: "a share of calls was to go to a version that keeps its state apart from the installed one, or a trial was asked for where no host stays up to hold it"; "`--canary 10%` for a plugin with `state_save`, or without a daemon";
    E5023: "an upgrade, a rollback or another trial came while a version of the plugin is on trial; or none is on trial, and one is to be promoted or abandoned"; "two upgrades of one plugin with `--canary`";
    E5024: "several upgrades in a row, each while calls to the versions before were still running"; "calls of many seconds, and an upgrade every second";
    E5031: "a test of the package ended otherwise than it says", "the soak saw a failure, a trap, a denial no test expects, or memory that goes on growing"; "`forgeone stage` of a plugin whose output changed and whose tests did not";
}
