/*
 * report.c - text for people on a descriptor, without allocating: names made harmless, times,
 * call stacks.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run/debug_int.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool reporting;

bool weft__report_lock(void)
{
    if (reporting)
        return false;
    pthread_mutex_lock(&lock);
    reporting = true;
    return true;
}

void weft__report_unlock(void)
{
    weft__symbols_done();
    reporting = false;
    pthread_mutex_unlock(&lock);
}

void weft__report_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    reporting = false;
}

void weft__report_begin(struct weft__report *report, int fd)
{
    report->fd = fd;
    report->len = 0;
}

void weft__report_end(struct weft__report *report)
{
    size_t done = 0;
    while (done < report->len) {
        ssize_t n = write(report->fd, report->text + done, report->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    report->len = 0;
}

void weft__report_put(struct weft__report *report, const char *format, ...)
{
    enum { LONGEST = 512 };
    va_list args;
    if (sizeof report->text - report->len < LONGEST)
        weft__report_end(report);
    va_start(args, format);
    int n = vsnprintf(report->text + report->len, LONGEST, format, args);
    va_end(args);
    if (n > 0)
        report->len += n < LONGEST ? (size_t)n : LONGEST - 1;
}

/* A name may hold what a peer sent: it cannot steer the terminal, or forge a line of the report. */
void weft__report_name(struct weft__report *report, const char *name)
{
    enum { LONGEST = 128 };
    for (size_t i = 0; name != NULL && name[i] != '\0'; i++) {
        if (i == LONGEST) {
            weft__report_put(report, "...");
            return;
        }
        if (name[i] >= 0x20 && name[i] < 0x7f && name[i] != '\\')
            weft__report_put(report, "%c", name[i]);
        else
            weft__report_put(report, "\\x%02x", (unsigned)(unsigned char)name[i]);
    }
}

void weft__report_time(struct weft__report *report, int64_t ns)
{
    double s = (double)(ns > 0 ? ns : 0) * 1e-9;
    if (s >= 0.9995)
        weft__report_put(report, "%.*f s", s < 100 ? 1 : 0, s);
    else if (s >= 0.9995e-3)
        weft__report_put(report, "%.0f ms", s * 1e3);
    else
        weft__report_put(report, "%.0f us", s * 1e6);
}

/* ---- call stacks ---- */

/* The compiler adds .part.0 and the like to names. */
static bool is_one_of(const char *name, const char *const *names)
{
    size_t len = strcspn(name, ".");
    for (; *names != NULL; names++) {
        if (strncmp(name, *names, len) == 0 && (*names)[len] == '\0')
            return true;
    }
    return false;
}

/* How tasks are suspended says nothing about what they wait for. */
static bool suspends(const struct weft__symbol *symbol)
{
    static const char *const names[] = {
        "switch_to", "native_wait", "poll_once",    "spawn",
        "resumed",   "told_switch", "raw_switch",   "put_task",
        "put_group", "put_stack",   "loop_answers", "__interceptor_backtrace",
        NULL,
    };
    /* A library without its symbol table has names for its public functions only. */
    return symbol->name == NULL
               ? symbol->ours
               : strncmp(symbol->name, "weft__", 6) == 0 || is_one_of(symbol->name, names);
}

/* Nor does how they begin. */
static bool begins(const struct weft__symbol *symbol)
{
    static const char *const names[] = {"weft__ctx_start", "run_task",        "run_main",
                                        "start",           "__start_context", NULL};
    return symbol->name != NULL && is_one_of(symbol->name, names);
}

void weft__report_frames(struct weft__report *report, const struct weft__frames *frames, int indent)
{
    struct weft__symbol symbol;
    int first = 0;
    int last = frames->n;
    while (first < last && (weft__symbol_find(frames->pc[first], &symbol), suspends(&symbol)))
        first++;
    while (last > first && (weft__symbol_find(frames->pc[last - 1], &symbol), begins(&symbol)))
        last--;
    /* A program without symbols, with the library in it: better all than nothing. */
    if (first == frames->n)
        first = 0;
    for (int i = first; i < last; i++) {
        weft__symbol_find(frames->pc[i], &symbol);
        weft__report_put(report, "%*s", indent, "");
        if (symbol.name != NULL)
            weft__report_put(report, "%.200s+0x%zx ", symbol.name, (size_t)symbol.offset);
        weft__report_put(report, "(%.200s+0x%zx)\n", symbol.module, (size_t)symbol.address);
    }
    if (frames->n == WEFT__LIMIT_DUMP_FRAMES)
        weft__report_put(report, "%*s(outer calls are not shown)\n", indent, "");
}
