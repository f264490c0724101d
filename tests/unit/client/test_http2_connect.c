/* test_http2_connect.c - streams of HTTP/2 that go on by another protocol, on the virtual clock. */
#include <errno.h>
#include <string.h>

#include "fault.h"
#include "stream/stream_int.h"
#include "tunnel_world.h"

enum { CANCEL = 8, WINDOW = 65535, BUFFER = 65536, MORE = WINDOW + BUFFER + 1000 };

static const struct h2_act echo[] = {{.kind = H2_ECHO}};
/* 200, and then what the test says. */
static const struct h2_act open_end[] = {{.early = true, .unended = true}};

static int connect_to(struct world *world, weft_response **ret)
{
    return weft_client_request(world->client, "CONNECT", "/", WEFT_REQUEST(.target = "far.test:22"),
                               ret);
}

static void take(struct world *world)
{
    weft_response *response;
    ASSERT_OK(connect_to(world, &response));
    ASSERT_INT_EQ(weft_response_status(response), 200);
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/2");
    ASSERT_OK(weft_response_take_stream(response, &world->stream));
    ASSERT(weft_response_is_closed(response));
    weft_response_free(response);
}

static int read_some(weft_stream *stream)
{
    char data[8];
    return (int)weft_stream_read(stream, data, sizeof data);
}

static int get(struct world *world)
{
    weft_response *response;
    int err = weft_client_get(world->client, "/", NULL, &response);
    if (err < 0)
        return err;
    int status = weft_response_status(response);
    weft_response_free(response);
    return status;
}

/* ---- CONNECT ---- */

VIRTUAL_TEST(h2_connect_gives_a_tunnel)
{
    WORLD(echo, .bearer = "t");
    take(&world);
    ASSERT_STR_HAS(world.fake.fields, ":method: CONNECT\n:authority: far.test:22\n");
    ASSERT(strstr(world.fake.fields, "content-length") == NULL);
    ASSERT(strstr(world.fake.fields, "upgrade") == NULL);
    ASSERT_STR_EQ(weft_stream_get_name(world.stream), "HTTP/2 tunnel");
    say(&world, "ping");
    hear(&world, "ping");
    ASSERT_OK(weft_stream_flush(world.stream));
    ASSERT_OK(weft_stream_write_eof(world.stream));
    ASSERT_INT_EQ(read_some(world.stream), 0);
    ASSERT_INT_EQ(read_some(world.stream), 0);
    ASSERT_OK(weft_stream_close(world.stream));
    ASSERT_INT_EQ(world.fake.ends, 1);
    ASSERT_INT_EQ(world.fake.resets, 0);
    end(&world);
    ASSERT_INT_EQ(world.fake.resets, 0);
    ASSERT_INT_EQ(world.fake.dials, 1);
}

