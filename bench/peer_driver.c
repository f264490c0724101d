/*
 * peer_driver.c - weft as one row of a comparison: one workload a run, one line of JSON.
 *
 *     peer_driver --mode get --url URL -n N -c C [--ca FILE] [--fresh] [--h2]
 *     peer_driver --mode json --url PREFIX -n N -c C
 *     peer_driver --mode download --url URL [--ca FILE] [--save FILE] [--chunk BYTES] [--h2]
 *     peer_driver --mode read|write --dir DIR -n N -c C --size BYTES
 *     peer_driver --mode big --file FILE --chunk BYTES
 *     peer_driver --mode spawn|yield|sleep -n N
 *
 * --sync calls from plain code, outside tasks.  What is counted begins after --warm operations.
 */
#include <getopt.h>
#include <sys/resource.h>

#include <weft.h>

#include "bench.h"

static struct {
    const char *mode;
    const char *url;
    const char *ca;
    const char *save;
    const char *dir;
    const char *file;
    long n;
    long c;
    long warm;
    long size;
    long chunk;
    int h2;
    int fresh;
    int sync;
} opt = {.mode = "get", .n = 1000, .c = 1, .warm = -1, .size = 4096, .chunk = 65536};

struct moment {
    double ns;
    struct rusage usage;
};

static struct {
    struct moment start;
    struct moment end;
    long ok;
    long errors;
    unsigned long long bytes;
    json_int_t checksum;
    double bytes_per_task;
} total;

static struct moment now(void)
{
    struct moment moment = {.ns = bench_clock()};
    getrusage(RUSAGE_SELF, &moment.usage);
    return moment;
}

static double seconds(struct timeval a, struct timeval b)
{
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_usec - a.tv_usec) * 1e-6;
}

static void report(void)
{
    const struct rusage *a = &total.start.usage;
    const struct rusage *b = &total.end.usage;
    printf("{\"peer\":\"weft\",\"ok\":%ld,\"errors\":%ld,\"bytes\":%llu,\"wall_s\":%.6f,"
           "\"user_s\":%.6f,\"sys_s\":%.6f,\"rss_kib\":%ld,\"vcsw\":%ld,\"ivcsw\":%ld",
           total.ok, total.errors, total.bytes, (total.end.ns - total.start.ns) * 1e-9,
           seconds(a->ru_utime, b->ru_utime), seconds(a->ru_stime, b->ru_stime),
           bench_status_kib("VmHWM:"), b->ru_nvcsw - a->ru_nvcsw, b->ru_nivcsw - a->ru_nivcsw);
    if (strcmp(opt.mode, "json") == 0)
        printf(",\"checksum\":%lld", (long long)total.checksum);
    if (strcmp(opt.mode, "sleep") == 0)
        printf(",\"bytes_per_task\":%.1f", total.bytes_per_task);
    printf("}\n");
}

static void failed(const char *what)
{
    if (total.errors++ == 0)
        fprintf(stderr, "%s: %s\n", what, weft_error_message());
}

/* ---- work that c workers take from a common count ---- */

static long remaining;
static long next_index;
static weft_client *client;

static int workers(weft_fn fn, long n, long c)
{
    char *items = calloc((size_t)c, 1);
    remaining = n;
    next_index = 0;
    int err = items == NULL ? -ENOMEM : weft_map(fn, items, (size_t)c, 1, NULL);
    free(items);
    return err;
}

/* With fresh, the server is asked to close: the next request needs a new connection. */
static void get_once(void)
{
    static const weft_pair close[] = {{"Connection", "close"}, {0}};
    weft_response *response;
    size_t len;
    const weft_request_options options = {
        .size = sizeof options,
        .headers = opt.fresh ? close : NULL,
    };
    if (weft_client_get(client, opt.url, &options, &response) < 0) {
        failed(opt.url);
        return;
    }
    weft_response_content(response, &len);
    if (weft_response_status(response) == 200) {
        total.ok++;
        total.bytes += len;
    } else {
        total.errors++;
    }
    weft_response_free(response);
}

static int get_worker(void *arg)
{
    (void)arg;
    while (remaining > 0) {
        remaining--;
        get_once();
    }
    return 0;
}

static void reset(void)
{
    total.ok = 0;
    total.errors = 0;
    total.bytes = 0;
    total.checksum = 0;
    total.start = now();
}

