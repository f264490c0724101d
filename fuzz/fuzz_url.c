/*
 * fuzz_url.c - URLs: what parses prints as something that parses to the same again, alone and as
 * a reference; a form is read back as it was written.
 *
 * The bytes are two texts with a NUL between them: a base and a reference.
 */
#include <stdlib.h>
#include <string.h>

#include <weft/http.h>

#include "proto/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const weft_url *url)
{
    weft_url *again;
    if (weft_url_parse(weft_url_href(url), NULL, &again) < 0 ||
        strcmp(weft_url_href(again), weft_url_href(url)) != 0 ||
        strcmp(weft_url_target(again), weft_url_target(url)) != 0)
        abort();
    weft_url_free(again);
    const char *password = weft_url_password(url);
    if (strlen(password) > 8 && strchr(password, '[') == NULL &&
        strstr(weft_url_redacted(url), password) != NULL &&
        strstr(weft_url_path(url), password) == NULL &&
        strstr(weft_url_host(url), password) == NULL &&
        strstr(weft_url_username(url), password) == NULL && weft_url_query(url) == NULL &&
        weft_url_fragment(url) == NULL)
        abort();
}

static void check_form(const char *text, size_t len)
{
    weft_pair *pairs;
    weft_pair *again;
    char *encoded;
    size_t encoded_len;
    if (weft_form_decode(text, len, &pairs) < 0)
        return;
    if (weft_form_encode(pairs, &encoded, &encoded_len) < 0 ||
        weft_form_decode(encoded, encoded_len, &again) < 0)
        abort();
    for (size_t i = 0; pairs[i].name != NULL || again[i].name != NULL; i++) {
        if (strcmp(pairs[i].name, again[i].name) != 0 ||
            strcmp(pairs[i].value, again[i].value) != 0)
            abort();
    }
    weft_free(again);
    weft_free(encoded);
    weft_free(pairs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_url *base = NULL;
    weft_url *url;
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    const char *reference = strlen(text) < size ? text + strlen(text) + 1 : text;
    check_form(text, size);
    if (weft_url_parse(text, NULL, &base) == 0)
        check_same(base);
    if (weft_url_parse(reference, base, &url) == 0) {
        check_same(url);
        weft_url_free(url);
    }
    if (base != NULL && weft__url_append_path(base, reference, &url) == 0) {
        check_same(url);
        weft_url_free(url);
    }
    weft_url_free(base);
    free(text);
    return 0;
}
