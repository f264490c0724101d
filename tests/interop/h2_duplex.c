/*
 * h2_duplex.c - bodies both ways at once with a server that gives back what it is sent.
 *
 *     h2_duplex BASE MEGABYTES ROUNDS PLAIN
 *
 * First a body of so many megabytes is read while it is written, by a reader that pauses now and
 * then; then a conversation of so many messages, each written when the one before has come back;
 * then conversations that are left in the middle.  PLAIN is 1 to do all that outside of weft_run.
 * Prints what was wrong, and whether little was on its way at any time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

enum { PIECE = 64 * 1024, ON_ITS_WAY = 48 * 1024 * 1024, LEFT = 20 };

struct body {
    uint64_t size; /* in all */
    uint64_t given;
    uint64_t limit; /* so far it may go now */
    bool gone;
};

static weft_client *client;
static uint64_t size;
static int rounds;
static long wrong;
static uint64_t widest;

static void fill(char *data, uint64_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char)((offset + i) % 251);
}

/* What is allowed; where that is nothing, whoever reads changes it. */
static int64_t give(void *userdata, void *data, size_t len)
{
    struct body *body = userdata;
    int err = 0;
    wrong += body->gone;
    while (err == 0 && body->given == body->limit && body->limit < body->size)
        err = weft_sleep(WEFT_MS(1));
    if (err < 0)
        return err;
    if (len > body->limit - body->given)
        len = (size_t)(body->limit - body->given);
    fill(data, body->given, len);
    body->given += len;
    return (int64_t)len;
}

static int begin(struct body *body, weft_response **ret)
{
    int err = weft_client_stream(client, "POST", "/echo",
                                 WEFT_REQUEST(.body_reader = give, .body_userdata = body), ret);
    if (err == 0 && weft_response_status(*ret) != 200)
        wrong++;
    return err;
}

/* 1: more of it has come, as it should be; 0: it is over. */
static int take(weft_response *response, const struct body *body, uint64_t *offset)
{
    static char data[PIECE];
    static char expected[PIECE];
    int64_t n = weft_response_read(response, data, sizeof data);
    if (n <= 0)
        return (int)n;
    fill(expected, *offset, (size_t)n);
    wrong += memcmp(data, expected, (size_t)n) != 0;
    *offset += (uint64_t)n;
    if (body->given - *offset > widest)
        widest = body->given - *offset;
    return 1;
}

static int echo(void)
{
    struct body body = {.size = size, .limit = size};
    weft_response *response;
    uint64_t got = 0;
    uint64_t next_pause = 1;
    int err = begin(&body, &response);
    if (err < 0)
        return err;
    do {
        err = take(response, &body, &got);
        if (err > 0 && got > next_pause) {
            next_pause = got * 4;
            weft_sleep(WEFT_MS(50));
        }
    } while (err > 0);
    wrong += got != size;
    weft_response_free(response);
    body.gone = true;
    return err;
}

/* The server begins its answer with the first message. */
static int converse(int until)
{
    struct body body = {.size = UINT64_MAX, .limit = 1};
    weft_response *response;
    uint64_t got = 0;
    int err = begin(&body, &response);
    if (err < 0)
        return err;
    for (int round = 1; err >= 0 && round <= until; round++) {
        while (err >= 0 && got < body.limit)
            err = take(response, &body, &got);
        wrong += got != body.limit || got != body.given;
        body.limit += (uint64_t)(round * 7919 % 5000 + 1);
        if (round == rounds)
            body.size = body.limit;
    }
    while (err > 0 && until == rounds)
        err = take(response, &body, &got);
    wrong += until == rounds && got != body.size;
    weft_response_free(response);
    body.gone = true;
    return err < 0 ? err : 0;
}

static int all(void *arg)
{
    (void)arg;
    int err = echo();
    if (err == 0)
        err = converse(rounds);
    for (int i = 0; err == 0 && i < LEFT; i++)
        err = converse(i % 3);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    size = strtoull(argv[2], NULL, 10) * 1024 * 1024;
    rounds = (int)strtol(argv[3], NULL, 10);
    int err = weft_client_new(WEFT_CLIENT(.base_url = argv[1], .http1 = WEFT_OFF,
                                          .insecure_no_verify = true, .max_connections = 1,
                                          .idle_timeout = WEFT_SEC(60)),
                              &client);
    if (err == 0)
        err = argv[4][0] == '1' ? all(NULL) : weft_run(all, NULL);
    if (err < 0) {
        fprintf(stderr, "%s\n", weft_error_message());
        return 1;
    }
    printf("wrong %ld little %d\n", wrong, widest < ON_ITS_WAY);
    fprintf(stderr, "at most %llu bytes on their way\n", (unsigned long long)widest);
    weft_client_free(client);
    return wrong > 0;
}
