/*
 * Bytes between files and sockets, both ways at once, with everything failing once: allocations,
 * each suspension point cancelled, each operation below an error, interrupted or cut short.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/file_more.h>
#include <weft/net.h>
#include <weft/testing.h>
#include <weft/tls.h>

#include "certs.h"
#include "fault.h"
#include "fs_test.h"

enum { SENT = 150001 };

enum between { UNIX, TCP, MEMORY, TLS };

struct transfer {
    enum between between;
    weft_stream *a;
    weft_stream *b;
    weft_tls *client; /* TLS only */
    weft_tls *server;
};

static char bytes[SENT];

static int connect_sockets(struct transfer *transfer)
{
    weft_listener *listener;
    const bool local = transfer->between == UNIX;
    const char *path = fs_path("socket");
    unlink(path);
    int err = local ? weft_listen_unix(path, NULL, &listener)
                    : weft_listen("127.0.0.1", 0, NULL, &listener);
    if (err < 0)
        return err;
    err = local ? weft_dial_unix(path, &transfer->a)
                : weft_dial("127.0.0.1", weft_listener_port(listener), NULL, &transfer->a);
    if (err == 0)
        err = weft_listener_accept(listener, &transfer->b);
    weft_listener_close(listener);
    return err;
}

static int make_tls(struct transfer *transfer)
{
    if (transfer->between != TLS)
        return 0;
    int err = weft_tls_new_client(
        WEFT_TLS(.ca_file = test_path("ca.pem"), .no_resume = true, .ignore_env = true),
        &transfer->client);
    if (err == 0)
        err = weft_tls_new_server(WEFT_TLS(.cert_file = test_path("good.pem"), .no_resume = true),
                                  &transfer->server);
    return err;
}

/* Each side shakes hands in its own task. */
static int shake_hands(struct transfer *transfer, weft_stream **stream)
{
    weft_stream *below = *stream;
    if (transfer->between != TLS)
        return 0;
    *stream = NULL;
    return stream == &transfer->a ? weft_tls_connect(transfer->client, below, "localhost", stream)
                                  : weft_tls_accept(transfer->server, below, stream);
}

static int send_it(void *arg)
{
    struct transfer *transfer = arg;
    weft_file *file;
    int err = shake_hands(transfer, &transfer->a);
    if (err == 0)
        err = weft_file_open(fs_path("source"), "r", &file);
    if (err < 0)
        return err;
    int64_t n = weft_file_send(file, 0, -1, transfer->a);
    weft_file_close(file);
    if (n < 0)
        return (int)n;
    ASSERT_INT_EQ(n, SENT);
    return weft_stream_close(transfer->a);
}

static int receive_it(void *arg)
{
    struct transfer *transfer = arg;
    weft_file *file;
    int err = shake_hands(transfer, &transfer->b);
    if (err == 0)
        err = weft_file_open(fs_path("target"), "w", &file);
    if (err < 0)
        return err;
    int64_t n = weft_file_receive(file, 0, -1, transfer->b);
    int closed = weft_file_close(file);
    if (n < 0)
        return (int)n;
    return closed < 0 ? closed : n == SENT ? 0 : -EPROTO;
}

/* What is claimed to have come is there, byte for byte. */
static int check_target(void)
{
    char *back;
    size_t len;
    int err = weft_read_file(fs_path("target"), &back, &len);
    if (err < 0)
        return err;
    ASSERT_INT_EQ(len, SENT);
    ASSERT_MEM_EQ(back, bytes, len);
    weft_free(back);
    return 0;
}

static int transfer_once(void *arg)
{
    struct transfer transfer = {.between = *(const enum between *)arg};
    int err = transfer.between == MEMORY ? weft_stream_pair(0, &transfer.a, &transfer.b)
                                         : connect_sockets(&transfer);
    if (err == 0)
        err = make_tls(&transfer);
    if (err == 0)
        err = weft_gather((weft_call[]){{send_it, &transfer}, {receive_it, &transfer}}, 2, NULL);
    weft_stream_free(transfer.a);
    weft_stream_free(transfer.b);
    weft_tls_free(transfer.client);
    weft_tls_free(transfer.server);
    return err < 0 ? err : check_target();
}

static void prepare(void)
{
    snprintf(fs_folder, sizeof fs_folder, "%s", test_tmpdir());
    for (size_t i = 0; i < SENT; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    /* Without the library, whose loop would have blocks of its own. */
    FILE *file = fopen(fs_path("source"), "we");
    ASSERT(file != NULL && fwrite(bytes, 1, SENT, file) == SENT);
    ASSERT_INT_EQ(fclose(file), 0);
}

#define SURVIVES(name_, between_)                                                                  \
    TEST_WITH(transfer_over_##name_##_survives_every_fault, .limit_s = 100)                        \
    {                                                                                              \
        static const enum between between = between_;                                              \
        prepare();                                                                                 \
        certs_ca();                                                                                \
        certs_good();                                                                              \
        fault_run(#name_, transfer_once, (void *)(uintptr_t)&between,                              \
                  &(const struct fault_options){.any_error = true, .max_cases = 150});             \
    }

SURVIVES(a_unix_socket, UNIX)
SURVIVES(tcp, TCP)
SURVIVES(memory, MEMORY)
SURVIVES(tls, TLS)

/* ---- operations ---- */

static const char *const calls[] = {"open", "stat", "read", "write", "sendfile", "splice", "close"};
enum { N_CALLS = sizeof calls / sizeof calls[0], NTH_MOST = 40 };

/* False if there are fewer of these calls. */
static bool fail_one(const enum between *between, const char *call, uint64_t nth, int error)
{
    ASSERT_OK(weft_testing_fail_op(call, nth, WEFT_TESTING_FAULT(.error = error)));
    int err = transfer_once((void *)(uintptr_t)between);
    bool hit = weft_testing_op_count(call) >= nth;
    ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
    /* The other side may have been the first to see that the connection is gone. */
    if (!hit || error == -EINTR)
        ASSERT_OK(err);
    else if (err == 0) /* nothing is lost: asked again, or only looked whether it is cached */
        ASSERT(strcmp(call, "close") == 0 || strcmp(call, "read") == 0);
    return hit;
}

static void fail_all(enum between between)
{
    static const int errors[] = {-EIO, -ENOSPC, -EDQUOT, -EINTR};
    prepare();
    for (int i = 0; i < N_CALLS; i++) {
        for (int error = 0; error < 4; error++) {
            uint64_t nth = 1;
            while (nth < NTH_MOST && fail_one(&between, calls[i], nth, errors[error]))
                nth += test_under_valgrind() ? 7 : 1;
        }
        const char *moves[] = {"read", "write", "sendfile", "splice", "recv", "send"};
        for (int move = 0; i == 0 && move < 6; move++) {
            ASSERT_OK(weft_testing_fail_op(moves[move], 1,
                                           WEFT_TESTING_FAULT(.limit = 1111, .and_later = true)));
            ASSERT_OK(transfer_once(&between));
            ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
        }
    }
}

FILE_TEST(transfer_over_a_socket_with_an_operation_failing_reports_it)
{
    fail_all(UNIX);
}

FILE_TEST(transfer_over_memory_with_an_operation_failing_reports_it)
{
    fail_all(MEMORY);
}
