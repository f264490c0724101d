/* test_dial.c - names, connecting, listening, accepting. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/net.h>
#include <weft/testing.h>

#include "net/net_int.h"
#include "stream_suite.h"

/* ---- addresses ---- */

static void expect_text(const char *text, uint16_t port, const char *wanted)
{
    weft_address address;
    char formatted[WEFT_ADDRESS_TEXT_MAX];
    ASSERT_OK(weft_address_parse(text, port, &address));
    ASSERT_INT_EQ(weft_address_port(&address), port);
    ASSERT_OK(weft_address_format(&address, formatted, sizeof formatted));
    ASSERT_STR_EQ(formatted, wanted);
    ASSERT_OK(weft_address_format(&address, formatted, strlen(wanted) + 1));
    ASSERT_ERR(weft_address_format(&address, formatted, strlen(wanted)), -ENOSPC);
}

TEST(address_text_goes_both_ways)
{
    expect_text("127.0.0.1", 80, "127.0.0.1:80");
    expect_text("0.0.0.0", 0, "0.0.0.0:0");
    expect_text("::1", 65535, "[::1]:65535");
    expect_text("[::1]", 443, "[::1]:443");
    expect_text("2001:DB8:0:0:0:0:0:1", 1, "[2001:db8::1]:1");
    expect_text("::ffff:192.0.2.1", 1, "[::ffff:192.0.2.1]:1");
    expect_text("fe80::1%1", 1, "[fe80::1%1]:1");
    expect_text("fe80::1%lo", 1, "[fe80::1%1]:1");
}

TEST(address_other_text_is_refused)
{
    static const char *const bad[] = {
        "",     "localhost", "127.1", "127.0.0.1.", "1.2.3.256", "01.2.3.4",   "1.2.3.4 ", "[::1",
        "::1]", "[]",        "1:2:3", "::g",        "[1.2.3.4]", "0x7f.0.0.1", "::1%none0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        weft_address address = {.len = 77};
        ASSERT_ERR(weft_address_parse(bad[i], 1, &address), -EINVAL);
        ASSERT_INT_EQ(address.len, 77);
    }
}

TEST(addresses_alternate_between_families)
{
    weft_address list[7];
    static const char *const texts[] = {"::1", "::2", "::3", "1.0.0.1", "::4", "1.0.0.2", "::5"};
    static const char *const wanted[] = {"::1", "1.0.0.1", "::2", "1.0.0.2", "::3", "::4", "::5"};
    for (int i = 0; i < 7; i++)
        ASSERT_OK(weft_address_parse(texts[i], 1, &list[i]));
    weft__addresses_interleave(list, 7);
    for (int i = 0; i < 7; i++) {
        char text[WEFT_ADDRESS_TEXT_MAX];
        ASSERT_OK(weft__address_format_host(&list[i], text, sizeof text));
        ASSERT_STR_EQ(text, wanted[i]);
    }
}

/* ---- resolving ---- */

static void expect_resolved(const char *host, size_t n, const char *first)
{
    weft_address *list;
    size_t count;
    char text[WEFT_ADDRESS_TEXT_MAX];
    ASSERT_OK(weft_resolve(host, 80, &list, &count));
    ASSERT_INT_EQ(count, n);
    ASSERT_OK(weft_address_format(&list[0], text, sizeof text));
    ASSERT_STR_EQ(text, first);
    weft_free(list);
}

TASK_TEST(resolve_numbers_and_localhost_need_no_resolver)
{
    expect_resolved("127.0.0.1", 1, "127.0.0.1:80");
    expect_resolved("::1", 1, "[::1]:80");
    expect_resolved("localhost", 2, "127.0.0.1:80");
    expect_resolved("LOCALHOST.", 2, "127.0.0.1:80");
    expect_resolved("a.b.localhost", 2, "127.0.0.1:80");
}

