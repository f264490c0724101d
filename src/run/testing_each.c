/* testing_each.c - for tests: one function under every fault of a kind, or under every seed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/testing.h>

#include "base/str.h"
#include "run/run_int.h"

enum kind { NO_FAULT, ALLOC_ONCE, ALLOC_ON, CANCEL, OPERATION, SEED };

static const char *const kind_texts[] = {
    [NO_FAULT] = "without a fault",
    [ALLOC_ONCE] = "with one failed allocation",
    [ALLOC_ON] = "with failed allocations from one on",
    [CANCEL] = "cancelled at a checkpoint",
    [OPERATION] = "with a fault of one operation",
    [SEED] = "with a seed",
};

struct each {
    weft_fn fn;
    void *arg;
    weft_testing_each_options options;
    weft_testing_fault fault;
    enum kind kind;  /* what is to be tried */
    enum kind tried; /* now: NO_FAULT while it is counted */
    uint64_t nth;
    uint64_t count; /* allocations, checkpoints or operations that there were */
    int result;
    int again; /* of the second run, without a fault */
    char message[WEFT__ERROR_TEXT_MAX];
};

/* ---- one run ---- */

static int run_cancelled(struct each *each)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(&scope, each->nth);
    int result = each->fn(each->arg);
    each->count = weft_testing_checkpoint_count();
    /* Counting ends. */
    weft__loop_current->cancel_at = 0;
    weft__loop_current->cancel_at_scope = NULL;
    weft_scope_exit(&scope, result);
    return result;
}

static int run_alloc(struct each *each)
{
    weft_testing_fail_alloc(each->tried == NO_FAULT ? 0 : each->nth, each->tried == ALLOC_ON);
    int result = each->fn(each->arg);
    each->count = weft_testing_alloc_count();
    weft_testing_fail_alloc(0, false);
    return result;
}

static int run_operation(struct each *each)
{
    int err = weft_testing_fail_op(NULL, each->nth, each->tried == NO_FAULT ? NULL : &each->fault);
    if (err < 0)
        return err;
    int result = each->fn(each->arg);
    each->count = weft_testing_op_count(NULL);
    weft_testing_fail_op(NULL, 0, NULL);
    return result;
}

static void keep_message(struct each *each, int result)
{
    /* Whoever returned a code of its own may have said nothing. */
    bool is_said = weft__context_get()->error_code != 0;
    if (result < 0)
        snprintf(each->message, sizeof each->message, "%s",
                 is_said ? weft_error_message() : weft_error_text(result));
}

static int run_twice(void *arg)
{
    struct each *each = arg;
    each->again = 0;
    switch (each->kind) {
    case CANCEL:
        each->result = run_cancelled(each);
        break;
    case OPERATION:
        each->result = run_operation(each);
        break;
    case SEED:
        each->result = each->fn(each->arg);
        break;
    default:
        each->result = run_alloc(each);
        break;
    }
    keep_message(each, each->result);
    if (each->kind != SEED) {
        each->again = each->fn(each->arg);
        keep_message(each, each->again);
    }
    return 0;
}

/* ---- what must hold ---- */

static int fail(const struct each *each, int code, const char *what, int64_t number)
{
    return weft__fail(code, "%s (number %llu): %s %lld %s: %s", kind_texts[each->tried],
                      (unsigned long long)each->nth, what, (long long)number,
                      number < 0 ? weft_error_name((int)number) : "", each->message);
}

/* Would a program notice the fault at all? */
static bool is_unnoticed(const struct each *each)
{
    return each->tried == NO_FAULT || each->tried == SEED ||
           (each->tried == OPERATION && (each->fault.error == 0 || each->fault.error == -EINTR));
}

static int check(const struct each *each, int64_t live)
{
    int expected = each->tried == CANCEL ? -ECANCELED : -ENOMEM;
    bool any = each->options.any_error || each->tried == OPERATION;
    if (each->result < 0 && is_unnoticed(each))
        return fail(each, each->result, "it should succeed, it returned", each->result);
    if (each->result < 0 && each->result != expected && !any)
        return fail(each, each->result, "it returned", each->result);
    if (each->again < 0)
        return fail(each, each->again, "run again without a fault it returned", each->again);
    if (live != 0)
        return fail(each, -ENOTEMPTY, "blocks of memory that are left:", live);
    return 0;
}

/* The message of the last failure is memory of the thread, not of the function. */
static int64_t count_live(void)
{
    weft__error_done(weft__context_get());
    return weft_testing_alloc_live();
}

