/* test_http2_upload.c - bodies that go beside their response: times, what is borrowed, ends. */
#include <errno.h>
#include <string.h>

#include <weft/testing.h>

#include "duplex.h"
#include "fault.h"

/* ---- times ---- */

VIRTUAL_TEST(h2_duplex_server_that_takes_nothing_is_given_up)
{
    static const struct h2_act acts[] = {
        {.early = true, .body = 1000, .unended = true, .deaf = true}};
    struct source source = {.size = UINT64_MAX};
    WORLD(acts, .write_timeout = WEFT_SEC(2), .read_timeout = WEFT_SEC(60));
    weft_response *response;
    static char data[4096];
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_INT_EQ(weft_response_read(response, data, sizeof data), 1000);
    int64_t began = weft_now();
    ASSERT_ERR((int)weft_response_read(response, data, sizeof data), WEFT_EWRITE_TIMEOUT);
    ASSERT_INT_GE(weft_now() - began, WEFT_SEC(2));
    ASSERT_INT_LE(weft_now() - began, WEFT_SEC(4));
    weft_response_free(response);
    world_end(&world);
}

/* A few bytes that nobody reads are no reason for a server to take nothing. */
VIRTUAL_TEST(h2_duplex_server_that_takes_nothing_is_given_up_though_nobody_reads)
{
    static const struct h2_act acts[] = {
        {.early = true, .body = 1000, .unended = true, .deaf = true}};
    struct source source = {.size = UINT64_MAX};
    WORLD(acts, .write_timeout = WEFT_SEC(2));
    weft_response *response;
    static char data[4096];
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_OK(weft_sleep(WEFT_SEC(5)));
    source.gone = true;
    ASSERT_INT_EQ(world.fake.resets, 1);
    ASSERT_INT_EQ(weft_response_read(response, data, sizeof data), 1000);
    ASSERT_ERR((int)weft_response_read(response, data, sizeof data), WEFT_EWRITE_TIMEOUT);
    weft_response_free(response);
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_read_waits_for_either_direction)
{
    static const struct h2_act acts[] = {{.early = true, .body = 1, .unended = true}};
    struct source source = {.size = 100, .takes = WEFT_SEC(8)};
    WORLD(acts, .read_timeout = WEFT_SEC(10));
    weft_response *response;
    char byte;
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_INT_EQ(weft_response_read(response, &byte, 1), 1);
    int64_t began = weft_now();
    ASSERT_ERR((int)weft_response_read(response, &byte, 1), WEFT_EREAD_TIMEOUT);
    /* Its bytes were taken after 8 s, its end was sent after 16. */
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(26));
    weft_response_free(response);
    source.gone = true;
    world_end(&world);
}

/* As it is with HTTP/1.1: while the body goes, an answer may take any time. */
VIRTUAL_TEST(h2_duplex_answer_may_take_any_time_while_the_body_goes)
{
    static const struct h2_act acts[] = {{.body = 10}};
    struct source source = {.size = 100, .takes = WEFT_SEC(100)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_INT_EQ(weft_response_status(response), 200);
    weft_response_free(response);
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_answer_after_the_body_has_its_read_timeout)
{
    static const struct h2_act acts[] = {{.takes = WEFT_SEC(100)}};
    struct source source = {.size = 100, .takes = WEFT_SEC(3)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    int64_t began = weft_now();
    ASSERT_ERR(world_stream(&world, &source, &response), WEFT_EREAD_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(11));
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_total_time_ends_both)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    for (int reads = 0; reads < 2; reads++) {
        struct source source = {.size = UINT64_MAX, .takes = WEFT_SEC(1)};
        WORLD(acts, .timeout = WEFT_SEC(10));
        weft_response *response;
        uint64_t got = 0;
        int64_t n = 1;
        ASSERT_OK(world_stream(&world, &source, &response));
        if (reads == 0)
            ASSERT_OK(weft_sleep(WEFT_SEC(11)));
        source.gone = reads == 0;
        while (n > 0)
            n = take(response, &got, SIZE_MAX);
        ASSERT_INT_EQ(n, WEFT_ETOTAL_TIMEOUT);
        weft_response_free(response);
        ASSERT_OK(weft_sleep(WEFT_MS(1)));
        ASSERT_INT_EQ(world.fake.resets, 1);
        world_end(&world);
    }
}

VIRTUAL_TEST(h2_duplex_cancelled_call_ends_the_body)
{
    static const struct h2_act acts[] = {{.kind = H2_NEVER}, {.kind = H2_MIRROR}};
    WORLD(acts, .read_timeout = WEFT_FOREVER);
    for (int i = 0; i < 2; i++) {
        struct source source = {.size = UINT64_MAX, .takes = WEFT_MS(10)};
        weft_response *response;
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_SEC(1));
        int err = weft_client_post(world.client, "/",
                                   WEFT_REQUEST(.body_reader = give, .body_userdata = &source),
                                   &response);
        source.gone = true;
        ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    }
    world_end(&world);
}

