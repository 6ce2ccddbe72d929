//! Every name that crosses the boundary: module, imports, exports, system calls, metric kinds.

/// The module all host functions are imported from.
pub const MODULE: &str = "env";
/// The module the functions of WASI preview 1 are imported from.
pub const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// Names of the imported functions of [`MODULE`].
pub mod import {
    /// One line at info level.
    pub const LOG: &str = "log";
    /// One line at a given level.
    pub const LOG_AT: &str = "log_at";
    /// Copies from the input of the current call.
    pub const INPUT_READ: &str = "input_read";
    /// Appends to the result of the current call.
    pub const OUTPUT: &str = "output";
    /// The reason for the nonzero status about to be returned.
    pub const FAIL: &str = "fail";
    /// Calls a named service of the host.
    pub const SYSCALL: &str = "syscall";
    /// Reads the rest of the last response.
    pub const RESPONSE_READ: &str = "response_read";
    /// Reads a configured variable.
    pub const ENV_GET: &str = "env_get";
    /// Traps with a message.
    pub const ABORT: &str = "abort";
}

/// Names of what a module exports.
pub mod export {
    /// The linear memory. Required.
    pub const MEMORY: &str = "memory";
    /// Called once before `init` when exported.
    pub const INITIALIZE: &str = "_initialize";
    /// The entry of a command-style module, which is refused.
    pub const START_COMMAND: &str = "_start";
    /// Prepares the instance. Required; the manifest may name another export for it.
    pub const INIT: &str = "init";
    /// Begins work. Required; the manifest may name another export for it.
    pub const START: &str = "start";
    /// Ends work. Required; the manifest may name another export for it.
    pub const STOP: &str = "stop";
    /// Suspends work. Optional.
    pub const PAUSE: &str = "pause";
    /// Takes work up again. Optional.
    pub const RESUME: &str = "resume";
    /// The last call before removal. Optional.
    pub const UNLOAD: &str = "unload";
    /// Writes the state to carry over a swap. Optional.
    pub const STATE_SAVE: &str = "state_save";
    /// Takes a saved state. Optional.
    pub const STATE_LOAD: &str = "state_load";

    /// Lifecycle functions every module has to export.
    pub const REQUIRED: [&str; 3] = [INIT, START, STOP];
    /// Lifecycle functions a module may export.
    pub const OPTIONAL: [&str; 3] = [PAUSE, RESUME, UNLOAD];
}

