/* post.c - calling a function on another thread's loop. */
#include <errno.h>

#include "base/alloc.h"
#include "thread/thread_int.h"

struct weft__inbox *weft__inbox_of(weft_loop *loop)
{
    return (struct weft__inbox *)(void *)loop;
}

weft_loop *weft_loop_ref_current(void)
{
    struct weft__loop *loop = weft__loop_get();
    if (loop == NULL)
        return NULL;
    weft__inbox_ref(loop->inbox);
    return (weft_loop *)(void *)loop->inbox;
}

void weft_loop_unref(weft_loop *loop)
{
    if (loop != NULL)
        weft__inbox_unref(weft__inbox_of(loop));
}

struct posted {
    struct weft__post post;
    void (*fn)(void *arg);
    void *arg;
};

static void run_posted(struct weft__post *post)
{
    struct posted *posted = WEFT__CONTAINER(post, struct posted, post);
    void (*fn)(void *) = posted->fn;
    void *arg = posted->arg;
    weft__free(posted);
    fn(arg);
}

int weft_loop_post(weft_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct posted *posted = weft__alloc(sizeof *posted);
    if (posted == NULL)
        return weft__fail_nomem();
    *posted = (struct posted){.post = {.fn = run_posted}, .fn = fn, .arg = arg};
    if (weft__inbox_post(weft__inbox_of(loop), &posted->post) < 0) {
        weft__free(posted);
        return weft__fail(WEFT_ECLOSED, "the loop that the message is for has ended");
    }
    return 0;
}
