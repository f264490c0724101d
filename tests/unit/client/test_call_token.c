/* Tokens that are fetched once for all who need them. */
#include <errno.h>
#include <string.h>
#include <stdio.h>

#include <weft.h>
#include <weft/testing.h>

#include "client/client_int.h"
#include "fault.h"
#include "test.h"

#define URL "http://example.org/x?q=1"
#include "call_world.h"

struct source {
    int fetches;
    int fails; /* the first so many */
    int64_t takes;
    int64_t lifetime;
};

static int fetch(void *userdata, weft_token *token)
{
    struct source *source = userdata;
    char text[16];
    int n = ++source->fetches;
    int err = source->takes > 0 ? weft_sleep(source->takes) : 0;
    if (err < 0)
        return err;
    if (n <= source->fails)
        return -EACCES;
    snprintf(text, sizeof text, "t%d", n);
    return weft_token_set(token, text, source->lifetime);
}

static weft_auth *token(struct source *source)
{
    weft_auth *auth;
    if (source->lifetime == 0)
        source->lifetime = WEFT_FOREVER;
    ASSERT_OK(weft_auth_token(WEFT_AUTH_TOKEN(.fetch = fetch, .userdata = source), &auth));
    return auth;
}

VIRTUAL_TEST(token_is_fetched_at_the_first_request_and_kept)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct source source = {0};
    BEGIN(.auth = token(&source));
    ASSERT_INT_EQ(source.fetches, 0);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(GET(), 200);
    SENT(0, "\r\nAuthorization: Bearer t1\r\n");
    SENT(1, "\r\nAuthorization: Bearer t1\r\n");
    ASSERT_INT_EQ(source.fetches, 1);
    end(&world);
}

VIRTUAL_TEST(token_is_renewed_before_it_ends)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct source source = {.lifetime = WEFT_SEC(60)};
    BEGIN(.auth = token(&source));
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_OK(weft_sleep(WEFT_SEC(49)));
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(source.fetches, 1);
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(source.fetches, 2);
    SENT(2, "Bearer t2");
    end(&world);
}

VIRTUAL_TEST(token_that_is_refused_is_renewed_once)
{
    static const struct wire_answer answers[] = {{GOOD}, {DENIED EMPTY}, {GOOD}, {DENIED EMPTY}};
    struct source source = {0};
    BEGIN(.auth = token(&source));
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(GET(), 200);
    SENT(1, "Bearer t1");
    SENT(2, "Bearer t2");
    ASSERT_INT_EQ(GET(), 401);
    ASSERT_INT_EQ(world.wire.n_requests, 5);
    ASSERT_INT_EQ(source.fetches, 3);
    end(&world);
}

VIRTUAL_TEST(token_is_not_for_another_origin)
{
    static const struct wire_answer answers[] = {{AWAY}, {DENIED EMPTY}};
    struct source source = {0};
    BEGIN(.auth = token(&source), .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(GET(), 401);
    NOBODY(1);
    ASSERT_INT_EQ(world.wire.n_requests, 2);
    ASSERT_INT_EQ(source.fetches, 1);
    end(&world);
}

static int get_one(void *arg)
{
    struct world *world = *(struct world **)arg;
    return request(world, "GET", URL, NULL);
}

struct one {
    struct world *world;
    int result;
};

static int get_in_group(void *arg)
{
    struct one *one = arg;
    one->result = request(one->world, "GET", URL, NULL);
    return 0;
}

static int get_many(struct world *world, int results[20])
{
    struct one ones[20];
    weft_call calls[20];
    for (int i = 0; i < 20; i++) {
        ones[i].world = world;
        calls[i] = (weft_call){get_in_group, &ones[i]};
    }
    int err = weft_gather(calls, 20, NULL);
    for (int i = 0; i < 20; i++)
        results[i] = ones[i].result;
    return err;
}

VIRTUAL_TEST(token_is_fetched_once_for_many_tasks)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct source source = {.takes = WEFT_SEC(1)};
    int results[20];
    BEGIN(.auth = token(&source));
    int64_t began = weft_now();
    ASSERT_OK(get_many(&world, results));
    for (int i = 0; i < 20; i++)
        ASSERT_INT_EQ(results[i], 200);
    ASSERT_INT_EQ(source.fetches, 1);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(1));
    end(&world);
}

VIRTUAL_TEST(token_that_cannot_be_fetched_fails_those_who_waited_and_no_others)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct source source = {.takes = WEFT_SEC(1), .fails = 1};
    int results[20];
    BEGIN(.auth = token(&source));
    ASSERT_OK(get_many(&world, results));
    for (int i = 0; i < 20; i++)
        ASSERT_INT_EQ(results[i], -EACCES);
    ASSERT_INT_EQ(source.fetches, 1);
    ASSERT_INT_EQ(world.wire.n_requests, 0);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(source.fetches, 2);
    end(&world);
}

VIRTUAL_TEST(token_whose_fetch_is_cancelled_is_fetched_by_the_next)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct source source = {.takes = WEFT_SEC(2)};
    weft_group group;
    struct world *pointer;
    BEGIN(.auth = token(&source));
    pointer = &world;
    ASSERT_INT_EQ(GET(.timeout = WEFT_SEC(1)), WEFT_ETOTAL_TIMEOUT);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, get_one, &pointer));
    ASSERT_INT_EQ(GET(.timeout = WEFT_SEC(1)), WEFT_ETOTAL_TIMEOUT); /* while it waits its turn */
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(source.fetches, 2);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(source.fetches, 2);
    end(&world);
}

static int fetch_nothing(void *userdata, weft_token *token)
{
    (void)userdata;
    ASSERT_ERR(weft_token_set(token, "", 1), -EINVAL);
    ASSERT_ERR(weft_token_set(token, "a", 0), -EINVAL);
    ASSERT_ERR(weft_token_set(token, "a\n", 1), WEFT_ELOCAL_PROTOCOL);
    return 0;
}

VIRTUAL_TEST(token_that_was_not_set_is_an_error)
{
    static const struct wire_answer answers[] = {{GOOD}};
    weft_auth *auth;
    ASSERT_OK(weft_auth_token(WEFT_AUTH_TOKEN(.fetch = fetch_nothing), &auth));
    BEGIN(.auth = auth);
    ASSERT_ERR(GET(), -EINVAL);
    end(&world);
}

/* ---- faults ---- */

static int use_token(void *arg)
{
    static const struct wire_answer answers[] = {{DENIED EMPTY}, {GOOD}};
    struct source source = {.lifetime = WEFT_FOREVER, .takes = 1};
    struct world world;
    weft_auth *auth;
    (void)arg;
    int err = weft_auth_token(WEFT_AUTH_TOKEN(.fetch = fetch, .userdata = &source), &auth);
    if (err < 0)
        return err;
    err = TRY_BEGIN(.auth = auth);
    if (err == 0) {
        err = GET();
        if (err < 0)
            GET(); /* the turn is not lost */
    }
    end(&world);
    return err < 0 ? err : 0;
}

TEST_WITH(token_survives_every_fault, .limit_s = 60)
{
    FAULTS(use_token, NULL, .any_error = true);
}