VIRTUAL_TEST(h2_connect_goes_to_its_target_whatever_host_says)
{
    WORLD(echo, .user_agent = "x");
    weft_response *response;
    ASSERT_OK(weft_client_request(
        world.client, "CONNECT", "/",
        WEFT_REQUEST(.target = "far.test:22", .headers = (weft_pair[]){{"Host", "other"}, {0}}),
        &response));
    ASSERT_STR_HAS(world.fake.fields, ":method: CONNECT\n:authority: far.test:22\n");
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(h2_connect_that_is_refused_is_a_response_with_a_body)
{
    static const struct h2_act acts[] = {{.status = 407, .early = true, .body = 4},
                                         {.status = 403, .early = true},
                                         {.status = 502, .early = true, .body = 70000},
                                         {.kind = H2_RESET, .code = 10},
                                         {.kind = H2_ANSWER}};
    static const int statuses[] = {407, 403, 502};
    static const size_t sizes[] = {4, 0, 70000};
    WORLD(acts, .http2 = true);
    for (int i = 0; i < 3; i++) {
        weft_response *response;
        weft_stream *stream;
        size_t len;
        ASSERT_OK(connect_to(&world, &response));
        ASSERT_INT_EQ(weft_response_status(response), statuses[i]);
        weft_response_content(response, &len);
        ASSERT_INT_EQ(len, sizes[i]);
        ASSERT_ERR(weft_response_take_stream(response, &stream), -EINVAL);
        weft_response_free(response);
    }
    ASSERT_INT_EQ(lights(&world), 0);
    ASSERT_INT_EQ(get(&world), WEFT_EREMOTE_PROTOCOL);
    ASSERT_STR_HAS(weft_error_message(), "CONNECT_ERROR");
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

VIRTUAL_TEST(h2_connect_with_a_body_is_of_http1)
{
    WORLD(echo, .http2 = true);
    weft_response *response;
    ASSERT_ERR(weft_client_request(world.client, "CONNECT", "/",
                                   WEFT_REQUEST(.target = "far.test:22", .text = "x"), &response),
               WEFT_ELOCAL_PROTOCOL);
    ASSERT_INT_EQ(world.fake.dials, 0);
    end(&world);
}

VIRTUAL_TEST(h2_tunnel_that_nobody_takes_ends_with_its_response)
{
    WORLD(open_end, .http2 = true);
    weft_response *response;
    weft_stream *stream;
    ASSERT_OK(connect_to(&world, &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "");
    ASSERT_INT_EQ(lights(&world), 1);
    weft_response_close(response);
    ASSERT_ERR(weft_response_take_stream(response, &stream), WEFT_ECLOSED);
    ASSERT_INT_EQ(lights(&world), 0);
    weft_response_free(response);
    settle();
    ASSERT_INT_EQ(world.fake.resets, 1);
    ASSERT_INT_EQ(world.fake.reset_code, CANCEL);
    end(&world);
}

VIRTUAL_TEST(h2_tunnel_has_what_came_before_it_was_taken)
{
    WORLD(open_end, .http2 = true);
    weft_response *response;
    ASSERT_OK(connect_to(&world, &response));
    h2_fake_data(&world.fake, 1, "hello", true);
    settle();
    ASSERT_OK(weft_response_take_stream(response, &world.stream));
    weft_response_free(response);
    hear(&world, "hello");
    ASSERT_INT_EQ(read_some(world.stream), 0);
    end(&world);
}

VIRTUAL_TEST(h2_tunnel_is_a_stream_in_use_and_its_connection_stays)
{
    static const struct h2_act acts[] = {{.kind = H2_ECHO}, {.body = 10}};
    WORLD(acts, .max_connections = 1);
    weft_pool_stats stats;
    weft_pool_connection *list;
    size_t n;
    take(&world);
    for (int i = 0; i < 3; i++)
        ASSERT_INT_EQ(get(&world), 200);
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.active, 1);
    ASSERT_OK(weft_client_pool_list(world.client, &list, &n));
    ASSERT_INT_EQ(list[0].streams, 1);
    weft_free(list);
    say(&world, "still there");
    hear(&world, "still there");
    weft_stream_free(world.stream);
    world.stream = NULL;
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.active, 0);
    ASSERT_INT_EQ(stats.idle, 1);
    settle();
    ASSERT_INT_EQ(world.fake.resets, 1);
    ASSERT_INT_EQ(world.fake.reset_code, CANCEL);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

/* As the place in the pool of an HTTP/1.1 connection that was taken, its permit is free. */
VIRTUAL_TEST(h2_tunnel_holds_no_permit_of_the_limits)
{
    static const struct h2_act acts[] = {{.kind = H2_ECHO}, {.kind = H2_ANSWER}};
    weft_limits *limits;
    ASSERT_OK(weft_limits_new(WEFT_LIMITS(.concurrency = 1), &limits));
    WORLD(acts, .limits = limits);
    take(&world);
    ASSERT_INT_EQ(get(&world), 200);
    end(&world);
    weft_limits_free(limits);
}

/* ---- as a stream ---- */

VIRTUAL_TEST(h2_tunnel_write_waits_for_the_peers_window)
{
    static char data[MORE];
    WORLD(open_end, .http2 = true);
    world.fake.keeps_window = true;
    take(&world);
    weft_stream_set_timeout(world.stream, 0, WEFT_SEC(3));
    int64_t began = weft_now();
    ASSERT_ERR(weft_stream_write(world.stream, data, sizeof data), WEFT_EWRITE_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(3));
    ASSERT_INT_EQ(world.fake.uploaded, WINDOW);
    /* Nothing may follow what is not whole, its end neither. */
    ASSERT_ERR(weft_stream_write(world.stream, "x", 1), -EPIPE);
    ASSERT_ERR(weft_stream_write_eof(world.stream), -EPIPE);
    ASSERT_ERR(weft_stream_flush(world.stream), WEFT_EWRITE_TIMEOUT);
    ASSERT_ERR(weft_stream_close(world.stream), -EPIPE);
    settle();
    ASSERT_INT_EQ(world.fake.reset_code, CANCEL);
    ASSERT_INT_EQ(world.fake.ends, 0);
    end(&world);
}

VIRTUAL_TEST(h2_tunnel_read_has_a_time_out_and_loses_nothing)
{
    WORLD(open_end, .http2 = true);
    char data[8];
    take(&world);
    weft_stream_set_timeout(world.stream, WEFT_SEC(2), 0);
    ASSERT_ERR(read_some(world.stream), WEFT_EREAD_TIMEOUT);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    int err = read_some(world.stream);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&scope, err), -ETIMEDOUT);
    weft_stream_set_timeout(world.stream, WEFT_FOREVER, 0);
    h2_fake_data(&world.fake, 1, "abc", false);
    ASSERT_INT_EQ(weft_stream_read(world.stream, data, 2), 2);
    ASSERT_INT_EQ(weft_stream_read(world.stream, data, sizeof data), 1);
    end(&world);
}

