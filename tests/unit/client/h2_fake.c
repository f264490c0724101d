#include "h2_fake.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_int.h"
#include "test.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PREFACE = 24, HEAD = 9, PIECE = 16384 };
enum { FIRST_WINDOW = 65535, MIRROR = FIRST_WINDOW };

struct connection {
    struct h2_fake *fake;
    weft_stream *stream;
    weft_group group;
    nghttp2_hd_inflater *inflater;
    bool closing;
    int64_t window; /* of the client, for all streams */
    int64_t first_window;
};

struct request {
    struct connection *connection;
    const struct h2_act *act;
    uint32_t id;
    bool ended;
    bool gone;     /* the client has reset it */
    bool mirrored; /* to its end */
    int64_t window;
    size_t held; /* bytes that are still to go back */
    char back[MIRROR];
    struct request *next;
};

/* ---- frames ---- */

static uint32_t number(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static size_t put_setting(unsigned char *settings, size_t len, unsigned char name, uint32_t value)
{
    settings[len] = 0;
    settings[len + 1] = name;
    put(settings + len + 2, value);
    return len + 6;
}

static int send_frame(weft_stream *stream, int type, int flags, uint32_t id, const void *data,
                      size_t len)
{
    unsigned char head[HEAD] = {(unsigned char)(len >> 16), (unsigned char)(len >> 8),
                                (unsigned char)len, (unsigned char)type, (unsigned char)flags};
    put(head + 5, id);
    return weft_stream_writev(stream, (weft_slice[]){{head, HEAD}, {data, len}}, 2);
}

static int send_number(weft_stream *stream, int type, uint32_t id, uint32_t value)
{
    unsigned char data[4];
    put(data, value);
    return send_frame(stream, type, 0, id, data, sizeof data);
}

static size_t put_text(unsigned char *at, const char *text)
{
    size_t len = strlen(text);
    ASSERT_INT_LT(len, 127);
    at[0] = (unsigned char)len;
    memcpy(at + 1, text, len);
    return len + 1;
}

static int send_head(weft_stream *stream, uint32_t id, int status, const struct h2_act *act,
                     int flags)
{
    /* Literal, not indexed, named by entry 8 of the static table: ":status". */
    unsigned char block[300] = {0x08, 3, (unsigned char)('0' + status / 100),
                                (unsigned char)('0' + status / 10 % 10),
                                (unsigned char)('0' + status % 10)};
    size_t len = 5;
    if (act->name != NULL && status >= 200) {
        block[len++] = 0;
        len += put_text(block + len, act->name);
        len += put_text(block + len, act->value);
    }
    return send_frame(stream, HEADERS, END_HEADERS | flags, id, block, len);
}

static void send_body(weft_stream *stream, uint32_t id, const struct h2_act *act)
{
    static const char zeros[PIECE];
    static const unsigned char trailer[] = "\x00\x05x-sum\x04"
                                           "1234";
    size_t left = act->body;
    int err = 0;
    while (left > 0 && err == 0) {
        size_t n = left < PIECE ? left : PIECE;
        left -= n;
        bool last = left == 0 && !act->unended && !act->trailer;
        err = send_frame(stream, DATA, last ? END_STREAM : 0, id, zeros, n);
    }
    if (act->trailer)
        send_frame(stream, HEADERS, END_HEADERS | END_STREAM, id, trailer, sizeof trailer - 1);
}

/* ---- requests ---- */

static void answer(struct connection *connection, const struct h2_act *act, uint32_t id)
{
    weft_stream *stream = connection->stream;
    unsigned char goaway[8];
    switch (act->kind) {
    case H2_ANSWER:
        if (act->interim != 0)
            send_head(stream, id, act->interim, act, 0);
        send_head(stream, id, act->status != 0 ? act->status : 200, act,
                  act->body == 0 && !act->unended && !act->trailer ? END_STREAM : 0);
        send_body(stream, id, act);
        if (act->stops)
            send_number(stream, RST_STREAM, id, 0);
        break;
    case H2_ECHO:
    case H2_MIRROR:
        send_head(stream, id, 200, act, 0);
        break;
    case H2_RESET:
        send_number(stream, RST_STREAM, id, act->code);
        break;
    case H2_GOAWAY:
        put(goaway, id >= 2 ? id - 2 : 0);
        put(goaway + 4, act->code);
        send_frame(stream, GOAWAY, 0, 0, goaway, sizeof goaway);
        break;
    case H2_CLOSE:
        connection->closing = true;
        weft_stream_close(stream);
        break;
    case H2_NOISE:
        send_number(stream, WINDOW_UPDATE, 0, 0);
        break;
    case H2_NEVER:
        break;
    }
}

static int answer_later(void *arg)
{
    struct request request = *(struct request *)arg;
    free(arg);
    int err = weft_sleep(request.act->takes);
    if (err == 0 && !request.connection->closing)
        answer(request.connection, request.act, request.id);
    return err;
}

static void respond(struct connection *connection, const struct h2_act *act, uint32_t id)
{
    if (act->takes == 0) {
        answer(connection, act, id);
        return;
    }
    struct request *later = malloc(sizeof *later);
    *later = (struct request){.connection = connection, .act = act, .id = id};
    if (weft_group_spawn(&connection->group, answer_later, later) < 0)
        free(later);
}

static struct request *find(struct request *requests, uint32_t id)
{
    while (requests != NULL && requests->id != id)
        requests = requests->next;
    return requests;
}

static void read_fields(struct connection *connection, const char *block, size_t len)
{
    char *text = connection->fake->fields;
    size_t size = sizeof connection->fake->fields;
    size_t used = 0;
    int flags = 0;
    while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
        nghttp2_nv field;
        ssize_t n = nghttp2_hd_inflate_hd2(connection->inflater, &field, &flags,
                                           (const uint8_t *)block, len, 1);
        ASSERT_INT_GE(n, 0);
        block += n;
        len -= (size_t)n;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s: %s\n", field.name, field.value);
    }
    nghttp2_hd_inflate_end_headers(connection->inflater);
}

