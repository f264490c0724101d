/*
 * many.c - many small files at once.
 *
 * Where the loop has a ring and the files lie on a disk, some slots each open, read and close
 * one file after the other; their submissions share one system call.  Elsewhere, and for all
 * that creates, workers get some files a job.  What a slot finds unusual (a symbolic link, a
 * pipe, an empty file, which may be one of /proc) is read as weft_read_file reads it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/limits.h"
#include "file/file_int.h"

enum {
    LIMIT_DEFAULT = 64,
    LIMIT_MAX = 256,
    GUESS = 16 * 1024, /* bytes read where the slot has room for them; larger files get their own */
    CHUNK = 16,        /* files of one job that reads */
    CHUNK_WRITTEN = 64, /* and of one that writes */
    JOBS = 4
};

enum stage { STAGE_OPEN, STAGE_READ, STAGE_CLOSE };

struct many {
    struct weft_task *self;
    const weft_many_options *options;
    weft_file_item *items;
    bool *settled; /* NULL if the order does not matter */
    size_t n;
    size_t next;      /* to be begun */
    size_t next_told; /* in order */
    size_t n_active;
    size_t n_errors;
    int error; /* that ends it all */
    const char *failed_path;
    bool writing;
    /* of the ring */
    struct weft__wait wait;
    bool parked;
    struct slot *slots;
    struct slot *ended; /* operations that ended since the task looked */
};

struct slot {
    struct weft__op op;
    struct many *many;
    struct slot *next;
    weft_file_item *item;
    char *guess;
    char *data; /* of a larger file */
    size_t len;
    size_t cap;
    size_t size; /* of the file when it was opened */
    enum stage stage;
    int fd;
    int error;
};

/* ---- what is the same for all ---- */

static void tell(struct many *many, weft_file_item *item)
{
    if (many->error < 0 || many->options->done == NULL)
        return;
    int err = many->options->done(item, many->options->arg);
    if (err < 0)
        many->error = err;
}

/* An item has its result. */
static void settle(struct many *many, weft_file_item *item, int err)
{
    item->error = err;
    many->n_errors += err < 0;
    if (err < 0 && !many->options->collect && many->error == 0) {
        many->error = err;
        many->failed_path = item->path;
    }
    if (many->settled == NULL) {
        tell(many, item);
        return;
    }
    many->settled[item - many->items] = true;
    while (many->next_told < many->n && many->settled[many->next_told])
        tell(many, &many->items[many->next_told++]);
}

/* As one file by itself, in this task. */
static void settle_alone(struct many *many, weft_file_item *item)
{
    char *data;
    size_t len;
    if (many->writing) {
        settle(many, item, weft_write_file(item->path, item->data, item->len));
        return;
    }
    int err = weft_read_file(item->path, &data, &len);
    if (err == 0) {
        item->data = data;
        item->len = len;
    }
    settle(many, item, err);
}

/* ---- jobs ---- */

struct chunk {
    struct many *many;
    size_t from;
    size_t to;
};

static int run_chunk(void *arg)
{
    const struct chunk *chunk = arg;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        weft_file_item *item = &chunk->many->items[i];
        item->error = chunk->many->writing
                          ? weft__whole_write_plain(item->path, item->data, item->len)
                          : weft__whole_read_plain(item->path, &item->data, &item->len);
    }
    return 0;
}

