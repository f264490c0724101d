/* What weft_dump_tasks prints. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <weft/debug.h>
#include <weft/sync.h>
#include <weft/testing.h>

#include "test.h"

/* Frames of their own, in the order of the calls. */
#define CALL __attribute__((noinline, noclone))
static volatile int after_call;

static char text[512 * 1024];

/* The dump, without what differs from one machine or build to the next. */
static const char *dump_text(void)
{
    int fd = memfd_create("dump", MFD_CLOEXEC);
    ASSERT(fd >= 0);
    weft_dump_tasks(fd);
    ssize_t len = pread(fd, text, sizeof text - 1, 0);
    ASSERT(len >= 0);
    text[len] = '\0';
    close(fd);
    return text;
}

/* Without call stacks, or with the names of the functions only. */
static const char *normalised(const char *from, bool stacks)
{
    static char plain[64 * 1024];
    char *to = plain;
    while (*from != '\0') {
        const char *end = strchr(from, '\n');
        const char *first = from + strspn(from, " ");
        size_t len = (size_t)(end - first);
        bool frame = len > 1 && end[-1] == ')' && memchr(first, '+', len) != NULL &&
                     memmem(first, len, "+0x", 3) != NULL;
        if (!frame) {
            memcpy(to, from, (size_t)(end - from) + 1);
            to += end - from + 1;
        } else if (stacks) {
            size_t name = strcspn(first, "+");
            memcpy(to, from, (size_t)(first - from) + name);
            to += (size_t)(first - from) + name;
            *to++ = '\n';
        }
        from = end + 1;
    }
    *to = '\0';
    return plain;
}

static void assert_order(const char *where, const char *const *parts)
{
    for (; *parts != NULL; parts++) {
        const char *at = strstr(where, *parts);
        if (at == NULL)
            FAIL("'%s' is not there, or not in its place:\n%s", *parts, text);
        where = at + strlen(*parts);
    }
}

static CALL int innermost(void)
{
    int err = weft_sleep(WEFT_SEC(100));
    after_call++;
    return err;
}

static CALL int middle(void)
{
    int err = innermost();
    after_call++;
    return err;
}

static int outermost(void *arg)
{
    (void)arg;
    int err = middle();
    after_call++;
    return err;
}

VIRTUAL_TEST(dump_of_a_parked_task_has_its_calls_in_order)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, outermost, NULL, WEFT_SPAWN(.name = "deep")));
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
    dump_text();
    assert_order(text, (const char *[]){"deep #2: waits for sleep until +98.0 s, for 2.0 s\n",
                                        "weft_sleep+0x", "innermost+0x", "middle+0x",
                                        "outermost+0x", NULL});
    ASSERT_STR_LACKS(text, "weft__park");
    ASSERT_STR_LACKS(text, "run_task");
    weft_group_cancel(&group, NULL);
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(dump_of_the_running_task_has_its_calls)
{
    ASSERT_OK(weft_sleep(1));
    dump_text();
    assert_order(text, (const char *[]){"thread #0: waits for children", "main #1: running\n",
                                        "dump_text+0x", "body_dump", NULL});
    ASSERT_STR_LACKS(text, "put_task");
}

static int waits_for(void *event)
{
    return weft_event_wait(event);
}

static int shielded(void *event)
{
    weft_scope scope;
    weft_scope_enter_shield(&scope, WEFT_SEC(30));
    return weft_scope_exit(&scope, weft_event_wait(event));
}

static int with_children(void *event)
{
    weft_group group;
    int err = weft_group_init(&group, WEFT_GROUP(.name = "inner", .timeout = WEFT_SEC(9)));
    if (err < 0)
        return err;
    weft_group_spawn_with(&group, waits_for, event, WEFT_SPAWN(.name = "leaf"));
    return weft_group_wait(&group);
}

VIRTUAL_TEST(dump_of_a_known_tree_is_as_it_should_be)
{
    weft_event *event;
    weft_group group;
    weft_scope scope;
    ASSERT_OK(weft_event_new(&event));
    ASSERT_OK(weft_sleep(1));
    weft_scope_enter(&scope, WEFT_SEC(5));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.name = "outer")));
    ASSERT_OK(weft_group_spawn_with(&group, with_children, event, WEFT_SPAWN(.name = "parent")));
    ASSERT_OK(weft_group_spawn_with(&group, shielded, event, WEFT_SPAWN(.name = "guarded")));
    weft_group_cancel(&group, "enough\x1b[31m");
    const char *plain = strchr(normalised(dump_text(), false), '\n') + 1;
    ASSERT_STR_EQ(plain, "thread #0: waits for children\n"
                         "  run: 1 task\n"
                         "    main #1: running, cancelled\n"
                         "      scope: 5.0 s left\n"
                         "      outer: 2 tasks, cancelled: enough\\x1b[31m\n"
                         "        parent #2: waits for children, cancelled\n"
                         "          inner: 1 task, 9.0 s left\n"
                         "            leaf #3: ready, cancelled\n"
                         "        guarded #4: waits for event\n"
                         "          scope: 30.0 s left, shield\n");
    ASSERT_STR_HAS(text, "4 tasks of thread ");
    ASSERT_STR_HAS(text, " (virtual)\n");
    weft_event_set(event);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(weft_scope_exit(&scope, 0));
    weft_event_free(event);
}