static void on_headers(struct connection *connection, struct request **requests, uint32_t id,
                       bool ended)
{
    struct h2_fake *fake = connection->fake;
    size_t index = (size_t)fake->requests++;
    struct request *request = malloc(sizeof *request);
    *request = (struct request){.id = id, .next = *requests, .window = connection->first_window};
    request->act = &fake->acts[index < fake->n_acts ? index : fake->n_acts - 1];
    *requests = request;
    if (ended || request->act->early || request->act->kind == H2_ECHO ||
        request->act->kind == H2_MIRROR || request->act->interim == 100)
        respond(connection, request->act, id);
    request->ended = ended || request->act->early;
}

static void credit(struct connection *connection, uint32_t id, size_t len)
{
    send_number(connection->stream, WINDOW_UPDATE, 0, (uint32_t)len);
    send_number(connection->stream, WINDOW_UPDATE, id, (uint32_t)len);
}

/* What of the body may go back; so much more of it is wanted. */
static void mirror(struct connection *connection, struct request *request)
{
    while (request->held > 0 && request->window > 0 && connection->window > 0) {
        int64_t n = request->window < connection->window ? request->window : connection->window;
        size_t len = request->held < PIECE ? request->held : PIECE;
        if ((int64_t)len > n)
            len = (size_t)n;
        if (send_frame(connection->stream, DATA, 0, request->id, request->back, len) < 0)
            return;
        request->held -= len;
        memmove(request->back, request->back + len, request->held);
        request->window -= (int64_t)len;
        connection->window -= (int64_t)len;
        credit(connection, request->id, len);
    }
    if (request->held > 0 || !request->ended || request->mirrored)
        return;
    request->mirrored = true;
    send_frame(connection->stream, DATA, END_STREAM, request->id, NULL, 0);
}

static void on_mirrored(struct connection *connection, struct request *request, const char *data,
                        size_t len, bool ended)
{
    ASSERT_INT_LE(request->held + len, sizeof request->back);
    memcpy(request->back + request->held, data, len);
    request->held += len;
    request->ended = ended;
    mirror(connection, request);
}

static void on_window(struct connection *connection, struct request *requests, uint32_t id,
                      uint32_t n)
{
    connection->fake->credit += id == 0 ? n : 0;
    connection->window += id == 0 ? n : 0;
    for (struct request *request = requests; request != NULL; request = request->next) {
        request->window += request->id == id ? n : 0;
        if (request->act->kind == H2_MIRROR)
            mirror(connection, request);
    }
}

