#include "base/fault.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <weft/testing.h>

#include "base/error_int.h"

enum { PLANS_MAX = 64, NAME_MAX_LEN = 31 };

struct plan {
    uint64_t owner; /* 0: unused */
    uint64_t nth;
    uint64_t count;
    weft_testing_fault fault;
    bool only_count;
    char name[NAME_MAX_LEN + 1]; /* "": any operation */
};

atomic_int weft__faults_armed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct plan plans[PLANS_MAX];
static uint64_t last_owner;
static _Thread_local uint64_t own_id;
static _Thread_local uint64_t acts_for;

uint64_t weft__fault_owner(void)
{
    return acts_for != 0 ? acts_for : own_id;
}

void weft__fault_act_for(uint64_t owner)
{
    acts_for = owner;
}

/* Called with the lock. */
static struct plan *find(const char *name)
{
    for (size_t i = 0; i < PLANS_MAX; i++) {
        if (plans[i].owner == own_id && strcmp(plans[i].name, name) == 0)
            return &plans[i];
    }
    return NULL;
}

static struct plan *find_unused(void)
{
    for (size_t i = 0; i < PLANS_MAX; i++) {
        if (plans[i].owner == 0)
            return &plans[i];
    }
    return NULL;
}

static void drop(const char *name)
{
    for (size_t i = 0; i < PLANS_MAX; i++) {
        struct plan *plan = &plans[i];
        if (plan->owner == 0 || plan->owner != own_id)
            continue;
        if (name[0] == '\0' || strcmp(plan->name, name) == 0) {
            plan->owner = 0;
            atomic_fetch_sub(&weft__faults_armed, 1);
        }
    }
}

static int set(const char *name, uint64_t nth, const weft_testing_fault *fault)
{
    if (own_id == 0)
        own_id = ++last_owner;
    struct plan *plan = find(name);
    if (plan == NULL) {
        plan = find_unused();
        if (plan == NULL)
            return -ENOSPC;
        atomic_fetch_add(&weft__faults_armed, 1);
    }
    *plan = (struct plan){.owner = own_id, .nth = nth, .only_count = fault == NULL};
    memcpy(plan->name, name, strlen(name));
    if (fault != NULL)
        memcpy(&plan->fault, fault,
               fault->size < sizeof plan->fault ? fault->size : sizeof plan->fault);
    return 0;
}

int weft_testing_fail_op(const char *name, uint64_t nth, const weft_testing_fault *fault)
{
    int err = 0;
    if (name == NULL)
        name = "";
    if (strlen(name) > NAME_MAX_LEN)
        return weft__fail(-EINVAL, "the name of an operation has at most %d bytes", NAME_MAX_LEN);
    if (fault != NULL && fault->error == -EINTR && fault->and_later)
        return weft__fail(-EINVAL, "an operation that is interrupted each time never ends");
    pthread_mutex_lock(&lock);
    if (nth == 0)
        drop(name);
    else
        err = set(name, nth, fault);
    pthread_mutex_unlock(&lock);
    if (err < 0)
        return weft__fail(err, "more than %d kinds of operations are made to fail", PLANS_MAX);
    return 0;
}

uint64_t weft_testing_op_count(const char *name)
{
    pthread_mutex_lock(&lock);
    const struct plan *plan = own_id != 0 ? find(name != NULL ? name : "") : NULL;
    uint64_t count = plan != NULL ? plan->count : 0;
    pthread_mutex_unlock(&lock);
    return count;
}

bool weft__fault_find(const char *name, struct weft__fault *ret)
{
    bool found = false;
    uint64_t owner = weft__fault_owner();
    if (owner == 0)
        return false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < PLANS_MAX; i++) {
        struct plan *plan = &plans[i];
        if (plan->owner != owner || (plan->name[0] != '\0' && strcmp(plan->name, name) != 0))
            continue;
        plan->count++;
        bool due = plan->count == plan->nth || (plan->fault.and_later && plan->count > plan->nth);
        if (plan->only_count || !due || found)
            continue;
        *ret = (struct weft__fault){plan->fault.error, plan->fault.limit, plan->fault.delay};
        found = true;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

int weft__fault_apply(const char *name, size_t *len)
{
    struct weft__fault fault;
    if (!weft__fault_find(name, &fault))
        return 0;
    if (len != NULL && fault.limit != 0 && *len > fault.limit)
        *len = fault.limit;
    return fault.error;
}
