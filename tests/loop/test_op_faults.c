/* test_op_faults.c - operations on sockets that a test lets fail, come short or begin late. */
#include <errno.h>
#include <string.h>

#include <weft/net.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "base/fault.h"
#include "stream_suite.h"

static void connect_peers(struct peers *peers)
{
    ASSERT_OK(peers_listen(&(struct peers_listen){peers, "127.0.0.1", 0}));
    peers_connect(peers, "127.0.0.1");
}

static void free_peers(struct peers *peers)
{
    ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
    weft_stream_free(peers->client);
    weft_stream_free(peers->server);
    weft_listener_close(peers->listener);
}

TASK_TEST(op_fault_fails_the_nth_read_and_no_other)
{
    struct peers peers;
    char text[8];
    connect_peers(&peers);
    ASSERT_OK(weft_stream_write(peers.server, "abc", 3));
    ASSERT_OK(weft_stream_flush(peers.server));
    ASSERT_OK(weft_testing_fail_op("recv", 2, WEFT_TESTING_FAULT(.error = -EHOSTUNREACH)));
    ASSERT_INT_EQ(weft_stream_read(peers.client, text, 1), 1);
    ASSERT_ERR((int)weft_stream_read(peers.client, text, 1), -EHOSTUNREACH);
    ASSERT_INT_EQ(weft_stream_read(peers.client, text, 1), 1);
    ASSERT(text[0] == 'b');
    ASSERT_INT_EQ(weft_testing_op_count("recv"), 3);
    free_peers(&peers);
    ASSERT_INT_EQ(weft_testing_op_count("recv"), 0);
}

TASK_TEST(op_fault_of_all_later_ones_lasts_until_it_is_forgotten)
{
    struct peers peers;
    char text[8];
    connect_peers(&peers);
    ASSERT_OK(
        weft_testing_fail_op("recv", 1, WEFT_TESTING_FAULT(.error = -EIO, .and_later = true)));
    ASSERT_ERR((int)weft_stream_read(peers.client, text, 1), -EIO);
    ASSERT_ERR((int)weft_stream_read(peers.client, text, 1), -EIO);
    ASSERT_OK(weft_testing_fail_op("recv", 0, NULL));
    ASSERT_OK(weft_stream_write(peers.server, "a", 1));
    ASSERT_OK(weft_stream_flush(peers.server));
    ASSERT_INT_EQ(weft_stream_read(peers.client, text, 1), 1);
    free_peers(&peers);
}

/* Small and large writes take different ways. */
TASK_TEST(op_fault_short_sends_and_receives_lose_nothing)
{
    static char data[100000];
    static char back[sizeof data];
    struct peers peers;
    connect_peers(&peers);
    fill_pattern(data, sizeof data, 1, 0);
    const weft_testing_fault one = {.size = sizeof one, .limit = 1, .and_later = true};
    ASSERT_OK(weft_testing_fail_op("recv", 1, WEFT_TESTING_FAULT(.limit = 7, .and_later = true)));
    ASSERT_OK(weft_testing_fail_op("send", 1, &one));
    ASSERT_OK(weft_stream_write(peers.server, data, 100));
    ASSERT_OK(weft_stream_flush(peers.server));
    ASSERT_INT_EQ(weft_stream_read(peers.client, back, 100), 7);
    ASSERT_OK((int)weft_stream_read_exact(peers.client, back + 7, 93));
    ASSERT_MEM_EQ(back, data, 100);
    ASSERT_OK(weft_testing_fail_op("send", 1, WEFT_TESTING_FAULT(.limit = 5)));
    ASSERT_OK(weft_testing_fail_op("recv", 1, NULL));
    ASSERT_OK(weft_stream_write(peers.server, data, sizeof data));
    ASSERT_OK((int)weft_stream_read_exact(peers.client, back, sizeof back));
    ASSERT_MEM_EQ(back, data, sizeof data);
    free_peers(&peers);
}

TASK_TEST(op_fault_interruption_is_tried_again)
{
    struct peers peers;
    char text[8];
    connect_peers(&peers);
    ASSERT_OK(weft_testing_fail_op("recv", 1, WEFT_TESTING_FAULT(.error = -EINTR)));
    ASSERT_OK(weft_stream_write(peers.server, "a", 1));
    ASSERT_OK(weft_stream_flush(peers.server));
    ASSERT_INT_EQ(weft_stream_read(peers.client, text, 1), 1);
    ASSERT_INT_EQ(weft_testing_op_count("recv"), 2);
    ASSERT_ERR(
        weft_testing_fail_op("recv", 1, WEFT_TESTING_FAULT(.error = -EINTR, .and_later = true)),
        -EINVAL);
    free_peers(&peers);
}

