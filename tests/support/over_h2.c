/* over_h2.c - tests/over_h2.tsv: what is not played over HTTP/2, and why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "test_int.h"

enum { ROWS_MAX = 400, TEXT_MAX = 64 * 1024 };

struct row {
    const char *program;
    const char *name;
    const char *reason;
};

static struct row rows[ROWS_MAX];
static int n_rows;

static void load(void)
{
    static char text[TEXT_MAX];
    char path[512];
    char *rest = text;
    char *line;
    if (n_rows > 0)
        return;
    snprintf(path, sizeof path, "%s/tests/over_h2.tsv", test_source_root());
    FILE *file = fopen(path, "r");
    ASSERT(file != NULL);
    ASSERT_INT_LT(fread(text, 1, sizeof text - 1, file), sizeof text - 1);
    fclose(file);
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] == '\0' || line[0] == '#')
            continue;
        ASSERT_INT_LT(n_rows, ROWS_MAX);
        struct row *row = &rows[n_rows++];
        row->program = strsep(&line, "\t");
        row->name = strsep(&line, "\t");
        row->reason = line;
        if (row->reason == NULL || row->reason[0] == '\0')
            FAIL("%s: no reason in the row of %s", path, row->program);
    }
}

/* Of a program: "test_unit_client_body" is "unit/client/body". */
static bool is_of(const struct row *row, const char *program)
{
    const char *at = row->program;
    const char *slash = strrchr(program, '/');
    if (slash != NULL && strncmp(slash, "/test_", 6) == 0)
        program = slash + strlen("/test_");
    for (; *at != '\0' && (*at == *program || *program == '_'); at++)
        program++;
    return *at == *program;
}

bool test_is_over_h2(void)
{
    const char *http = getenv("WEFT_TEST_HTTP");
    return http != NULL && strcmp(http, "2") == 0;
}

const char *test_not_over_h2(const char *program, const char *name)
{
    load();
    for (int i = 0; i < n_rows; i++) {
        if (is_of(&rows[i], program) && strcmp(rows[i].name, name) == 0)
            return rows[i].reason;
    }
    return NULL;
}

const char *test_not_over_h2_stray(const char *program, bool (*has)(const char *name))
{
    load();
    for (int i = 0; i < n_rows; i++) {
        if (is_of(&rows[i], program) && !has(rows[i].name))
            return rows[i].name;
    }
    return NULL;
}
