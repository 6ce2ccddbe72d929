//! The table of stable error codes. Codes are added, never reused.

use super::{Code, ErrorClass};

macro_rules! table {
    ($($id:ident $class:ident $title:literal => $help:literal;)*) => {
        /// Every code as a constant.
        pub mod codes {
            use super::{Code, ErrorClass};
            $(
                #[doc = $title]
                pub static $id: Code = Code {
                    id: stringify!($id), class: ErrorClass::$class, title: $title, help: $help,
                };
            )*
        }
        /// Every code, in the order of the table.
        pub static ALL: &[&Code] = &[$(&codes::$id),*];
    };
}

table! {
    E0001 Internal "internal error" => "run the command again with FORGEONE_LOG=debug and report what it prints";
    E0002 Internal "input or output failed" => "check that the path exists, is readable and has space";
    E0003 Internal "the state of the home is damaged" => "restore the home from a copy, or name a new one with --home";

    E0101 Usage "bad usage" => "see the command's --help";
    E0102 Usage "the configuration is not valid" => "mend the key that is named and run the command again";
    E0103 Usage "a security default is weakened where that is not allowed" => "remove the key, or choose an environment that allows it: the operator guide says which";
    E0104 Usage "the home cannot be used" => "name another home with --home, or mend its ownership and modes";
    E0105 Usage "this build has no such engine" => "build with the engine's feature, or set `engine` to one that is compiled in";
    E0106 Usage "the home was written by another version" => "use the version of forgeone that wrote it, or name another home with --home";
    E0107 Internal "doctor found a problem" => "see the lines whose verdict is `problem`";
    E0108 Usage "the plugin directory cannot be used" => "make it a directory of the user who runs the host that nobody else can write to, or name another with `plugin_directory`";
    E0109 Usage "this is not a staging home" => "set `environment: staging` in plugin-manager.yaml, or name a home that has it; `--dry-run` tries a package in development too";

    E0121 Usage "the daemon is of another version" => "restart the daemon with this version of forgeone, or use the version it has";
    E0122 Internal "the daemon did not answer" => "`forgeone status` shows whether it runs; what was asked of it may have been done";
    E0123 Denied "the daemon serves its own user alone" => "run the command as the user the daemon runs as";
    E0124 Limit "the request is too large or too slow" => "send less, or faster";
    E0125 State "the daemon is starting or stopping" => "run the command again, with a longer --wait";
    E0126 Limit "the daemon was stopped before everything had ended" => "give it longer with --drain; what was acknowledged is kept";

    E0141 Usage "the private key is protected by a passphrase" => "give it with --passphrase-file or FORGEONE_PASSPHRASE, or run the command on a terminal, which asks for it";
    E0142 Usage "the passphrase does not open the private key" => "give the passphrase the key was protected with: `forgeone keys list` shows which keys have one";

    E1001 Refused "the package is too large" => "make it smaller, or ask the operator to raise the package limits";
    E1002 Refused "the package is not a well-formed gzip-compressed tar" => "pack it again with `forgeone pack`";
    E1003 Refused "the package has an entry that is not allowed" => "pack regular files only, with plain relative names";
    E1004 Refused "the package has the same entry twice" => "pack each file once";
    E1005 Refused "the package lacks a required entry" => "a package needs manifest.json and plugin.wasm: pack it with `forgeone pack`";
    E1006 Refused "the package has a file that is not expected" => "put supporting files under assets/ and list them in the manifest";
    E1010 Refused "the module is not valid WebAssembly for this host" => "build a core module for wasm32-unknown-unknown";
    E1011 Refused "the module imports something this ABI does not have" => "remove the import, or build against the ABI named in the manifest";
    E1012 Refused "the module lacks an export, or it has the wrong type" => "export the function, or correct `[[operations]]` in plugin.toml";
    E1013 Refused "the module is a command, not a plugin" => "build a reactor: crate-type cdylib, or -mexec-model=reactor";
    E1014 Refused "the module imports what the manifest does not ask for" => "add the permission to the manifest, or remove the import";
    E1015 Refused "the module uses a WebAssembly feature that is turned off" => "build without it";
    E1016 Refused "the module exceeds a limit of this host" => "make the module smaller, or ask the operator to raise the limit";
    E1017 Refused "the package asks for something this build cannot provide" => "see the reason; another build or a later version may provide it";
    E1018 Refused "the package's own tests cannot be used" => "mend the file of assets/tests/ that is named: the author guide has the format";

    E1101 Refused "a file does not match its digest" => "fetch the package again; if it stays so, it was changed after it was packed";
    E1102 Refused "the signed files and the packed files differ" => "sign the package again after the last change";
    E1103 Refused "the manifest differs from what was signed" => "sign the package again after the last change";
    E1104 Refused "the manifest is not valid" => "mend the field that is named and pack again";

    E1201 Refused "the package is not signed" => "sign it with `forgeone sign`";
    E1202 Refused "the signature bundle is malformed" => "sign the package again with `forgeone sign`";
    E1203 Refused "the signature uses a version or algorithm that is not allowed" => "sign with ECDSA P-256 or Ed25519 in a Sigstore bundle v0.3";
    E1204 Refused "the signature does not match" => "the package or the signature was changed: sign it again or fetch it again";
    E1205 Refused "the signed statement is not a package statement" => "sign the package with `forgeone sign`";

    E1301 Refused "the certificate's issuer is not trusted" => "add the issuer's root to trust.toml, or use a certificate from a trusted authority";
    E1302 Refused "the certificate has expired" => "issue a new certificate and sign again";
    E1303 Refused "the certificate is not valid yet" => "check this machine's clock";
    E1304 Refused "the certificate is revoked" => "ask the publisher for a package signed with a valid certificate";
    E1305 Refused "the certificate's revocation status is unknown" => "provide a current CRL for its issuer";
    E1306 Refused "the CRL is stale" => "fetch a current CRL";
    E1307 Refused "the certificate is not for code signing" => "issue a certificate with the codeSigning extended key usage";
    E1308 Refused "the certificate's key usage does not allow this" => "issue leaves with digitalSignature and authorities with keyCertSign";
    E1309 Refused "the certificate breaks a name constraint" => "use a certificate for the names its authority may issue";
    E1310 Refused "the certificate chain is too long" => "use a shorter chain";
    E1311 Refused "the certificate is malformed or has an unknown critical extension" => "issue the certificate again without it";
    E1312 Refused "the certificate's identity is not allowed" => "use a certificate whose URI identity lies under the anchor's prefix";

    E1401 Refused "the publisher is not trusted" => "add the publisher to trust.toml if you trust it";
    E1402 Refused "the publisher may not sign this name" => "add the name to the publisher's entry in trust.toml if that is right";
    E1403 Refused "the version is below the publisher's minimum" => "use a newer version";
    E1404 Refused "the package, certificate or key is on the kill-list" => "use another version, or ask who put it on the list";
    E1405 Refused "a required attestation is missing" => "add the attestation that trust.toml requires";
    E1406 Refused "the version is lower than the installed one" => "name `--allow-downgrade` if an older version is what you want, or go back with `forgeone rollback`";
    E1407 Refused "the version asks for more permissions than the installed one" => "look at the permissions that are named; `forgeone approve NAME` consents to them, as `--accept-permissions` does";
    E1408 Refused "the trust configuration is missing or not valid" => "create trust/trust.toml with `forgeone keys init`, or mend the key that is named";
    E1409 Refused "the trust configuration asks for a check this build does not have" => "remove the key from trust.toml, or use a build that has the check";
    E1410 Refused "the publisher's certificate is for development only" => "use a certificate that was not made with --development";
    E1411 Refused "another publisher's plugin of this name is installed" => "remove the installed plugin first if the change of publisher is intended";
    E1412 Refused "the package asks for more than its publisher may ask for" => "remove the permission from the manifest, or add it to the publisher's max_permissions in trust.toml";
    E1413 Refused "the name is one slip away from another publisher's installed plugin" => "check the spelling and the publisher; if both plugins are meant, rename this one";
    E1414 Refused "two publishers offer a plugin of this name" => "name the package of the publisher you mean, or offer only that one";
    E1415 Refused "the signature's timestamp is missing or does not hold" => "sign the package again with `--timestamp`, or add the timestamp authority to trust.toml";
    E1416 Refused "the signature's log entry is missing or does not hold" => "sign the package again with `--log`, or add the log to trust.toml";
    E1417 Refused "the package was staged too long ago" => "stage it again and install what `forgeone stage` wrote, or raise verify.staging.max_age in trust.toml";

    E1501 Refused "the host attestation is missing" => "install the package again";
    E1502 Refused "the host attestation does not hold" => "remove the plugin with --keep-data and install the package again; the store was changed by someone else";
    E1503 Refused "the stored package does not match its digest" => "install the package again; the store was changed by someone else";
    E1505 Refused "the compiled code does not match its seal" => "it was set aside: look for who can write to the cache, then `forgeone start` with the plugin's name compiles it anew";

    E1601 Refused "the dependencies form a cycle" => "remove one of the dependencies on the path";
    E1602 Refused "a dependency is not installed" => "install the dependency first";
    E1603 Refused "no version satisfies every requirement" => "change one of the requirements that are listed";
    E1604 Refused "the host does not meet the plugin's requirement" => "use a build of the host with that version, or relax the requirement";
    E1605 Refused "the search for versions took more work than it may" => "name the packages you want of the plugins that are listed, or offer fewer versions of them";
    E1606 Refused "the lock file cannot be followed" => "offer the packages that are named with --from, or take another lock file";
    E1607 State "forgeone.lock does not say what is installed" => "`forgeone deps lock` writes it anew; what is installed decides";

    E2001 Denied "a policy forbids this" => "ask the operator to change the policy that is named";
    E2002 Denied "no policy permits this" => "ask for the permission in the manifest, and for a policy that permits it";
    E2003 Denied "the policy could not be evaluated" => "mend the policy that is named: an error denies";
    E2004 Usage "the policy is not valid" => "mend the line that is named";
    E2006 Denied "the identity is not known to the kernel" => "register the identity's trust context first";
    E2007 Denied "the host call was denied" => "`forgeone audit tail` shows the rule or the missing permission";
    E2008 Denied "it could carry out a secret that was read" => "`forgeone policy explain` shows which secret; what the instance has read is forgotten when it ends";

    E3001 Audit "the audit log cannot record, so the action was refused" => "free space or mend the disk under audit/, then try again";
    E3002 Audit "a checkpoint is damaged or signed by another key" => "compare with a checkpoint kept elsewhere";
    E3003 Audit "the audit log was edited" => "compare the segment that is named with a copy kept elsewhere";
    E3004 Audit "the audit log cannot be opened" => "see the reason; another process may hold its lock";
    E3005 Audit "the audit log is truncated" => "records before the checkpoint are missing: restore the segment from a copy";
    E3006 State "there is no such record" => "`forgeone audit tail` shows the sequence numbers there are";
    E3007 Audit "records are missing from the audit log" => "restore the segment that is named from a copy; see who could write to audit/";
    E3008 Audit "records of the audit log are not in their order" => "compare the segment that is named with a copy kept elsewhere";
    E3009 Audit "the audit log is an earlier state of itself" => "restore audit/ from the newest copy; see who put the older one there";
    E3010 Audit "the audit log was written again without its key" => "restore audit/ from a copy; who could write to it could not sign it";
    E3011 Audit "this is another audit log" => "name the home, the key or the checkpoint that belongs to it";
    E3012 Audit "the audit log was written again with its key" => "believe the checkpoint kept elsewhere; treat the host and its audit key as taken over";
    E3013 Audit "the proof does not hold" => "make it again with `forgeone audit prove`; compare the checkpoint with a copy kept elsewhere";
    E3014 Audit "a checkpoint could not be sent" => "see the reason; it is tried again, and the log goes on";
    E3015 Audit "a cosignature is not a witness's" => "compare the verifier keys under audit.witnesses with those the witnesses publish";
    E3016 Audit "records could not be delivered" => "see the reason; run it again with the same --cursor, and it goes on with what was not delivered";

    E4001 Plugin "the plugin trapped" => "see the trap and the plugin's log: `forgeone logs`";
    E4002 Plugin "the plugin returned a nonzero status" => "see its reason and its log: `forgeone logs`";
    E4003 Internal "the engine failed" => "see the reason; report it if the module is valid";
    E4004 Refused "the module cannot be compiled" => "see the reason; build the module again";
    E4005 Plugin "the plugin cannot be instantiated" => "see the reason; its start function or segments may trap";
    E4010 Limit "the call exceeded its deadline" => "give it longer with --timeout, up to the plugin's own: limits.timeout in the manifest, within default_timeout of the configuration";
    E4011 Limit "the plugin exceeded its memory limit" => "raise limits.memory in the manifest or sandbox.memory_limit in the configuration";
    E4012 Limit "the plugin exhausted its stack" => "recurse less deeply";
    E4013 Limit "the plugin exhausted its fuel" => "raise limits.fuel in the manifest";
    E4014 Limit "the plugin exceeded a table or instance limit" => "use smaller tables";
    E4015 Limit "the result or input of the call is too large" => "send or return less than 16 MiB";
    E4016 Limit "the plugin exceeded its storage quota" => "delete keys or files, or raise the quota in the configuration";
    E4017 Limit "the plugin was restarted too often" => "see its log, mend it and start it again";
    E4018 Limit "the host has as many plugins as it may have" => "remove a plugin, or raise max_plugins";
    E4030 Limit "too many calls wait already" => "call again a little later, call less at once, or raise limits.queue_length or limits.call_queue in the configuration";
    E4031 State "the caller gave the call up" => "call again if the answer is wanted after all";
    E4032 Plugin "the plugin failed its health check too often" => "see the reason and its log: `forgeone logs`";
    E4033 Limit "the shutdown ended before everything was done" => "give it more time, or see the reasons: what is named was given up";
    E4034 Limit "the plugin was ended before the call was done" => "call again: whatever serves now answers; give calls longer with --drain where they are to end by themselves";
    E4050 Refused "the isolation that is configured cannot be provided" => "set security.namespace_isolation to false outside production, or use a build and machine that have the wall";
    E4051 Refused "the configuration refuses native plugins" => "set security.native_plugins to true if the host program's own code may act as plugins";
    E4060 Plugin "the plugin made a malformed host call" => "mend the plugin: see the cause in the audit log";
    E4061 Plugin "the plugin asked for a host call this build does not have" => "use a build with the extension that has it";
    E4062 Limit "the host call exceeded a limit" => "ask for less at once, or ask the operator to raise the limit";
    E4063 Internal "the service behind the host call is unavailable" => "see the cause in the audit log and try again";
    E4064 Internal "the service behind the host call failed" => "see the cause in the audit log; report it if it stays so";
    E4065 State "the host call is in conflict with the current state" => "read the current state and try again";

    E5001 State "there is no such plugin" => "`forgeone list` shows what is installed";
    E5002 State "the plugin cannot move from its state to that one" => "`forgeone status` shows the state it is in";
    E5003 State "the plugin is not running" => "`forgeone status NAME` says why; start, resume or release it first";
    E5004 State "this version of the plugin is there already" => "give it another version and `forgeone upgrade`, or `forgeone remove NAME --keep-data`, which keeps what it stored, and install again";
    E5005 State "there is no such operation" => "`forgeone status` with the plugin's name shows its operations";
    E5006 State "the home is in use by another process" => "wait for it to finish, longer with --wait 60s, or stop it";
    E5007 State "other plugins need this one" => "remove the plugins that are named first";
    E5008 State "there is no such key, certificate or file" => "check the name";
    E5009 State "it is there already" => "keep what is there, or use another name or home";
    E5010 State "the call would re-enter a plugin already on its call chain" => "break the cycle of calls";
    E5011 State "no such version of the plugin is kept" => "`forgeone status NAME` shows the versions that are kept";
    E5021 State "no such version of the plugin waits for consent" => "`forgeone approve --list` shows what waits";
    E5022 State "the plugin cannot be tried that way" => "try another way: `--shadow` leaves effects and state where they are, or upgrade without a trial";
    E5023 State "a version of the plugin is on trial" => "promote or abandon it first";
    E5024 State "as many versions of the plugin as may are still finishing calls" => "wait until `forgeone status NAME` shows fewer that drain";
    E5031 Plugin "the package failed in staging" => "see the tests and figures that are named, mend the plugin and stage it again";
}