/* Takes chunks as long as there are any. */
static int chunk_worker(void *arg)
{
    struct many *many = *(struct many **)arg;
    while (many->next < many->n && many->error == 0) {
        struct weft_task *self;
        int way = weft__file_begin(&self);
        if (way < 0)
            return way;
        /* Others may have had their turn. */
        if (many->next == many->n)
            break;
        struct chunk chunk = {.many = many, .from = many->next};
        size_t most = many->writing ? CHUNK_WRITTEN : CHUNK;
        chunk.to = many->n - chunk.from < most ? many->n : chunk.from + most;
        if (way == WEFT__FILE_NOWAIT)
            way = (int)weft__file_way_creating(self, many->items[chunk.from].path);
        many->next = chunk.to;
        int err = weft__file_offload((enum weft__file_way)way, run_chunk, &chunk);
        if (err < 0)
            return err;
        for (size_t i = chunk.from; i < chunk.to; i++) {
            if (many->items[i].error == -EAGAIN)
                settle_alone(many, &many->items[i]);
            else
                settle(many, &many->items[i], many->items[i].error);
        }
    }
    return 0;
}

static int run_chunks(struct many *many, bool alone)
{
    struct many *workers[JOBS] = {many, many, many, many};
    size_t n_jobs = (many->n + CHUNK - 1) / CHUNK;
    /*
     * Creating holds the lock of the folder: more workers would wait for each other.  Where nothing
     * else could run meanwhile this task does it all.
     */
    if (many->writing || alone)
        return chunk_worker(workers);
    return weft_map(chunk_worker, workers, n_jobs < JOBS ? n_jobs : JOBS, sizeof workers[0], NULL);
}

/* ---- the ring ---- */

static void slot_ended(struct weft__op *op)
{
    struct slot *slot = WEFT__CONTAINER(op, struct slot, op);
    struct many *many = slot->many;
    slot->next = many->ended;
    many->ended = slot;
    if (many->parked) {
        many->parked = false;
        weft__wake(many->self, 0);
    }
}

static void submit(struct slot *slot, const struct weft__sqe *sqe)
{
    slot->op = (struct weft__op){.kind = WEFT__OP_RING, .done = slot_ended, .sqe = *sqe};
    weft__op_start(&slot->op);
}

/* What a test lets fail is not done, and ends like everything else. */
static void submit_or_fail(struct slot *slot, const char *call, size_t *len,
                           const struct weft__sqe *sqe)
{
    do {
        slot->error = weft__fault_io(call, len);
    } while (slot->error == -EINTR);
    if (slot->error < 0) {
        submit(slot, &(struct weft__sqe){.opcode = IORING_OP_NOP, .fd = -1});
        return;
    }
    struct weft__sqe cut = *sqe;
    if (len != NULL)
        cut.len = (uint32_t)*len;
    submit(slot, &cut);
}

static void submit_read(struct slot *slot)
{
    slot->stage = STAGE_READ;
    char *to = slot->data != NULL ? slot->data : slot->guess;
    size_t left = slot->cap - slot->len;
    left = left < WEFT__FILE_INLINE_READ ? left : WEFT__FILE_INLINE_READ;
    submit_or_fail(slot, "read", &left,
                   &(struct weft__sqe){
                       .opcode = IORING_OP_READ,
                       .fd = slot->fd,
                       .addr = (uintptr_t)(to + slot->len),
                       .off = slot->len,
                   });
}

static void submit_close(struct slot *slot, int err)
{
    slot->stage = STAGE_CLOSE;
    slot->error = err;
    submit(slot, &(struct weft__sqe){.opcode = IORING_OP_CLOSE, .fd = slot->fd});
}

/* The next item goes into a slot; false: there is none. */
static bool begin(struct slot *slot)
{
    struct many *many = slot->many;
    if (many->next == many->n || many->error < 0)
        return false;
    slot->item = &many->items[many->next++];
    slot->stage = STAGE_OPEN;
    slot->data = NULL;
    slot->len = 0;
    slot->cap = GUESS;
    many->n_active++;
    submit_or_fail(slot, "open", NULL,
                   &(struct weft__sqe){
                       .opcode = IORING_OP_OPENAT,
                       .fd = AT_FDCWD,
                       .addr = (uintptr_t)slot->item->path,
                       .op_flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
                   });
    return true;
}

