/* test_serve.c - serving connections, and TLS from the middle of one. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/serve.h>
#include <weft/sync.h>

#include "certs.h"
#include "fault.h"
#include "stream_suite.h"

/* ---- what the tests share ---- */

struct world {
    weft_acceptor *acceptor;
    weft_listener *listener;
    uint16_t port;
    int result; /* of run */
    int n_served;
    int n_now;
    int n_most;
    int failures[4]; /* by phase */
    int last_err;
    char last_peer[64];
};

static void on_failure(const weft_serve_failure *failure, void *arg)
{
    struct world *world = arg;
    world->failures[failure->phase]++;
    world->last_err = failure->err;
    ASSERT(failure->message != NULL && failure->message[0] != '\0');
    strncpy(world->last_peer, failure->peer, sizeof world->last_peer - 1);
}

static int echo(weft_stream *stream, void *arg)
{
    struct world *world = arg;
    char data[64];
    int64_t n;
    world->n_now++;
    world->n_served++;
    if (world->n_now > world->n_most)
        world->n_most = world->n_now;
    while ((n = weft_stream_read(stream, data, sizeof data)) > 0) {
        n = data[0] == '!' ? -EPROTO : weft_stream_write(stream, data, (size_t)n);
        if (n < 0)
            break;
    }
    world->n_now--;
    return (int)n;
}

static int run_it(void *arg)
{
    struct world *world = arg;
    world->result = weft_acceptor_run(world->acceptor);
    return 0;
}

static void begin(struct world *world, weft_group *group, weft_serve_options options)
{
    options.size = sizeof options;
    options.on_failure = on_failure;
    options.on_failure_arg = world;
    *world = (struct world){.result = 1};
    ASSERT_OK(weft_acceptor_new(echo, world, &options, &world->acceptor));
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &world->listener));
    world->port = weft_listener_port(world->listener);
    ASSERT_OK(weft_acceptor_add(world->acceptor, world->listener));
    ASSERT_OK(weft_group_init(group, NULL));
    ASSERT_OK(weft_group_spawn(group, run_it, world));
}

static void finish(struct world *world, weft_group *group, int64_t grace)
{
    weft_acceptor_stop(world->acceptor, grace);
    ASSERT_OK(weft_group_wait(group));
    ASSERT_INT_EQ(world->result, 0);
    ASSERT_INT_EQ(weft_acceptor_connections(world->acceptor), 0);
    weft_acceptor_free(world->acceptor);
}

static weft_stream *dial_it(const struct world *world)
{
    weft_stream *stream;
    ASSERT_OK(weft_dial("127.0.0.1", world->port, NULL, &stream));
    return stream;
}

static void expect_echo(weft_stream *stream, const char *text)
{
    char data[64];
    ASSERT_OK(weft_stream_write(stream, text, strlen(text)));
    ASSERT_OK(weft_stream_read_exact(stream, data, strlen(text)));
    ASSERT_MEM_EQ(data, text, strlen(text));
}

static void hang_up(weft_stream *stream)
{
    ASSERT_OK(weft_stream_close(stream));
    weft_stream_free(stream);
}

/* ---- serving ---- */

TASK_TEST(serve_each_connection_has_its_task)
{
    struct world world;
    weft_group group;
    weft_stream *streams[5];
    begin(&world, &group, (weft_serve_options){0});
    for (int i = 0; i < 5; i++) {
        streams[i] = dial_it(&world);
        expect_echo(streams[i], "hello");
    }
    ASSERT_INT_EQ(weft_acceptor_connections(world.acceptor), 5);
    for (int i = 0; i < 5; i++)
        hang_up(streams[i]);
    finish(&world, &group, WEFT_SEC(5));
    ASSERT_INT_EQ(world.n_served, 5);
    ASSERT_INT_EQ(world.n_most, 5);
    ASSERT_INT_EQ(world.failures[WEFT_SERVE_HANDLER], 0);
}

TASK_TEST(serve_failing_handler_ends_its_connection_only)
{
    struct world world;
    weft_group group;
    char c;
    begin(&world, &group, (weft_serve_options){0});
    weft_stream *good = dial_it(&world);
    weft_stream *bad = dial_it(&world);
    ASSERT_OK(weft_stream_write(bad, "!", 1));
    ASSERT_INT_LE(weft_stream_read(bad, &c, 1), 0);
    expect_echo(good, "still here");
    ASSERT_INT_EQ(world.failures[WEFT_SERVE_HANDLER], 1);
    ASSERT_INT_EQ(world.last_err, -EPROTO);
    ASSERT_STR_HAS(world.last_peer, "127.0.0.1:");
    weft_stream_free(bad);
    hang_up(good);
    finish(&world, &group, WEFT_SEC(5));
}

