/*
 * weft/scope.h - deadlines, cancellation, shields.
 * Part of weft/run.h, which includes it.
 */
#ifndef WEFT_SCOPE_H
#define WEFT_SCOPE_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * ---- scopes ----
 *
 *     weft_scope scope;
 *     weft_scope_enter(&scope, WEFT_SEC(5));
 *     err = download(url);
 *     err = weft_scope_exit(&scope, err);     -ETIMEDOUT after 5 s
 *
 * A scope has a deadline, can be cancelled, and ends both where it is left.  Scopes nest; each
 * one entered is left by the same task, in the reverse order, before its function returns.
 */

/* On the caller's stack; the content is private. */
typedef struct weft_scope {
    void *opaque[16];
} weft_scope;

/**
 * weft_scope_enter() - from here on calls are cancelled together, at the latest after a time
 * @scope:   keeps until weft_scope_exit().
 * @timeout: ns from now; WEFT_FOREVER: none; 0 or less: over already.
 *
 * Suspends: never.
 * Source:   asyncio.timeout, trio.CancelScope.
 * Since:    0.1
 */
WEFT_API void weft_scope_enter(weft_scope *scope, int64_t timeout);
/**
 * weft_scope_enter_at() - weft_scope_enter() with a moment instead of a time
 * @scope: keeps until weft_scope_exit().
 * @when:  of weft_now(); WEFT_FOREVER: none.
 *
 * Suspends: never.
 * Source:   asyncio.timeout_at, trio.move_on_at.
 * Since:    0.1
 */
WEFT_API void weft_scope_enter_at(weft_scope *scope, int64_t when);
/**
 * weft_scope_enter_shield() - a scope that a cancellation outside does not reach into
 * @scope:   keeps until weft_scope_exit().
 * @timeout: ns from now; a shield without a deadline does not exist: WEFT_FOREVER is 60 s.
 *
 * For cleanup that must block: saying goodbye to a server whose task is being cancelled.
 *
 * Suspends: never.
 * Source:   trio.CancelScope(shield=True), asyncio.shield.
 * Since:    0.1
 */
WEFT_API void weft_scope_enter_shield(weft_scope *scope, int64_t timeout);
/**
 * weft_scope_exit() - leave a scope, and translate its cancellation
 * @scope: borrows. The one entered last by this task.
 * @err:   the result of what was done inside.
 *
 * A group inside that was not waited for is cancelled and joined.
 *
 * Suspends: maybe, only for such a group.
 * Cancel:   the children are joined all the same.
 * Return:   err, unless it is -ECANCELED because of this scope: then -ETIMEDOUT if its deadline
 *           passed, 0 if it was cancelled by weft_scope_cancel().  Where a scope outside is
 *           cancelled too, -ECANCELED stays.
 * Errors:   -ETIMEDOUT; WEFT_EMISNESTED a scope or group inside was not left before, or the scope
 *           is not this task's, was left already, or was entered twice.
 * Source:   asyncio.timeout's exit.
 * Since:    0.1
 */
WEFT_API int weft_scope_exit(weft_scope *scope, int err);
/**
 * weft_scope_cancel() - cancel what happens inside a scope
 * @scope:  borrows. Entered by any task of this loop, and not left yet.
 * @reason: keeps until the scope is left, NULL for none. Ends up in the message of calls that
 *          are cancelled by it.
 *
 * Every blocking call inside, of this task and of the children of groups inside, returns
 * -ECANCELED from now on until the scope is left.  A call that has succeeded already says so.
 * The first reason stands.  The message names the task that cancels, if it is another one.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL the scope was left, or belongs to another thread.
 * Source:   asyncio.Task.cancel, trio.CancelScope.cancel.
 * Since:    0.1
 */
WEFT_API int weft_scope_cancel(weft_scope *scope, const char *reason);
/**
 * weft_scope_set_timeout() - move a scope's deadline
 * @scope:   borrows. Entered and not left.
 * @timeout: ns from now; WEFT_FOREVER: none, or 60 s of a shield; 0 or less: cancels now.
 *
 * Changes nothing once the scope is cancelled.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL the scope was left, or belongs to another thread.
 * Source:   asyncio.Timeout.reschedule.
 * Since:    0.1
 */
WEFT_API int weft_scope_set_timeout(weft_scope *scope, int64_t timeout);
/**
 * weft_scope_is_cancelled() - was this scope cancelled, by its deadline or by a call?
 * @scope: borrows.
 *
 * Suspends: never.
 * Return:   false where only a scope around it is.
 * Source:   trio.CancelScope.cancel_called.
 * Since:    0.1
 */
WEFT_API bool weft_scope_is_cancelled(const weft_scope *scope);
/**
 * weft_scope_is_expired() - was this scope cancelled by its deadline?
 * @scope: borrows. May have been left.
 *
 * Suspends: never.
 * Return:   false where it was cancelled by a call before.
 * Source:   asyncio.Timeout.expired.
 * Since:    0.1
 */
WEFT_API bool weft_scope_is_expired(const weft_scope *scope);
/**
 * weft_scope_deadline() - when this scope ends
 * @scope: borrows. Entered and not left.
 *
 * Suspends: never.
 * Return:   a moment of weft_now(); WEFT_FOREVER without a deadline.
 * Source:   asyncio.Timeout.when.
 * Since:    0.1
 */
WEFT_API int64_t weft_scope_deadline(const weft_scope *scope);
/**
 * weft_scope_done() - leave a scope if it was entered and not left
 * @scope: borrows. Zeroed or entered.
 *
 * What WEFT_AUTO_SCOPE calls at the end of its block; keeps the present error message.
 *
 * Suspends: maybe, for a group inside that was not waited for.
 * Cancel:   the children are joined all the same.
 * Since:    0.1
 */
WEFT_API void weft_scope_done(weft_scope *scope);
#if defined(__GNUC__)
/* WEFT_AUTO_SCOPE(scope); is left at the latest at the end of the block it stands in. */
#define WEFT_AUTO_SCOPE(name) __attribute__((cleanup(weft_scope_done))) weft_scope name = {{0}}
#endif

/**
 * weft_deadline() - the nearest deadline around the caller
 *
 * Suspends: never.
 * Return:   a moment of weft_now(); WEFT_FOREVER without a deadline, INT64_MIN if cancelled.
 * Source:   trio.current_effective_deadline.
 * Since:    0.1
 */
WEFT_API int64_t weft_deadline(void);
/**
 * weft_remaining() - the time until the nearest deadline around the caller
 *
 * Suspends: never.
 * Return:   ns; 0 if cancelled; WEFT_FOREVER without a deadline.  A shield hides what is outside.
 * Source:   trio.current_effective_deadline, less the present.
 * Since:    0.1
 */
WEFT_API int64_t weft_remaining(void);

#ifdef __cplusplus
}
#endif
#endif