TASK_TEST(resolve_bad_names_never_reach_the_resolver)
{
    weft_address *list;
    size_t n;
    char longest[300];
    static const char *const bad[] = {
        "",           "a b",       "a\tb",  "a\nb",      "\x7f",         "127.1", "0x7f.1",
        "2130706433", "1.2.3.4.5", "a.0x1", "1.2.3.999", "017700000001", "a.09"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ASSERT_ERR(weft_resolve(bad[i], 80, &list, &n), -EINVAL);
    memset(longest, 'a', sizeof longest);
    longest[254] = '\0';
    ASSERT_ERR(weft_resolve(longest, 80, &list, &n), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "254 bytes");
}

TASK_TEST(resolve_unknown_name_is_reported)
{
    weft_address *list;
    size_t n;
    int err = weft_resolve("no-such-host.invalid", 80, &list, &n);
    ASSERT(err == WEFT_EDNS_NOT_FOUND || err == WEFT_EDNS);
    ASSERT_STR_HAS(weft_error_message(), "resolving no-such-host.invalid: ");
}

TASK_TEST(resolve_own_host_name_if_it_is_known)
{
    weft_address *list;
    size_t n;
    char name[256] = "";
    ASSERT(gethostname(name, sizeof name - 1) == 0);
    if (weft_resolve(name, 80, &list, &n) < 0)
        SKIP("%s is not known here", name);
    ASSERT_INT_GT(n, 0);
    ASSERT_INT_EQ(weft_address_port(&list[0]), 80);
    weft_free(list);
}

TASK_TEST(resolve_cancelled_returns_at_once_and_leaks_nothing)
{
    ASSERT_ERR(weft__fail(-EINVAL, "makes room for messages"), -EINVAL);
    int64_t live = weft_testing_alloc_live();
    for (uint64_t nth = 1; nth < 5; nth++) {
        weft_scope scope;
        weft_address *list;
        size_t n;
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, nth);
        int err = weft_resolve("no-such-host.invalid", 80, &list, &n);
        weft_testing_cancel_at(NULL, 0);
        ASSERT_INT_LT(err, 0);
        weft_scope_exit(&scope, err);
    }
    /* The jobs left behind free what is theirs when they end. */
    for (int i = 0; i < 500 && weft_testing_alloc_live() > live; i++)
        weft_sleep(WEFT_MS(10));
}

/* ---- dialling ---- */

static uint16_t closed_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT(bind(fd, (struct sockaddr *)&in, sizeof in) == 0);
    ASSERT(getsockname(fd, (struct sockaddr *)&in, &len) == 0);
    close(fd);
    return ntohs(in.sin_port);
}

TASK_TEST(dial_refused_names_the_address)
{
    weft_stream *stream = NULL;
    char wanted[100];
    uint16_t port = closed_port();
    ASSERT_ERR(weft_dial("127.0.0.1", port, NULL, &stream), WEFT_EREFUSED);
    snprintf(wanted, sizeof wanted, "connect to 127.0.0.1:%u failed: Connection refused", port);
    ASSERT_STR_EQ(weft_error_message(), wanted);
    ASSERT(stream == NULL);
    ASSERT_ERR(weft_dial("localhost", port, NULL, &stream), WEFT_EREFUSED);
    ASSERT_STR_HAS(weft_error_message(), "127.0.0.1: Connection refused; ::1: ");
}

static weft_listener *listen_here(void)
{
    weft_listener *listener;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    return listener;
}

static void list_of(const char *const *texts, size_t n, uint16_t port, weft_address *ret)
{
    for (size_t i = 0; i < n; i++)
        ASSERT_OK(weft_address_parse(texts[i], port, &ret[i]));
}

TASK_TEST(dial_goes_on_when_an_address_fails)
{
    static const char *const texts[] = {"127.0.0.2", "127.0.0.3", "127.0.0.1"};
    weft_listener *listener = listen_here();
    weft_address list[3], peer;
    weft_stream *stream;
    char text[WEFT_ADDRESS_TEXT_MAX];
    list_of(texts, 3, weft_listener_port(listener), list);
    int64_t before = weft_now();
    ASSERT_OK(weft__dial_addresses("test", 1, list, 3,
                                   WEFT_DIAL(.happy_eyeballs_delay = WEFT_SEC(10)), &stream));
    /* Not after the head start: at once. */
    ASSERT_INT_LT(weft_now() - before, WEFT_SEC(10));
    ASSERT_OK(weft_stream_peer_address(stream, &peer));
    ASSERT_OK(weft__address_format_host(&peer, text, sizeof text));
    ASSERT_STR_EQ(text, "127.0.0.1");
    weft_stream_free(stream);
    weft_listener_close(listener);
}

/* An address that does not answer: its listener's queue is full. */
struct silent {
    int listener;
    int queued[16];
    weft_address address;
};