static void on_settings(struct connection *connection, const unsigned char *data, size_t len)
{
    enum { SETTING = 6, INITIAL_WINDOW = 4 };
    for (size_t at = 0; at + SETTING <= len; at += SETTING) {
        if (data[at + 1] == INITIAL_WINDOW)
            connection->first_window = number(data + at + 2);
    }
    send_frame(connection->stream, SETTINGS, ACK, 0, NULL, 0);
}

static void on_data(struct connection *connection, struct request *request, const char *data,
                    size_t len, bool ended)
{
    connection->fake->uploaded += len;
    connection->fake->ends += ended;
    if (request->gone) {
        if (len > 0)
            send_number(connection->stream, WINDOW_UPDATE, 0, (uint32_t)len);
        return;
    }
    if (request->act->kind == H2_MIRROR) {
        on_mirrored(connection, request, data, len, ended);
        return;
    }
    if (len > 0 && !request->act->deaf && !connection->fake->keeps_window)
        credit(connection, request->id, len);
    if (request->act->kind == H2_ECHO)
        send_frame(connection->stream, DATA, ended ? END_STREAM : 0, request->id, data, len);
    else if (ended && !request->ended && request->act->interim != 100)
        respond(connection, request->act, request->id);
}

/* Of a stream that was reset nothing is sent any more, and what comes is dropped. */
static void forget(struct connection *connection, struct request *request)
{
    if (request == NULL)
        return;
    if (request->held > 0)
        send_number(connection->stream, WINDOW_UPDATE, 0, (uint32_t)request->held);
    request->held = 0;
    request->gone = true;
}

static void on_frame(struct connection *connection, struct request **requests,
                     const unsigned char *head, const char *data, size_t len)
{
    struct h2_fake *fake = connection->fake;
    const unsigned char *bytes = (const unsigned char *)data;
    uint32_t id = number(head + 5);
    bool ended = (head[4] & END_STREAM) != 0;
    switch (head[3]) {
    case HEADERS:
        read_fields(connection, data, len);
        on_headers(connection, requests, id, ended);
        break;
    case DATA:
        on_data(connection, find(*requests, id), data, len, ended);
        break;
    case SETTINGS:
        fake->settings_acks += (head[4] & ACK) != 0;
        if ((head[4] & ACK) == 0)
            on_settings(connection, bytes, len);
        break;
    case PING:
        fake->pongs += (head[4] & ACK) != 0;
        if ((head[4] & ACK) == 0 && !fake->mute)
            send_frame(connection->stream, PING, ACK, 0, data, len);
        break;
    case RST_STREAM:
        fake->resets++;
        fake->reset_code = number(bytes);
        forget(connection, find(*requests, id));
        break;
    case GOAWAY:
        fake->goaways++;
        break;
    case WINDOW_UPDATE:
        on_window(connection, *requests, id, number(bytes));
        break;
    default:
        break;
    }
}

static void converse(struct connection *connection)
{
    static char data[PIECE];
    unsigned char head[PREFACE];
    struct request *requests = NULL;
    struct h2_fake *fake = connection->fake;
    unsigned char settings[12];
    size_t settings_len = 0;
    if (fake->max_streams > 0)
        settings_len = put_setting(settings, settings_len, 3, fake->max_streams);
    if (fake->takes_protocol)
        settings_len = put_setting(settings, settings_len, 8, 1);
    int err = weft_sleep(fake->settings_take);
    if (err == 0)
        err = send_frame(connection->stream, SETTINGS, 0, 0, settings, settings_len);
    if (err == 0)
        err = weft_stream_read_exact(connection->stream, head, PREFACE);
    while (err == 0 && !connection->closing) {
        err = weft_stream_read_exact(connection->stream, head, HEAD);
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (err == 0 && len > 0)
            err = weft_stream_read_exact(connection->stream, data, len);
        if (err == 0)
            on_frame(connection, &requests, head, data, len);
    }
    while (requests != NULL) {
        struct request *next = requests->next;
        free(requests);
        requests = next;
    }
}

