/* Names of files that servers propose, made safe. */
#include <stdio.h>
#include <string.h>

#include "proto/filename.h"
#include "test.h"

static const char *of(const char *value)
{
    static char name[WEFT__FILENAME_SIZE];
    return weft__filename_of_disposition(value, strlen(value), name) ? name : NULL;
}

static const char *of_path(const char *path)
{
    static char name[WEFT__FILENAME_SIZE];
    return weft__filename_of_path(path, name) ? name : NULL;
}

#define NAME(value, name) ASSERT_STR_EQ(of(value), name)
#define NONE(value)       ASSERT(of(value) == NULL)

TEST(filename_is_taken_in_all_its_forms)
{
    NAME("attachment; filename=report.pdf", "report.pdf");
    NAME("attachment; filename=\"my report.pdf\"", "my report.pdf");
    NAME("ATTACHMENT;FileName = \"a;b=c.txt\" ; x=y", "a;b=c.txt");
    NAME("attachment; filename=\"a\\\"b.txt\"", "a_b.txt");
    NAME("attachment; filename*=UTF-8''%e2%82%ac%20rates.txt", "\xe2\x82\xac rates.txt");
    NAME("attachment; filename*=iso-8859-1'en'%A3%20rates.txt", "\xc2\xa3 rates.txt");
    NAME("attachment; filename=old.txt; filename*=UTF-8''new.txt", "new.txt");
    NAME("attachment; filename*=UTF-8''new.txt; filename=old.txt", "new.txt");
    NAME("attachment; filename=\"na\xc3\xafve.txt\"", "na\xc3\xafve.txt");
    NAME("attachment; filename=\"na\xefve.txt\"", "na\xc3\xafve.txt");
    NAME("attachment; filename=\"100%20.txt\"", "100%20.txt");
}

TEST(filename_that_is_none_is_passed_over)
{
    NONE("");
    NONE("attachment");
    NONE("attachment; name=x");
    NONE("attachment; filename=");
    NONE("attachment; filename=\"\"");
    NONE("attachment; filename=\"..\"");
    NONE("attachment; filename=\"a/\"");
    NONE("attachment; filename*=x.txt");
    NONE("attachment; filename*=koi8-r''x.txt");
    NONE("attachment; filename*=UTF-8''%ff%fe");
    NAME("attachment; filename*=UTF-8''%ff; filename=b.txt", "b.txt");
    NAME("attachment; filename*=UTF-8''..%2f; filename=b.txt", "b.txt");
    NAME("attachment; filename=\"open.txt", "_open.txt");
}

TEST(filename_leads_nowhere)
{
    NAME("attachment; filename=\"/etc/passwd\"", "passwd");
    NAME("attachment; filename=\"../../.ssh/id\"", "id");
    NAME("attachment; filename=\"C:\\Windows\\x.dll\"", "x.dll");
    NAME("attachment; filename*=UTF-8''..%2F..%5Cx.txt", "x.txt");
    NAME("attachment; filename=\".bashrc\"", "bashrc");
    NAME("attachment; filename=\"...  .a.\"", "a");
    NAME("attachment; filename=\" x. . \"", "x");
}

TEST(filename_has_nothing_that_disturbs)
{
    NAME("attachment; filename*=UTF-8''a%00b%0d%0ac%1b%5bd%7f.txt", "a_b__c_[d_.txt");
    NAME("attachment; filename=\"a<b>c:d|e?f*g.txt\"", "a_b_c_d_e_f_g.txt");
    NAME("attachment; filename*=UTF-8''a%e2%80%aegpj.exe", "a_gpj.exe");
    NAME("attachment; filename*=UTF-8''a%e2%81%a6b%ef%bb%bfc", "a_b_c");
    NAME("attachment; filename*=UTF-8''a%c2%85b", "a_b");
    NAME("attachment; filename*=UTF-8''%ed%a0%80.txt; filename=b", "b");
}

TEST(filename_is_one_on_windows_too)
{
    NAME("attachment; filename=CON", "_CON");
    NAME("attachment; filename=nul.txt", "_nul.txt");
    NAME("attachment; filename=\"aux .tar.gz\"", "_aux .tar.gz");
    NAME("attachment; filename=com1", "_com1");
    NAME("attachment; filename=LPT9.a", "_LPT9.a");
    NAME("attachment; filename*=UTF-8''COM%C2%B9.a", "_COM\xc2\xb9.a");
    NAME("attachment; filename=com", "com");
    NAME("attachment; filename=com10", "com10");
    NAME("attachment; filename=console", "console");
}

static void check_length(size_t stem, const char *extension, size_t expected)
{
    char value[8192] = "attachment; filename=\"";
    size_t len = strlen(value);
    memset(value + len, 'a', stem);
    snprintf(value + len + stem, sizeof value - len - stem, "%s\"", extension);
    const char *name = of(value);
    ASSERT(name != NULL);
    ASSERT_INT_EQ(strlen(name), expected);
    if (extension[0] != '\0' && strlen(extension) < 16)
        ASSERT_STR_EQ(name + strlen(name) - strlen(extension), extension);
}

TEST(filename_is_cut_at_its_limit_and_keeps_its_extension)
{
    check_length(WEFT__LIMIT_FILENAME, "", WEFT__LIMIT_FILENAME);
    check_length(WEFT__LIMIT_FILENAME + 1, "", WEFT__LIMIT_FILENAME);
    check_length(WEFT__LIMIT_FILENAME, ".tar", WEFT__LIMIT_FILENAME);
    check_length(3000, ".txt", WEFT__LIMIT_FILENAME);
    check_length(WEFT__LIMIT_FILENAME, ".an-extension-that-is-none-at-all", WEFT__LIMIT_FILENAME);
    char value[1024] = "filename=\"";
    for (int i = 0; i < 150; i++)
        snprintf(value + strlen(value), 3, "\xc3\xa4");
    snprintf(value + strlen(value), 4, ".b\"");
    ASSERT_INT_EQ(strlen(of(value)), WEFT__LIMIT_FILENAME);
    ASSERT_MEM_EQ(of(value), "\xc3\xa4\xc3\xa4", 4);
    value[10] = 'x';
    value[11] = 'y';
    ASSERT_INT_EQ(strlen(of(value)), WEFT__LIMIT_FILENAME);
}

TEST(filename_of_a_path_is_its_last_segment)
{
    ASSERT_STR_EQ(of_path("/a/b.txt"), "b.txt");
    ASSERT_STR_EQ(of_path("/a/b%20c.txt"), "b c.txt");
    ASSERT_STR_EQ(of_path("/a/..%2f..%2fb"), "b");
    ASSERT_STR_EQ(of_path("/%zz%"), "%zz%");
    ASSERT(of_path("/") == NULL);
    ASSERT(of_path("/a/") == NULL);
    ASSERT(of_path("/%2e%2e") == NULL);
}
