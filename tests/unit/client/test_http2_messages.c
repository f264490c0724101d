/* test_http2_messages.c - HTTP/2 messages as calls see them: without a body, sent again. */
#include <errno.h>
#include <string.h>

#include "h2_world.h"

/* ---- responses that have no body, whatever they say of it ---- */

struct bodiless {
    const char *method;
    int status;
    const char *length; /* content-length; NULL: none */
    int64_t shown;      /* as the response says; less than -1: the error of the call */
};

static const struct bodiless bodiless[] = {
    {"HEAD", 200, NULL, -1}, {"HEAD", 200, "0", 0},
    {"HEAD", 200, "5", 5},   {"HEAD", 404, "5", 5},
    {"GET", 304, NULL, -1},  {"GET", 304, "0", 0},
    {"GET", 304, "5", 5},    {"GET", 204, NULL, -1},
    {"GET", 204, "0", -1},   {"GET", 204, "5", WEFT_EREMOTE_PROTOCOL},
};

enum { N_BODILESS = sizeof bodiless / sizeof bodiless[0] };

static void expect_nothing(const struct bodiless *row, weft_response *response)
{
    size_t len;
    ASSERT_INT_EQ(weft_response_status(response), row->status);
    ASSERT_INT_EQ(weft_response_content_length(response), row->shown);
    weft_response_content(response, &len);
    ASSERT_INT_EQ(len, 0);
}

static void ask_bodiless(bool late, size_t body)
{
    struct h2_act acts[N_BODILESS];
    for (int i = 0; i < N_BODILESS; i++)
        acts[i] = (struct h2_act){.status = bodiless[i].status,
                                  .name = bodiless[i].length != NULL ? "content-length" : NULL,
                                  .value = bodiless[i].length,
                                  .unended = late,
                                  .body = body};
    WORLD(acts, .http2 = true);
    for (int i = 0; i < N_BODILESS; i++) {
        const struct bodiless *row = &bodiless[i];
        weft_response *response;
        int err = weft_client_stream(world.client, row->method, "/", NULL, &response);
        if (err == 0 && late)
            h2_fake_data(&world.fake, (uint32_t)(2 * i + 1), "", true);
        if (err == 0) {
            err = weft_response_read_all(response);
            if (err == 0)
                expect_nothing(row, response);
            weft_response_free(response);
        }
        ASSERT_INT_EQ(err, row->shown < -1 || body > 0 ? WEFT_EREMOTE_PROTOCOL : 0);
    }
    ASSERT_INT_EQ(world.fake.requests, N_BODILESS);
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

VIRTUAL_TEST(h2_response_without_a_body_is_whole_with_its_head)
{
    ask_bodiless(false, 0);
}

VIRTUAL_TEST(h2_response_without_a_body_may_end_with_empty_data)
{
    ask_bodiless(true, 0);
}

/* One stream's fault: the connection goes on (RFC 9113 8.1.1). */
VIRTUAL_TEST(h2_response_that_may_have_no_body_and_has_one_is_an_error)
{
    ask_bodiless(false, 5);
}

VIRTUAL_TEST(h2_response_of_length_0_ends_with_its_stream)
{
    static const struct h2_act acts[] = {{.name = "content-length", .value = "0", .trailer = true}};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(weft_client_get(world.client, "/", NULL, &response));
    ASSERT_INT_EQ(weft_response_content_length(response), 0);
    ASSERT_STR_EQ(weft_headers_get(weft_response_trailers(response), "x-sum"), "1234");
    weft_response_free(response);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(world.fake.resets, 0);
    end(&world);
}

/* ---- bodies of requests that go again ---- */

struct source {
    size_t left;
    int rewound;
};

enum { BODY = 150000 };

static int64_t give(void *userdata, void *data, size_t len)
{
    struct source *source = userdata;
    size_t n = len < source->left ? len : source->left;
    memset(data, 'x', n);
    source->left -= n;
    return (int64_t)n;
}

static int rewind_it(void *userdata)
{
    struct source *source = userdata;
    source->left = BODY;
    source->rewound++;
    return 0;
}

static const struct h2_act refused[] = {{.kind = H2_RESET, .code = 7}, {.kind = H2_ANSWER}};
static const struct h2_act left[] = {{.kind = H2_GOAWAY}, {.kind = H2_ANSWER}};

VIRTUAL_TEST(h2_body_that_can_be_rewound_goes_again_whole)
{
    for (int i = 0; i < 2; i++) {
        struct source source = {.left = BODY};
        weft_response *response;
        WORLD(refused, .http2 = true);
        world.fake.acts = i == 0 ? refused : left;
        ASSERT_OK(weft_client_post(
            world.client, "/",
            WEFT_REQUEST(.body_reader = give, .body_rewind = rewind_it, .body_userdata = &source),
            &response));
        ASSERT_INT_EQ(weft_response_status(response), 200);
        weft_response_free(response);
        ASSERT_INT_EQ(source.rewound, 1);
        ASSERT_INT_EQ(world.fake.requests, 2);
        ASSERT_INT_EQ(world.fake.uploaded, 2 * BODY);
        ASSERT_INT_EQ(world.fake.dials, 1 + i);
        end(&world);
    }
}

/* What has been given once is gone: the caller hears what the server said. */
VIRTUAL_TEST(h2_body_that_cannot_be_rewound_does_not_go_again)
{
    for (int i = 0; i < 2; i++) {
        struct source source = {.left = BODY};
        weft_response *response;
        WORLD(refused, .http2 = true);
        world.fake.acts = i == 0 ? refused : left;
        ASSERT_ERR(weft_client_post(world.client, "/",
                                    WEFT_REQUEST(.body_reader = give, .body_userdata = &source),
                                    &response),
                   i == 0 ? WEFT_EREMOTE_PROTOCOL : WEFT_EDISCONNECTED);
        ASSERT_STR_HAS(weft_error_message(), i == 0 ? "REFUSED_STREAM" : "has not looked");
        ASSERT_INT_EQ(world.fake.requests, 1);
        ASSERT_INT_EQ(get(&world), 200);
        end(&world);
    }
}
