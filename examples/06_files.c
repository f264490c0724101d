/* Files: whole, and line by line. In Python: aiofiles. */
#include <stdio.h>
#include <weft.h>

static int main_task(void *arg)
{
    char *text;
    char *line;
    size_t len;
    int64_t n;
    weft_file *f;
    (void)arg;

    int err = weft_write_file("file1.txt", "one\ntwo\nthree\n", 14);
    if (err < 0)
        return err;
    err = weft_read_file("file1.txt", &text, &len);
    if (err < 0)
        return err;
    printf("%zu bytes\n", len);
    weft_free(text);

    err = weft_file_open("file1.txt", "r", &f);
    if (err < 0)
        return err;
    while ((n = weft_file_read_line(f, &line)) > 0)
        printf("line: %s", line);
    err = weft_file_close(f);
    return n < 0 ? (int)n : err;
}

int main(void)
{
    int err = weft_run(main_task, NULL);
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    return err < 0;
}
