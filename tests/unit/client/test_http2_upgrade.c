/* test_http2_upgrade.c - an upgrade over HTTP/2, which names its protocol (RFC 8441). */
#include <string.h>

#include "tunnel_world.h"

static const struct h2_act echo[] = {{.kind = H2_ECHO}};

static int upgrade(struct world *world, weft_response **ret)
{
    return weft_client_get(world->client, "/chat?x=1",
                           WEFT_REQUEST(.upgrade = "websocket", .read_timeout = WEFT_SEC(3)), ret);
}

VIRTUAL_TEST(h2_upgrade_names_its_protocol_once_the_server_takes_it)
{
    WORLD(echo, .http2 = true);
    world.fake.takes_protocol = true;
    world.fake.settings_take = WEFT_SEC(1);
    weft_response *response;
    int64_t began = weft_now();
    ASSERT_OK(upgrade(&world, &response));
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(1));
    ASSERT_STR_HAS(world.fake.fields, ":method: CONNECT\n:protocol: websocket\n:scheme: http\n"
                                      ":authority: proxy.test\n:path: /chat?x=1\n");
    ASSERT(strstr(world.fake.fields, "\nupgrade:") == NULL);
    ASSERT(strstr(world.fake.fields, "\nconnection:") == NULL);
    ASSERT_INT_EQ(weft_response_status(response), 200);
    ASSERT_STR_EQ(weft_response_request_method(response), "GET");
    ASSERT_OK(weft_response_take_stream(response, &world.stream));
    weft_response_free(response);
    say(&world, "frame");
    hear(&world, "frame");
    end(&world);
}

VIRTUAL_TEST(h2_upgrade_is_refused_where_the_server_does_not_take_it)
{
    WORLD(echo, .http2 = true);
    weft_response *response;
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(upgrade(&world, &response), WEFT_EREMOTE_PROTOCOL);
        ASSERT_STR_HAS(weft_error_message(), "\"websocket\" over HTTP/2");
        ASSERT_STR_HAS(weft_error_message(), "ENABLE_CONNECT_PROTOCOL");
    }
    ASSERT_INT_EQ(world.fake.requests, 0);
    ASSERT_INT_EQ(world.fake.dials, 1);
    ASSERT_INT_EQ(lights(&world), 0);
    end(&world);
}

VIRTUAL_TEST(h2_upgrade_waits_for_settings_no_longer_than_for_an_answer)
{
    WORLD(echo, .http2 = true);
    world.fake.settings_take = WEFT_SEC(100);
    weft_response *response;
    int64_t began = weft_now();
    ASSERT_ERR(upgrade(&world, &response), WEFT_EREAD_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(3));
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

static int abort_soon(void *arg)
{
    weft_sleep(WEFT_SEC(1));
    return weft_client_close(arg, WEFT_CLOSE_ABORT);
}

VIRTUAL_TEST(h2_upgrade_that_waits_for_settings_ends_with_its_client)
{
    WORLD(echo, .http2 = true);
    world.fake.settings_take = WEFT_SEC(100);
    weft_group group;
    weft_response *response;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, abort_soon, world.client));
    ASSERT_ERR(upgrade(&world, &response), WEFT_ECLIENT_CLOSED);
    ASSERT_OK(weft_group_wait(&group));
    end(&world);
}

VIRTUAL_TEST(h2_upgrade_that_is_declined_is_a_response_as_any_other)
{
    static const struct h2_act acts[] = {{.status = 404, .early = true, .body = 9}};
    WORLD(acts, .http2 = true);
    world.fake.takes_protocol = true;
    weft_response *response;
    weft_stream *stream;
    size_t len;
    ASSERT_OK(upgrade(&world, &response));
    ASSERT_INT_EQ(weft_response_status(response), 404);
    weft_response_content(response, &len);
    ASSERT_INT_EQ(len, 9);
    ASSERT_ERR(weft_response_take_stream(response, &stream), -EINVAL);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(h2_upgrade_that_http2_cannot_say_is_refused_where_http1_is_off)
{
    WORLD(echo, .http2 = true);
    world.fake.takes_protocol = true;
    const weft_request_options *const options[] = {
        WEFT_REQUEST(.upgrade = "a, b"), WEFT_REQUEST(.upgrade = ""),
        WEFT_REQUEST(.upgrade = "websocket", .text = "x")};
    weft_response *response;
    for (int i = 0; i < 3; i++) {
        ASSERT_ERR(weft_client_get(world.client, "/", options[i], &response), WEFT_ELOCAL_PROTOCOL);
        ASSERT_STR_HAS(weft_error_message(), "http1 is switched off");
    }
    ASSERT_ERR(weft_client_post(world.client, "/", options[1], &response), WEFT_ELOCAL_PROTOCOL);
    ASSERT_INT_EQ(world.fake.dials, 0);
    end(&world);
}
