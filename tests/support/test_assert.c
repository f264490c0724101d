/* test_assert.c - what the assertions of test.h do when they fail. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"
#include "test_int.h"

_Noreturn void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    fflush(NULL);
    if (test_is_traced())
        abort();
    _exit(TEST_EXIT_FAILED);
}

/* Control characters and bytes beyond ASCII as \xNN. */
static void print_bytes(const char *label, const char *bytes, size_t len)
{
    fprintf(stderr, "  %s (%zu bytes): \"", label, len);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\n')
            fputs("\\n", stderr);
        else if (c == '\r')
            fputs("\\r", stderr);
        else if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            fprintf(stderr, "\\x%02x", c);
        else
            fputc(c, stderr);
    }
    fputs("\"\n", stderr);
}

static void print_string(const char *label, const char *text)
{
    if (text == NULL)
        fprintf(stderr, "  %s: NULL\n", label);
    else
        print_bytes(label, text, strlen(text));
}

void test_str_eq(const char *file, int line, const char *what, const char *actual,
                 const char *expected)
{
    if (actual == expected || (actual != NULL && expected != NULL && strcmp(actual, expected) == 0))
        return;
    print_string("expected", expected);
    print_string("actual  ", actual);
    test_fail(file, line, "%s is another string", what);
}

void test_str_has(const char *file, int line, const char *what, const char *text, const char *part,
                  bool wanted)
{
    if (text != NULL && (strstr(text, part) != NULL) == wanted)
        return;
    print_string("part  ", part);
    print_string("actual", text);
    test_fail(file, line, "%s %s the part", what, wanted ? "lacks" : "contains");
}

void test_mem_eq(const char *file, int line, const char *what, const void *actual,
                 const void *expected, size_t len)
{
    size_t same = 0;
    const char *a = actual;
    const char *e = expected;
    while (same < len && a[same] == e[same])
        same++;
    if (same == len)
        return;
    size_t from = same < 32 ? 0 : same - 32;
    size_t shown = len - from < 96 ? len - from : 96;
    print_bytes("expected", e + from, shown);
    print_bytes("actual  ", a + from, shown);
    test_fail(file, line, "%s: byte %zu of %zu differs (shown from byte %zu)", what, same, len,
              from);
}

int test_ok(const char *file, int line, const char *what, int err)
{
    if (err >= 0)
        return err;
    test_fail(file, line, "%s: expected success, actual %s (%d): %s", what, weft_error_name(err),
              err, weft_error_message());
}

void test_err(const char *file, int line, const char *what, int err, int expected)
{
    if (err == expected)
        return;
    if (err >= 0)
        test_fail(file, line, "%s: expected %s (%d), actual %d, no error", what,
                  weft_error_name(expected), expected, err);
    test_fail(file, line, "%s: expected %s (%d), actual %s (%d): %s", what,
              weft_error_name(expected), expected, weft_error_name(err), err, weft_error_message());
}