static int dial_and_echo(void *arg)
{
    const struct world *world = arg;
    weft_stream *stream = dial_it(world);
    expect_echo(stream, "hello");
    weft_sleep(WEFT_MS(1));
    hang_up(stream);
    return 0;
}

TASK_TEST(serve_no_more_at_once_than_allowed)
{
    struct world world;
    weft_group group, clients;
    begin(&world, &group, (weft_serve_options){.max_connections = 3});
    ASSERT_OK(weft_group_init(&clients, NULL));
    for (int i = 0; i < 12; i++)
        ASSERT_OK(weft_group_spawn(&clients, dial_and_echo, &world));
    ASSERT_OK(weft_group_wait(&clients));
    finish(&world, &group, WEFT_SEC(5));
    ASSERT_INT_EQ(world.n_served, 12);
    ASSERT_INT_EQ(world.n_most, 3);
}

TASK_TEST(serve_of_two_listeners_at_once)
{
    struct world world;
    weft_acceptor *acceptor;
    weft_listener *one, *two;
    weft_group group;
    const char *path = test_path("socket");
    weft_stream *a, *b;
    world = (struct world){.result = 1};
    ASSERT_OK(weft_acceptor_new(echo, &world, NULL, &acceptor));
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &one));
    world.port = weft_listener_port(one);
    ASSERT_OK(weft_listen_unix(path, NULL, &two));
    ASSERT_OK(weft_acceptor_add(acceptor, one));
    ASSERT_OK(weft_acceptor_add(acceptor, two));
    world.acceptor = acceptor;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, run_it, &world));
    a = dial_it(&world);
    ASSERT_OK(weft_dial_unix(path, &b));
    expect_echo(a, "tcp");
    expect_echo(b, "unix");
    hang_up(a);
    hang_up(b);
    finish(&world, &group, WEFT_SEC(5));
    ASSERT_INT_EQ(world.n_served, 2);
}

/* The one to which nobody comes does not keep the only slot. */
TASK_TEST(serve_of_two_listeners_has_one_limit)
{
    struct world world = {.result = 1};
    weft_listener *listeners[2];
    weft_group group, clients;
    ASSERT_OK(weft_acceptor_new(echo, &world, WEFT_SERVE(.max_connections = 1), &world.acceptor));
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listeners[i]));
        ASSERT_OK(weft_acceptor_add(world.acceptor, listeners[i]));
    }
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, run_it, &world));
    for (int i = 3; i >= 0; i--) {
        world.port = weft_listener_port(listeners[i % 2]);
        ASSERT_OK(dial_and_echo(&world));
    }
    ASSERT_OK(weft_group_init(&clients, NULL));
    for (int i = 0; i < 12; i++) {
        world.port = weft_listener_port(listeners[i % 2]);
        ASSERT_OK(weft_group_spawn(&clients, dial_and_echo, &world));
    }
    ASSERT_OK(weft_group_wait(&clients));
    finish(&world, &group, WEFT_SEC(5));
    ASSERT_INT_EQ(world.n_served, 16);
    ASSERT_INT_EQ(world.n_most, 1);
}

/* ---- the end ---- */

TASK_TEST(serve_stopped_lets_handlers_end_within_the_grace)
{
    struct world world;
    weft_group group;
    weft_stream *refused;
    begin(&world, &group, (weft_serve_options){0});
    weft_stream *stream = dial_it(&world);
    expect_echo(stream, "before");
    weft_acceptor_stop(world.acceptor, WEFT_SEC(5));
    weft_sleep(WEFT_MS(2));
    expect_echo(stream, "after");
    ASSERT_ERR(weft_dial("127.0.0.1", world.port, NULL, &refused), WEFT_EREFUSED);
    hang_up(stream);
    finish(&world, &group, WEFT_SEC(5));
}

TASK_TEST(serve_stopped_without_grace_cancels_the_handlers)
{
    struct world world;
    weft_group group;
    char c;
    begin(&world, &group, (weft_serve_options){0});
    weft_stream *stream = dial_it(&world);
    expect_echo(stream, "before");
    finish(&world, &group, 0);
    ASSERT_INT_EQ(weft_stream_read(stream, &c, 1), 0);
    weft_stream_free(stream);
    ASSERT_INT_EQ(world.failures[WEFT_SERVE_HANDLER], 0);
}