static int run_get(void)
{
    long warm = opt.warm >= 0 ? opt.warm : opt.fresh ? opt.c : opt.n / 10;
    if (opt.warm < 0 && warm < opt.c)
        warm = opt.c;
    int err = weft_client_new(WEFT_CLIENT(.ca_file = opt.ca,
                                          .max_connections = opt.h2 ? 1 : (size_t)opt.c,
                                          .max_idle = (size_t)opt.c, .http2 = opt.h2 != 0),
                              &client);
    if (err < 0)
        return err;
    if (opt.sync) {
        remaining = warm;
        get_worker(NULL);
        reset();
        remaining = opt.n;
        get_worker(NULL);
    } else {
        workers(get_worker, warm, opt.c);
        reset();
        workers(get_worker, opt.n, opt.c);
    }
    total.end = now();
    weft_client_free(client);
    return 0;
}

static int json_worker(void *arg)
{
    (void)arg;
    while (remaining > 0) {
        char url[512];
        json_t *body;
        remaining--;
        snprintf(url, sizeof url, "%s%ld", opt.url, next_index++);
        weft_response *response;
        if (weft_client_get(client, url, NULL, &response) < 0) {
            failed(url);
            continue;
        }
        size_t len;
        weft_response_content(response, &len);
        if (weft_response_json(response, &body) < 0) {
            failed(url);
        } else {
            total.checksum += json_integer_value(json_object_get(body, "id"));
            json_decref(body);
            total.ok++;
            total.bytes += len;
        }
        weft_response_free(response);
    }
    return 0;
}

static int run_json(void)
{
    int err = weft_client_new(
        WEFT_CLIENT(.max_connections = (size_t)opt.c, .max_idle = (size_t)opt.c), &client);
    if (err < 0)
        return err;
    reset();
    workers(json_worker, opt.n, opt.c);
    total.end = now();
    weft_client_free(client);
    return 0;
}

static int run_download(void)
{
    weft_response *response;
    weft_file *file = NULL;
    int64_t n;
    size_t chunk = opt.chunk > 256 * 1024 || opt.save == NULL ? (size_t)opt.chunk : 1024 * 1024;
    void *data = aligned_alloc(4096, (chunk + 4095) & ~(size_t)4095);
    int err = weft_client_new(WEFT_CLIENT(.ca_file = opt.ca, .http2 = opt.h2 != 0), &client);
    if (err < 0 || data == NULL)
        return err < 0 ? err : -ENOMEM;
    reset();
    err = weft_client_stream(client, "GET", opt.url, NULL, &response);
    if (err == 0 && opt.save != NULL)
        err = weft_file_open(opt.save, "wb", &file);
    if (err < 0)
        return err;
    while ((n = weft_response_read(response, data, chunk)) > 0) {
        total.bytes += (unsigned long long)n;
        if (file != NULL && (err = weft_file_write(file, data, (size_t)n)) < 0)
            break;
    }
    if (file != NULL && weft_file_close(file) < 0)
        err = -EIO;
    if (n < 0 || err < 0)
        failed(opt.url);
    else
        total.ok++;
    weft_response_free(response);
    total.end = now();
    weft_client_free(client);
    free(data);
    return 0;
}

/* ---- files ---- */

static char *filler;

static int file_worker(void *arg)
{
    bool writing = strcmp(opt.mode, "write") == 0;
    (void)arg;
    while (remaining > 0) {
        char path[512];
        char *data;
        size_t len = (size_t)opt.size;
        remaining--;
        snprintf(path, sizeof path, "%s/f%ld", opt.dir, next_index++);
        int err = writing ? weft_write_file(path, filler, len) : weft_read_file(path, &data, &len);
        if (err < 0) {
            failed(path);
            continue;
        }
        if (!writing)
            weft_free(data);
        total.ok++;
        total.bytes += len;
    }
    return 0;
}

static int run_files(void)
{
    long warm = opt.warm >= 0 ? opt.warm : opt.n / 10;
    filler = calloc(1, (size_t)opt.size);
    if (filler == NULL)
        return -ENOMEM;
    if (warm > 0)
        workers(file_worker, warm < opt.n ? warm : opt.n, opt.c);
    reset();
    workers(file_worker, opt.n, opt.c);
    total.end = now();
    free(filler);
    return 0;
}

static int run_big(void)
{
    weft_file *file;
    int64_t n;
    void *data = aligned_alloc(4096, ((size_t)opt.chunk + 4095) & ~(size_t)4095);
    reset();
    int err = data == NULL ? -ENOMEM : weft_file_open(opt.file, "rb", &file);
    if (err < 0)
        return err;
    while ((n = weft_file_read(file, data, (size_t)opt.chunk)) > 0)
        total.bytes += (unsigned long long)n;
    weft_file_close(file);
    total.ok = n == 0;
    total.errors = n < 0;
    total.end = now();
    free(data);
    return 0;
}

