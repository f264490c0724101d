/* method.h - what a request method promises (RFC 9110 9.2, RFC 10008 for QUERY). */
#ifndef WEFT_PROTO_METHOD_H
#define WEFT_PROTO_METHOD_H

#include <stdbool.h>

/* Asks for nothing but reading. Unknown methods promise nothing; methods are case-sensitive. */
bool weft__method_is_safe(const char *method);
/* Sending it twice has the effect of sending it once. */
bool weft__method_is_idempotent(const char *method);

#endif