TASK_TEST(serve_aborted_cuts_the_clients_off)
{
    struct world world;
    weft_group group;
    char c;
    begin(&world, &group, (weft_serve_options){0});
    weft_stream *stream = dial_it(&world);
    expect_echo(stream, "before");
    weft_acceptor_abort(world.acceptor);
    ASSERT_ERR((int)weft_stream_read(stream, &c, 1), -ECONNRESET);
    weft_stream_free(stream);
    finish(&world, &group, 0);
}

TASK_TEST(serve_cancelled_ends_all)
{
    struct world world = {.result = 1};
    weft_listener *listener;
    weft_scope scope;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    weft_scope_enter(&scope, WEFT_MS(20));
    int err = weft_serve(listener, echo, &world, NULL);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
}

TASK_TEST(serve_stopped_before_it_runs_returns_at_once)
{
    weft_acceptor *acceptor;
    weft_listener *listener;
    struct world world = {0};
    ASSERT_OK(weft_acceptor_new(echo, &world, NULL, &acceptor));
    ASSERT_ERR(weft_acceptor_run(acceptor), -EINVAL);
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    ASSERT_OK(weft_acceptor_add(acceptor, listener));
    weft_acceptor_stop(acceptor, 0);
    ASSERT_OK(weft_acceptor_run(acceptor));
    weft_acceptor_free(acceptor);
}

TASK_TEST(serve_wrong_use_is_refused)
{
    struct world world;
    weft_group group;
    weft_acceptor *acceptor;
    weft_listener *listener;
    weft_tls *tls;
    ASSERT_ERR(weft_acceptor_new(NULL, NULL, NULL, &acceptor), -EINVAL);
    ASSERT_OK(weft_tls_new_client(NULL, &tls));
    ASSERT_ERR(weft_acceptor_new(echo, NULL, WEFT_SERVE(.tls = tls), &acceptor), -EINVAL);
    weft_tls_free(tls);
    begin(&world, &group, (weft_serve_options){0});
    ASSERT_ERR(weft_acceptor_run(world.acceptor), -EALREADY);
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    ASSERT_ERR(weft_acceptor_add(world.acceptor, listener), -EALREADY);
    ASSERT_ERR(weft_acceptor_add(world.acceptor, NULL), -EINVAL);
    finish(&world, &group, 0);
    weft_acceptor_free(NULL);
}

/* ---- TLS ---- */

static weft_tls *server_tls(void)
{
    weft_tls *tls;
    ASSERT_OK(weft_tls_new_server(WEFT_TLS(.cert_file = certs_good()), &tls));
    return tls;
}

static weft_tls *client_tls(void)
{
    weft_tls *tls;
    ASSERT_OK(weft_tls_new_client(WEFT_TLS(.ca_file = certs_ca()), &tls));
    return tls;
}

/* ---- shortage ---- */

struct dialling {
    const struct world *world;
    weft_tls *tls; /* NULL: plain */
    weft_stream *stream;
};

static int dial_later(void *arg)
{
    struct dialling *dialling = arg;
    return weft_tls_dial(dialling->tls, "127.0.0.1", dialling->world->port, NULL,
                         &dialling->stream);
}

static void run_out_of_descriptors(weft_tls *server, weft_tls *client)
{
    struct world world;
    weft_group group;
    weft_group dials;
    struct rlimit old, none;
    struct dialling dialling = {.world = &world, .tls = client};
    begin(&world, &group, (weft_serve_options){.tls = server});
    weft_stream *first;
    ASSERT_OK(server != NULL ? weft_tls_dial(client, "127.0.0.1", world.port, NULL, &first)
                             : weft_dial("127.0.0.1", world.port, NULL, &first));
    expect_echo(first, "enough");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT(getrlimit(RLIMIT_NOFILE, &old) == 0);
    none = old;
    /* One descriptor is free for the client; none for the server. */
    none.rlim_cur = (rlim_t)fd + 1;
    close(fd);
    ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
    ASSERT_OK(weft_group_init(&dials, NULL));
    if (server != NULL)
        ASSERT_OK(weft_group_spawn(&dials, dial_later, &dialling));
    else
        ASSERT_OK(weft_dial("127.0.0.1", world.port, NULL, &dialling.stream));
    while (world.failures[WEFT_SERVE_ACCEPT] == 0)
        weft_sleep(WEFT_MS(1));
    ASSERT_INT_EQ(world.last_err, -EMFILE);
    expect_echo(first, "goes on");
    ASSERT(setrlimit(RLIMIT_NOFILE, &old) == 0);
    ASSERT_OK(weft_group_wait(&dials));
    expect_echo(dialling.stream, "now served");
    hang_up(first);
    hang_up(dialling.stream);
    finish(&world, &group, WEFT_SEC(5));
}