static void make_silent(struct silent *silent)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    silent->listener = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT(bind(silent->listener, (struct sockaddr *)&in, sizeof in) == 0);
    ASSERT(listen(silent->listener, 1) == 0);
    ASSERT(getsockname(silent->listener, (struct sockaddr *)&in, &len) == 0);
    for (int i = 0; i < 16; i++) {
        silent->queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(silent->queued[i], (struct sockaddr *)&in, sizeof in);
    }
    weft__address_set(&silent->address, &in, sizeof in);
}

static void end_silent(struct silent *silent)
{
    for (int i = 0; i < 16; i++)
        close(silent->queued[i]);
    close(silent->listener);
}

TASK_TEST(dial_starts_the_next_address_after_the_head_start)
{
    struct silent silent;
    weft_listener *listener = listen_here();
    weft_address list[2];
    weft_stream *stream;
    make_silent(&silent);
    list[0] = silent.address;
    ASSERT_OK(weft_address_parse("127.0.0.1", weft_listener_port(listener), &list[1]));
    int64_t before = weft_now();
    ASSERT_OK(weft__dial_addresses("test", 1, list, 2,
                                   WEFT_DIAL(.happy_eyeballs_delay = WEFT_MS(30)), &stream));
    ASSERT_INT_GE(weft_now() - before, WEFT_MS(30));
    weft_stream_free(stream);
    weft_listener_close(listener);
    end_silent(&silent);
}

TASK_TEST(dial_timeout_is_a_connect_timeout)
{
    struct silent silent;
    weft_stream *stream;
    make_silent(&silent);
    uint16_t port = weft_address_port(&silent.address);
    int64_t before = weft_now();
    ASSERT_ERR(weft_dial("127.0.0.1", port, WEFT_DIAL(.timeout = WEFT_MS(40)), &stream),
               WEFT_ECONNECT_TIMEOUT);
    ASSERT_INT_GE(weft_now() - before, WEFT_MS(40));
    ASSERT_STR_HAS(weft_error_message(), "timed out after 0.04 s");
    /* A scope's deadline stays the scope's. */
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(20));
    int err = weft_dial("127.0.0.1", port, NULL, &stream);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    end_silent(&silent);
}

TASK_TEST(dial_cancelled_at_every_checkpoint_leaks_nothing)
{
    static const char *const texts[] = {"127.0.0.2", "127.0.0.1", "127.0.0.3"};
    weft_listener *listener = listen_here();
    weft_address list[3];
    list_of(texts, 3, weft_listener_port(listener), list);
    for (uint64_t nth = 1; nth < 20; nth++) {
        weft_scope scope;
        weft_stream *stream = NULL;
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, nth);
        int err =
            weft__dial_addresses("test", 1, list, nth % 2 == 0 ? 3 : 1, WEFT_DIAL(0), &stream);
        weft_testing_cancel_at(NULL, 0);
        ASSERT_INT_EQ(err == 0, stream != NULL);
        weft_stream_free(stream);
        weft_scope_exit(&scope, err);
    }
    weft_listener_close(listener);
}

TASK_TEST(dial_with_every_allocation_failed_leaks_nothing)
{
    weft_listener *listener = listen_here();
    bool good = false;
    for (uint64_t nth = 1; !good; nth++) {
        weft_stream *stream = NULL;
        weft_testing_fail_alloc(nth, false);
        int err = weft_dial("localhost", weft_listener_port(listener), NULL, &stream);
        good = weft_testing_alloc_count() < nth;
        weft_testing_fail_alloc(0, false);
        ASSERT(err == 0 || err == -ENOMEM);
        weft_stream_free(stream);
        ASSERT_INT_LT(nth, 40);
    }
    weft_listener_close(listener);
}

/* ---- listening ---- */

TASK_TEST(listen_on_all_addresses_serves_both_families)
{
    weft_listener *listener;
    weft_stream *a, *b;
    ASSERT_OK(weft_listen(NULL, 0, NULL, &listener));
    uint16_t port = weft_listener_port(listener);
    ASSERT_INT_NE(port, 0);
    ASSERT_OK(weft_dial("127.0.0.1", port, NULL, &a));
    ASSERT_OK(weft_listener_accept(listener, &b));
    weft_stream_free(a);
    weft_stream_free(b);
    if (weft_dial("::1", port, NULL, &a) == 0) {
        ASSERT_OK(weft_listener_accept(listener, &b));
        weft_stream_free(a);
        weft_stream_free(b);
    }
    weft_listener_close(listener);
}