/* ---- tasks ---- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int yield_many(void *arg)
{
    for (long n = *(long *)arg; n > 0; n--)
        weft_yield();
    return 0;
}

static int sleep_long(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_SEC(3600));
}

static int run_tasks(void)
{
    weft_group group;
    reset();
    weft_group_init(&group, NULL);
    if (strcmp(opt.mode, "spawn") == 0) {
        for (long i = 0; i < opt.n; i++)
            weft_group_spawn(&group, nothing, NULL);
        weft_group_wait(&group);
    } else if (strcmp(opt.mode, "yield") == 0) {
        long half = opt.n / 2;
        weft_group_spawn(&group, yield_many, &half);
        weft_group_spawn(&group, yield_many, &half);
        weft_group_wait(&group);
    } else {
        long before = bench_status_kib("VmRSS:") + bench_status_kib("VmPTE:");
        for (long i = 0; i < opt.n; i++) {
            if (weft_group_spawn_with(&group, sleep_long, NULL,
                                      WEFT_SPAWN(.stack_size = 64 * 1024)) < 0) {
                failed("sleeper");
                break;
            }
        }
        long after = bench_status_kib("VmRSS:") + bench_status_kib("VmPTE:");
        total.bytes_per_task = (double)(after - before) * 1024 / (double)opt.n;
        total.end = now();
        weft_group_cancel(&group, NULL);
        weft_group_wait(&group);
        total.ok = opt.n - total.errors;
        return 0;
    }
    total.end = now();
    total.ok = opt.n;
    return 0;
}

/* ---- */

static int run(void *arg)
{
    (void)arg;
    if (strcmp(opt.mode, "get") == 0)
        return run_get();
    if (strcmp(opt.mode, "json") == 0)
        return run_json();
    if (strcmp(opt.mode, "download") == 0)
        return run_download();
    if (strcmp(opt.mode, "read") == 0 || strcmp(opt.mode, "write") == 0)
        return run_files();
    if (strcmp(opt.mode, "big") == 0)
        return run_big();
    if (strcmp(opt.mode, "spawn") == 0 || strcmp(opt.mode, "yield") == 0 ||
        strcmp(opt.mode, "sleep") == 0)
        return run_tasks();
    fprintf(stderr, "peer_driver: no mode '%s'\n", opt.mode);
    exit(2);
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"mode", 1, 0, 'm'},    {"url", 1, 0, 'u'},  {"ca", 1, 0, 'a'},    {"save", 1, 0, 's'},
        {"dir", 1, 0, 'd'},     {"file", 1, 0, 'f'}, {"size", 1, 0, 'z'},  {"chunk", 1, 0, 'k'},
        {"warm", 1, 0, 'w'},    {"h2", 0, 0, '2'},   {"fresh", 0, 0, 'r'}, {"sync", 0, 0, 'y'},
        {"variant", 1, 0, 'v'}, {0, 0, 0, 0},
    };
    int ch;
    while ((ch = getopt_long(argc, argv, "n:c:", longs, NULL)) != -1) {
        long number = optarg != NULL ? strtol(optarg, NULL, 10) : 0;
        switch (ch) {
        case 'n':
            opt.n = number;
            break;
        case 'c':
            opt.c = number;
            break;
        case 'm':
            opt.mode = optarg;
            break;
        case 'u':
            opt.url = optarg;
            break;
        case 'a':
            opt.ca = optarg;
            break;
        case 's':
            opt.save = optarg;
            break;
        case 'd':
            opt.dir = optarg;
            break;
        case 'f':
            opt.file = optarg;
            break;
        case 'z':
            opt.size = number;
            break;
        case 'k':
            opt.chunk = number;
            break;
        case 'w':
            opt.warm = number;
            break;
        case '2':
            opt.h2 = 1;
            break;
        case 'r':
            opt.fresh = 1;
            break;
        case 'y':
            opt.sync = 1;
            break;
        case 'v':
            break;
        default:
            exit(2);
        }
    }
    if (opt.n < 1 || opt.c < 1) {
        fprintf(stderr, "peer_driver: -n and -c must be at least 1\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    int err = opt.sync ? run(NULL) : weft_run(run, NULL);
    if (err < 0) {
        fprintf(stderr, "peer_driver: %s\n", weft_error_message());
        return 1;
    }
    report();
    return total.errors > 0;
}
