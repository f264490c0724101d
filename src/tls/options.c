/*
 * options.c - a copy of settings, for who makes TLS of them later.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "tls/tls_int.h"

static int copy(const char **text)
{
    if (*text == NULL)
        return 0;
    *text = weft__strdup(*text);
    return *text != NULL ? 0 : weft__fail_nomem();
}

/* One block: the list, and the texts behind it. */
static int copy_list(const char *const **list)
{
    size_t n = 0;
    size_t bytes = 0;
    if (*list == NULL)
        return 0;
    for (; (*list)[n] != NULL; n++)
        bytes += strlen((*list)[n]) + 1;
    const char **all = weft__calloc(1, (n + 1) * sizeof *all + bytes);
    if (all == NULL) {
        *list = NULL;
        return weft__fail_nomem();
    }
    char *text = (char *)(all + n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen((*list)[i]) + 1;
        all[i] = memcpy(text, (*list)[i], len);
        text += len;
    }
    *list = all;
    return 0;
}

int weft__tls_options_copy(const weft_tls_options *options, weft_tls_options **ret)
{
    weft_tls_options *all = weft__alloc(sizeof *all);
    if (all == NULL)
        return weft__fail_nomem();
    *all = *options;
    const char **texts[] = {&all->ca_file,      &all->ca_dir,   &all->cert_file,  &all->key_file,
                            &all->key_password, &all->crl_file, &all->keylog_file};
    int err = 0;
    /* After a failure the rest is forgotten: it is the caller's. */
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (err < 0)
            *texts[i] = NULL;
        else
            err = copy(texts[i]);
    }
    if (err < 0)
        all->alpn = NULL;
    else
        err = copy_list(&all->alpn);
    if (err < 0)
        all->pins = NULL;
    else
        err = copy_list(&all->pins);
    if (err < 0) {
        weft__tls_options_free(all);
        return err;
    }
    *ret = all;
    return 0;
}

void weft__tls_options_free(weft_tls_options *options)
{
    if (options == NULL)
        return;
    const void *parts[] = {options->ca_file,  options->ca_dir,   options->cert_file,
                           options->key_file, options->crl_file, options->keylog_file,
                           options->alpn,     options->pins};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        weft__free((void *)(uintptr_t)parts[i]);
    char *password = (char *)(uintptr_t)options->key_password;
    if (password != NULL)
        OPENSSL_cleanse(password, strlen(password));
    weft__free(password);
    weft__free(options);
}
