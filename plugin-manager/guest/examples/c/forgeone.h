/*
 * ForgeOne ABI 1 for C: every import of the module "env", the statuses, and argument lists.
 * Needs no C library. Build for wasm32-unknown-unknown with -mbulk-memory.
 */
#ifndef FORGEONE_H
#define FORGEONE_H

#include <stddef.h>
#include <stdint.h>

/* Exports a function under its own name: lifecycle functions and declared operations. */
#define FORGEONE_EXPORT(name) __attribute__((export_name(#name)))
#define FORGEONE_IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

/* The statuses of host functions; all are below zero. */
enum {
    FORGEONE_DENIED = -1,
    FORGEONE_NOT_FOUND = -2,
    FORGEONE_INVALID = -3,
    FORGEONE_LIMIT = -4,
    FORGEONE_TIMEOUT = -5,
    FORGEONE_UNAVAILABLE = -6,
    FORGEONE_INTERNAL = -7,
    FORGEONE_UNKNOWN_SYSCALL = -8,
    FORGEONE_CONFLICT = -9,
};

/* The levels of forgeone_log_at. */
enum { FORGEONE_TRACE, FORGEONE_DEBUG, FORGEONE_INFO, FORGEONE_WARN, FORGEONE_ERROR };

/* One line of the plugin's log, at info level. */
FORGEONE_IMPORT(log) void forgeone_log(const void *line, size_t len);
FORGEONE_IMPORT(log_at) void forgeone_log_at(int32_t level, const void *line, size_t len);
/* Copies the call's input from offset on: bytes copied, 0 past its end, or a status. */
FORGEONE_IMPORT(input_read) int32_t forgeone_input_read(size_t offset, void *to, size_t cap);
/* Appends to the result of the call: 0, or a status. */
FORGEONE_IMPORT(output) int32_t forgeone_output(const void *bytes, size_t len);
/* The reason for the nonzero status about to be returned. */
FORGEONE_IMPORT(fail) void forgeone_fail(const void *text, size_t len);
/* Calls a service: the full length of its response, of which at most cap bytes are written, or a status. */
FORGEONE_IMPORT(syscall)
int32_t forgeone_syscall(const void *name, size_t name_len, const void *args, size_t args_len, void *to, size_t cap);
/* Copies the last response from offset on: bytes copied, or a status. */
FORGEONE_IMPORT(response_read) int32_t forgeone_response_read(size_t offset, void *to, size_t cap);
/* A configured variable; answers as forgeone_syscall. */
FORGEONE_IMPORT(env_get) int32_t forgeone_env_get(const void *key, size_t key_len, void *to, size_t cap);
/*
 * Ends the instance with a trap. Message and file are strings as AssemblyScript keeps them (UTF-16, the length in
 * bytes in the four bytes before), or null.
 */
FORGEONE_IMPORT(abort) _Noreturn void forgeone_abort(const void *message, const void *file, int32_t line, int32_t column);

/* A string literal as pointer and length, without its final zero. */
#define FORGEONE_TEXT(literal) (literal), (sizeof(literal) - 1)

/*
 * An argument list: byte strings, each after its length as four little-endian bytes. What does not fit sets
 * full, and the call then answers FORGEONE_LIMIT without asking the host.
 */
struct forgeone_args {
    uint8_t *bytes;
    size_t cap;
    size_t len;
    int full;
};

static inline void forgeone_arg(struct forgeone_args *args, const void *item, size_t len) {
    size_t room = args->cap - args->len;
    if (args->full || room < 4 || len > room - 4) {
        args->full = 1;
        return;
    }
    uint8_t *at = args->bytes + args->len;
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(len >> (8 * i));
    }
    __builtin_memcpy(at + 4, item, len);
    args->len += 4 + len;
}

/* An integer argument: eight little-endian bytes, which is how wasm32 keeps it. */
static inline void forgeone_arg_u64(struct forgeone_args *args, uint64_t value) {
    forgeone_arg(args, &value, sizeof value);
}

/* Calls a service with a list of arguments. */
static inline int32_t forgeone_call(
    const char *name, size_t name_len, const struct forgeone_args *args, void *to, size_t cap) {
    return args->full ? FORGEONE_LIMIT : forgeone_syscall(name, name_len, args->bytes, args->len, to, cap);
}

#endif
