/* Greets whoever is named, and remembers whom it greeted last. */

#include "forgeone.h"

enum { NAME_CAP = 1024 };

/* An instance runs one call at a time, so what a call needs may be static. */
static uint8_t name[NAME_CAP];
static uint8_t list[NAME_CAP + 64];

/* Says why, and answers the status. */
static int32_t failed(int32_t status, const char *text, size_t len) {
    forgeone_fail(text, len);
    return status;
}

FORGEONE_EXPORT(init) int32_t init(void) { return 0; }
FORGEONE_EXPORT(start) int32_t start(void) { return 0; }
FORGEONE_EXPORT(stop) int32_t stop(void) { return 0; }

FORGEONE_EXPORT(greet) int32_t greet(size_t input_len) {
    if (input_len > NAME_CAP) {
        return failed(3, FORGEONE_TEXT("the name is longer than 1024 bytes"));
    }
    int32_t read = forgeone_input_read(0, name, NAME_CAP);
    if (read < 0) {
        return read;
    }
    size_t len = (size_t)read;
    while (len > 0 && name[len - 1] <= ' ') {
        len--;
    }
    if (len == 0) {
        return failed(1, FORGEONE_TEXT("there is no name in the input"));
    }
    struct forgeone_args args = {list, sizeof list, 0, 0};
    forgeone_arg(&args, FORGEONE_TEXT("last"));
    forgeone_arg(&args, name, len);
    int32_t kept = forgeone_call(FORGEONE_TEXT("kv_set"), &args, 0, 0);
    if (kept < 0) {
        return failed(kept, FORGEONE_TEXT("kv_set was refused"));
    }
    forgeone_log(FORGEONE_TEXT("greeting"));
    int32_t written = forgeone_output(FORGEONE_TEXT("Hello, "));
    written = written < 0 ? written : forgeone_output(name, len);
    written = written < 0 ? written : forgeone_output(FORGEONE_TEXT("!\n"));
    return written < 0 ? written : 0;
}

FORGEONE_EXPORT(last) int32_t last(size_t input_len) {
    (void)input_len;
    struct forgeone_args args = {list, sizeof list, 0, 0};
    forgeone_arg(&args, FORGEONE_TEXT("last"));
    int32_t len = forgeone_call(FORGEONE_TEXT("kv_get"), &args, name, sizeof name);
    if (len == FORGEONE_NOT_FOUND) {
        return failed(2, FORGEONE_TEXT("nobody was greeted yet"));
    }
    if (len < 0) {
        return failed(len, FORGEONE_TEXT("kv_get was refused"));
    }
    return forgeone_output(name, (size_t)len);
}
