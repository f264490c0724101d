/*
 * progress.c - how a fetch is going: a bar on a terminal, a line every ten seconds otherwise,
 * and the summary.
 */
#include "cli/fetch.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { BAR_WIDTH = 24 };

void progress_begin(struct progress *progress, const struct args *args, int64_t total)
{
    *progress = (struct progress){.silent = args->silent, .total = total};
    progress->started = weft_now();
    progress->shown = progress->started;
}

static size_t columns(void)
{
    struct winsize size;
    if (ioctl(fileno(stderr), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static size_t put(char *line, size_t at, size_t size, const char *format, ...) WEFT_PRINTF(4, 5);

static size_t put(char *line, size_t at, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(line + at, size - at, format, list);
    va_end(list);
    return n < 0 || (size_t)n >= size - at ? size - 1 : at + (size_t)n;
}

/* "37/100, 35 ok, 2 failed, 12 retries, 48/s, 1.2 MB, 2.0 s left" */
static size_t put_counts(const struct progress *progress, char *line, size_t at, size_t size)
{
    uint64_t done = progress->ok + progress->failed;
    double seconds = (double)(weft_now() - progress->started) / 1e9;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    at = put(line, at, size, "%llu", (unsigned long long)done);
    if (progress->total >= 0)
        at = put(line, at, size, "/%lld", (long long)progress->total);
    at = put(line, at, size, "  %llu ok", (unsigned long long)progress->ok);
    if (progress->failed)
        at = put(line, at, size, "  %llu failed", (unsigned long long)progress->failed);
    if (progress->retries)
        at = put(line, at, size, "  %llu %s", (unsigned long long)progress->retries,
                 progress->retries == 1 ? "retry" : "retries");
    at = put(line, at, size, rate < 9.95 ? "  %.1f/s" : "  %.0f/s", rate);
    at = put(line, at, size, "  %s", human_bytes(progress->bytes));
    if (progress->total > (int64_t)done && rate > 0) {
        double left = (double)((uint64_t)progress->total - done) / rate;
        at = put(line, at, size, "  %s left", human_time((int64_t)(left * 1e9)));
    }
    return at;
}

static size_t put_bar(const struct progress *progress, char *line, size_t size)
{
    char bar[BAR_WIDTH + 1];
    uint64_t done = progress->ok + progress->failed;
    if (progress->total <= 0)
        return 0;
    size_t full = (size_t)((double)done / (double)progress->total * BAR_WIDTH);
    for (size_t i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    return put(line, 0, size, "[%s] ", bar);
}

void progress_tick(struct progress *progress)
{
    char line[256];
    bool terminal = is_terminal(stderr);
    int64_t now = weft_now();
    if (progress->silent || (!terminal && now - progress->shown < WEFT_SEC(10)))
        return;
    progress->shown = now;
    if (!terminal) {
        put_counts(progress, line, 0, sizeof line);
        fprintf(stderr, "weft: %s\n", line);
        return;
    }
    /* One column stays free: a full line would wrap, and never be painted over. */
    size_t width = columns();
    size_t size = width < sizeof line ? width : sizeof line;
    size_t at = width >= 90 ? put_bar(progress, line, size) : 0;
    put_counts(progress, line, at, size);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

void progress_failed(struct progress *progress, const char *url, const char *why)
{
    progress->failed++;
    if (progress->n_failures == FAILURES_SHOWN)
        return;
    size_t size = strlen(url) + strlen(why) + 3;
    char *text = malloc(size);
    if (!text)
        return;
    snprintf(text, size, "%s: %s", url, why);
    progress->failures[progress->n_failures++] = text;
}

static void show_failures(const struct progress *progress)
{
    for (size_t i = 0; i < progress->n_failures; i++) {
        fprintf(stderr, "  %s", colour(stderr, RED));
        escape_line(progress->failures[i], stderr);
        fprintf(stderr, "%s\n", colour_off(stderr));
    }
    if (progress->failed > progress->n_failures)
        fprintf(stderr, "  and %llu more\n",
                (unsigned long long)(progress->failed - progress->n_failures));
}

void progress_end(struct progress *progress, bool interrupted)
{
    uint64_t done = progress->ok + progress->failed;
    int64_t elapsed = weft_now() - progress->started;
    if (is_terminal(stderr) && !progress->silent)
        fputs("\r\033[K", stderr);
    if (!progress->silent) {
        if (interrupted)
            fputs("interrupted: ", stderr);
        fprintf(stderr, "%llu", (unsigned long long)done);
        if (interrupted && progress->total >= 0)
            fprintf(stderr, " of %lld", (long long)progress->total);
        fprintf(stderr, " done: %llu ok, %llu failed, %llu %s, %s in %s\n",
                (unsigned long long)progress->ok, (unsigned long long)progress->failed,
                (unsigned long long)progress->retries, progress->retries == 1 ? "retry" : "retries",
                human_bytes(progress->bytes), human_time(elapsed));
    }
    show_failures(progress);
}

void progress_done(struct progress *progress)
{
    for (size_t i = 0; i < progress->n_failures; i++)
        free(progress->failures[i]);
}
