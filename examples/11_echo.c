/* 11. an echo server by lines, and a client of it */
#include <stdio.h>
#include <string.h>
#include <weft.h>

static int echo(weft_stream *stream, void *arg) /* a task for each connection */
{
    WEFT_AUTO(weft_reader) *reader = NULL;
    char *line;
    int64_t n = 0;
    int err = weft_reader_new(stream, 0, &reader);
    (void)arg;
    while (err == 0 && (n = weft_reader_read_line(reader, &line)) > 0)
        err = weft_stream_write(stream, line, (size_t)n);
    return err < 0 ? err : (int)n;
}

static int serve(void *listener)
{
    return weft_serve(listener, echo, NULL, WEFT_SERVE(.max_connections = 100));
}

static int ask(uint16_t port, const char *const *words)
{
    WEFT_AUTO(weft_stream) *stream = NULL;
    WEFT_AUTO(weft_reader) *reader = NULL;
    char *line;
    int err = weft_dial("127.0.0.1", port, WEFT_DIAL(.timeout = WEFT_SEC(5)), &stream);
    if (err == 0)
        err = weft_reader_new(stream, 0, &reader);
    for (; err == 0 && *words != NULL; words++) {
        err = weft_stream_write(stream, *words, strlen(*words));
        if (err == 0) /* sends what was written, and waits */
            err = (int)weft_reader_read_line(reader, &line);
        if (err <= 0)
            return err < 0 ? err : WEFT_EEOF;
        printf("echo: %s", line);
        err = 0;
    }
    return err == 0 ? weft_stream_close(stream) : err;
}

static int main_task(void *arg)
{
    weft_listener *listener;
    weft_group group;
    (void)arg;
    int err = weft_listen("127.0.0.1", 0, NULL, &listener); /* port 0: a free one */
    if (err < 0)
        return err;
    uint16_t port = weft_listener_port(listener);
    weft_group_init(&group, NULL);
    weft_group_spawn(&group, serve, listener); /* takes the listener */
    err = ask(port, (const char *const[]){"hello\n", "world\n", NULL});
    weft_group_cancel(&group, NULL); /* the server, and its connections with it */
    int joined = weft_group_wait(&group);
    return err < 0 ? err : joined;
}

int main(void)
{
    int err = weft_run(main_task, NULL);
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    return err < 0;
}
