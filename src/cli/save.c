/*
 * save.c - a file that appears whole or not at all: written as FILE.part, then renamed.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct save *save)
{
    if (save->alone)
        interrupt_removes(NULL);
    free(save->path);
    free(save->part);
    *save = (struct save){0};
}

int save_open(struct save *save, const char *path, bool alone)
{
    size_t size = strlen(path) + sizeof ".part";
    *save = (struct save){.path = strdup(path), .part = malloc(size), .alone = alone};
    if (!save->path || !save->part) {
        forget(save);
        return -ENOMEM;
    }
    snprintf(save->part, size, "%s.part", path);
    if (alone)
        interrupt_removes(save->part);
    int err = weft_file_open(save->part, "w", &save->file);
    if (err < 0)
        forget(save);
    return err;
}

int save_write(struct save *save, const void *data, size_t len)
{
    return weft_file_write(save->file, data, len);
}

int save_commit(struct save *save)
{
    weft_file *file = save->file;
    save->file = NULL;
    int err = weft_file_close(file);
    if (err >= 0)
        err = weft_rename(save->part, save->path);
    if (err >= 0)
        forget(save);
    return err;
}

void save_abort(struct save *save)
{
    weft_scope shield;
    if (!save->part)
        return;
    weft_scope_enter_shield(&shield, WEFT_SEC(5));
    if (save->file)
        weft_file_close(save->file);
    int err = weft_remove(save->part);
    weft_scope_exit(&shield, err);
    forget(save);
}
