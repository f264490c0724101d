/* date.h - HTTP dates (RFC 9110 5.6.7), without the C library's locale and time zone. */
#ifndef WEFT_PROTO_DATE_H
#define WEFT_PROTO_DATE_H

#include <stddef.h>
#include <stdint.h>

enum { WEFT__DATE_LEN = 29 };

/* Writes "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL. unix_seconds: 0 to the end of year 9999. */
void weft__date_format(int64_t unix_seconds, char date[WEFT__DATE_LEN + 1]);
/*
 * Reads all three forms: IMF-fixdate, RFC 850's with its two-digit year, asctime's. now (Unix
 * seconds) decides the century of two digits: never more than 50 years ahead.  0, or -1.
 */
int weft__date_parse(const char *text, size_t len, int64_t now, int64_t *ret);
/* Of year, month, day, hour, minute, second: 0, or -1 if there is no such time. */
int weft__date_seconds(const int date[6], int64_t *ret);

#endif
