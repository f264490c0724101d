#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/error.h>

#include "server/server_int.h"
#include "test.h"

static int nothing(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)reply;
    (void)arg;
    return 0;
}

static int add(struct weft__route_node **root, const char *method, const char *pattern)
{
    return weft__routes_add(root, method, pattern, nothing, (void *)(uintptr_t)pattern, NULL);
}

/* "PATTERN name=value ...", "-" for none. */
static const char *match(const struct weft__route_node *root, const char *method, const char *path)
{
    static char text[256];
    struct weft__route_match found;
    weft__routes_match(root, method, (struct weft__text){path, strlen(path)}, &found);
    if (found.route == NULL)
        return "-";
    size_t len = (size_t)snprintf(text, sizeof text, "%s", (const char *)found.route->arg);
    for (size_t i = 0; i < found.n_values; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, " %s=%.*s", found.route->params[i],
                                (int)found.values[i].len, found.values[i].data);
    return text;
}

TEST(routes_match_literals_before_parameters)
{
    struct weft__route_node *root = NULL;
    static const char *const patterns[] = {
        "/",
        "/a",
        "/a/",
        "/a/b",
        "/a/{x}",
        "/a/{x}/c",
        "/a/{x}/{y}",
        "/{z}/b",
        "/r/{rest*}",
        "/r/only",
        "/u/{id}/posts/{post}",
        "/f oo",
    };
    static const char *const rows[][2] = {
        {"/", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"/a/b", "/a/b"},
        {"/a/x", "/a/{x} x=x"},
        {"/a/b/c", "/a/{x}/c x=b"},
        {"/a/b/d", "/a/{x}/{y} x=b y=d"},
        {"/q/b", "/{z}/b z=q"},
        {"/q", "-"},
        {"/q/c", "-"},
        {"//b", "-"},
        {"/a//", "-"},
        {"/r", "-"},
        {"/r/", "/r/{rest*} rest="},
        {"/r/only", "/r/only"},
        {"/r/only/", "/r/{rest*} rest=only/"},
        {"/r/a/b/c", "/r/{rest*} rest=a/b/c"},
        {"/r//", "/r/{rest*} rest=/"},
        {"/u/1/posts/2", "/u/{id}/posts/{post} id=1 post=2"},
        {"/u/1/posts/", "-"},
        {"/u/1/other/2", "-"},
        {"/f%20oo", "/f oo"},
        {"/%61/%62", "/a/b"},
        {"/a%2Fb", "-"},
        {"/r/a%2Fb", "/r/{rest*} rest=a%2Fb"},
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        ASSERT_OK(add(&root, "GET", patterns[i]));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ASSERT_STR_EQ(match(root, "GET", rows[i][0]), rows[i][1]);
    weft__routes_free(root);
}

TEST(routes_without_the_method_give_way_to_others)
{
    struct weft__route_node *root = NULL;
    struct weft__buf allow;
    ASSERT_OK(add(&root, "GET", "/a/me"));
    ASSERT_OK(add(&root, "PUT", "/a/{id}"));
    ASSERT_OK(add(&root, "HEAD", "/h"));
    ASSERT_OK(weft__routes_add(&root, "GET", "/h", nothing, (void *)"get", NULL));
    ASSERT_OK(add(&root, NULL, "/any"));
    ASSERT_OK(weft__routes_add(&root, "GET", "/any", nothing, (void *)"get", NULL));
    ASSERT_STR_EQ(match(root, "PUT", "/a/me"), "/a/{id} id=me");
    ASSERT_STR_EQ(match(root, "HEAD", "/a/me"), "/a/me");
    ASSERT_STR_EQ(match(root, "HEAD", "/h"), "/h");
    ASSERT_STR_EQ(match(root, "GET", "/any"), "get");
    ASSERT_STR_EQ(match(root, "HEAD", "/any"), "get");
    ASSERT_STR_EQ(match(root, "X", "/any"), "/any");
    ASSERT_STR_EQ(match(root, "X", "/h"), "-");
    weft__buf_init(&allow, 100);
    ASSERT_OK(weft__routes_allow(root, (struct weft__text){"/a/me", 5}, &allow));
    ASSERT_MEM_EQ(weft__buf_bytes(&allow), "GET, HEAD, PUT", 14);
    ASSERT_INT_EQ(allow.len, 14);
    weft__buf_clear(&allow);
    ASSERT_OK(weft__routes_allow(root, (struct weft__text){"/b", 2}, &allow));
    ASSERT_INT_EQ(allow.len, 0);
    weft__buf_done(&allow);
    weft__routes_free(root);
}

TEST(routes_that_make_no_sense_are_refused)
{
    struct weft__route_node *root = NULL;
    static const char *const bad[] = {
        "",
        "a",
        "/{",
        "/{}",
        "/{*}",
        "/{a",
        "/a{b}",
        "/{a}b",
        "/a}",
        "/{a*}/b",
        "/{a}/{a}",
        "/{a b}",
        "/{a/b}",
        "/{a**}",
        "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/{q}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ASSERT_ERR(add(&root, "GET", bad[i]), -EINVAL);
    ASSERT_ERR(add(&root, "G T", "/"), -EINVAL);
    ASSERT_ERR(add(&root, "", "/"), -EINVAL);
    ASSERT_OK(add(&root, "GET", "/a/{x}"));
    ASSERT_ERR(add(&root, "GET", "/a/{y}"), -EEXIST);
    ASSERT_OK(add(&root, "*", "/a"));
    ASSERT_ERR(add(&root, NULL, "/a"), -EEXIST);
    ASSERT_OK(
        add(&root, "GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}"));
    weft__routes_free(root);
}

TEST(routes_match_a_path_of_many_segments_in_little_stack)
{
    struct weft__route_node *root = NULL;
    static char path[8000];
    memset(path, '/', sizeof path - 1);
    ASSERT_OK(add(&root, "GET", "/{a}/{b}"));
    ASSERT_STR_EQ(match(root, "GET", path), "-");
    weft__routes_free(root);
}

static int64_t decode(const char *text, char *to)
{
    return weft__percent_decode(text, strlen(text), to);
}

TEST(percent_decode_is_strict)
{
    char to[32];
    ASSERT_INT_EQ(decode("a%20b+%2f%2F", to), 6);
    ASSERT_MEM_EQ(to, "a b+//", 6);
    ASSERT_INT_EQ(decode("", to), 0);
    ASSERT_INT_EQ(decode("%", to), -1);
    ASSERT_INT_EQ(decode("%4", to), -1);
    ASSERT_INT_EQ(decode("%4g", to), -1);
    ASSERT_INT_EQ(decode("%g4", to), -1);
    ASSERT_INT_EQ(decode("%00", to), -1);
    ASSERT_INT_EQ(decode("%41", to), 1);
}