/* A read that is cancelled has not happened; the body goes on. */
VIRTUAL_TEST(h2_duplex_cancelled_read_leaves_both)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct source source = {.size = 3000000, .takes = WEFT_MS(100)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    uint64_t got = 0;
    int64_t n = 1;
    int cancelled = 0;
    ASSERT_OK(world_stream(&world, &source, &response));
    while (n != 0) {
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_MS(30));
        n = take(response, &got, SIZE_MAX);
        if (weft_scope_exit(&scope, n < 0 ? (int)n : 0) == -ETIMEDOUT)
            cancelled++;
        else
            ASSERT_INT_GE(n, 0);
    }
    ASSERT_INT_EQ(got, source.size);
    ASSERT_INT_GT(cancelled, 10);
    weft_response_free(response);
    world_end(&world);
}

/* ---- what is borrowed, and for how long ---- */

static void write_file(const char *path, size_t len)
{
    static char data[300000];
    ASSERT_INT_LE(len, sizeof data);
    fill(data, 0, len);
    ASSERT_OK(weft_write_file(path, data, len));
}

static bool follows(const char *data, size_t len, const char *part, size_t part_len)
{
    return memmem(data, len, part, part_len) != NULL;
}

/* Nothing but functions and streams is looked at once the call has returned. */
TASK_TEST(h2_duplex_options_are_the_callers_again_when_the_call_returns)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    WORLD(acts, .http2 = true);
    char path[200];
    char name[20] = "photo";
    static char value[200000];
    static char copy[sizeof value];
    static char file[300000];
    memset(value, 'v', sizeof value);
    memcpy(copy, value, sizeof value);
    fill(file, 0, sizeof file);
    for (int i = 0; i < 2; i++) {
        write_file(test_path("photo.bin"), sizeof file);
        memcpy(path, test_path("photo.bin"), strlen(test_path("photo.bin")) + 1);
        weft_form_part parts[] = {{.name = name, .path = path},
                                  {.name = "large", .value = value, .value_len = sizeof value},
                                  {.name = name, .path = path},
                                  {0}};
        weft_request_options options = {.size = sizeof options, .multipart = parts};
        if (i == 1) {
            options.multipart = NULL;
            options.file = path;
        }
        weft_response *response;
        ASSERT_OK(weft_client_stream(world.client, "POST", "/", &options, &response));
        memset(parts, 0xff, sizeof parts);
        memset(&options, 0xff, sizeof options);
        memset(path, 'x', sizeof path);
        memset(name, 'x', sizeof name);
        memset(value, 'x', sizeof value);
        ASSERT_OK(weft_response_read_all(response));
        size_t len;
        const char *content = weft_response_content(response, &len);
        ASSERT(follows(content, len, file, sizeof file));
        if (i == 0)
            ASSERT(follows(content, len, copy, sizeof copy));
        weft_response_free(response);
    }
    weft_client_free(world.client);
    h2_fake_stop(&world.fake);
}

static int feed(void *arg)
{
    weft_stream *stream = arg;
    char data[1000];
    for (uint64_t offset = 0; offset < 500 * sizeof data; offset += sizeof data) {
        fill(data, offset, sizeof data);
        ASSERT_OK(weft_stream_write(stream, data, sizeof data));
    }
    return weft_stream_write_eof(stream);
}

VIRTUAL_TEST(h2_duplex_body_may_be_a_stream)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    WORLD(acts, .http2 = true);
    weft_stream *near;
    weft_stream *far;
    weft_group group;
    weft_response *response;
    uint64_t got = 0;
    ASSERT_OK(weft_stream_pair(1000, &near, &far));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, feed, near));
    ASSERT_OK(
        weft_client_stream(world.client, "POST", "/", WEFT_REQUEST(.body_stream = far), &response));
    while (take(response, &got, SIZE_MAX) > 0)
        ;
    ASSERT_INT_EQ(got, 500000);
    weft_response_free(response);
    ASSERT_OK(weft_group_wait(&group));
    weft_stream_free(near);
    weft_stream_free(far);
    world_end(&world);
}

