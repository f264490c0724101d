/*
 * stream_suite.h - what every stream must do, whatever it is made of.
 *
 *     static void make(weft_stream **a, weft_stream **b) { ... }
 *     STREAM_SUITE(tcp, make, true, WEFT_BACKEND_DEFAULT)
 *
 * defines one test for each check, named tcp_<check>.  a and b are the two ends; half says that
 * one direction can be ended alone.
 */
#ifndef WEFT_STREAM_SUITE_H
#define WEFT_STREAM_SUITE_H

#include <weft/net.h>
#include <weft/stream.h>

#include "test.h"

typedef void (*stream_make)(weft_stream **a, weft_stream **b);

#define STREAM_CHECKS(X, kind, make, half, backend)                                                \
    X(bytes_arrive_in_order, kind, make, half, backend)                                            \
    X(empty_write_is_nothing, kind, make, half, backend)                                           \
    X(read_of_nothing_returns_at_once, kind, make, half, backend)                                  \
    X(read_takes_what_is_there, kind, make, half, backend)                                         \
    X(single_bytes_add_up, kind, make, half, backend)                                              \
    X(writev_gathers_its_slices, kind, make, half, backend)                                        \
    X(end_comes_after_the_data_and_stays, kind, make, half, backend)                               \
    X(close_delivers_what_was_written, kind, make, half, backend)                                  \
    X(read_exact_gets_all, kind, make, half, backend)                                              \
    X(read_exact_names_the_missing_bytes, kind, make, half, backend)                               \
    X(flush_with_nothing_written_is_fine, kind, make, half, backend)                               \
    X(request_and_reply_alternate, kind, make, half, backend)                                      \
    X(large_writes_cross_each_other, kind, make, half, backend)                                    \
    X(random_sizes_cross_each_other, kind, make, half, backend)                                    \
    X(half_close_keeps_the_other_direction, kind, make, half, backend)                             \
    X(write_after_eof_is_refused, kind, make, half, backend)                                       \
    X(closed_stream_says_so, kind, make, half, backend)                                            \
    X(second_reader_is_busy, kind, make, half, backend)                                            \
    X(second_writer_is_busy, kind, make, half, backend)                                            \
    X(close_while_read_is_busy, kind, make, half, backend)                                         \
    X(both_directions_have_a_task_each, kind, make, half, backend)                                 \
    X(abort_ends_the_reader, kind, make, half, backend)                                            \
    X(abort_ends_the_writer, kind, make, half, backend)                                            \
    X(abort_is_seen_by_the_peer, kind, make, half, backend)                                        \
    X(write_limits_let_all_through, kind, make, half, backend)                                     \
    X(read_timeout_is_reported_and_not_sticky, kind, make, half, backend)                          \
    X(write_timeout_is_reported, kind, make, half, backend)                                        \
    X(slow_reader_causes_no_write_timeout, kind, make, half, backend)                              \
    X(cancelled_read_loses_nothing, kind, make, half, backend)                                     \
    X(cancelled_write_tears_the_stream, kind, make, half, backend)                                 \
    X(write_to_a_closed_peer_fails, kind, make, half, backend)                                     \
    X(quiet_is_idle_without_data, kind, make, half, backend)                                       \
    X(free_without_close_leaks_nothing, kind, make, half, backend)                                 \
    X(free_with_a_full_pipe_leaks_nothing, kind, make, half, backend)                              \
    X(lines_are_read_across_writes, kind, make, half, backend)                                     \
    X(every_checkpoint_cancelled, kind, make, half, backend)                                       \
    X(every_allocation_failed, kind, make, half, backend)

#define STREAM_CHECK_DECLARE(check, ...) void stream_##check(stream_make make, bool half);
STREAM_CHECKS(STREAM_CHECK_DECLARE, , , , )

#define STREAM_CHECK_TEST(check, kind, make, half, backend)                                        \
    TEST_IN_LOOP(kind##_##check, backend)                                                          \
    {                                                                                              \
        stream_##check(make, half);                                                                \
    }
#define STREAM_SUITE(kind, make, half, backend)                                                    \
    STREAM_CHECKS(STREAM_CHECK_TEST, kind, make, half, backend)

/* Runs both in tasks of one group until both have returned. */
void run_both(weft_fn a, void *arg_a, weft_fn b, void *arg_b);

/* Two ends of a connection to a listener: its first, on whatever network the test runs. */
struct peers {
    weft_listener *listener;
    weft_stream *client;
    weft_stream *server;
};

/* A task that opens the listener, for port 0 at any port. */
struct peers_listen {
    struct peers *peers;
    const char *host;
    uint16_t port;
};
int peers_listen(void *arg);
void peers_connect(struct peers *peers, const char *host);

/* Pseudo-random bytes that depend on seed and position only. */
void fill_pattern(void *data, size_t len, uint64_t seed, uint64_t position);

#endif
