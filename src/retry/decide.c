/*
 * decide.c - trees of conditions: is a result worth another attempt, and is it enough?
 */
#include <string.h>

#include <weft/error.h>
#include <weft/retry.h>

static bool is_listed(const int *codes, int code)
{
    for (; codes != NULL && *codes != 0; codes++) {
        if (*codes == code)
            return true;
    }
    return false;
}

static bool any_matches(const weft_when *when, const weft_attempt *attempt, bool wanted)
{
    for (size_t i = 0; i < when->n_parts; i++) {
        if (weft_when_matches(&when->parts[i], attempt) == wanted)
            return true;
    }
    return false;
}

bool weft_when_matches(const weft_when *when, const weft_attempt *attempt)
{
    int result = attempt->result;
    switch (when != NULL ? when->kind : WEFT_WHEN_DEFAULT) {
    case WEFT_WHEN_DEFAULT:
        return weft_error_is_retryable(result);
    case WEFT_WHEN_ALWAYS:
        return true;
    case WEFT_WHEN_ERROR:
        return result < 0;
    case WEFT_WHEN_CODE:
        return is_listed(when->codes, result);
    case WEFT_WHEN_FAMILY:
        return result < 0 && (int)weft_error_get_family(result) == when->family;
    case WEFT_WHEN_MESSAGE:
        return result < 0 && when->text != NULL && strstr(weft_error_message(), when->text) != NULL;
    case WEFT_WHEN_RESULT:
        return result >= 0 && result >= when->low && result <= when->high;
    case WEFT_WHEN_CUSTOM:
        return when->fn != NULL && when->fn(attempt, when->userdata);
    case WEFT_WHEN_ANY:
        return any_matches(when, attempt, true);
    case WEFT_WHEN_ALL:
        return !any_matches(when, attempt, false);
    case WEFT_WHEN_NOT:
        return !any_matches(when, attempt, true);
    case WEFT_WHEN_NEVER:
        break;
    }
    return false;
}

static bool any_reached(const weft_stop *stop, const weft_attempt *attempt, bool wanted)
{
    for (size_t i = 0; i < stop->n_parts; i++) {
        if (weft_stop_reached(&stop->parts[i], attempt) == wanted)
            return true;
    }
    return false;
}

bool weft_stop_reached(const weft_stop *stop, const weft_attempt *attempt)
{
    switch (stop->kind) {
    case WEFT_STOP_ATTEMPTS:
        return attempt->number >= stop->attempts;
    case WEFT_STOP_AFTER:
        return attempt->elapsed >= stop->time;
    case WEFT_STOP_BEFORE:
        return attempt->wait >= stop->time || attempt->elapsed >= stop->time - attempt->wait;
    case WEFT_STOP_CUSTOM:
        return stop->fn != NULL && stop->fn(attempt, stop->userdata);
    case WEFT_STOP_ANY:
        return any_reached(stop, attempt, true);
    case WEFT_STOP_ALL:
        return stop->n_parts > 0 && !any_reached(stop, attempt, false);
    case WEFT_STOP_NEVER:
        break;
    }
    return false;
}