static int run_plain(struct each *each)
{
    run_twice(each);
    size_t n = weft_task_count();
    if (n != 0)
        return fail(each, -ENOTEMPTY, "tasks that are left:", (int64_t)n);
    weft__loop_free(weft__loop_current);
    return 0;
}

static int run_one(struct each *each)
{
    if (getenv("WEFT_FAULT_VERBOSE") != NULL)
        fprintf(stderr, "%s: number %llu\n", kind_texts[each->tried],
                (unsigned long long)each->nth);
    int64_t live = count_live();
    each->message[0] = '\0';
    int err = 0;
    if (each->options.plain)
        err = run_plain(each);
    else
        err = weft_run_with(
            run_twice, each,
            WEFT_RUN(.backend = each->options.backend, .seed = each->kind == SEED ? each->nth : 0));
    if (err < 0)
        return weft__fail_prefix(err, "%s (number %llu)", kind_texts[each->tried],
                                 (unsigned long long)each->nth);
    return check(each, count_live() - live);
}

/* ---- all runs ---- */

static int begin(struct each *each, weft_fn fn, void *arg, const weft_testing_each_options *options)
{
    if (weft__loop_current != NULL &&
        (weft__loop_current->in_run || weft__context != &weft__loop_current->native.context))
        return weft__fail_code(WEFT_ENESTED);
    *each = (struct each){.fn = fn, .arg = arg};
    if (options != NULL)
        memcpy(&each->options, options,
               options->size < sizeof each->options ? options->size : sizeof each->options);
    return 0;
}

/* One run counts; then the nth is faulted until a run has fewer than n. */
static int run_kind(struct each *each, enum kind kind)
{
    uint64_t most = each->options.max_cases != 0 ? each->options.max_cases : 1000;
    each->kind = kind;
    each->tried = NO_FAULT;
    each->nth = UINT64_MAX;
    int err = run_one(each);
    if (err < 0)
        return err;
    uint64_t step = each->count / most + 1;
    each->tried = kind;
    each->nth = 1;
    for (;;) {
        err = run_one(each);
        if (err < 0 || each->count < each->nth)
            return err;
        each->nth += step;
    }
}

int weft_testing_each_alloc(weft_fn fn, void *arg, const weft_testing_each_options *options)
{
    struct each each;
    int err = begin(&each, fn, arg, options);
    if (err == 0)
        err = run_kind(&each, ALLOC_ONCE);
    return err == 0 ? run_kind(&each, ALLOC_ON) : err;
}

int weft_testing_each_checkpoint(weft_fn fn, void *arg, const weft_testing_each_options *options)
{
    struct each each;
    int err = begin(&each, fn, arg, options);
    return err == 0 ? run_kind(&each, CANCEL) : err;
}

int weft_testing_each_op(weft_fn fn, void *arg, const weft_testing_fault *fault,
                         const weft_testing_each_options *options)
{
    struct each each;
    int err = begin(&each, fn, arg, options);
    if (err < 0)
        return err;
    if (fault == NULL)
        return weft__fail(-EINVAL, "no fault was given");
    memcpy(&each.fault, fault, fault->size < sizeof each.fault ? fault->size : sizeof each.fault);
    each.fault.size = sizeof each.fault;
    return run_kind(&each, OPERATION);
}

int weft_testing_each_seed(uint64_t n, weft_fn fn, void *arg,
                           const weft_testing_each_options *options)
{
    struct each each;
    const char *only = getenv("WEFT_SEED");
    uint64_t first = 1;
    int err = begin(&each, fn, arg, options);
    if (err < 0)
        return err;
    if (only != NULL && only[0] != '\0') {
        if (weft__parse_u64(only, strlen(only), &first) < 0 || first == 0)
            return weft__fail(-EINVAL, "WEFT_SEED is '%.32s'; it can be a number from 1 on", only);
        n = first;
    }
    each.kind = SEED;
    each.tried = SEED;
    if (each.options.backend == WEFT_BACKEND_DEFAULT)
        each.options.backend = WEFT_BACKEND_VIRTUAL;
    each.options.plain = false;
    for (each.nth = first; err == 0 && each.nth <= n; each.nth++)
        err = run_one(&each);
    if (err < 0)
        return weft__fail_prefix(err, "WEFT_SEED=%llu repeats this",
                                 (unsigned long long)each.nth - 1);
    return 0;
}

uint64_t weft_testing_seed(void)
{
    return weft__loop_current != NULL ? weft__loop_current->seed : 0;
}
