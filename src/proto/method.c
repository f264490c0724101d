#include <stddef.h>
#include <string.h>

#include "proto/method.h"

static bool is_one_of(const char *method, const char *const *methods)
{
    while (*methods != NULL && strcmp(method, *methods) != 0)
        methods++;
    return *methods != NULL;
}

bool weft__method_is_safe(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "QUERY", NULL};
    return is_one_of(method, methods);
}

bool weft__method_is_idempotent(const char *method)
{
    static const char *const methods[] = {"PUT", "DELETE", NULL};
    return weft__method_is_safe(method) || is_one_of(method, methods);
}
