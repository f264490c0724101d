/* error.c - codes, names, texts, and the message of the last failure. */
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"

static _Thread_local struct weft__context thread_context;
_Thread_local struct weft__context *weft__context;

static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;

static void thread_ended(void *context)
{
    weft__error_done(context);
}

static void make_key(void)
{
    pthread_key_create(&thread_key, thread_ended);
}

/* The message of a thread, as opposed to that of a task, is freed when the thread ends. */
static void free_at_end(struct weft__context *context)
{
    if (context != &thread_context)
        return;
    pthread_once(&thread_once, make_key);
    pthread_setspecific(thread_key, context);
}

struct weft__context *weft__context_get(void)
{
    if (weft__context == NULL)
        weft__context = &thread_context;
    return weft__context;
}

struct entry {
    int code;
    weft_error_family family;
    bool retryable;
    const char *name;
    const char *text;
};

static const struct entry entries[] = {
#define ENTRY(name, number, family, retryable, text)                                               \
    {-(number), WEFT_FAMILY_##family, retryable, "WEFT_" #name, text},
    WEFT_ERRORS(ENTRY)
#undef ENTRY
};

/* The code without its sign; INT_MIN has no counterpart and names nothing either way. */
static int number_of(int code)
{
    if (code == INT_MIN)
        return INT_MAX;
    return code < 0 ? -code : code;
}

static const struct entry *find(int code)
{
    code = -number_of(code);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        if (entries[i].code == code)
            return &entries[i];
    }
    return NULL;
}

const char *weft_error_name(int code)
{
    const struct entry *entry = find(code);
    if (entry != NULL)
        return entry->name;
    const char *name = strerrorname_np(number_of(code));
    return name != NULL ? name : "unknown";
}

const char *weft_error_text(int code)
{
    const struct entry *entry = find(code);
    if (entry != NULL)
        return entry->text;
    if (code == 0)
        return "success";
    if (code == -ECANCELED || code == ECANCELED)
        return "cancelled";
    const char *text = strerrordesc_np(number_of(code));
    return text != NULL ? text : "unknown error";
}

weft_error_family weft_error_get_family(int code)
{
    if (code >= 0)
        return WEFT_FAMILY_NONE;
    const struct entry *entry = find(code);
    return entry != NULL ? entry->family : WEFT_FAMILY_SYSTEM;
}

bool weft_error_is_retryable(int code)
{
    if (code >= 0)
        return false;
    const struct entry *entry = find(code);
    if (entry != NULL)
        return entry->retryable;
    switch (number_of(code)) {
    case EAGAIN:
    case EINTR:
    case EBUSY:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENETDOWN:
    case ENETUNREACH:
    case ENETRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return true;
    default:
        return false;
    }
}

const char *weft_error_message(void)
{
    const struct weft__context *context = weft__context_get();
    if (context->error_text != NULL && context->error_text[0] != '\0')
        return context->error_text;
    return context->error_code != 0 ? weft_error_text(context->error_code) : "no error";
}

/* NULL when there is no memory: the code's text then serves as the message. */
static char *text_of(struct weft__context *context, int code)
{
    context->error_code = code;
    if (context->error_text == NULL) {
        context->error_text = weft__alloc(WEFT__ERROR_TEXT_MAX);
        free_at_end(context);
    }
    if (context->error_text != NULL)
        context->error_text[0] = '\0';
    return context->error_text;
}

/* What is printed may be the present message, so it is done before that is touched. */
__attribute__((format(printf, 2, 0))) static int fail(int code, const char *format, va_list args)
{
    char text[WEFT__ERROR_TEXT_MAX];
    vsnprintf(text, sizeof text, format, args);
    char *to = text_of(weft__context_get(), code);
    if (to != NULL)
        memcpy(to, text, strlen(text) + 1);
    return code;
}

int weft__fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(code, format, args);
    va_end(args);
    return code;
}

int weft_error_set(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(code, format, args);
    va_end(args);
    return code;
}

int weft__fail_with(int code, const char *format, ...)
{
    char text[WEFT__ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *to = text_of(weft__context_get(), code);
    if (to != NULL)
        snprintf(to, WEFT__ERROR_TEXT_MAX, "%s: %s", text, weft_error_text(code));
    return code;
}

/* What a sentence begins with makes room for what went wrong; half of it stays in any case. */
static void shorten(char *text, size_t room)
{
    size_t least = WEFT__ERROR_TEXT_MAX / 2;
    size_t len = room > least ? room : least;
    if (strlen(text) > len)
        memcpy(text + len - 3, "...", sizeof "...");
}

int weft__fail_prefix(int code, const char *format, ...)
{
    char text[WEFT__ERROR_TEXT_MAX];
    char old[WEFT__ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(old, sizeof old, "%s", weft_error_message());
    shorten(text, WEFT__ERROR_TEXT_MAX - sizeof ": " - strlen(old));
    char *to = text_of(weft__context_get(), code);
    if (to == NULL)
        return code;
    int len = snprintf(to, WEFT__ERROR_TEXT_MAX, "%s: ", text);
    if (len >= 0 && len < WEFT__ERROR_TEXT_MAX)
        snprintf(to + len, (size_t)(WEFT__ERROR_TEXT_MAX - len), "%s", old);
    return code;
}

int weft__fail_code(int code)
{
    text_of(weft__context_get(), code);
    return code;
}

int weft__fail_nomem(void)
{
    struct weft__context *context = weft__context_get();
    context->error_code = -ENOMEM;
    if (context->error_text != NULL)
        context->error_text[0] = '\0';
    return -ENOMEM;
}

void weft__error_move(struct weft__context *to, struct weft__context *from)
{
    if (to == from)
        return;
    weft__free(to->error_text);
    *to = *from;
    free_at_end(to);
    from->error_text = NULL;
    from->error_code = 0;
}

void weft__error_done(struct weft__context *context)
{
    weft__free(context->error_text);
    context->error_text = NULL;
    context->error_code = 0;
}
