/*
 * sanitize.h - what AddressSanitizer, ThreadSanitizer and Valgrind must be told about stacks.
 */
#ifndef WEFT_RUN_SANITIZE_H
#define WEFT_RUN_SANITIZE_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT__ASAN 1
#endif
#endif
#ifndef WEFT__ASAN
#define WEFT__ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define WEFT__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT__TSAN 1
#endif
#endif
#ifndef WEFT__TSAN
#define WEFT__TSAN 0
#endif

struct weft__fiber {
#if WEFT__ASAN
    void *fake_stack;
    const void *bottom; /* lowest address of the stack */
    size_t size;
#endif
#if WEFT__TSAN
    void *tsan;
#endif
    char nothing[0];
};

#if WEFT__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if WEFT__TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if WEFT_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high)   0u
#define VALGRIND_STACK_DEREGISTER(id)        ((void)(id))
#define RUNNING_ON_VALGRIND                  0
#define VALGRIND_MAKE_MEM_DEFINED(addr, n)   ((void)(addr), (void)(n))
#define VALGRIND_MAKE_MEM_UNDEFINED(addr, n) ((void)(addr), (void)(n))
#endif

#endif