struct use {
    weft_stream *stream;
    int err;
};

static int read_one(void *arg)
{
    struct use *use = arg;
    use->err = read_some(use->stream);
    return 0;
}

static int write_much(void *arg)
{
    static char data[MORE];
    struct use *use = arg;
    use->err = weft_stream_write(use->stream, data, sizeof data);
    return 0;
}

VIRTUAL_TEST(h2_tunnel_has_one_reader_and_one_writer)
{
    WORLD(open_end, .http2 = true);
    world.fake.keeps_window = true;
    weft_group group;
    take(&world);
    struct use uses[4];
    for (int i = 0; i < 4; i++)
        uses[i] = (struct use){.stream = world.stream};
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, read_one, &uses[0]));
    ASSERT_OK(weft_group_spawn(&group, write_much, &uses[1]));
    settle();
    read_one(&uses[2]);
    write_much(&uses[3]);
    ASSERT_INT_EQ(uses[2].err, -EBUSY);
    ASSERT_INT_EQ(uses[3].err, -EBUSY);
    ASSERT_ERR(weft_stream_close(world.stream), -EBUSY);
    weft_stream_abort(world.stream);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(uses[0].err, WEFT_ECLOSED);
    ASSERT_INT_EQ(uses[1].err, WEFT_ECLOSED);
    settle();
    ASSERT_INT_EQ(world.fake.reset_code, CANCEL);
    end(&world);
}

struct transfer {
    weft_stream *stream;
    size_t left;
};

static int send_all(void *arg)
{
    struct transfer *transfer = arg;
    static unsigned char data[3000];
    size_t at = 0;
    int err = 0;
    while (err == 0 && transfer->left > 0) {
        size_t n = transfer->left < sizeof data ? transfer->left : sizeof data;
        for (size_t i = 0; i < n; i++)
            data[i] = (unsigned char)((at + i) % 251);
        err = weft_stream_write(transfer->stream, data, n);
        at += n;
        transfer->left -= n;
    }
    return err == 0 ? weft_stream_write_eof(transfer->stream) : err;
}

VIRTUAL_TEST(h2_tunnel_is_read_and_written_at_once)
{
    enum { SIZE = 3000000 };
    WORLD(echo, .http2 = true);
    static unsigned char data[10000];
    struct transfer transfer = {.left = SIZE};
    weft_group group;
    size_t total = 0;
    int64_t n;
    take(&world);
    transfer.stream = world.stream;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, send_all, &transfer));
    while ((n = weft_stream_read(world.stream, data, 1 + total % sizeof data)) > 0) {
        for (int64_t i = 0; i < n; i++)
            ASSERT_INT_EQ(data[i], (total + (size_t)i) % 251);
        total += (size_t)n;
    }
    ASSERT_INT_EQ(n, 0);
    ASSERT_INT_EQ(total, SIZE);
    ASSERT_OK(weft_group_wait(&group));
    end(&world);
    ASSERT_INT_EQ(world.fake.resets, 0);
}