TASK_TEST(listen_on_a_used_port_fails)
{
    weft_listener *listener = listen_here();
    weft_listener *second;
    ASSERT_ERR(weft_listen("127.0.0.1", weft_listener_port(listener), NULL, &second), -EADDRINUSE);
    ASSERT_STR_HAS(weft_error_message(), "listen on 127.0.0.1:");
    weft_listener_close(listener);
}

TASK_TEST(listen_with_reuse_port_shares_it)
{
    weft_listener *first, *second;
    ASSERT_OK(weft_listen("127.0.0.1", 0, WEFT_LISTEN(.reuse_port = true), &first));
    ASSERT_OK(weft_listen("127.0.0.1", weft_listener_port(first), WEFT_LISTEN(.reuse_port = true),
                          &second));
    weft_listener_close(first);
    weft_listener_close(second);
}

TASK_TEST(listen_at_a_foreign_address_fails)
{
    weft_listener *listener;
    ASSERT_ERR(weft_listen("192.0.2.1", 0, NULL, &listener), -EADDRNOTAVAIL);
}

static int accept_until_closed(void *arg)
{
    weft_stream *stream;
    ASSERT_ERR(weft_listener_accept(arg, &stream), WEFT_ECLOSED);
    return 0;
}

TASK_TEST(listener_closed_under_accept_says_so)
{
    weft_listener *listener = listen_here();
    weft_group group;
    weft_stream *stream;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, accept_until_closed, listener));
    ASSERT_ERR(weft_listener_accept(listener, &stream), -EBUSY);
    weft_listener_close(listener);
    ASSERT_OK(weft_group_wait(&group));
    weft_listener_close(NULL);
}

TASK_TEST(accept_cancelled_can_be_repeated)
{
    weft_listener *listener = listen_here();
    weft_stream *a, *b;
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(5));
    ASSERT_ERR(weft_scope_exit(&scope, weft_listener_accept(listener, &b)), -ETIMEDOUT);
    ASSERT_OK(weft_dial("127.0.0.1", weft_listener_port(listener), NULL, &a));
    ASSERT_OK(weft_listener_accept(listener, &b));
    weft_stream_free(a);
    weft_stream_free(b);
    weft_listener_close(listener);
}

/* ---- no more descriptors ---- */

struct hungry {
    weft_listener *listener;
    weft_stream *stream;
    bool accepted;
};

static int accept_when_possible(void *arg)
{
    struct hungry *hungry = arg;
    int err = weft_listener_accept(hungry->listener, &hungry->stream);
    hungry->accepted = err == 0;
    return err;
}

TASK_TEST(accept_without_descriptors_waits_and_goes_on)
{
    struct hungry hungry = {0};
    weft_stream *a;
    struct rlimit old;
    weft_group group;
    if (test_under_valgrind())
        SKIP("Valgrind accepts a connection and closes it where the kernel would say EMFILE");
    hungry.listener = listen_here();
    ASSERT_OK(weft_dial("127.0.0.1", weft_listener_port(hungry.listener), NULL, &a));
    ASSERT(getrlimit(RLIMIT_NOFILE, &old) == 0);
    int next = dup(0);
    close(next);
    struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max};
    ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, accept_when_possible, &hungry));
    weft_sleep(WEFT_MS(30));
    ASSERT(!hungry.accepted);
    uint64_t before = weft_testing_checkpoint_count();
    weft_testing_cancel_at(NULL, 0);
    weft_sleep(WEFT_MS(150));
    /* No busy loop: a few attempts, not thousands. */
    ASSERT_INT_LT(weft_testing_checkpoint_count() - before, 20);
    weft_stream *stream;
    ASSERT_ERR(weft_dial("127.0.0.1", weft_listener_port(hungry.listener), NULL, &stream), -EMFILE);
    ASSERT(setrlimit(RLIMIT_NOFILE, &old) == 0);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT(hungry.accepted);
    weft_stream_free(a);
    weft_stream_free(hungry.stream);
    weft_listener_close(hungry.listener);
}

/* ---- outside tasks, beyond loops ---- */

static int echo_once(void *arg)
{
    weft_stream *stream;
    char data[16];
    ASSERT_OK(weft_listener_accept(arg, &stream));
    int64_t n = weft_stream_read(stream, data, sizeof data);
    ASSERT_INT_GT(n, 0);
    ASSERT_OK(weft_stream_write(stream, data, (size_t)n));
    ASSERT_OK(weft_stream_close(stream));
    weft_stream_free(stream);
    return 0;
}