TASK_TEST(serve_without_descriptors_waits_and_tells)
{
    if (test_under_valgrind())
        SKIP("Valgrind closes what is accepted beyond the limit");
    run_out_of_descriptors(NULL, NULL);
}

TASK_TEST(serve_by_tls_without_descriptors_waits_and_tells)
{
    if (test_under_valgrind())
        SKIP("Valgrind closes what is accepted beyond the limit");
    weft_tls *server = server_tls();
    weft_tls *client = client_tls();
    run_out_of_descriptors(server, client);
    weft_tls_free(server);
    weft_tls_free(client);
}

TASK_TEST(serve_stopped_ends_handshakes_at_once)
{
    struct world world;
    weft_group group;
    char c;
    weft_tls *server = server_tls();
    begin(&world, &group, (weft_serve_options){.tls = server});
    weft_stream *silent = dial_it(&world);
    while (weft_acceptor_connections(world.acceptor) == 0)
        weft_sleep(WEFT_MS(1));
    int64_t begun = weft_now();
    finish(&world, &group, WEFT_SEC(60));
    ASSERT_INT_LT(weft_now() - begun, WEFT_SEC(30));
    ASSERT_INT_LE(weft_stream_read(silent, &c, 1), 0);
    weft_stream_free(silent);
    weft_tls_free(server);
}

TASK_TEST(serve_by_tls_while_others_are_slow_to_shake_hands)
{
    struct world world;
    weft_group group;
    weft_stream *stream;
    char c;
    weft_tls *server = server_tls();
    weft_tls *client = client_tls();
    int64_t patience = WEFT_MS(test_under_valgrind() ? 8000 : 300);
    begin(&world, &group, (weft_serve_options){.tls = server, .handshake_timeout = patience});
    weft_stream *silent = dial_it(&world);
    weft_stream *plain = dial_it(&world);
    ASSERT_OK(weft_stream_write(plain, "GET / HTTP/1.0\r\n\r\n", 18));
    ASSERT_OK(weft_stream_flush(plain));
    ASSERT_OK(
        weft_tls_dial(client, "127.0.0.1", world.port, WEFT_DIAL(.timeout = WEFT_SEC(9)), &stream));
    expect_echo(stream, "secret");
    ASSERT_INT_GE(weft_acceptor_connections(world.acceptor), 1);
    while (world.failures[WEFT_SERVE_HANDSHAKE] < 2)
        weft_sleep(WEFT_MS(1));
    ASSERT_INT_LE(weft_stream_read(silent, &c, 1), 0);
    weft_stream_free(silent);
    weft_stream_free(plain);
    hang_up(stream);
    finish(&world, &group, WEFT_SEC(5));
    ASSERT_INT_EQ(world.n_served, 1);
    weft_tls_free(server);
    weft_tls_free(client);
}

TASK_TEST(tls_dial_is_bounded_by_its_timeout)
{
    weft_listener *listener;
    weft_stream *stream;
    weft_tls *client = client_tls();
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    ASSERT_ERR(weft_tls_dial(client, "127.0.0.1", weft_listener_port(listener),
                             WEFT_DIAL(.timeout = WEFT_MS(30)), &stream),
               WEFT_ECONNECT_TIMEOUT);
    ASSERT_STR_HAS(weft_error_message(), "0.03 s");
    weft_listener_close(listener);
    ASSERT_ERR(weft_tls_dial(client, "127.0.0.1", 1, NULL, &stream), WEFT_EREFUSED);
    weft_tls_free(client);
}

/* ---- TLS from the middle ---- */

struct mail {
    weft_stream *stream;
    weft_tls *tls;
    const char *injected; /* by the client, behind its STARTTLS */
    int result;
};

static int mail_server(void *arg)
{
    struct mail *mail = arg;
    weft_reader *reader;
    char *line;
    ASSERT_OK(weft_reader_new(mail->stream, 0, &reader));
    ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 9);
    ASSERT_STR_EQ(line, "STARTTLS\n");
    ASSERT_OK(weft_stream_write(mail->stream, "220 go\n", 7));
    mail->result = weft_tls_start(mail->tls, &mail->stream, reader, NULL);
    if (mail->result == 0) {
        ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 5);
        ASSERT_STR_EQ(line, "mail\n");
        ASSERT_OK(weft_stream_write(mail->stream, "250 ok\n", 7));
        ASSERT_OK(weft_stream_close(mail->stream));
    }
    weft_reader_free(reader);
    weft_stream_free(mail->stream);
    return 0;
}

