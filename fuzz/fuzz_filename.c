/*
 * fuzz_filename.c - whatever a server proposes, the name is one component that is safe, and a safe
 * name stays what it is.
 *
 * The first byte says whether it is a field or a path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "proto/filename.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *name)
{
    char field[WEFT__FILENAME_SIZE + 32];
    char again[WEFT__FILENAME_SIZE];
    size_t len = strlen(name);
    if (len == 0 || len > WEFT__LIMIT_FILENAME || name[0] == '.' || name[0] == ' ' ||
        name[len - 1] == '.' || name[len - 1] == ' ' || strpbrk(name, "/\\<>:\"|?*") != NULL)
        abort();
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            abort();
    }
    int n = snprintf(field, sizeof field, "attachment; filename=\"%s\"", name);
    if (!weft__filename_of_disposition(field, (size_t)n, again) || strcmp(again, name) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[WEFT__FILENAME_SIZE];
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    if (data[0] % 2 == 0) {
        if (weft__filename_of_disposition(text, size - 1, name))
            check(name);
        return 0;
    }
    char *path = malloc(size);
    memcpy(path, text, size - 1);
    path[size - 1] = '\0';
    if (weft__filename_of_path(path, name))
        check(name);
    free(path);
    return 0;
}
