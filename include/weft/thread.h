/*
 * weft/thread.h - blocking work on worker threads, and messages between loops.
 */
#ifndef WEFT_THREAD_H
#define WEFT_THREAD_H

#include <weft/run.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_loop weft_loop;

WEFT_API int weft_offload(weft_fn fn, void *arg);

WEFT_API weft_loop *weft_loop_ref_current(void);
WEFT_API void weft_loop_unref(weft_loop *loop);
WEFT_API int weft_loop_post(weft_loop *loop, void (*fn)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif
#endif