static int mail_client(void *arg)
{
    struct mail *mail = arg;
    weft_reader *reader;
    char *line;
    char text[64] = "STARTTLS\n";
    strcat(text, mail->injected);
    ASSERT_OK(weft_reader_new(mail->stream, 0, &reader));
    ASSERT_OK(weft_stream_write(mail->stream, text, strlen(text)));
    ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 7);
    mail->result = weft_tls_start(mail->tls, &mail->stream, reader, "localhost");
    if (mail->result == 0) {
        ASSERT_STR_HAS(weft_tls_version(mail->stream), "TLS");
        ASSERT_OK(weft_stream_write(mail->stream, "mail\n", 5));
        ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 7);
        ASSERT_STR_EQ(line, "250 ok\n");
        /* The server may be gone before our goodbye. */
        weft_stream_close(mail->stream);
    }
    weft_reader_free(reader);
    weft_stream_free(mail->stream);
    return 0;
}

static void converse(const char *injected, struct mail *client, struct mail *server)
{
    *client = (struct mail){.tls = client_tls(), .injected = injected};
    *server = (struct mail){.tls = server_tls(), .injected = ""};
    ASSERT_OK(weft_socketpair(&client->stream, &server->stream));
    run_both(mail_client, client, mail_server, server);
    weft_tls_free(client->tls);
    weft_tls_free(server->tls);
}

TASK_TEST(tls_starts_in_the_middle_of_a_conversation)
{
    struct mail client, server;
    converse("", &client, &server);
    ASSERT_INT_EQ(client.result, 0);
    ASSERT_INT_EQ(server.result, 0);
}

/* Commands sent in plain text behind STARTTLS would be obeyed as if they had been protected. */
TASK_TEST(tls_start_refuses_what_came_in_plain_text)
{
    struct mail client, server;
    converse("RCPT TO:<evil>\n", &client, &server);
    ASSERT_INT_EQ(server.result, WEFT_ETLS);
    ASSERT_INT_LT(client.result, 0);
    ASSERT(server.stream == NULL);
}

static int read_one(void *arg)
{
    char c;
    int64_t n = weft_stream_read(arg, &c, 1);
    return n < 0 ? (int)n : 0;
}

TASK_TEST(tls_start_under_a_reading_task_is_busy)
{
    weft_stream *a, *b;
    weft_group group;
    weft_tls *tls = client_tls();
    ASSERT_OK(weft_socketpair(&a, &b));
    weft_stream *same = a;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, read_one, a));
    ASSERT_ERR(weft_tls_start(tls, &a, NULL, "localhost"), -EBUSY);
    ASSERT(a == same);
    weft_group_cancel(&group, "enough");
    ASSERT_OK(weft_group_wait(&group));
    weft_stream_free(a);
    weft_stream_free(b);
    weft_tls_free(tls);
}

/* ---- faults ---- */

struct fault_world {
    weft_acceptor *acceptor;
    int err;
};

static int one_echo(weft_stream *stream, void *arg)
{
    char c;
    (void)arg;
    int64_t n = weft_stream_read(stream, &c, 1);
    return n > 0 ? weft_stream_write(stream, &c, 1) : (int)n;
}

static int run_acceptor(void *arg)
{
    struct fault_world *world = arg;
    world->err = weft_acceptor_run(world->acceptor);
    return 0;
}

static int ask_once(uint16_t port)
{
    weft_stream *stream;
    char c;
    int err = weft_dial("127.0.0.1", port, NULL, &stream);
    if (err < 0)
        return err;
    err = weft_stream_write(stream, "x", 1);
    if (err == 0)
        err = weft_stream_read_exact(stream, &c, 1);
    weft_stream_free(stream);
    return err;
}

static int serve_once(void *arg)
{
    struct fault_world world = {0};
    weft_listener *listener;
    weft_group group;
    (void)arg;
    int err = weft_acceptor_new(one_echo, NULL, NULL, &world.acceptor);
    if (err < 0)
        return err;
    err = weft_listen("127.0.0.1", 0, NULL, &listener);
    uint16_t port = err == 0 ? weft_listener_port(listener) : 0;
    if (err == 0)
        err = weft_acceptor_add(world.acceptor, listener);
    if (err == 0) {
        weft_group_init(&group, NULL);
        err = weft_group_spawn(&group, run_acceptor, &world);
        if (err == 0)
            err = ask_once(port);
        weft_acceptor_stop(world.acceptor, 0);
        int joined = weft_group_wait(&group);
        err = err < 0 ? err : joined < 0 ? joined : world.err;
    }
    weft_acceptor_free(world.acceptor);
    return err;
}

TEST_WITH(serve_survives_every_fault, .limit_s = 60)
{
    FAULTS(serve_once, NULL, .any_error = true);
}