TASK_TEST(op_fault_delay_puts_the_operation_off)
{
    struct peers peers;
    char text[8];
    connect_peers(&peers);
    ASSERT_OK(weft_stream_write(peers.server, "ab", 2));
    ASSERT_OK(weft_stream_flush(peers.server));
    ASSERT_OK(weft_testing_fail_op(NULL, 1, WEFT_TESTING_FAULT(.delay = WEFT_MS(10))));
    int64_t begun = weft_now();
    ASSERT_INT_EQ(weft_stream_read(peers.client, text, 1), 1);
    ASSERT_INT_GE(weft_now() - begun, WEFT_MS(10));
    /* A time-out and a cancellation end it before it has begun. */
    ASSERT_OK(weft_testing_fail_op("recv", 1, WEFT_TESTING_FAULT(.delay = WEFT_SEC(100))));
    weft_stream_set_timeout(peers.client, WEFT_MS(5), WEFT_FOREVER);
    ASSERT_ERR((int)weft_stream_read(peers.client, text, 1), WEFT_EREAD_TIMEOUT);
    ASSERT_INT_EQ(weft_stream_read(peers.client, text, 1), 1);
    ASSERT(text[0] == 'b');
    /* A write that no task waits for. */
    ASSERT_OK(weft_testing_fail_op("send", 1, WEFT_TESTING_FAULT(.delay = WEFT_MS(10))));
    begun = weft_now();
    ASSERT_OK(weft_stream_write(peers.server, "c", 1));
    ASSERT_OK(weft_stream_flush(peers.server));
    ASSERT_INT_GE(weft_now() - begun, WEFT_MS(10));
    free_peers(&peers);
}

TASK_TEST(op_fault_of_connect_and_accept_is_reported)
{
    weft_listener *listener;
    weft_stream *stream;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    ASSERT_OK(weft_testing_fail_op("connect", 1, WEFT_TESTING_FAULT(.error = -ECONNREFUSED)));
    ASSERT_ERR(weft_dial("127.0.0.1", weft_listener_port(listener), NULL, &stream), WEFT_EREFUSED);
    ASSERT_OK(weft_testing_fail_op("accept", 1, WEFT_TESTING_FAULT(.error = -ENOTSOCK)));
    ASSERT_ERR(weft_listener_accept(listener, &stream), -ENOTSOCK);
    weft_listener_close(listener);
    ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
}

static int call_sync(void *arg)
{
    (void)arg;
    return weft__fault_syscall("fsync");
}

/* As files ask: on a worker for the thread whose job it is. */
TASK_TEST(op_fault_reaches_jobs_that_this_thread_has_offloaded)
{
    size_t len = 10;
    ASSERT_OK(weft_testing_fail_op("fsync", 2, WEFT_TESTING_FAULT(.error = -ENOSPC)));
    ASSERT_INT_EQ(weft_offload(call_sync, NULL), 0);
    ASSERT_INT_EQ(weft_offload(call_sync, NULL), -ENOSPC);
    ASSERT_INT_EQ(weft_offload(call_sync, NULL), 0);
    ASSERT_OK(weft_testing_fail_op("write", 1, WEFT_TESTING_FAULT(.limit = 3)));
    ASSERT_INT_EQ(weft__fault_io("write", &len), 0);
    ASSERT_INT_EQ(len, 3);
    ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
    ASSERT(!weft__faults_any());
}

TEST(op_fault_with_too_many_names_or_too_long_a_name_is_refused)
{
    char name[] = "0";
    ASSERT_ERR(weft_testing_fail_op("a name of more than thirty-one bytes", 1, NULL), -EINVAL);
    for (int i = 0; i < 64; i++) {
        name[0] = (char)('0' + i);
        ASSERT_OK(weft_testing_fail_op(name, 1, NULL));
    }
    ASSERT_ERR(weft_testing_fail_op("one more", 1, NULL), -ENOSPC);
    ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
    ASSERT_OK(weft_testing_fail_op("one more", 1, NULL));
    ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
}
