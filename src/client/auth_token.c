/*
 * auth_token.c - a token that is fetched by a function of the caller's, once for all who need it.
 *
 * The turn to fetch is an item in a shared channel: who has it fetches, the others wait for it, on
 * whatever loop or thread, and look again.  A fetch that failed while they waited has failed for
 * them too; one that was cancelled has not happened.
 */
#include <errno.h>
#include <string.h>

#include <weft/channel.h>

#include "base/alloc.h"
#include "client/auth_int.h"

#define EARLY WEFT_SEC(10)

struct weft_token {
    char *value; /* of the field; NULL: none was set */
    int64_t lifetime;
};

struct token {
    weft_auth auth;
    weft_auth_token_options options;
    weft_sender *give_turn;
    weft_receiver *take_turn;
    pthread_mutex_t lock; /* what follows */
    char *value;          /* NULL: there is none, or it is not to be used any more */
    int64_t renew_at;     /* on the monotonic clock */
    uint64_t number;      /* of the token */
    uint64_t failures;
    int error; /* of the last failure */
    char message[WEFT__ERROR_TEXT_MAX];
};

int weft_token_set(weft_token *token, const char *text, int64_t lifetime)
{
    weft_headers headers;
    if (text == NULL || text[0] == '\0')
        return weft__fail(-EINVAL, "a token without a text");
    if (lifetime <= 0)
        return weft__fail(-EINVAL, "a token that has ended already");
    char *value = weft__asprintf("Bearer %s", text);
    if (value == NULL)
        return weft__fail_nomem();
    weft__headers_init(&headers);
    int err = weft_headers_set(&headers, "Authorization", value);
    weft__headers_done(&headers);
    if (err < 0) {
        weft__free(value);
        return err;
    }
    weft__free(token->value);
    token->value = value;
    token->lifetime = lifetime;
    return 0;
}

/* ---- one fetches ---- */

static void keep(struct token *token, struct weft_token *fetched)
{
    int64_t early = token->options.early;
    if (early > fetched->lifetime / 2)
        early = fetched->lifetime / 2;
    pthread_mutex_lock(&token->lock);
    weft__free(token->value);
    token->value = fetched->value;
    token->renew_at = WEFT_FOREVER;
    if (fetched->lifetime < WEFT_FOREVER - weft_now())
        token->renew_at = weft_now() + fetched->lifetime - early;
    token->number++;
    pthread_mutex_unlock(&token->lock);
}

static void keep_failure(struct token *token, int err)
{
    const char *message = weft_error_message();
    size_t len = strnlen(message, sizeof token->message - 1);
    pthread_mutex_lock(&token->lock);
    token->failures++;
    token->error = err;
    memcpy(token->message, message, len);
    token->message[len] = '\0';
    pthread_mutex_unlock(&token->lock);
}

static int fetch(struct token *token)
{
    struct weft_token fetched = {0};
    int err = token->options.fetch(token->options.userdata, &fetched);
    if (err >= 0 && fetched.value == NULL)
        err = weft__fail(-EINVAL, "the function that fetches a token has set none");
    if (err >= 0) {
        keep(token, &fetched);
        return 0;
    }
    weft__free(fetched.value);
    if (weft__context_get()->error_code != err)
        weft__fail_code(err);
    if (err == -ECANCELED)
        return err;
    weft__fail_prefix(err, "no token");
    keep_failure(token, err);
    return err;
}

/* ---- for calls ---- */

/* 1: the field is set; 0: there is no token. */
static int use(struct token *token, struct weft__call *call)
{
    pthread_mutex_lock(&token->lock);
    int result = token->value != NULL && weft_now() < token->renew_at;
    if (result > 0) {
        call->auth_number = token->number;
        int err = weft__auth_set(call, token->value);
        result = err < 0 ? err : 1;
    }
    pthread_mutex_unlock(&token->lock);
    return result;
}

static uint64_t count_failures(struct token *token)
{
    pthread_mutex_lock(&token->lock);
    uint64_t failures = token->failures;
    pthread_mutex_unlock(&token->lock);
    return failures;
}

/* With the turn. */
static int use_or_fetch(struct token *token, struct weft__call *call, uint64_t failures)
{
    int result = use(token, call);
    if (result != 0)
        return result;
    if (count_failures(token) != failures)
        return weft__fail(token->error, "%s", token->message);
    result = fetch(token);
    return result < 0 ? result : use(token, call);
}

static int token_before(weft_auth *auth, struct weft__call *call)
{
    struct token *token = (struct token *)auth;
    char turn;
    weft__headers_reset(&call->auth_fields);
    uint64_t failures = count_failures(token);
    int result = use(token, call);
    if (result != 0)
        return result < 0 ? result : 0;
    result = weft_receiver_receive(token->take_turn, &turn);
    if (result < 0)
        return result;
    result = use_or_fetch(token, call, failures);
    weft_sender_try_send(token->give_turn, &turn);
    return result < 0 ? result : 0;
}

/* The token that was used is of no use, unless another has come since. */
static int token_after(weft_auth *auth, struct weft__call *call, weft_response *response)
{
    struct token *token = (struct token *)auth;
    (void)response;
    if (call->auth_turn > 0)
        return 0;
    pthread_mutex_lock(&token->lock);
    if (token->number == call->auth_number) {
        weft__free(token->value);
        token->value = NULL;
    }
    pthread_mutex_unlock(&token->lock);
    return 1;
}

static void token_done(weft_auth *auth)
{
    struct token *token = (struct token *)auth;
    weft_sender_free(token->give_turn);
    weft_receiver_free(token->take_turn);
    weft__free(token->value);
    pthread_mutex_destroy(&token->lock);
    if (token->options.drop != NULL)
        token->options.drop(token->options.userdata);
}

static const struct weft__auth_kind token_kind = {
    .before = token_before,
    .after = token_after,
    .done = token_done,
};

int weft_auth_token(const weft_auth_token_options *options, weft_auth **ret)
{
    weft_auth_token_options all = {0};
    char turn = 0;
    if (options != NULL)
        memcpy(&all, options,
               options->size > 0 && options->size < sizeof all ? options->size : sizeof all);
    if (all.fetch == NULL || all.early < 0)
        return weft__fail(-EINVAL,
                          "a token needs a function that fetches it, and no negative time");
    if (all.early == 0)
        all.early = EARLY;
    struct token *token = weft__calloc(1, sizeof *token);
    if (token == NULL)
        return weft__fail_nomem();
    weft__auth_init(&token->auth, &token_kind);
    pthread_mutex_init(&token->lock, NULL);
    int err = weft_channel_new(1, WEFT_CHANNEL(.capacity = 1, .shared = true), &token->give_turn,
                               &token->take_turn);
    if (err == 0)
        err = weft_sender_try_send(token->give_turn, &turn);
    if (err < 0) {
        weft_auth_free(&token->auth);
        return err;
    }
    token->options = all;
    *ret = &token->auth;
    return 0;
}
