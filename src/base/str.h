/* str.h - ASCII text helpers that do not look at the locale. */
#ifndef WEFT_BASE_STR_H
#define WEFT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEFT__U64_DIGITS = 20 };

static inline char weft__ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool weft__is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 0..15, or -1. */
int weft__hex_value(char c);
/* Case-insensitive, both with their length. */
bool weft__ieq_n(const char *a, size_t a_len, const char *b, size_t b_len);
bool weft__ieq(const char *a, const char *b);
/* Digits only, nothing else, no overflow: 0, else -1. */
int weft__parse_u64(const char *text, size_t len, uint64_t *ret);
/* Writes at most WEFT__U64_DIGITS digits, no NUL; returns how many. */
size_t weft__format_u64(uint64_t number, char *digits);
/* Without blanks and tabs at both ends. */
const char *weft__trim(const char *text, size_t *len);

#endif
