/*
 * weft/base.h - version, time, memory, small types that every other header uses.
 */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0
#define WEFT_VERSION       "0.1.0"

#if defined(__GNUC__)
#define WEFT_API              __attribute__((visibility("default")))
#define WEFT_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))
#else
#define WEFT_API
#define WEFT_PRINTF(fmt, arg)
#endif

/* Durations and points in time are int64_t nanoseconds of the monotonic clock. */
#define WEFT_NS(n)   ((int64_t)(n))
#define WEFT_US(n)   (1000 * (int64_t)(n))
#define WEFT_MS(n)   (1000000 * (int64_t)(n))
#define WEFT_SEC(n)  (1000000000 * (int64_t)(n))
#define WEFT_FOREVER INT64_MAX

/*
 * Option structs are const pointers to compound literals with .size set: keyword
 * arguments for C.  NULL means all defaults, a zero field the default of that field.
 * Name every field: to C a value without a name is that of the field behind .size, so that
 * WEFT_CLIENT("x") is WEFT_CLIENT(.base_url = "x"), and no compiler says a word.
 * C++ has no compound literals; fill the struct by hand there and set .size.
 */
#define WEFT_OPTIONS(type, ...) ((const type *)&(const type){.size = sizeof(type), __VA_ARGS__})

/*
 * WEFT_AUTO(weft_response) *r = NULL; frees r when it goes out of scope.
 * Available with GCC and Clang for every type whose header defines weft_<type>_auto.
 */
#if defined(__GNUC__)
#define WEFT_AUTO(type) __attribute__((cleanup(type##_auto))) type
#endif
#define WEFT_DEFINE_AUTO(type, release)                                                            \
    static inline void type##_auto(type **object)                                                  \
    {                                                                                              \
        release(*object);                                                                          \
    }

/* A name and a value; arrays of them end with {0}. */
typedef struct weft_pair {
    const char *name;
    const char *value;
} weft_pair;

/**
 * weft_version() - the version of the library that runs, "MAJOR.MINOR.PATCH"
 *
 * Suspends: never.
 * Return:   lends a static string. WEFT_VERSION is the version compiled against.
 * Since:    0.1
 */
WEFT_API const char *weft_version(void);

/**
 * weft_now() - the monotonic clock
 *
 * On a virtual back end this is the virtual clock of the calling thread's loop.
 *
 * Suspends: never.
 * Return:   nanoseconds since an arbitrary point.
 * Source:   asyncio loop.time, trio.current_time.
 * Since:    0.1
 */
WEFT_API int64_t weft_now(void);

/*
 * Every allocation of the library goes through these three functions.  A replacement must be
 * thread-safe, may return NULL (every caller reports -ENOMEM), and must be set before the
 * first other call of the library.
 */
typedef struct weft_allocator {
    size_t size;
    void *(*alloc)(size_t bytes, void *userdata);
    void *(*realloc)(void *block, size_t bytes, void *userdata);
    void (*free)(void *block, void *userdata);
    void *userdata;
} weft_allocator;

/**
 * weft_set_allocator() - replace the allocator
 * @allocator: copies. NULL restores malloc, realloc and free.
 *
 * Suspends: never.
 * Return:   0, or -EINVAL if a function is missing.
 * Since:    0.1
 */
WEFT_API int weft_set_allocator(const weft_allocator *allocator);

/**
 * weft_free() - release memory that the library gave
 * @block: takes. NULL is allowed.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_free(void *block);

#ifdef __cplusplus
}
#endif
#endif
