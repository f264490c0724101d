/* Heads of parts and boundaries: exact bytes, and what must not get through. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/error.h>

#include "base/buf.h"
#include "proto/mime.h"
#include "proto/multipart.h"
#include "test.h"

static const char *head(const struct weft__part_head *part)
{
    static struct weft__buf buf;
    static char text[1024];
    weft__buf_init(&buf, SIZE_MAX);
    ASSERT_OK(weft__multipart_head(&buf, "b", true, part));
    ASSERT_INT_LT(buf.len, sizeof text);
    memcpy(text, weft__buf_bytes(&buf), buf.len);
    text[buf.len] = '\0';
    weft__buf_done(&buf);
    return text;
}

static int head_error(const struct weft__part_head *part)
{
    struct weft__buf buf;
    weft__buf_init(&buf, SIZE_MAX);
    int err = weft__multipart_head(&buf, "b", false, part);
    weft__buf_done(&buf);
    return err;
}

TEST(multipart_head_of_a_field_is_its_name)
{
    ASSERT_STR_EQ(head(&(struct weft__part_head){.name = "a"}),
                  "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n");
}

TEST(multipart_head_of_a_file_has_name_fields_and_type_in_this_order)
{
    static const weft_pair fields[] = {{"Expires", "0"}, {"X-Empty", ""}, {0}};
    ASSERT_STR_EQ(head(&(struct weft__part_head){
                      .name = "file",
                      .filename = "test.txt",
                      .content_type = "text/plain",
                      .headers = fields,
                  }),
                  "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"test.txt\"\r\n"
                  "Expires: 0\r\nX-Empty: \r\nContent-Type: text/plain\r\n\r\n");
}

TEST(multipart_type_among_the_fields_counts)
{
    static const weft_pair fields[] = {{"content-type", "text/csv"}, {0}};
    ASSERT_STR_HAS(head(&(struct weft__part_head){
                       .name = "f", .content_type = "text/plain", .headers = fields}),
                   "\r\ncontent-type: text/csv\r\n\r\n");
}

TEST(multipart_names_are_escaped)
{
    static const struct {
        const char *name;
        const char *expected;
    } cases[] = {
        {"a\"b", "a%22b"},    {"a\r\nb", "a%0D%0Ab"},
        {"a\\", "a\\\\"},     {"\x1b[31m", "%1B[31m"},
        {"\x7f\t", "%7F%09"}, {"\xc3\xa4;=", "\xc3\xa4;="},
        {"100%", "100%"},     {"", ""},
    };
    char expected[128];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text =
            head(&(struct weft__part_head){.name = cases[i].name, .filename = cases[i].name});
        snprintf(expected, sizeof expected,
                 "--b\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n\r\n",
                 cases[i].expected, cases[i].expected);
        ASSERT_STR_EQ(text, expected);
    }
}

TEST(multipart_fields_that_would_break_it_are_refused)
{
    static const weft_pair bad[][2] = {
        {{"X\r\nY", "v"}, {0}}, {{"X", "a\r\nb"}, {0}}, {{"X", "a\nb"}, {0}}, {{"X", "a\rb"}, {0}},
        {{"X:", "v"}, {0}},     {{"", "v"}, {0}},       {{"X Y", "v"}, {0}},  {{"X", "\x01"}, {0}},
    };
    static const weft_pair no_value[] = {{"X", NULL}, {0}};
    static const weft_pair disposition[] = {{"content-disposition", "x"}, {0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ASSERT_ERR(head_error(&(struct weft__part_head){.name = "a", .headers = bad[i]}),
                   WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(head_error(&(struct weft__part_head){.name = "a", .headers = no_value}), -EINVAL);
    ASSERT_ERR(head_error(&(struct weft__part_head){.name = "a", .headers = disposition}), -EINVAL);
    ASSERT_ERR(head_error(&(struct weft__part_head){.name = "a", .content_type = "a/b\r\nX: y"}),
               WEFT_ELOCAL_PROTOCOL);
}

TEST(multipart_ends_with_its_boundary)
{
    struct weft__buf buf;
    weft__buf_init(&buf, SIZE_MAX);
    ASSERT_OK(weft__multipart_end(&buf, "b", true));
    ASSERT_OK(weft__multipart_end(&buf, "b", false));
    ASSERT_MEM_EQ(weft__buf_bytes(&buf), "--b--\r\n\r\n--b--\r\n", buf.len);
    weft__buf_done(&buf);
}

TEST(boundary_is_32_hex_digits)
{
    char boundary[WEFT__BOUNDARY_SIZE];
    weft__boundary_make((uint64_t[]){0x0123456789abcdef, UINT64_MAX}, boundary);
    ASSERT_STR_EQ(boundary, "fedcba9876543210ffffffffffffffff");
    ASSERT(weft__boundary_is_valid(boundary, strlen(boundary)));
}

TEST(boundary_has_1_to_70_characters)
{
    char longest[72];
    memset(longest, 'x', sizeof longest);
    ASSERT(weft__boundary_is_valid(longest, 70));
    ASSERT(!weft__boundary_is_valid(longest, 71));
    ASSERT(!weft__boundary_is_valid("", 0));
    ASSERT(weft__boundary_is_valid("a '()+_,-./:=?9", 15));
    ASSERT(!weft__boundary_is_valid("a ", 2));
    ASSERT(!weft__boundary_is_valid("a\"b", 3));
    ASSERT(!weft__boundary_is_valid("a\r\n", 3));
    ASSERT(!weft__boundary_is_valid("a\0b", 3));
    ASSERT(!weft__boundary_is_valid("\xc3\xa4", 2));
}

TEST(boundary_is_found_in_a_type)
{
    static const struct {
        const char *type;
        const char *expected; /* NULL: refused */
    } cases[] = {
        {"multipart/form-data; boundary=abc", "abc"},
        {"multipart/form-data; charset=utf-8; boundary=abc", "abc"},
        {"multipart/form-data; boundary=abc; charset=utf-8", "abc"},
        {"multipart/form-data; boundary=\"a b\"; x=y", "a b"},
        {"multipart/form-data; x=\"; boundary=no\"; boundary=yes", "yes"},
        {"multipart/form-data; Boundary=\"a\\bc\"", "abc"},
        {"Multipart/Mixed;boundary=abc", "abc"},
        {"multipart/form-data", ""},
        {"multipart/form-data; boundaries=3; x", ""},
        {"multipart/form-data; boundary=", NULL},
        {"multipart/form-data; boundary=\"a\xc3\xa4\"", NULL},
        {"multipart/form-data; boundary=\"a \"", NULL},
        {"text/plain; boundary=abc", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char boundary[WEFT__BOUNDARY_SIZE] = "untouched";
        int err = weft__boundary_from_type(cases[i].type, boundary);
        ASSERT_INT_EQ(err, cases[i].expected != NULL ? 0 : -EINVAL);
        if (cases[i].expected != NULL)
            ASSERT_STR_EQ(boundary, cases[i].expected);
    }
}

TEST(boundary_in_the_bytes_of_a_part_is_found)
{
    ASSERT(weft__boundary_occurs("b", "--b", 3));
    ASSERT(weft__boundary_occurs("b", "x\r\n--bc", 7));
    ASSERT(!weft__boundary_occurs("b", "x--b", 4));
    ASSERT(!weft__boundary_occurs("b", "x\n--b", 5));
    ASSERT(!weft__boundary_occurs("b", "", 0));
    ASSERT(!weft__boundary_occurs("b", "--", 2));
}

TEST(type_by_name_comes_without_a_charset)
{
    char type[16];
    weft__mime_bare_from_path("a.TXT", type, sizeof type);
    ASSERT_STR_EQ(type, "text/plain");
    weft__mime_bare_from_path("photo.png", type, sizeof type);
    ASSERT_STR_EQ(type, "image/png");
    weft__mime_bare_from_path("what", type, sizeof type);
    ASSERT_STR_EQ(type, "application/oct");
}