VIRTUAL_TEST(h2_tunnel_whose_peer_ended_is_still_written)
{
    WORLD(open_end, .http2 = true);
    take(&world);
    h2_fake_data(&world.fake, 1, "", true);
    ASSERT_INT_EQ(read_some(world.stream), 0);
    say(&world, "more");
    ASSERT_OK(weft_stream_write_eof(world.stream));
    settle();
    ASSERT_INT_EQ(world.fake.uploaded, 4);
    ASSERT_INT_EQ(world.fake.ends, 1);
    ASSERT_ERR(weft_stream_write(world.stream, "x", 1), WEFT_ECLOSED);
    end(&world);
    ASSERT_INT_EQ(world.fake.resets, 0);
}

VIRTUAL_TEST(h2_tunnel_close_sends_what_is_unsent_and_then_resets)
{
    WORLD(open_end, .http2 = true);
    take(&world);
    say(&world, "last words");
    ASSERT_OK(weft_stream_close(world.stream));
    ASSERT_OK(weft_stream_close(world.stream));
    settle();
    ASSERT_INT_EQ(world.fake.uploaded, 10);
    ASSERT_INT_EQ(world.fake.ends, 1);
    ASSERT_INT_EQ(world.fake.resets, 1);
    ASSERT_INT_EQ(world.fake.reset_code, CANCEL);
    end(&world);
}

VIRTUAL_TEST(h2_tunnel_close_is_bounded)
{
    static char data[WINDOW + 10];
    for (int bounded = 0; bounded < 2; bounded++) {
        WORLD(open_end, .http2 = true);
        world.fake.keeps_window = true;
        take(&world);
        if (bounded)
            weft_stream_set_timeout(world.stream, 0, WEFT_SEC(5));
        ASSERT_OK(weft_stream_write(world.stream, data, sizeof data));
        int64_t began = weft_now();
        ASSERT_ERR(weft_stream_close(world.stream), WEFT_EWRITE_TIMEOUT);
        ASSERT_INT_EQ(weft_now() - began, bounded ? WEFT_SEC(5) : WEFT_SEC(60));
        end(&world);
    }
}

VIRTUAL_TEST(h2_tunnel_end_that_is_cancelled_goes_by_itself_once_it_was_said)
{
    static char data[WINDOW];
    WORLD(open_end, .http2 = true);
    world.fake.keeps_window = true;
    take(&world);
    /* All of it goes, but its end needs a window. */
    ASSERT_OK(weft_stream_write(world.stream, data, sizeof data));
    ASSERT_OK(weft_stream_flush(world.stream));
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    int err = weft_stream_write_eof(world.stream);
    ASSERT_INT_EQ(err, 0);
    weft_scope_exit(&scope, err);
    ASSERT_OK(weft_stream_write_eof(world.stream));
    end(&world);
}

VIRTUAL_TEST(h2_tunnel_says_where_it_goes)
{
    WORLD(echo, .http2 = true);
    weft_address address;
    take(&world);
    /* In memory there are no addresses, and no TLS; but there is a connection. */
    ASSERT(weft_stream_below(world.stream) != NULL);
    ASSERT_INT_LT(weft_stream_peer_address(world.stream, &address), 0);
    ASSERT(weft_tls_version(world.stream) == NULL);
    ASSERT(weft_stream_can_write_eof(world.stream));
    /* The connection's own limits are not the tunnel's to set. */
    weft_stream_set_write_limits(world.stream, 10, 1);
    ASSERT_OK(weft_client_close(world.client, WEFT_CLOSE_ABORT));
    ASSERT(weft_stream_below(world.stream) == NULL);
    end(&world);
}

/* ---- the other side ---- */

VIRTUAL_TEST(h2_tunnel_that_the_server_resets_fails_with_the_code)
{
    static char data[MORE];
    static const struct h2_act acts[] = {
        {.early = true, .unended = true}, {.early = true, .unended = true}, {.kind = H2_ANSWER}};
    char byte[8];
    WORLD(acts, .http2 = true);
    for (uint32_t id = 1; id < 5; id += 2) {
        take(&world);
        h2_fake_data(&world.fake, id, "abc", false);
        h2_fake_reset(&world.fake, id, 10);
        settle();
        ASSERT_INT_EQ(weft_stream_read(world.stream, byte, sizeof byte), 3);
        ASSERT_ERR(read_some(world.stream), WEFT_EREMOTE_PROTOCOL);
        ASSERT_STR_HAS(weft_error_message(), "CONNECT_ERROR");
        ASSERT_ERR(weft_stream_write(world.stream, data, sizeof data), WEFT_EREMOTE_PROTOCOL);
        ASSERT_STR_HAS(weft_error_message(), "CONNECT_ERROR");
        ASSERT_ERR(weft_stream_write_eof(world.stream), WEFT_EREMOTE_PROTOCOL);
        ASSERT_OK(weft_stream_close(world.stream));
        weft_stream_free(world.stream);
        world.stream = NULL;
    }
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    ASSERT_INT_EQ(world.fake.resets, 0);
    end(&world);
}

