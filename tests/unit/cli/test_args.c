/*
 * test_args.c - options: every form, every mistake.
 */
#include "cli/cli.h"
#include "test.h"

#include <string.h>

static char storage[16][128];
static char *words[17];

/* argv is written into, thus the copies. */
static int parse(struct args *args, const char *const *line)
{
    int n = 0;
    for (; line[n]; n++) {
        snprintf(storage[n], sizeof storage[n], "%s", line[n]);
        words[n] = storage[n];
    }
    words[n] = NULL;
    return args_parse(args, n, words);
}

#define PARSE(args, ...)   parse(args, (const char *const[]){"weft", __VA_ARGS__, NULL})
#define PROBLEM(text, ...) check_problem(text, (const char *const[]){"weft", __VA_ARGS__, NULL})

static void check_problem(const char *text, const char *const *line)
{
    struct args args;
    ASSERT_INT_EQ(parse(&args, line), -EINVAL);
    ASSERT_STR_EQ(args.problem, text);
    args_done(&args);
}

TEST(args_options_and_words_are_mixed)
{
    struct args args;
    ASSERT_OK(PARSE(&args, "POST", "-H", "A: 1", "http://h/", "--header=B: 2", "-Lk", "-ofile"));
    ASSERT_INT_EQ(args.verb, VERB_REQUEST);
    ASSERT_INT_EQ(args.words.n, 2);
    ASSERT_STR_EQ(args.words.items[0], "POST");
    ASSERT_STR_EQ(args.words.items[1], "http://h/");
    ASSERT_INT_EQ(args.headers.n, 2);
    ASSERT_STR_EQ(args.headers.items[1], "B: 2");
    ASSERT(args.follow && args.insecure && !args.silent);
    ASSERT_STR_EQ(args.output, "file");
    ASSERT_INT_EQ(args.retry, -1);
    args_done(&args);
}

TEST(args_after_two_dashes_are_words)
{
    struct args args;
    ASSERT_OK(PARSE(&args, "--", "-k"));
    ASSERT_INT_EQ(args.words.n, 1);
    ASSERT(!args.insecure);
    args_done(&args);
}

TEST(args_a_single_dash_is_a_word_and_a_value)
{
    struct args args;
    ASSERT_OK(PARSE(&args, "fetch", "-i", "-", "-"));
    ASSERT_STR_EQ(args.list, "-");
    ASSERT_INT_EQ(args.words.n, 1);
    args_done(&args);
}

TEST(args_letters_mean_what_the_verb_says)
{
    struct args args;
    ASSERT_OK(PARSE(&args, "fetch", "-d", "out", "-c5", "--rate", "50", "-t", "500ms"));
    ASSERT_INT_EQ(args.verb, VERB_FETCH);
    ASSERT_STR_EQ(args.folder, "out");
    ASSERT_INT_EQ(args.data.n, 0);
    ASSERT_INT_EQ(args.concurrency, 5);
    ASSERT_INT_EQ(args.rate.permits, 50);
    ASSERT_INT_EQ(args.timeout, WEFT_MS(500));
    args_done(&args);
    ASSERT_OK(PARSE(&args, "serve", "--echo", "-p", "0"));
    ASSERT_INT_EQ(args.verb, VERB_SERVE);
    ASSERT_INT_EQ(args.port, 0);
    args_done(&args);
}

TEST(args_secrets_are_wiped_from_argv)
{
    struct args args;
    ASSERT_OK(PARSE(&args, "-u", "kim:secret", "--bearer=token", "http://h/"));
    ASSERT_STR_EQ(args.user, "kim:secret");
    ASSERT_STR_EQ(args.bearer, "token");
    ASSERT_STR_EQ(words[2], "**********");
    ASSERT_STR_EQ(words[3], "--bearer=*****");
    args_done(&args);
}

TEST(args_unknown_option_suggests_the_nearest)
{
    PROBLEM("unknown option --timout (did you mean --timeout?)", "--timout", "2");
    PROBLEM("unknown option --time (did you mean --timeout?)", "--time=2");
    PROBLEM("unknown option --concurency (did you mean --concurrency?)", "fetch", "--concurency");
    PROBLEM("unknown option --zzzzzz (see weft fetch --help)", "fetch", "--zzzzzz");
    PROBLEM("unknown option -Z (see weft --help)", "-LZ");
}

TEST(args_option_of_another_verb_is_named)
{
    PROBLEM("option -c belongs to weft fetch", "-c", "5", "http://h/");
    PROBLEM("option --echo belongs to weft serve", "fetch", "--echo");
    PROBLEM("option --output belongs to weft", "fetch", "--output", "x");
}

TEST(args_missing_and_unwanted_values_are_told)
{
    PROBLEM("-o expects FILE after it", "http://h/", "-o");
    PROBLEM("--output expects FILE after it", "http://h/", "--output");
    PROBLEM("--follow takes no value", "--follow=yes");
}

TEST(args_bad_values_are_named)
{
    PROBLEM("-t expects a time such as 2, 0.5, 500ms or 1m, not 'soon'", "-t", "soon");
    PROBLEM("-c expects a number from 1 to 100000, not '0'", "fetch", "-c", "0");
    PROBLEM("--rate expects a rate such as 50/s or 100/m, not 'fast'", "fetch", "--rate", "fast");
    PROBLEM("--port expects a number from 0 to 65535, not '65536'", "serve", "--port", "65536");
}

TEST(args_help_names_every_option_in_80_columns)
{
    const enum verb verbs[] = {VERB_REQUEST, VERB_FETCH, VERB_SERVE};
    for (size_t i = 0; i < 3; i++) {
        struct args args = {.verb = verbs[i]};
        char line[256];
        FILE *help = tmpfile();
        ASSERT(help != NULL);
        args_help(&args, help);
        rewind(help);
        size_t lines = 0;
        for (; fgets(line, sizeof line, help); lines++)
            ASSERT_INT_LE(strlen(line), 81);
        ASSERT_INT_GT(lines, 5);
        fclose(help);
    }
}
