/* script_run.c - the cases: read from their files, played by many threads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs.h"
#include "script_int.h"
#include "test.h"

enum { CASES_MAX = 800, LINES_MAX = 20000, TEXT_MAX = 1024 * 1024, WORKERS = 16 };

/* ---- a case ---- */

static int run_in_memory(void *arg)
{
    struct script *script = arg;
    ASSERT_OK(weft_event_new(&script->dialled));
    ASSERT_OK(weft_gather((weft_call[]){{script_calls, script}, {script_server, script}}, 2, NULL));
    weft_event_free(script->dialled);
    return 0;
}

struct server {
    struct script *script;
    pthread_barrier_t ready;
};

static int listen_and_serve(void *arg)
{
    struct server *server = arg;
    struct script *script = server->script;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &script->listener));
    script->port = weft_listener_port(script->listener);
    pthread_barrier_wait(&server->ready);
    script_server(script);
    weft_listener_close(script->listener);
    return 0;
}

static void *server_thread(void *arg)
{
    ASSERT_OK(weft_run(listen_and_serve, arg));
    return NULL;
}

static void run_over_sockets(struct script *script)
{
    struct server server = {.script = script};
    pthread_t thread;
    pthread_barrier_init(&server.ready, NULL, 2);
    ASSERT_INT_EQ(pthread_create(&thread, NULL, server_thread, &server), 0);
    pthread_barrier_wait(&server.ready);
    if (script->in_tasks)
        ASSERT_OK(weft_run(script_calls, script));
    else
        script_calls(script);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&server.ready);
}

static void run_case(struct script *script)
{
    script->seed = 20230707;
    pthread_mutex_init(&script->lock, NULL);
    if (script->over == SCRIPT_MEMORY)
        ASSERT_OK(weft_run_with(run_in_memory, script, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    else
        run_over_sockets(script);
    if (script->dials > script->taken)
        script_fail(script, &script->of->lines[script->of->n - 1],
                    "a connection for %s was not expected", script->authority[script->taken]);
    pthread_mutex_destroy(&script->lock);
}

/* ---- files ---- */

/* Those with the most waiting first, so that they are not what is waited for at the end. */
static const char *const files[] = {"retry",    "connection", "upload",  "proxy",  "framing",
                                    "response", "redirect",   "request", "tunnel", "cookies",
                                    "auth",     "multipart",  "coding",  "sse"};

static struct one_case cases[CASES_MAX];
static int n_cases;

static void load_file(const char *name, char **text, struct line **lines, const char *only)
{
    char path[sizeof cases[0].file];
    char *at = *text;
    int number = 0;
    snprintf(path, sizeof path, "%s/tests/http/cases/%s.case", test_source_root(), name);
    FILE *file = fopen(path, "r");
    ASSERT(file != NULL);
    size_t len = fread(at, 1, TEXT_MAX / 4, file);
    ASSERT_INT_LT(len, TEXT_MAX / 4);
    fclose(file);
    at[len] = '\0';
    *text += len + 1;
    struct one_case *one = NULL;
    for (char *line = at; *line != '\0';) {
        char *end = strchrnul(line, '\n');
        char *next = *end == '\0' ? end : end + 1;
        *end = '\0';
        number++;
        if (strncmp(line, "=== ", 4) == 0) {
            ASSERT_INT_LT(n_cases, CASES_MAX);
            one = &cases[n_cases];
            n_cases += only == NULL || strstr(line, only) != NULL;
            *one = (struct one_case){.lines = *lines};
            memcpy(one->file, path, sizeof path);
            snprintf(one->name, sizeof one->name, "%s", line + 4);
        } else if (line[0] != '\0' && line[0] != '#') {
            ASSERT(one != NULL);
            one->lines[one->n++] = (struct line){line, number};
            ++*lines;
        }
        line = next;
    }
}

static void load(void)
{
    static char text[TEXT_MAX];
    static struct line lines[LINES_MAX];
    char *end_of_text = text;
    struct line *end_of_lines = lines;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        ASSERT_INT_LT(end_of_text - text, TEXT_MAX - TEXT_MAX / 4);
        load_file(files[i], &end_of_text, &end_of_lines, getenv("WEFT_HTTP_CASE"));
        ASSERT_INT_LT(end_of_lines - lines, LINES_MAX - 2000);
    }
}

/* What the servers of the cases read: heads of requests. */
int script_count(void)
{
    int n = 0;
    load();
    for (int i = 0; i < n_cases; i++) {
        for (int j = 0; j < cases[i].n; j++) {
            const char *line = cases[i].lines[j].text;
            size_t len = strlen(line);
            n += strncmp(line, "request ", 8) == 0 || strncmp(line, "head ", 5) == 0 ||
                 strncmp(line, "source ", 7) == 0 ||
                 (line[0] == '>' && len > 9 && strcmp(line + len - 9, " HTTP/1.1") == 0);
        }
    }
    return n;
}

/* ---- all of them ---- */

struct work {
    atomic_int next;
    enum script_over over;
    bool in_tasks;
    bool over_h2;
};

/* By its name, or with its whole file. */
static bool is_left_out(const struct one_case *one)
{
    return test_not_over_h2("http/cases", one->name) != NULL ||
           test_not_over_h2("http/cases", strrchr(one->file, '/') + 1) != NULL;
}

static void *worker(void *arg)
{
    struct work *work = arg;
    int i;
    int splits = work->over_h2 ? 1 : 3;
    while ((i = work->next++) < splits * n_cases) {
        struct script script = {.of = &cases[i / splits],
                                .split = (enum script_split)(i % splits),
                                .over = work->over,
                                .in_tasks = work->in_tasks,
                                .over_h2 = work->over_h2};
        if (!work->over_h2 || !is_left_out(script.of))
            run_case(&script);
    }
    return NULL;
}

static void play(struct work *work)
{
    pthread_t threads[WORKERS];
    int n = work->over == SCRIPT_MEMORY ? 0 : WORKERS;
    load();
    memset(script_filling, 'x', sizeof script_filling);
    ASSERT_OK(weft_tls_new_server(
        WEFT_TLS(.cert_file = certs_make(CERT(.file = "example.pem", .san = "DNS:example.org"))),
        &script_server_tls));
    ASSERT_OK(weft_tls_new_client(WEFT_TLS(.ca_file = certs_ca()), &script_client_tls));
    for (int i = 0; i < n; i++)
        ASSERT_INT_EQ(pthread_create(&threads[i], NULL, worker, work), 0);
    if (n == 0)
        worker(work);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    weft_tls_free(script_server_tls);
    weft_tls_free(script_client_tls);
}

void script_run(enum script_over over, bool in_tasks)
{
    play(&(struct work){.over = over, .in_tasks = in_tasks});
}

static bool has_case(const char *name)
{
    for (int i = 0; i < n_cases; i++) {
        if (strcmp(cases[i].name, name) == 0 || strcmp(strrchr(cases[i].file, '/') + 1, name) == 0)
            return true;
    }
    return false;
}

void script_run_over_h2(enum script_over over, bool in_tasks)
{
    play(&(struct work){.over = over, .in_tasks = in_tasks, .over_h2 = true});
    if (getenv("WEFT_HTTP_CASE") == NULL)
        ASSERT_STR_EQ(test_not_over_h2_stray("http/cases", has_case), NULL);
}
