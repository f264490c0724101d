/*
 * trace_file.c - WEFT_TRACE=FILE: what happens in the loops of a program, as an array of trace
 * events in JSON, which ui.perfetto.dev and chrome://tracing read.
 *
 * Steps of tasks are complete events of their thread, lives of tasks asynchronous ones.  Each
 * write ends with the array's bracket and the next one begins over it, so that the file is whole
 * whenever one looks.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/debug_int.h"

enum { EVENT_MAX = 512, TAIL = 3 /* "\n]\n" */ };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int file = -1;
static int64_t written; /* without the tail */
static char text[64 * 1024];
static size_t len;

/* With the lock. */
static void flush(void)
{
    size_t done = 0;
    if (file < 0 || len == 0)
        return;
    memcpy(text + len, "\n]\n", TAIL);
    while (done < len + TAIL) {
        ssize_t n = pwrite(file, text + done, len + TAIL - done, written + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    written += (int64_t)len;
    len = 0;
}

static void at_exit(void)
{
    pthread_mutex_lock(&lock);
    flush();
    pthread_mutex_unlock(&lock);
}

static void open_file(void)
{
    const char *path = secure_getenv("WEFT_TRACE");
    if (path == NULL || path[0] == '\0')
        return;
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        dprintf(STDERR_FILENO, "weft: WEFT_TRACE: %s: %s\n", path, strerrordesc_np(errno));
        return;
    }
    if (pwrite(file, "[\n]\n", 4, 0) == 4)
        atexit(at_exit);
}

void weft__trace_file_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    if (file >= 0)
        close(file);
    file = -1;
    len = 0;
}

/* An event; the format goes on after the time in us. */
static __attribute__((format(printf, 3, 4))) void put(const struct weft__loop *loop, int64_t at,
                                                      const char *format, ...)
{
    va_list args;
    pthread_mutex_lock(&lock);
    if (file < 0 || written + (int64_t)len >= WEFT__LIMIT_TRACE_FILE) {
        pthread_mutex_unlock(&lock);
        return;
    }
    if (sizeof text - len < EVENT_MAX + TAIL)
        flush();
    char *to = text + len;
    int n = snprintf(to, EVENT_MAX, "%s{\"pid\":%ld,\"tid\":%ld,\"ts\":%lld.%03d,",
                     written + (int64_t)len == 0 ? "[\n" : ",\n", (long)getpid(),
                     loop->debug.thread, (long long)(at / 1000), (int)(at % 1000));
    va_start(args, format);
    int more = vsnprintf(to + n, (size_t)(EVENT_MAX - n), format, args);
    va_end(args);
    if (more > 0 && n + more < EVENT_MAX)
        len += (size_t)(n + more);
    pthread_mutex_unlock(&lock);
}

/* A name as the inside of a JSON string. */
static const char *quoted(const char *name, char *to, size_t size)
{
    size_t at = 0;
    for (; *name != '\0' && size - at > 7; name++) {
        unsigned char c = (unsigned char)*name;
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            at += (size_t)snprintf(to + at, size - at, "\\u%04x", c);
        else
            to[at++] = *name;
    }
    to[at] = '\0';
    return to;
}

enum { QUOTED = 6 * WEFT__LIMIT_TASK_NAME + 8 };

static void task_spawned(const weft_task *task, const weft_task *parent, void *userdata)
{
    char name[QUOTED];
    (void)userdata;
    put(task->loop, weft__loop_now(task->loop),
        "\"ph\":\"b\",\"cat\":\"task\",\"id\":\"%ld.%llu\",\"name\":\"%s\",\"args\":{\"task\":%llu,"
        "\"parent\":%llu}}",
        task->loop->debug.thread, (unsigned long long)task->id,
        quoted(weft_task_name(task), name, sizeof name), (unsigned long long)task->id,
        (unsigned long long)parent->id);
}

static void task_exited(const weft_task *task, int result, void *userdata)
{
    char name[QUOTED];
    (void)userdata;
    put(task->loop, weft__loop_now(task->loop),
        "\"ph\":\"e\",\"cat\":\"task\",\"id\":\"%ld.%llu\",\"name\":\"%s\",\"args\":{\"result\":%d}"
        "}",
        task->loop->debug.thread, (unsigned long long)task->id,
        quoted(weft_task_name(task), name, sizeof name), result);
}

static void before_task_step(const weft_task *task, void *userdata)
{
    (void)userdata;
    task->loop->debug.step_began = weft__loop_now(task->loop);
}

static void put_span(const struct weft__loop *loop, int64_t began, int64_t ended, const char *cat,
                     const char *name, uint64_t id)
{
    put(loop, began,
        "\"ph\":\"X\",\"dur\":%lld.%03d,\"cat\":\"%s\",\"name\":\"%s\",\"args\":{\"task\":%llu}}",
        (long long)((ended - began) / 1000), (int)((ended - began) % 1000), cat, name,
        (unsigned long long)id);
}

static void after_task_step(const weft_task *task, void *userdata)
{
    char name[QUOTED];
    (void)userdata;
    put_span(task->loop, task->loop->debug.step_began, weft__loop_now(task->loop), "step",
             quoted(weft_task_name(task), name, sizeof name), task->id);
}

static void before_io_wait(int64_t timeout, void *userdata)
{
    struct weft__loop *loop = userdata;
    (void)timeout;
    loop->debug.poll_began = weft__loop_now(loop);
}

static void after_io_wait(int64_t timeout, void *userdata)
{
    struct weft__loop *loop = userdata;
    if (timeout != 0)
        put_span(loop, loop->debug.poll_began, weft__loop_now(loop), "loop", "wait", 0);
}

void weft__trace_file_attach(struct weft__loop *loop)
{
    pthread_once(&once, open_file);
    if (file < 0)
        return;
    weft__trace_set_writer(
        loop, WEFT_TRACE(.userdata = loop, .task_spawned = task_spawned, .task_exited = task_exited,
                         .before_task_step = before_task_step, .after_task_step = after_task_step,
                         .before_io_wait = before_io_wait, .after_io_wait = after_io_wait));
    put(loop, weft__loop_now(loop),
        "\"ph\":\"M\",\"name\":\"thread_name\",\"args\":{\"name\":\"loop (%s)\"}}",
        loop->backend->name);
}

void weft__trace_file_detach(struct weft__loop *loop)
{
    if (loop->debug.traces[1].size == 0)
        return;
    weft__trace_set_writer(loop, NULL);
    pthread_mutex_lock(&lock);
    flush();
    pthread_mutex_unlock(&lock);
}
