/*
 * next.c - how children ended, one after the other; and tasks that say when they are ready.
 *
 * A record is made when the child is spawned, so that its end cannot fail for want of memory.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "run/run_int.h"

static_assert(sizeof(((weft_outcome *)0)->message) == WEFT__LIMIT_OUTCOME_MESSAGE + 1 &&
                  sizeof(((weft_outcome *)0)->name) == WEFT__LIMIT_TASK_NAME + 1,
              "weft_outcome has the sizes of the table");

static void fill_message(weft_outcome *ret, const struct weft__context *context, int result)
{
    bool told = context->error_text != NULL && context->error_text[0] != '\0';
    ret->message[0] = '\0';
    if (result < 0)
        snprintf(ret->message, sizeof ret->message, "%s",
                 told ? context->error_text : weft_error_text(result));
}

void weft__outcome_fill(weft_outcome *ret, const struct weft_task *task, int result)
{
    *ret = (weft_outcome){.id = task->id, .fn = task->fn, .arg = task->arg, .result = result};
    memcpy(ret->name, task->name, sizeof ret->name);
    fill_message(ret, &task->context, result);
}

/* ---- records ---- */

struct weft__record *weft__record_new(void)
{
    struct weft__record *record = weft__calloc(1, sizeof *record);
    if (record == NULL)
        weft__fail_nomem();
    return record;
}

void weft__record_free(struct weft__record *record)
{
    if (record == NULL)
        return;
    weft__error_done(&record->error);
    weft__free(record);
}

/* The message is kept twice where it becomes the group's as well. */
static void copy_error(struct weft__context *to, const struct weft__context *from)
{
    to->error_code = from->error_code;
    if (from->error_text != NULL && (to->error_text = weft__alloc(WEFT__ERROR_TEXT_MAX)) != NULL)
        memcpy(to->error_text, from->error_text, WEFT__ERROR_TEXT_MAX);
}

void weft__record_keep(struct weft__group *group, struct weft_task *task, int result)
{
    struct weft__record *record = task->record;
    record->fn = task->fn;
    record->arg = task->arg;
    record->id = task->id;
    record->result = result;
    memcpy(record->name, task->name, sizeof record->name);
    if (result < 0)
        copy_error(&record->error, &task->context);
    weft__list_push_back(&group->done, &record->node);
}

void weft__records_done(struct weft__group *group)
{
    struct weft__list *node;
    while ((node = weft__list_pop_front(&group->done)) != NULL)
        weft__record_free(WEFT__CONTAINER(node, struct weft__record, node));
}

static bool take(struct weft__group *group, weft_outcome *ret)
{
    struct weft__list *node = weft__list_pop_front(&group->done);
    if (node == NULL)
        return false;
    struct weft__record *record = WEFT__CONTAINER(node, struct weft__record, node);
    *ret = (weft_outcome){
        .id = record->id, .fn = record->fn, .arg = record->arg, .result = record->result};
    memcpy(ret->name, record->name, sizeof ret->name);
    fill_message(ret, &record->error, record->result);
    weft__record_free(record);
    return true;
}

/* ---- next ---- */

static void next_cancelled(struct weft__wait *wait, int code)
{
    struct weft__group *group = WEFT__CONTAINER(wait, struct weft__group, wait);
    group->waiting = WAIT_NONE;
    weft__wake(wait->task, code);
}

static int check_next(const struct weft__group *group, const struct weft_task *self)
{
    if (self == NULL)
        return weft__context_get()->error_code;
    if (group->scope.task == NULL || group->ended)
        return weft__fail(-EINVAL, "the next of a group that has ended");
    if (group->scope.task != self)
        return weft__fail(WEFT_EMISNESTED, "the next of a group is asked for by another task");
    if (!group->outcomes)
        return weft__fail(-EINVAL, "the group '%s' was made without .outcomes", group->name);
    return 0;
}

int weft_group_next(weft_group *public_group, weft_outcome *ret)
{
    struct weft__group *group = weft__group_of(public_group);
    struct weft_task *self = weft__self();
    int err = check_next(group, self);
    if (err == 0)
        err = weft__checkpoint(self);
    if (err < 0)
        return err;
    if (take(group, ret)) {
        if (--self->loop->budget <= 0)
            weft__yield(self);
        return 1;
    }
    while (group->n_children > 0) {
        group->waiting = WAIT_NEXT;
        group->wait.what = "the next child";
        group->wait.cancel = next_cancelled;
        err = (int)weft__park(self, &group->wait);
        /* One that came before the cancellation is there. */
        if (take(group, ret))
            return 1;
        if (err < 0)
            return err == -ECANCELED ? weft__cancel_error(self) : err;
    }
    return 0;
}

/* ---- start ---- */

static int start_child(struct weft__start *start, weft_fn fn, void *arg,
                       const weft_spawn_options *options)
{
    weft_group own;
    int err = weft_group_init(&own, WEFT_GROUP(.name = "start"));
    if (err < 0)
        return err;
    err = weft__group_spawn(weft__group_of(&own), fn, arg, options, start);
    if (err < 0)
        return weft__group_give_up(&own, err);
    return weft_group_wait(&own);
}

int weft_group_start(weft_group *public_group, weft_fn fn, void *arg,
                     const weft_spawn_options *options, void **ret)
{
    struct weft__start start = {.target = weft__group_of(public_group)};
    struct weft_task *self = weft__self();
    int err = weft__group_may_spawn(start.target, self, fn);
    if (err == 0)
        err = weft__checkpoint(self);
    if (err < 0)
        return err;
    if (start.target->outcomes && (start.record = weft__record_new()) == NULL)
        return self->context.error_code;
    /* Whoever waits for the group waits for this too. */
    start.target->n_children++;
    err = start_child(&start, fn, arg, options);
    if (start.started) {
        if (ret != NULL)
            *ret = start.value;
        return 0;
    }
    weft__record_free(start.record);
    weft__group_child_left(start.target);
    return err < 0 ? err : weft__fail_code(WEFT_ENOT_STARTED);
}

/* The children of tasks that are ready are cancelled with the group that they are ready for. */
static void move_to(struct weft_task *task, struct weft__start *start)
{
    struct weft__group *own = task->group;
    struct weft__group *target = start->target;
    weft__list_remove(&task->sibling);
    weft__list_push_back(&target->children, &task->sibling);
    task->group = target;
    if (task->outermost != NULL)
        task->outermost->parent = &target->scope;
    else
        task->scope = &target->scope;
    task->record = start->record;
    task->start = NULL;
    weft__group_child_left(own);
    weft__task_moved(task);
}

int weft_task_started(void *value)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    struct weft__start *start = self->start;
    if (self == &self->loop->native || start == NULL)
        return weft__fail(-EINVAL, "nobody waits for task '%s' to be ready", weft_task_name(self));
    if (weft__scope_is_effective(self->loop, &self->group->scope))
        return weft__fail(-ECANCELED, "cancelled: nobody waits for the task to be ready any more");
    start->value = value;
    start->started = true;
    move_to(self, start);
    return 0;
}