/// Names of the system calls of the contract, and of those this host adds. Extensions add more.
pub mod syscall {
    /// No argument; answers [`PONG`].
    pub const PING: &str = "ping";
    /// path [, offset, length]; answers the bytes.
    pub const FILE_READ: &str = "file_read";
    /// path, bytes.
    pub const FILE_WRITE: &str = "file_write";
    /// path, bytes.
    pub const FILE_APPEND: &str = "file_append";
    /// path; answers size, mtime, kind.
    pub const FILE_STAT: &str = "file_stat";
    /// path; answers names.
    pub const FILE_LIST: &str = "file_list";
    /// path.
    pub const FILE_DELETE: &str = "file_delete";
    /// key; answers the value.
    pub const KV_GET: &str = "kv_get";
    /// key, value.
    pub const KV_SET: &str = "kv_set";
    /// key.
    pub const KV_DELETE: &str = "kv_delete";
    /// prefix [, after, limit]; answers keys.
    pub const KV_LIST: &str = "kv_list";
    /// key, expected (list of zero or one), value.
    pub const KV_CAS: &str = "kv_cas";
    /// bucket/key [, offset, length]; answers the bytes.
    pub const OBJECT_GET: &str = "object_get";
    /// bucket/key, bytes.
    pub const OBJECT_PUT: &str = "object_put";
    /// bucket, or bucket/folder [, after, limit]; answers names.
    pub const OBJECT_LIST: &str = "object_list";
    /// bucket/key.
    pub const OBJECT_DELETE: &str = "object_delete";
    /// method, url, headers, body [, timeout]; answers status, headers, body.
    pub const HTTP_REQUEST: &str = "http_request";
    /// name; answers the bytes.
    pub const SECRET_REVEAL: &str = "secret_reveal";
    /// token; answers claims.
    pub const AUTH_VERIFY: &str = "auth_verify";
    /// name, kind, value, labels.
    pub const METRIC_RECORD: &str = "metric_record";
    /// name [, attributes]; answers the place in the trace, as a `traceparent`.
    pub const SPAN_BEGIN: &str = "span_begin";
    /// what [`SPAN_BEGIN`] answered.
    pub const SPAN_END: &str = "span_end";
    /// type, JSON.
    pub const EVENT_EMIT: &str = "event_emit";
    /// plugin, operation, input; answers the output.
    pub const PLUGIN_CALL: &str = "plugin_call";
    /// No argument; answers nanoseconds since 1970.
    pub const TIME_NOW: &str = "time_now";
    /// length; answers bytes.
    pub const RANDOM: &str = "random";
    /// path, flags (1 make it, 2 it must be new, 4 empty it): opens a file for writing, within its directory.
    pub const FILE_OPEN: &str = "file_open";
    /// path, offset (u64::MAX: the end), bytes; answers the offset after them.
    pub const FILE_WRITE_AT: &str = "file_write_at";
    /// path, size.
    pub const FILE_RESIZE: &str = "file_resize";
    /// path; what was written is on the disk.
    pub const FILE_SYNC: &str = "file_sync";
    /// path; names what the next [`FILE_RENAME_TO`] moves.
    pub const FILE_RENAME_FROM: &str = "file_rename_from";
    /// path; moves there what [`FILE_RENAME_FROM`] named.
    pub const FILE_RENAME_TO: &str = "file_rename_to";
    /// path.
    pub const DIR_CREATE: &str = "dir_create";
    /// No argument; answers nanoseconds of a clock that never goes back.
    pub const TIME_MONOTONIC: &str = "time_monotonic";
    /// nanoseconds, at most [`crate::limits::MAX_SLEEP`].
    pub const TIME_SLEEP: &str = "time_sleep";
    /// key; answers text.
    pub const CONFIG_GET: &str = "config_get";

    /// The response of [`PING`].
    pub const PONG: &[u8] = b"pong";

    /// Every one of them.
    pub const ALL: [&str; 36] = [
        PING,
        FILE_READ,
        FILE_WRITE,
        FILE_APPEND,
        FILE_STAT,
        FILE_LIST,
        FILE_DELETE,
        KV_GET,
        KV_SET,
        KV_DELETE,
        KV_LIST,
        KV_CAS,
        OBJECT_GET,
        OBJECT_PUT,
        OBJECT_LIST,
        OBJECT_DELETE,
        HTTP_REQUEST,
        SECRET_REVEAL,
        AUTH_VERIFY,
        METRIC_RECORD,
        SPAN_BEGIN,
        SPAN_END,
        EVENT_EMIT,
        PLUGIN_CALL,
        TIME_NOW,
        RANDOM,
        CONFIG_GET,
        FILE_OPEN,
        FILE_WRITE_AT,
        FILE_RESIZE,
        FILE_SYNC,
        FILE_RENAME_FROM,
        FILE_RENAME_TO,
        DIR_CREATE,
        TIME_MONOTONIC,
        TIME_SLEEP,
    ];
}

/// Kinds `metric_record` knows.
pub mod metric {
    /// The value is added.
    pub const COUNTER: &str = "counter";
    /// The value replaces the last one.
    pub const GAUGE: &str = "gauge";
    /// The value is one observation.
    pub const HISTOGRAM: &str = "histogram";
    /// Every kind.
    pub const ALL: [&str; 3] = [COUNTER, GAUGE, HISTOGRAM];
}

/// The environment variable that names the version which saved the state given to `state_load`.
pub const STATE_VERSION_VARIABLE: &str = "FORGE_STATE_VERSION";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_system_call_is_listed_twice() {
        for (i, name) in syscall::ALL.iter().enumerate() {
            assert!(!syscall::ALL.iter().skip(i + 1).any(|other| other == name), "{name}");
        }
    }
}
