/* test_env.c - folders, children and circumstances of a test. */
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if WEFT_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include "test.h"
#include "test_int.h"

enum { PATHS = 8 };

_Noreturn void test_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(test_report->skip_reason, sizeof test_report->skip_reason, format, args);
    va_end(args);
    fprintf(stderr, "skipped: %s\n", test_report->skip_reason);
    fflush(NULL);
    _exit(TEST_EXIT_SKIPPED);
}

int test_call_body(void *arg)
{
    const struct test_case *body = arg;
    body->run();
    return 0;
}

bool test_is_traced(void)
{
    char line[256];
    int tracer = 0;
    FILE *status = fopen("/proc/self/status", "re");
    if (status == NULL)
        return false;
    while (fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "TracerPid: %d", &tracer) == 1)
            break;
    }
    fclose(status);
    return tracer != 0;
}

bool test_under_valgrind(void)
{
    return RUNNING_ON_VALGRIND != 0;
}

int test_slowness(void)
{
    if (test_under_valgrind())
        return 20;
#if defined(__SANITIZE_THREAD__)
    return 10;
#elif defined(__SANITIZE_ADDRESS__)
    return 4;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    return 10;
#elif __has_feature(address_sanitizer)
    return 4;
#endif
#endif
    return 1;
}

/* Makes the folder that dir is to name, unless it was made before. */
static const char *make_folder(char *dir, const char *base)
{
    char path[PATH_MAX];
    if (dir[0] != '\0')
        return dir;
    snprintf(path, sizeof path, "%s/weft-test-XXXXXX", base);
    if (mkdtemp(path) == NULL)
        test_fail(__FILE__, __LINE__, "mkdtemp %s: %s", path, strerrordesc_np(errno));
    memcpy(dir, path, sizeof path);
    return dir;
}

const char *test_tmpdir(void)
{
    const char *base = getenv("TMPDIR");
    return make_folder(test_report->tmpdir, base != NULL ? base : "/tmp");
}

const char *test_memory_dir(void)
{
    if (access("/dev/shm", W_OK | X_OK) < 0)
        return test_tmpdir();
    return make_folder(test_report->memory_dir, "/dev/shm");
}

static const char *path_in(const char *dir, const char *name)
{
    static _Thread_local char paths[PATHS][PATH_MAX + 256];
    static _Thread_local unsigned next;
    char *path = paths[next++ % PATHS];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

const char *test_path(const char *name)
{
    return path_in(test_tmpdir(), name);
}

const char *test_memory_path(const char *name)
{
    return path_in(test_memory_dir(), name);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    remove(path);
    return 0;
}

static void remove_folder(char *dir)
{
    if (dir[0] != '\0')
        nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    dir[0] = '\0';
}

void test_remove_tmpdir(void)
{
    remove_folder(test_report->tmpdir);
    remove_folder(test_report->memory_dir);
}

const char *test_source_root(void)
{
    return WEFT_SOURCE_ROOT;
}

const char *test_build_root(void)
{
    return WEFT_BUILD_ROOT;
}

const char *test_shared(const char *name)
{
    static _Thread_local char path[PATH_MAX];
    const char *shared = getenv("WEFT_SHARED");
    if (shared != NULL)
        snprintf(path, sizeof path, "%s/%s", shared, name);
    else
        snprintf(path, sizeof path, "%s/../shared/%s", WEFT_SOURCE_ROOT, name);
    if (access(path, R_OK) < 0)
        test_skip("%s is not there (set WEFT_SHARED)", path);
    return path;
}

int test_fork(void (*fn)(void *arg), void *arg, char *output, size_t size)
{
    int ends[2];
    char rest[4096];
    size_t len = 0;
    int status;
    fflush(NULL);
    if (pipe(ends) < 0)
        test_fail(__FILE__, __LINE__, "pipe: %s", strerrordesc_np(errno));
    pid_t pid = fork();
    if (pid < 0)
        test_fail(__FILE__, __LINE__, "fork: %s", strerrordesc_np(errno));
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        fn(arg);
        fflush(NULL);
        _exit(0);
    }
    close(ends[1]);
    for (;;) {
        bool full = len + 1 >= size;
        ssize_t n =
            full ? read(ends[0], rest, sizeof rest) : read(ends[0], output + len, size - 1 - len);
        if (n <= 0)
            break;
        len += full ? 0 : (size_t)n;
    }
    close(ends[0]);
    if (size > 0)
        output[len] = '\0';
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}