static int serve_connection(void *arg)
{
    struct connection *connection = arg;
    struct h2_fake *fake = connection->fake;
    ASSERT_OK(weft_group_init(&connection->group, NULL));
    ASSERT_INT_EQ(nghttp2_hd_inflate_new(&connection->inflater), 0);
    converse(connection);
    nghttp2_hd_inflate_del(connection->inflater);
    connection->closing = true;
    weft_group_cancel(&connection->group, "the connection is over");
    weft_group_wait(&connection->group);
    if (fake->last == connection->stream)
        fake->last = NULL;
    weft_stream_free(connection->stream);
    fake->open--;
    free(connection);
    return 0;
}

int h2_fake_converse(struct h2_fake *fake, weft_stream *stream)
{
    struct connection *connection = malloc(sizeof *connection);
    *connection = (struct connection){
        .fake = fake, .stream = stream, .window = FIRST_WINDOW, .first_window = FIRST_WINDOW};
    fake->open++;
    fake->last = stream;
    return serve_connection(connection);
}

static int fake_dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct h2_fake *fake = userdata;
    weft_stream *stream;
    (void)url;
    int err = weft_sleep(fake->dial_takes);
    if (err == 0)
        err = weft_stream_pair(fake->holds > 0 ? fake->holds : 1024 * 1024, ret, &stream);
    if (err < 0)
        return err;
    struct connection *connection = malloc(sizeof *connection);
    *connection = (struct connection){
        .fake = fake, .stream = stream, .window = FIRST_WINDOW, .first_window = FIRST_WINDOW};
    fake->dials++;
    fake->open++;
    fake->last = stream;
    err = weft_group_spawn(&fake->group, serve_connection, connection);
    if (err < 0) {
        weft_stream_free(stream);
        weft_stream_free(*ret);
        free(connection);
        fake->open--;
        fake->last = NULL;
    }
    return err;
}

void h2_fake_start(struct h2_fake *fake, const struct h2_act *acts, size_t n)
{
    *fake = (struct h2_fake){.acts = acts, .n_acts = n};
    ASSERT_OK(weft_group_init(&fake->group, WEFT_GROUP(.name = "fake server", .collect = true)));
}

void h2_fake_stop(struct h2_fake *fake)
{
    weft_group_cancel(&fake->group, "the test is over");
    weft_group_wait(&fake->group);
}

void h2_fake_serve(struct h2_fake *fake, weft_client *client)
{
    client->dial = fake_dial;
    client->dial_userdata = fake;
}

void h2_fake_setting(struct h2_fake *fake, unsigned char setting, uint32_t value)
{
    unsigned char data[6];
    ASSERT_OK(send_frame(fake->last, SETTINGS, 0, 0, data, put_setting(data, 0, setting, value)));
}

void h2_fake_settings(struct h2_fake *fake, uint32_t max_streams)
{
    h2_fake_setting(fake, 3, max_streams);
}

void h2_fake_goaway(struct h2_fake *fake, uint32_t last, uint32_t code)
{
    unsigned char data[8];
    put(data, last);
    put(data + 4, code);
    ASSERT_OK(send_frame(fake->last, GOAWAY, 0, 0, data, sizeof data));
    ASSERT_OK(weft_stream_flush(fake->last));
}

void h2_fake_credit(struct h2_fake *fake, uint32_t id, uint32_t bytes)
{
    ASSERT_OK(send_number(fake->last, WINDOW_UPDATE, id, bytes));
}

void h2_fake_close(struct h2_fake *fake)
{
    ASSERT_OK(weft_stream_write_eof(fake->last));
}

void h2_fake_ping(struct h2_fake *fake)
{
    ASSERT_OK(send_frame(fake->last, PING, 0, 0, "12345678", 8));
}

void h2_fake_data(struct h2_fake *fake, uint32_t id, const char *text, bool end)
{
    ASSERT_OK(send_frame(fake->last, DATA, end ? END_STREAM : 0, id, text, strlen(text)));
}

void h2_fake_reset(struct h2_fake *fake, uint32_t id, uint32_t code)
{
    ASSERT_OK(send_number(fake->last, RST_STREAM, id, code));
}