VIRTUAL_TEST(h2_tunnel_that_is_reset_behind_its_end_cannot_be_written)
{
    static char data[MORE];
    WORLD(open_end, .http2 = true);
    world.fake.keeps_window = true;
    take(&world);
    ASSERT_OK(weft_stream_write(world.stream, data, BUFFER));
    h2_fake_data(&world.fake, 1, "", true);
    h2_fake_reset(&world.fake, 1, 0);
    settle();
    ASSERT_INT_EQ(read_some(world.stream), 0);
    ASSERT_ERR(weft_stream_write(world.stream, "x", 1), -EPIPE);
    ASSERT_STR_HAS(weft_error_message(), "NO_ERROR");
    ASSERT_ERR(weft_stream_flush(world.stream), -EPIPE);
    ASSERT_ERR(weft_stream_close(world.stream), -EPIPE);
    end(&world);
}

VIRTUAL_TEST(h2_tunnel_fails_with_its_connection)
{
    static const struct h2_act acts[] = {
        {.early = true, .unended = true}, {.early = true, .unended = true}, {.kind = H2_CLOSE}};
    WORLD(acts, .http2 = true);
    take(&world);
    weft_stream *first = world.stream;
    take(&world);
    h2_fake_data(&world.fake, 1, "", true);
    settle();
    /* The first one's peer has ended in order, the second one's has not. */
    ASSERT_ERR(weft_client_post(world.client, "/", NULL, &(weft_response *){NULL}),
               WEFT_EDISCONNECTED);
    ASSERT_INT_EQ(read_some(first), 0);
    ASSERT_ERR(weft_stream_write(first, "x", 1), WEFT_EDISCONNECTED);
    ASSERT_ERR(read_some(world.stream), WEFT_ETRUNCATED);
    ASSERT_ERR(weft_stream_write(world.stream, "x", 1), WEFT_ETRUNCATED);
    weft_stream_free(first);
    end(&world);
}

VIRTUAL_TEST(h2_tunnel_goes_on_when_its_connection_takes_no_more)
{
    static const struct h2_act acts[] = {
        {.kind = H2_ECHO}, {.kind = H2_GOAWAY}, {.kind = H2_ANSWER}};
    WORLD(acts, .http2 = true);
    take(&world);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    say(&world, "old");
    hear(&world, "old");
    ASSERT_INT_EQ(world.fake.open, 2);
    weft_stream_free(world.stream);
    world.stream = NULL;
    settle();
    ASSERT_INT_EQ(world.fake.open, 1);
    end(&world);
}

/* ---- the client's end ---- */

VIRTUAL_TEST(h2_tunnel_outlives_its_client)
{
    WORLD(echo, .http2 = true);
    take(&world);
    weft_client_free(world.client);
    say(&world, "alone");
    hear(&world, "alone");
    weft_stream_free(world.stream);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world.fake.open, 0);
    h2_fake_stop(&world.fake);
}

TEST(h2_tunnel_outlives_its_client_in_plain_code)
{
    ASSERT_OK(weft_yield());
    WORLD(echo, .http2 = true);
    take(&world);
    weft_client_free(world.client);
    say(&world, "alone");
    hear(&world, "alone");
    weft_stream_free(world.stream);
    h2_fake_stop(&world.fake);
    ASSERT_INT_EQ(weft_task_count(), 0);
}

static int leave_one(void *arg)
{
    struct world *world = arg;
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = "http://proxy.test/", .http1 = WEFT_OFF),
                              &world->client));
    h2_fake_start(&world->fake, echo, 1);
    h2_fake_serve(&world->fake, world->client);
    take(world);
    say(world, "ping");
    hear(world, "ping");
    h2_fake_stop(&world->fake);
    return 0;
}

