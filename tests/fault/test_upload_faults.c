/* Everything that can go wrong below a form with files goes wrong once. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <weft.h>

#include "fault.h"
#include "http_peer.h"
#include "test.h"

struct upload {
    struct http_peer peer;
    const char *path;
    char large[5000];
    size_t left;
};

static int64_t read_some(void *userdata, void *data, size_t len)
{
    struct upload *upload = userdata;
    size_t n = upload->left < len ? upload->left : len;
    memset(data, 'r', n);
    upload->left -= n;
    return (int64_t)n;
}

static int rewind_some(void *userdata)
{
    struct upload *upload = userdata;
    upload->left = 10;
    return 0;
}

static int send_one(struct upload *upload, const weft_request_options *options)
{
    char url[128];
    weft_response *response;
    snprintf(url, sizeof url, "%s/up", upload->peer.base);
    int err = weft_post(url, options, &response);
    if (err == 0)
        weft_response_free(response);
    return err;
}

static int send_form(void *arg)
{
    struct upload *upload = arg;
    rewind_some(upload);
    return send_one(
        upload,
        WEFT_REQUEST(
                .multipart = (weft_form_part[]){
                    {.name = "a", .value = "1"},
                    {.name = "f", .path = upload->path},
                    {.name = "r", .reader = read_some, .rewind = rewind_some, .userdata = upload},
                    {.name = "l", .value = upload->large, .value_len = sizeof upload->large},
                    {0}}));
}

static int send_file(void *arg)
{
    struct upload *upload = arg;
    return send_one(upload, WEFT_REQUEST(.file = upload->path));
}

static int write_file(void *arg)
{
    return weft_write_file(arg, "hello", 5);
}

static void start(struct upload *upload)
{
    *upload = (struct upload){.path = test_path("form.txt")};
    memset(upload->large, 'x', sizeof upload->large);
    http_peer_start(&upload->peer);
    ASSERT_OK(weft_run(write_file, (void *)upload->path));
}

TEST_WITH(multipart_survives_every_fault, .limit_s = 60)
{
    struct upload upload;
    start(&upload);
    FAULTS(send_form, &upload);
    http_peer_stop(&upload.peer);
}

TEST_WITH(file_body_survives_every_fault, .limit_s = 60)
{
    struct upload upload;
    start(&upload);
    FAULTS(send_file, &upload);
    FAULTS(send_file, &upload, .plain = true);
    http_peer_stop(&upload.peer);
}
