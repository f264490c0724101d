#include "wire.h"

#include <stdlib.h>
#include <string.h>

#include "client/client_int.h"
#include "gate.h"
#include "test.h"

struct connection {
    struct wire *wire;
    weft_stream *stream;
};

static bool is_whole(const char *text, size_t len, bool early)
{
    const char *head_end = strstr(text, "\r\n\r\n");
    if (head_end == NULL)
        return false;
    size_t head = (size_t)(head_end - text) + 4;
    const char *length = strstr(text, "Content-Length: ");
    if (early || (length == NULL && strstr(text, "Transfer-Encoding: chunked") == NULL))
        return true;
    if (length != NULL)
        return len - head >= strtoul(length + 16, NULL, 10);
    return len - head >= 5 && memcmp(text + len - 5, "0\r\n\r\n", 5) == 0;
}

static const struct wire_answer *answer_of(const struct wire *wire, size_t index)
{
    return &wire->answers[index < wire->n_answers ? index : wire->n_answers - 1];
}

/* One request, numbered as its first byte comes; NULL: the client has closed. */
static const struct wire_answer *take_request(struct connection *connection)
{
    struct wire *wire = connection->wire;
    char *text = calloc(1, WIRE_TEXT + 1);
    int64_t n = weft_stream_read(connection->stream, text, WIRE_TEXT);
    if (n <= 0 || wire->n_requests == WIRE_MAX) {
        free(text);
        return NULL;
    }
    size_t index = wire->n_requests++;
    const struct wire_answer *answer = answer_of(wire, index);
    size_t len = (size_t)n;
    free(wire->requests[index]); /* of a count that a test began anew */
    wire->requests[index] = text;
    while (!is_whole(text, len, answer->early)) {
        n = weft_stream_read(connection->stream, text + len, WIRE_TEXT - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    wire->lens[index] = len;
    return answer;
}

static int serve(void *arg)
{
    struct connection *connection = arg;
    const struct wire_answer *answer;
    while ((answer = take_request(connection)) != NULL) {
        if (weft_sleep(answer->takes) < 0 || answer->text == NULL ||
            weft_stream_write(connection->stream, answer->text,
                              answer->len > 0 ? answer->len : strlen(answer->text)) < 0)
            break;
    }
    weft_stream_free(connection->stream);
    free(connection);
    return 0;
}

static int dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct wire *wire = userdata;
    (void)url;
    wire->dials++;
    if (answer_of(wire, wire->n_requests)->failed) {
        wire->n_requests++;
        return weft__fail(WEFT_EREFUSED, "refused");
    }
    struct connection *connection = malloc(sizeof *connection);
    weft_stream *near;
    connection->wire = wire;
    int err = gate_pair(&wire->group, 4096, &near, &connection->stream);
    if (err < 0) {
        free(connection);
        return err;
    }
    weft_stream *far = connection->stream;
    err = weft_group_spawn(&wire->group, serve, connection);
    if (err < 0) {
        free(connection);
        weft_stream_free(far);
        weft_stream_free(near);
        return err;
    }
    *ret = near;
    return 0;
}

void wire_start(struct wire *wire, const struct wire_answer *answers, size_t n)
{
    memset(wire, 0, sizeof *wire);
    wire->answers = answers;
    wire->n_answers = n;
    ASSERT_OK(weft_group_init(&wire->group, WEFT_GROUP(.name = "wire")));
}

void wire_stop(struct wire *wire)
{
    weft_group_cancel(&wire->group, "the test is over");
    weft_group_wait(&wire->group);
    for (size_t i = 0; i < WIRE_MAX; i++)
        free(wire->requests[i]);
}

void wire_serve(struct wire *wire, weft_client *client)
{
    gate_dial(client, dial, wire);
}