TEST(h2_tunnel_fails_once_its_loop_has_ended)
{
    struct world world = {0};
    char byte;
    ASSERT_OK(weft_run(leave_one, &world));
    ASSERT_INT_LT(weft_stream_read(world.stream, &byte, 1), 0);
    ASSERT_INT_LT(weft_stream_write(world.stream, "x", 1), 0);
    weft_stream_free(world.stream);
    weft_client_free(world.client);
}

VIRTUAL_TEST(h2_tunnel_fails_when_its_client_is_closed_with_abort)
{
    WORLD(open_end, .http2 = true);
    weft_group group;
    take(&world);
    struct use use = {.stream = world.stream};
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, read_one, &use));
    settle();
    ASSERT_OK(weft_client_close(world.client, WEFT_CLOSE_ABORT));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(use.err, WEFT_ECLIENT_CLOSED);
    ASSERT_ERR(weft_stream_write(world.stream, "x", 1), WEFT_ECLIENT_CLOSED);
    end(&world);
}

/* So that whoever has a connection in it knows whether it can be used again. */
VIRTUAL_TEST(h2_tunnel_is_quiet_until_something_comes)
{
    WORLD(open_end, .http2 = true);
    for (uint32_t id = 1; id < 7; id += 2) {
        take(&world);
        ASSERT_INT_EQ(weft__stream_is_quiet(world.stream), 1);
        if (id == 1)
            h2_fake_data(&world.fake, id, "x", false);
        else if (id == 3)
            h2_fake_data(&world.fake, id, "", true);
        else
            h2_fake_reset(&world.fake, id, CANCEL);
        settle();
        ASSERT_INT_EQ(weft__stream_is_quiet(world.stream), 0);
        weft_stream_free(world.stream);
        world.stream = NULL;
    }
    end(&world);
}

static int free_later(void *arg)
{
    weft_sleep(WEFT_SEC(2));
    weft_stream_free(*(weft_stream **)arg);
    *(weft_stream **)arg = NULL;
    return 0;
}

VIRTUAL_TEST(h2_close_that_drains_waits_for_tunnels)
{
    WORLD(open_end, .http2 = true);
    weft_group group;
    take(&world);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, free_later, &world.stream));
    int64_t began = weft_now();
    ASSERT_OK(weft_client_close(world.client, WEFT_CLOSE_DRAIN));
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(2));
    ASSERT_OK(weft_group_wait(&group));
    end(&world);
}

/* ---- faults ---- */

static int talk(weft_stream *stream)
{
    static char data[100000];
    char byte;
    int err = weft_stream_write(stream, data, sizeof data);
    if (err == 0)
        err = weft_stream_flush(stream);
    if (err == 0)
        err = weft_stream_read_exact(stream, data, sizeof data);
    if (err == 0)
        err = weft_stream_write_eof(stream);
    if (err == 0)
        err = (int)weft_stream_read(stream, &byte, 1);
    if (err == 0)
        err = weft_stream_close(stream);
    weft_stream_free(stream);
    return err;
}

static int tunnel_once(weft_client *client, bool named)
{
    weft_response *response;
    weft_stream *stream;
    int err = named ? weft_client_get(client, "/", WEFT_REQUEST(.upgrade = "websocket"), &response)
                    : weft_client_request(client, "CONNECT", "/",
                                          WEFT_REQUEST(.target = "far.test:22"), &response);
    if (err < 0)
        return err;
    err = weft_response_take_stream(response, &stream);
    weft_response_free(response);
    return err == 0 ? talk(stream) : err;
}

static int both_kinds(void *arg)
{
    struct h2_fake fake;
    weft_client *client;
    (void)arg;
    int err = weft_yield(); /* plain code has a loop then, which the server needs */
    if (err == 0)
        err = weft_client_new(WEFT_CLIENT(.base_url = "http://h/", .http1 = WEFT_OFF), &client);
    if (err < 0)
        return err;
    h2_fake_start(&fake, echo, 1);
    fake.takes_protocol = true;
    h2_fake_serve(&fake, client);
    err = tunnel_once(client, true);
    if (err == 0)
        err = tunnel_once(client, false);
    weft_client_free(client);
    h2_fake_stop(&fake);
    return err;
}

TEST_WITH(h2_tunnels_survive_every_fault, .limit_s = 120)
{
    FAULTS(both_kinds, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

TEST_WITH(h2_tunnels_in_plain_code_survive_every_fault, .limit_s = 120)
{
    FAULTS(both_kinds, NULL, .plain = true, .any_error = true);
}