VIRTUAL_TEST(dump_of_names_with_control_characters_is_harmless)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.name = "a\nb")));
    ASSERT_OK(weft_group_spawn_with(&group, outermost, NULL,
                                    WEFT_SPAWN(.name = "\x1b]0;x\x07\xc3\xa4\\")));
    dump_text();
    ASSERT_STR_HAS(text, "a\\x0ab: 1 task\n");
    ASSERT_STR_HAS(text, "\\x1b]0;x\\x07\\xc3\\xa4\\x5c #2: ");
    weft_group_cancel(&group, NULL);
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(dump_of_many_alike_shows_four_and_counts_the_others)
{
    enum { MANY = 1000 };
    weft_group group;
    weft_event *event;
    ASSERT_OK(weft_event_new(&event));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.name = "crowd")));
    for (int i = 0; i < MANY; i++) {
        ASSERT_OK(weft_group_spawn(&group, outermost, NULL));
        ASSERT_OK(weft_group_spawn(&group, waits_for, event));
    }
    const char *plain = strstr(normalised(dump_text(), false), "crowd");
    ASSERT_STR_EQ(plain, "crowd: 2000 tasks\n"
                         "        task #2: waits for sleep until +100 s\n"
                         "        task #3: waits for event\n"
                         "        task #4: waits for sleep until +100 s\n"
                         "            (in the same place as #2)\n"
                         "        task #5: waits for event\n"
                         "            (in the same place as #3)\n"
                         "        task #6: waits for sleep until +100 s\n"
                         "            (in the same place as #2)\n"
                         "        task #7: waits for event\n"
                         "            (in the same place as #3)\n"
                         "        task #8: waits for sleep until +100 s\n"
                         "            (in the same place as #2)\n"
                         "        task #9: waits for event\n"
                         "            (in the same place as #3)\n"
                         "        996 more like #2\n"
                         "        996 more like #3\n");
    weft_group_cancel(&group, NULL);
    ASSERT_OK(weft_group_wait(&group));
    weft_event_free(event);
}

/* Each of these starts a group of its own: none is like another. */
static int chain(void *left)
{
    weft_group group;
    int n = *(int *)left;
    if (n == 0)
        return weft_sleep(WEFT_SEC(1));
    int err = weft_group_init(&group, NULL);
    if (err < 0)
        return err;
    weft_group_spawn(&group, chain, &(int){n - 1});
    return weft_group_wait(&group);
}

VIRTUAL_TEST(dump_of_a_deep_tree_ends)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, chain, &(int){40}));
    dump_text();
    ASSERT(strstr(text, "(11 tasks are not shown)\n") != NULL);
    ASSERT_OK(weft_group_wait(&group));
}

static int parent_of_one(void *arg)
{
    (void)arg;
    return chain(&(int){1});
}

VIRTUAL_TEST(dump_of_more_tasks_than_the_limit_says_how_many_are_not_shown)
{
    enum { PARENTS = 600 };
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < PARENTS; i++)
        ASSERT_OK(weft_group_spawn(&group, parent_of_one, NULL));
    dump_text();
    ASSERT(strstr(text, "(202 tasks are not shown)\n") != NULL);
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(dump_changes_nothing_for_the_tasks)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    errno = EXDEV;
    for (int i = 0; i < 10; i++)
        ASSERT_OK(weft_group_spawn(&group, outermost, NULL));
    for (int i = 0; i < 20; i++) {
        dump_text();
        ASSERT_OK(weft_sleep(WEFT_SEC(3)));
    }
    ASSERT_INT_EQ(errno, EXDEV);
    ASSERT_INT_EQ(weft_task_count(), 11);
    ASSERT_OK(weft_group_wait(&group));
}

static int dump_inside(void *arg)
{
    *(const char **)arg = dump_text();
    return 0;
}

static int under_a_seed(void *arg)
{
    weft_group group;
    const char *seen = NULL;
    (void)arg;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 20; i++)
        ASSERT_OK(weft_group_spawn(&group, i == 10 ? dump_inside : outermost, &seen));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT(seen != NULL);
    return 0;
}

/* Some have not begun when the dump is made. */
TEST(dump_of_tasks_that_have_not_begun_does_not_begin_them_early)
{
    for (uint64_t seed = 1; seed < 50; seed++)
        ASSERT_OK(weft_run_with(under_a_seed, NULL,
                                WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .seed = seed)));
}

VIRTUAL_TEST(dump_needs_no_memory)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, outermost, NULL));
    weft_testing_fail_alloc(1, true);
    dump_text();
    ASSERT_INT_EQ(weft_testing_alloc_count(), 0);
    weft_testing_fail_alloc(0, false);
    ASSERT_STR_HAS(text, "innermost+0x");
    ASSERT_OK(weft_group_wait(&group));
}

static CALL int fill(size_t bytes)
{
    char room[4096];
    memset(room, 1, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    int err = bytes > sizeof room ? fill(bytes - sizeof room) : weft_sleep(WEFT_SEC(1));
    after_call += room[0];
    return err;
}

static int nearly_full(void *arg)
{
    (void)arg;
    return fill(10 * 1024);
}

VIRTUAL_TEST(dump_leaves_alone_a_stack_that_is_nearly_full)
{
    weft_group group;
    if (test_slowness() > 1)
        SKIP("frames are larger in this build");
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(
        weft_group_spawn_with(&group, nearly_full, NULL, WEFT_SPAWN(.stack_size = 16 * 1024)));
    dump_text();
    ASSERT_STR_HAS(text, "(its stack is too full to be walked)\n");
    ASSERT_OK(weft_group_wait(&group));
}

TEST(dump_to_a_closed_descriptor_does_no_harm)
{
    weft_dump_tasks(-1);
    ASSERT_INT_EQ(weft_task_id(NULL), 0);
    ASSERT_INT_EQ(weft_task_id(weft_task_self()), 0);
}