static int make_room(struct slot *slot, size_t cap)
{
    char *data = weft__realloc(slot->data, cap + 1);
    if (data == NULL)
        return -ENOMEM;
    if (slot->data == NULL)
        memcpy(data, slot->guess, slot->len);
    slot->data = data;
    slot->cap = cap;
    return 0;
}

/*
 * What is no regular file, or says that it is empty as those of /proc do, is not touched here:
 * a piece taken from a pipe would be missing there.
 */
static int look(struct slot *slot)
{
    int err = weft__fault_syscall("stat");
    if (err < 0)
        return err == -EINTR ? -EAGAIN : err;
    /* Cheaper than fstat: pipes and terminals have no end to seek, files of /proc none or 0,
     * folders one far away. */
    int64_t size = lseek(slot->fd, 0, SEEK_END);
    if (size <= 0 || size > WEFT__LIMIT_FILE_STREAM)
        return -EAGAIN;
    slot->size = (size_t)size;
    return slot->size < slot->cap ? 0 : make_room(slot, slot->size + 1);
}

/* The bytes become the item's. */
static int deliver(struct slot *slot)
{
    char *data = slot->data;
    if (data == NULL) {
        data = weft__alloc(slot->len + 1);
        if (data == NULL)
            return -ENOMEM;
        memcpy(data, slot->guess, slot->len);
    }
    data[slot->len] = '\0';
    slot->data = NULL;
    slot->item->data = data;
    slot->item->len = slot->len;
    return 0;
}

static void opened(struct slot *slot)
{
    int err = look(slot);
    if (err < 0)
        submit_close(slot, err);
    else
        submit_read(slot);
}

static void read_ended(struct slot *slot, int64_t n)
{
    int err = 0;
    if (n > 0)
        slot->len += (size_t)n;
    if (n <= 0 || (slot->len == slot->size && slot->len < slot->cap)) {
        submit_close(slot, n < 0 ? (int)n : slot->len == 0 ? -EAGAIN : 0);
        return;
    }
    if (slot->len == slot->cap)
        err = make_room(slot, slot->cap * 2);
    if (err < 0)
        submit_close(slot, err);
    else
        submit_read(slot);
}

static void slot_done(struct slot *slot, int err)
{
    struct many *many = slot->many;
    /* Not before the file is closed: what a done function frees at once is used again at once. */
    if (err == 0)
        err = deliver(slot);
    weft__free(slot->data);
    slot->data = NULL;
    many->n_active--;
    if (err == -ELOOP || err == -EAGAIN)
        settle_alone(many, slot->item);
    else
        settle(many, slot->item, err);
    begin(slot);
}

static void advance(struct slot *slot)
{
    int64_t n = slot->error < 0 ? slot->error : slot->op.result;
    switch (slot->stage) {
    case STAGE_OPEN:
        slot->fd = (int)n;
        if (n < 0)
            slot_done(slot, (int)n);
        else
            opened(slot);
        break;
    case STAGE_READ:
        read_ended(slot, n);
        break;
    default:
        slot_done(slot, slot->error);
        break;
    }
}

/* Nothing is undone: what is under way ends soon, and nothing else is begun. */
static void many_cancelled(struct weft__wait *wait, int code)
{
    struct many *many = WEFT__CONTAINER(wait, struct many, wait);
    (void)code;
    if (!many->parked)
        return;
    many->parked = false;
    weft__wake(many->self, -ECANCELED);
}

static void wait_for_some(struct many *many)
{
    many->wait.cancel = many->error < 0 ? NULL : many_cancelled;
    many->wait.what = "files";
    many->parked = true;
    int64_t woken = weft__park(many->self, &many->wait);
    if (woken < 0 && many->error == 0)
        many->error = (int)woken;
}

static void run_slots(struct many *many, size_t n_slots)
{
    for (size_t i = 0; i < n_slots; i++)
        begin(&many->slots[i]);
    while (many->n_active > 0) {
        struct slot *slot = many->ended;
        if (slot == NULL) {
            wait_for_some(many);
            continue;
        }
        many->ended = slot->next;
        advance(slot);
    }
}

