/* 12. programs: run to their end, a conversation, one that takes too long */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weft.h>

static int
run(void *arg) /* subprocess.run(["sh", "-c", command], capture_output=True, check=True) */
{
    const char *const *command = arg;
    weft_process_result result = {0};
    int err = weft_process_run(
        WEFT_ARGV(*command), WEFT_PROCESS(.shell = true, .capture = true, .check = true), &result);
    if (err == 0)
        printf("%s: %s", *command, result.out);
    else
        printf("%s\n", weft_error_message());
    weft_process_result_done(&result);
    return err;
}

static int converse(void) /* cat answers each line before the next one is written */
{
    WEFT_AUTO(weft_process) *cat = NULL;
    WEFT_AUTO(weft_reader) *reader = NULL;
    char *line;
    int err = weft_process_start(WEFT_ARGV("cat"),
                                 WEFT_PROCESS(.in = WEFT_STDIO_PIPE, .out = WEFT_STDIO_PIPE), &cat);
    err = err < 0 ? err : weft_reader_new(weft_process_stdout(cat), 0, &reader);
    for (int i = 1; err == 0 && i <= 2; i++) {
        char text[16];
        snprintf(text, sizeof text, "line %d\n", i);
        err = weft_stream_write(weft_process_stdin(cat), text, strlen(text));
        if (err == 0 && weft_reader_read_line(reader, &line) > 0)
            printf("cat said: %s", line);
    }
    return err < 0 ? err : weft_stream_write_eof(weft_process_stdin(cat));
}

static int main_task(void *arg)
{
    const char *commands[] = {"echo one", "expr 1 + 1", "echo 'no such thing' >&2; exit 3"};
    weft_scope scope;
    (void)arg;
    weft_map(run, commands, 3, sizeof commands[0], WEFT_MAP(.limit = 1, .collect = true));
    int err = converse();
    if (err < 0)
        return err;

    weft_scope_enter(&scope, WEFT_MS(50)); /* then SIGTERM, and SIGKILL after .grace */
    err = weft_scope_exit(&scope, weft_process_run(WEFT_ARGV("sleep", "100"), NULL, NULL));
    printf("sleep 100: %s\n", weft_error_message());
    return err == -ETIMEDOUT ? 0 : err;
}

int main(void)
{
    int err = weft_run(main_task, NULL);
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    return err < 0;
}