static weft_local *tenant;

static int64_t look(void *userdata, void *data, size_t len)
{
    struct source *source = userdata;
    source->seen = *(const int *)weft_local_get(tenant);
    return give(userdata, data, len);
}

VIRTUAL_TEST(h2_duplex_function_has_the_callers_task_local_values)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    static int mine = 7;
    struct source source = {.size = 10};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(weft_local_new(NULL, &tenant));
    ASSERT_OK(weft_local_set(tenant, &mine));
    ASSERT_OK(weft_client_post(
        world.client, "/", WEFT_REQUEST(.body_reader = look, .body_userdata = &source), &response));
    ASSERT_INT_EQ(source.seen, 7);
    weft_response_free(response);
    weft_local_free(tenant);
    world_end(&world);
}

/* ---- the client goes first, or the loop ---- */

VIRTUAL_TEST(h2_duplex_outlives_its_client)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct source source = {.size = 3000000};
    WORLD(acts, .http2 = true);
    weft_response *response;
    uint64_t got = 0;
    ASSERT_OK(world_stream(&world, &source, &response));
    weft_client_free(world.client);
    while (take(response, &got, SIZE_MAX) > 0)
        ;
    ASSERT_INT_EQ(got, source.size);
    weft_response_free(response);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world.fake.open, 0);
    h2_fake_stop(&world.fake);
}

VIRTUAL_TEST(h2_duplex_close_that_aborts_ends_both)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct source source = {.size = UINT64_MAX, .takes = WEFT_MS(1)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    uint64_t got = 0;
    int64_t n;
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_OK(weft_client_close(world.client, WEFT_CLOSE_ABORT));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    source.gone = true;
    while ((n = take(response, &got, SIZE_MAX)) > 0)
        ;
    ASSERT_INT_EQ(n, WEFT_ECLIENT_CLOSED);
    weft_response_free(response);
    world_end(&world);
}

struct reading {
    weft_response *response;
    uint64_t got;
};

static int read_rest(void *arg)
{
    struct reading *reading = arg;
    while (take(reading->response, &reading->got, SIZE_MAX) > 0)
        ;
    weft_response_free(reading->response);
    return 0;
}

VIRTUAL_TEST(h2_duplex_close_that_drains_waits_for_both)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct source source = {.size = 1000000, .takes = WEFT_MS(100)};
    struct reading reading = {0};
    weft_group group;
    WORLD(acts, .http2 = true);
    ASSERT_OK(world_stream(&world, &source, &reading.response));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, read_rest, &reading));
    ASSERT_OK(weft_client_close(world.client, WEFT_CLOSE_DRAIN));
    ASSERT_INT_EQ(reading.got, source.size);
    ASSERT_OK(weft_group_wait(&group));
    world_end(&world);
}

struct parting {
    weft_client *client;
    int err;
};

static int say_goodbye(void *arg)
{
    struct parting *parting = arg;
    struct source source = {.size = 1000, .takes = WEFT_MS(1)};
    weft_response *response;
    weft_scope scope;
    weft_sleep(WEFT_FOREVER);
    weft_scope_enter_shield(&scope, WEFT_SEC(5));
    parting->err =
        weft_client_post(parting->client, "/",
                         WEFT_REQUEST(.body_reader = give, .body_userdata = &source), &response);
    if (parting->err == 0)
        weft_response_free(response);
    return weft_scope_exit(&scope, 0);
}

static int leave_task(void *arg)
{
    return weft_background_spawn(say_goodbye, arg, NULL);
}

/* What is shielded from the end of a run may still be said with a body. */
TEST(h2_duplex_body_of_a_task_that_is_being_ended_is_sent)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct parting parting = {.err = -1};
    ASSERT_OK(weft_yield());
    WORLD(acts, .http2 = true);
    parting.client = world.client;
    ASSERT_OK(weft_run(leave_task, &parting));
    ASSERT_OK(parting.err);
    weft_client_free(world.client);
    h2_fake_stop(&world.fake);
}

struct late {
    weft_client *client;
    weft_response *response;
    struct source source;
};

static int leave_open(void *arg)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct late *late = arg;
    late->source = (struct source){.size = UINT64_MAX, .takes = WEFT_MS(1)};
    WORLD(acts, .http2 = true);
    ASSERT_OK(world_stream(&world, &late->source, &late->response));
    ASSERT_OK(weft_sleep(WEFT_MS(10)));
    late->client = world.client;
    h2_fake_stop(&world.fake);
    return 0;
}

