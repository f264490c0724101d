/* Challenges, Digest by the examples of its RFCs, netrc files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/testing.h>

#include "base/alloc.h"
#include "proto/auth.h"
#include "test.h"

/* "Scheme|realm|..." of each challenge, one after the other. */
static const char *challenges(const char *value)
{
    static char text[1000];
    struct weft__text rest = {value, strlen(value)};
    struct weft__challenge challenge;
    size_t at = 0;
    text[0] = '\0';
    while (weft__challenge_next(&rest, &challenge)) {
        struct weft__buf buf;
        weft__buf_init(&buf, 1000);
        int found = weft__challenge_param(&challenge, "REALM", &buf);
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s|%.*s|", (int)challenge.scheme.len,
                               challenge.scheme.data, (int)buf.len,
                               found > 0 && buf.len > 0 ? weft__buf_bytes(&buf)
                               : found > 0              ? ""
                                                        : "-");
        if (found == 0)
            at += (size_t)snprintf(text + at - 1, sizeof text - at, "-|") - 1;
        weft__buf_done(&buf);
    }
    return text;
}

TEST(challenges_are_told_apart)
{
    static const struct {
        const char *value;
        const char *expected;
    } rows[] = {
        {"", ""},
        {" , ,", ""},
        {"Basic realm=\"x\"", "Basic|x|"},
        {"Basic realm=x", "Basic|x|"},
        {"basic Realm = \"x y\"", "basic|x y|"},
        {"Basic", "Basic|-|"},
        {"Negotiate, Basic realm=\"a\"", "Negotiate|-|Basic|a|"},
        {"Negotiate YII=, Basic realm=\"a\"", "Negotiate|-|Basic|a|"},
        {"Negotiate YII==,Basic realm=a", "Negotiate|-|Basic|a|"},
        {"Digest realm=\"a, b\", nonce=\"n\", Basic realm=\"c\"", "Digest|a, b|Basic|c|"},
        {"Basic realm=\"a\\\"b\\\\c\"", "Basic|a\"b\\c|"},
        {"Basic realm=\"\"", "Basic||"},
        {"Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
         "Newauth|apps|Basic|simple|"},
        {"Basic charset=\"UTF-8\",, realm=r ,Bearer realm=q", "Basic|r|Bearer|q|"},
        {"Basic realm=\"open", "Basic|open|"},
        {"Basic realm=\"open\\", "Basic|open\\|"},
        {"=x, Basic realm=a", "Basic|a|"},
        {"Basic realm=a realm=b", "Basic|a|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ASSERT_STR_EQ(challenges(rows[i].value), rows[i].expected);
}

static int take(const char *value, struct weft__digest *digest)
{
    return weft__digest_from_challenge(value, strlen(value), digest);
}

static void answers(const char *challenge, const struct weft__digest_request *request,
                    const char *expected)
{
    struct weft__digest digest;
    char *answer;
    ASSERT_INT_EQ(take(challenge, &digest), 1);
    ASSERT_OK(weft__digest_answer(&digest, request, &answer));
    ASSERT_STR_EQ(answer, expected);
    weft__free(answer);
    weft__digest_done(&digest);
}

static const struct weft__digest_request mufasa = {"GET", "/dir/index.html", "Mufasa",
                                                   "Circle of Life",
                                                   "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"};

#define NONCE  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define OPAQUE "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"

/* RFC 7616 3.9.1. */
TEST(digest_of_the_rfc_md5_and_sha256)
{
    answers("Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, "
            "nonce=\"" NONCE "\", opaque=\"" OPAQUE "\"",
            &mufasa,
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", nonce=\"" NONCE "\", "
            "uri=\"/dir/index.html\", algorithm=MD5, "
            "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", nc=00000001, qop=auth, "
            "response=\"8ca523f5e9506fed4657c9700eebdbec\", opaque=\"" OPAQUE "\"");
    answers("Digest realm=\"http-auth@example.org\", qop=auth, algorithm=SHA-256, "
            "nonce=\"" NONCE "\"",
            &mufasa,
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", nonce=\"" NONCE "\", "
            "uri=\"/dir/index.html\", algorithm=SHA-256, "
            "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", nc=00000001, qop=auth, "
            "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"");
    answers("Digest realm=\"http-auth@example.org\", qop=auth, algorithm=md5-SESS, "
            "nonce=\"" NONCE "\"",
            &mufasa,
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", nonce=\"" NONCE "\", "
            "uri=\"/dir/index.html\", algorithm=md5-SESS, "
            "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", nc=00000001, qop=auth, "
            "response=\"e783283f46242139c486a698fec7211d\"");
}

/* RFC 7616 3.9.2; its hashes are of another function than it says, these are of the right one. */
TEST(digest_of_the_rfc_sha512_256_with_the_user_hashed)
{
    static const struct weft__digest_request request = {
        "GET", "/doe.json", "J\xc3\xa4s\xc3\xb8n Doe", "Secret, or not?",
        "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm"};
    answers("Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, "
            "nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", charset=UTF-8, userhash=true",
            &request,
            "Digest "
            "username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\", "
            "realm=\"api@example.org\", nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", "
            "uri=\"/doe.json\", algorithm=SHA-512-256, "
            "cnonce=\"NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm\", nc=00000001, qop=auth, "
            "response=\"7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c\", "
            "userhash=true");
}

TEST(digest_of_rfc_2069_has_no_qop)
{
    static const struct weft__digest_request request = {"GET", "/dir/index.html", "Mufasa",
                                                        "CircleOfLife", "unused"};
    answers("Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
            &request,
            "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
            "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", "
            "response=\"1949323746fe6a43ef61f9606e7febea\"");
}

TEST(digest_quotes_what_it_sends_back)
{
    static const struct weft__digest_request request = {"GET", "/\"", "a\"b\\c", "p", "00"};
    struct weft__digest digest;
    char *answer;
    ASSERT_INT_EQ(take("Digest realm=\"r\\\"s\\\\\", nonce=\"\"", &digest), 1);
    ASSERT_STR_EQ(digest.realm, "r\"s\\");
    ASSERT_OK(weft__digest_answer(&digest, &request, &answer));
    ASSERT(strstr(answer, "username=\"a\\\"b\\\\c\", realm=\"r\\\"s\\\\\", nonce=\"\", "
                          "uri=\"/\\\"\"") != NULL);
    weft__free(answer);
    weft__digest_done(&digest);
}

TEST(digest_counts_its_answers)
{
    struct weft__digest digest;
    char *answer;
    ASSERT_INT_EQ(take("Digest realm=\"\", nonce=n, qop=\"auth\", stale=TRUE", &digest), 1);
    ASSERT(digest.stale);
    for (int i = 1; i <= 3; i++) {
        char nc[20];
        snprintf(nc, sizeof nc, " nc=0000000%d,", i);
        ASSERT_OK(weft__digest_answer(&digest, &mufasa, &answer));
        ASSERT(strstr(answer, nc) != NULL);
        weft__free(answer);
    }
    weft__digest_done(&digest);
}

TEST(digest_takes_the_strongest_challenge)
{
    struct weft__digest digest;
    ASSERT_INT_EQ(take("Basic realm=x, Digest realm=a, nonce=1, algorithm=MD5, "
                       "Digest realm=b, nonce=2, algorithm=SHA-512-256, "
                       "Digest realm=c, nonce=3, algorithm=SHA-256, Negotiate",
                       &digest),
                  1);
    ASSERT_STR_EQ(digest.realm, "b");
    weft__digest_done(&digest);
    ASSERT_INT_EQ(take("Digest realm=a, nonce=1, Digest realm=b, nonce=2, qop=auth", &digest), 1);
    ASSERT_STR_EQ(digest.realm, "b");
    weft__digest_done(&digest);
}

TEST(digest_that_cannot_be_answered_is_left)
{
    static const char *const values[] = {
        "Basic realm=x",
        "Digest",
        "Digest realm=a",
        "Digest nonce=a",
        "Digest realm=a, nonce=1, algorithm=SHA",
        "Digest realm=a, nonce=1, algorithm=MD5-SESSION",
        "Digest realm=a, nonce=1, qop=auth-int",
        "Digest realm=a, nonce=1, qop=\"\"",
        "Digest realm=\"a\x01\", nonce=1",
        "Digest realm=\"a\", nonce=\"1\x7f\"",
    };
    struct weft__digest digest = {.nc = 77};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        ASSERT_INT_EQ(take(values[i], &digest), 0);
    ASSERT_INT_EQ(digest.nc, 77);
}

TEST(digest_user_names_that_break_it_are_refused)
{
    static const struct weft__digest_request colon = {"GET", "/", "a:b", "p", "0"};
    static const struct weft__digest_request line = {"GET", "/", "a\r\nX: y", "p", "0"};
    struct weft__digest digest;
    char *answer = NULL;
    ASSERT_INT_EQ(take("Digest realm=a, nonce=1", &digest), 1);
    ASSERT_INT_EQ(weft__digest_answer(&digest, &colon, &answer), -EINVAL);
    ASSERT_INT_EQ(weft__digest_answer(&digest, &line, &answer), -EINVAL);
    digest.user_hash = true;
    ASSERT_OK(weft__digest_answer(&digest, &colon, &answer));
    weft__free(answer);
    weft__digest_done(&digest);
}

static int netrc(const char *text, const char *host, char **login, char **password)
{
    return weft__netrc_find(text, strlen(text), host, true, login, password);
}

TEST(netrc_entries_are_found)
{
    static const struct {
        const char *text;
        const char *host;
        const char *login; /* NULL: no entry */
        const char *password;
    } rows[] = {
        {"", "h", NULL, NULL},
        {"machine h login l password p", "h", "l", "p"},
        {"machine H.Example\n\tlogin l\n\tpassword p\n", "h.example", "l", "p"},
        {"machine a login x password y\nmachine h login l password p\n", "h", "l", "p"},
        {"machine h login l password p\nmachine h login x password y\n", "h", "l", "p"},
        {"machine h.example login l password p", "h", NULL, NULL},
        {"machine h password p", "h", "", "p"},
        {"machine h login l", "h", "l", ""},
        /* CVE-2024-11053, CVE-2025-0167: an empty entry has nothing of another one. */
        {"machine h\ndefault login x password y", "h", "", ""},
        {"machine a login x password y\nmachine h", "h", "", ""},
        {"default login x password y", "h", "x", "y"},
        {"default login x password y\nmachine h login l password p", "h", "l", "p"},
        {"machine h user l account c password p", "h", "l", "p"},
        {"# machine h login no password no\nmachine h login l password #p", "h", "l", "#p"},
        {"machine h login \"a b\" password \"c\\\"d\\\\\"", "h", "a b", "c\"d\\"},
        {"machine h login \"\" password p", "h", "", "p"},
        {"macdef m\nmachine h login no\n\nmachine h login l password p", "h", "l", "p"},
        {"macdef m\r\nmachine h login no\r\n\r\nmachine h login l password p", "h", "l", "p"},
        {"machine h login l password p\nmacdef init\nrest", "h", "l", "p"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *login = NULL;
        char *password = NULL;
        int found = netrc(rows[i].text, rows[i].host, &login, &password);
        ASSERT_INT_EQ(found, rows[i].login != NULL);
        if (found == 0)
            continue;
        ASSERT_STR_EQ(login, rows[i].login);
        ASSERT_STR_EQ(password, rows[i].password);
        weft__free(login);
        weft__free(password);
    }
}

TEST(netrc_that_is_none_is_refused_with_its_line)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {"machine", "netrc, line 1: the file ends after a keyword"},
        {"\nmachine h\nlogin", "netrc, line 3: the file ends after a keyword"},
        {"login l", "netrc, line 1: an unknown keyword"},
        {"machine h\nnonsense l", "netrc, line 2: an unknown keyword"},
        {"machine h login \"l", "netrc, line 1: a quotation does not end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *login = NULL;
        char *password = NULL;
        ASSERT_INT_EQ(netrc(rows[i].text, "h", &login, &password), -EINVAL);
        ASSERT_STR_EQ(weft_error_message(), rows[i].message);
        ASSERT(login == NULL && password == NULL);
    }
}

static int use_all(void)
{
    struct weft__digest digest;
    char *text;
    char *password;
    int err =
        take("Digest realm=a, nonce=1, opaque=o, qop=auth, algorithm=MD5, stale=false", &digest);
    if (err < 0)
        return err;
    err = weft__digest_answer(&digest, &mufasa, &text);
    weft__digest_done(&digest);
    if (err < 0)
        return err;
    weft__free(text);
    err = netrc("machine h login l password p", "h", &text, &password);
    if (err < 0)
        return err;
    weft__free(text);
    weft__free(password);
    return 0;
}

TEST(auth_without_memory_is_enomem)
{
    uint64_t nth = 0;
    int err = -ENOMEM;
    while (err == -ENOMEM) {
        weft_testing_fail_alloc(++nth, false);
        err = use_all();
        weft_testing_fail_alloc(0, false);
    }
    ASSERT_OK(err);
    ASSERT(nth > 8);
}