TEST(sockets_work_outside_tasks)
{
    weft_listener *listener = listen_here();
    weft_stream *stream;
    weft_group group;
    char data[8];
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, echo_once, listener));
    ASSERT_OK(weft_dial("localhost", weft_listener_port(listener), NULL, &stream));
    ASSERT_OK(weft_stream_write(stream, "sync", 4));
    ASSERT_OK(weft_stream_read_exact(stream, data, 4));
    ASSERT_MEM_EQ(data, "sync", 4);
    ASSERT_OK(weft_group_wait(&group));
    weft_stream_free(stream);
    weft_listener_close(listener);
}

struct survivors {
    weft_listener *listener;
    weft_stream *a;
    weft_stream *b;
};

static int make_survivors(void *arg)
{
    struct survivors *all = arg;
    static const char data[100 * 1000] = "";
    all->listener = listen_here();
    ASSERT_OK(weft_dial("127.0.0.1", weft_listener_port(all->listener), NULL, &all->a));
    ASSERT_OK(weft_listener_accept(all->listener, &all->b));
    /* Something is in flight when the loop ends. */
    weft_stream_set_timeout(all->a, WEFT_FOREVER, WEFT_MS(10));
    while (weft_stream_write(all->a, data, 1000) == 0)
        continue;
    ASSERT_OK(weft_stream_write(all->b, "x", 1));
    return 0;
}

TEST(stream_that_outlives_its_loop_can_be_freed)
{
    struct survivors all;
    char c;
    ASSERT_OK(weft_run(make_survivors, &all));
    ASSERT_ERR((int)weft_stream_read(all.b, &c, 1), WEFT_ECLOSED);
    ASSERT_STR_HAS(weft_error_message(), "loop");
    ASSERT_ERR(weft_stream_write(all.a, &c, 1), WEFT_ECLOSED);
    weft_stream *stream;
    ASSERT_ERR(weft_listener_accept(all.listener, &stream), WEFT_ECLOSED);
    weft_stream_close(all.a);
    weft_stream_free(all.a);
    weft_stream_free(all.b);
    weft_listener_close(all.listener);
}

/* ---- resets ---- */

TASK_TEST(reset_is_named_with_the_peer)
{
    weft_listener *listener = listen_here();
    weft_stream *a, *b;
    char c;
    ASSERT_OK(weft_dial("127.0.0.1", weft_listener_port(listener), NULL, &a));
    ASSERT_OK(weft_listener_accept(listener, &b));
    /* Closed with unread data in it: the kernel sends RST. */
    ASSERT_OK(weft_stream_write(a, "unread", 6));
    ASSERT_OK(weft_stream_flush(a));
    weft_sleep(WEFT_MS(5));
    weft_stream_free(b);
    ASSERT_ERR((int)weft_stream_read(a, &c, 1), -ECONNRESET);
    ASSERT_STR_HAS(weft_error_message(), "read from 127.0.0.1:");
    ASSERT_STR_HAS(weft_error_message(), "Connection reset by peer");
    weft_stream_free(a);
    weft_listener_close(listener);
}

TASK_TEST(local_and_peer_addresses_match)
{
    weft_listener *listener = listen_here();
    weft_stream *a, *b, *c, *d;
    weft_address one, two;
    ASSERT_OK(weft_dial("127.0.0.1", weft_listener_port(listener), NULL, &a));
    ASSERT_OK(weft_listener_accept(listener, &b));
    ASSERT_OK(weft_stream_local_address(a, &one));
    ASSERT_OK(weft_stream_peer_address(b, &two));
    ASSERT_INT_EQ(weft_address_port(&one), weft_address_port(&two));
    ASSERT_OK(weft_stream_peer_address(a, &one));
    ASSERT_INT_EQ(weft_address_port(&one), weft_listener_port(listener));
    ASSERT_OK(weft_stream_pair(0, &c, &d));
    ASSERT_ERR(weft_stream_peer_address(c, &one), -ENOTSOCK);
    ASSERT_ERR(weft_stream_local_address(c, &one), -ENOTSOCK);
    weft_stream_free(a);
    weft_stream_free(b);
    weft_stream_free(c);
    weft_stream_free(d);
    weft_listener_close(listener);
}