/* The run ends what it has begun; the response can only be freed then. */
TEST(h2_duplex_body_ends_with_the_run)
{
    for (int outer = 0; outer < 2; outer++) {
        struct late late = {0};
        if (outer == 1)
            ASSERT_OK(weft_yield());
        ASSERT_OK(weft_run(leave_open, &late));
        late.source.gone = true;
        ASSERT(!late.source.inside);
        uint64_t got = 0;
        int64_t n;
        while ((n = take(late.response, &got, SIZE_MAX)) > 0)
            ;
        ASSERT_INT_LT(n, 0);
        weft_response_free(late.response);
        weft_client_free(late.client);
    }
}

/* ---- what is told ---- */

struct told {
    weft_trace_kind kinds[20];
    int n;
};

static void tell(void *userdata, const weft_trace_event *event)
{
    struct told *told = userdata;
    if (event->kind >= WEFT_TRACE_SENT && event->kind <= WEFT_TRACE_BODY_ENDED && told->n < 20)
        told->kinds[told->n++] = event->kind;
}

VIRTUAL_TEST(h2_duplex_trace_and_times_are_in_order)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct told told = {.n = 0};
    struct source source = {.size = 10, .takes = WEFT_SEC(1)};
    WORLD(acts, .hooks = WEFT_HOOKS(.trace = tell, .userdata = &told));
    weft_response *response;
    weft_timings timings;
    uint64_t got = 0;
    ASSERT_OK(world_stream(&world, &source, &response));
    while (take(response, &got, SIZE_MAX) > 0)
        ;
    weft_response_timings(response, &timings);
    ASSERT_INT_EQ(timings.before + timings.queue + timings.connect + timings.send +
                      timings.first_byte + timings.receive,
                  timings.total);
    ASSERT_INT_EQ(timings.total, WEFT_SEC(2));
    weft_response_free(response);
    ASSERT_INT_EQ(told.n, 3);
    ASSERT_INT_EQ(told.kinds[0], WEFT_TRACE_SENT);
    ASSERT_INT_EQ(told.kinds[1], WEFT_TRACE_FIRST_BYTE);
    ASSERT_INT_EQ(told.kinds[2], WEFT_TRACE_BODY_ENDED);
    world_end(&world);
}

/* ---- faults ---- */

static int all_at_once(void *arg)
{
    static const struct h2_act acts[] = {
        {.kind = H2_MIRROR},
        {.kind = H2_MIRROR},
        {.status = 307, .early = true, .name = "location", .value = "/b"},
        {.kind = H2_MIRROR},
        {.early = true, .body = 1000}};
    static char bytes[8192];
    struct h2_fake fake;
    weft_client *client;
    weft_response *response;
    struct source sources[4] = {
        {.size = 70000}, {.size = UINT64_MAX}, {.size = 1000}, {.size = 70000}};
    (void)arg;
    int err = weft_yield();
    if (err == 0)
        err = weft_client_new(
            WEFT_CLIENT(.base_url = "http://h/", .http1 = WEFT_OFF, .follow_redirects = WEFT_ON),
            &client);
    if (err < 0)
        return err;
    h2_fake_start(&fake, acts, 5);
    h2_fake_serve(&fake, client);
    for (int i = 0; i < 4 && err == 0; i++) {
        const weft_request_options *options =
            WEFT_REQUEST(.body_reader = give, .body_rewind = again, .body_userdata = &sources[i]);
        err = i == 1 ? weft_client_stream(client, "PUT", "/", options, &response)
                     : weft_client_put(client, "/", options, &response);
        int64_t n = err == 0 && i == 1 ? weft_response_read(response, bytes, sizeof bytes) : 0;
        if (err == 0)
            weft_response_free(response);
        if (n < 0)
            err = (int)n;
        sources[i].gone = true;
    }
    weft_client_free(client);
    h2_fake_stop(&fake);
    return err;
}

TEST_WITH(h2_duplex_survives_every_fault, .limit_s = 120)
{
    FAULTS(all_at_once, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

TEST_WITH(h2_duplex_in_plain_code_survives_every_fault, .limit_s = 120)
{
    FAULTS(all_at_once, NULL, .plain = true, .any_error = true, .max_cases = 150);
}

/* Whoever has its turn first: the upload may begin when its call is over. */
TEST_WITH(h2_duplex_ends_well_in_any_order, .limit_s = 60)
{
    ASSERT_OK(weft_testing_each_seed(test_under_valgrind() ? 5 : 100, all_at_once, NULL, NULL));
}