static int run_ring(struct many *many, size_t n_slots)
{
    many->slots = weft__calloc(n_slots, sizeof *many->slots);
    char *guesses = weft__pages_alloc(n_slots * GUESS);
    if (many->slots == NULL || guesses == NULL) {
        weft__free(many->slots);
        if (guesses != NULL)
            weft__pages_free(guesses, n_slots * GUESS);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n_slots; i++) {
        many->slots[i].many = many;
        many->slots[i].guess = guesses + i * GUESS;
    }
    run_slots(many, n_slots);
    weft__pages_free(guesses, n_slots * GUESS);
    weft__free(many->slots);
    return 0;
}

/* ---- the calls ---- */

/* The ring pays for files on a disk, whose cached pages the kernel reads without its workers. */
static bool ring_pays(const struct many *many, int way)
{
    bool may = way == WEFT__FILE_NOWAIT || way == WEFT__FILE_RING || way == WEFT__FILE_PLAIN;
    if (many->writing || !may || many->n < 2 || weft__file_backend()[0] == 'i')
        return false;
    return many->self->loop->backend->kind != WEFT_BACKEND_VIRTUAL &&
           weft__file_has_ring(many->self) && weft__file_is_on_disk(many->items[0].path);
}

static void drop_data(struct many *many)
{
    for (size_t i = 0; !many->writing && i < many->n; i++) {
        weft__free(many->items[i].data);
        many->items[i].data = NULL;
        many->items[i].len = 0;
    }
}

static int many_end(struct many *many, int err)
{
    weft__free(many->settled);
    if (err == 0)
        err = many->error;
    if (err == 0)
        return many->n_errors < INT32_MAX ? (int)many->n_errors : INT32_MAX;
    drop_data(many);
    if (err == -ENOMEM)
        return weft__fail_nomem();
    if (err == -ECANCELED)
        return weft__cancel_error(many->self);
    if (many->failed_path != NULL)
        return weft__file_fail(err, many->writing ? "write" : "read", many->failed_path);
    return err;
}

static int many_run(struct many *many)
{
    size_t limit = many->options->limit != 0 ? many->options->limit : LIMIT_DEFAULT;
    limit = limit < LIMIT_MAX ? limit : LIMIT_MAX;
    for (size_t i = 0; i < many->n; i++) {
        if (many->items[i].path == NULL ||
            (many->writing && many->items[i].data == NULL && many->items[i].len > 0))
            return weft__fail(-EINVAL, "item %zu of many has no path or no data", i);
        many->items[i].error = -ECANCELED;
        if (!many->writing) {
            many->items[i].data = NULL;
            many->items[i].len = 0;
        }
    }
    int way = weft__file_begin(&many->self);
    if (way < 0)
        return way;
    if (many->options->ordered) {
        many->settled = weft__calloc(many->n, sizeof *many->settled);
        if (many->settled == NULL)
            return weft__fail_nomem();
    }
    int err = ring_pays(many, way) ? run_ring(many, limit < many->n ? limit : many->n)
                                   : run_chunks(many, way == WEFT__FILE_PLAIN);
    return many_end(many, err);
}

static int many_call(weft_file_item *items, size_t n, const weft_many_options *options,
                     bool writing)
{
    weft_many_options all = {.size = sizeof all};
    if (items == NULL && n > 0)
        return weft__fail(-EINVAL, "many files without items");
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    struct many many = {.options = &all, .items = items, .n = n, .writing = writing};
    return n == 0 ? 0 : many_run(&many);
}

int weft_read_many(weft_file_item *items, size_t n, const weft_many_options *options)
{
    return many_call(items, n, options, false);
}

int weft_write_many(weft_file_item *items, size_t n, const weft_many_options *options)
{
    return many_call(items, n, options, true);
}
