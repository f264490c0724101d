/* thread_int.h - blocking work for modules: each class has its own threads. */
#ifndef WEFT_THREAD_THREAD_INT_H
#define WEFT_THREAD_THREAD_INT_H

#include <stdatomic.h>

#include <weft/thread.h>

/* A class that is busy or stuck never keeps another one waiting. */
enum weft__offload_class { WEFT__OFFLOAD_USER, WEFT__OFFLOAD_FILES, WEFT__OFFLOAD_DNS };

/*
 * Runs fn(arg) on a worker thread and waits for its end.  Cancelled while the job is queued,
 * it returns -ECANCELED and fn never runs; once it runs, the call returns only when fn has,
 * with its result.  The message that fn set comes along.
 */
int weft__offload(enum weft__offload_class class, weft_fn fn, void *arg);

/*
 * The same, but cancelled while the job runs, it sets *stop, which fn looks at now and then.
 */
int weft__offload_stoppable(enum weft__offload_class class, weft_fn fn, void *arg,
                            atomic_bool *stop);

/*
 * As weft__offload, but a cancelled call returns -ECANCELED at once.  Then, and only then, arg belongs
 * to the job: release(arg) is called when it has ended, maybe on the worker.  *ret_abandoned
 * tells whether that happened.
 */
int weft__offload_abandon(enum weft__offload_class class, weft_fn fn, void *arg,
                          void (*release)(void *arg), bool *ret_abandoned);

#endif
