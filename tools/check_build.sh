#!/bin/sh
# check_build.sh asan|tsan|valgrind [run_tests.py options]: the suites under a checking tool.
#
#   asan       AddressSanitizer and UndefinedBehaviorSanitizer: all but lint and docs, in build-asan/
#   tsan       ThreadSanitizer: the tests that start threads, in build-tsan/
#   valgrind   Memcheck: the suites unit and loop, in build/
set -eu
cd "$(dirname "$0")/.."
kind=$1
shift

# build_with SANITIZERS: configures and builds build-KIND.
build_with()
{
    if [ ! -f "build-$kind/build.ninja" ]; then
        echo "meson setup build-$kind -Db_sanitize=$1"
        meson setup "build-$kind" -Db_sanitize="$1" -Db_lundef=false >"build-$kind.log" 2>&1 ||
            { cat "build-$kind.log" >&2; exit 1; }
        rm -f "build-$kind.log"
    fi
    ninja -C "build-$kind" --quiet
}

case $kind in
asan)
    build_with address,undefined
    export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS:-}"
    export ASAN_OPTIONS="strict_string_checks=1:${ASAN_OPTIONS:-}"
    exec tools/run_tests.py build-asan --no-suite lint --no-suite docs --timeout-multiplier 4 "$@"
    ;;
tsan)
    build_with thread
    export TSAN_OPTIONS="halt_on_error=1:${TSAN_OPTIONS:-}"
    exec tools/run_tests.py build-tsan --suite threads --timeout-multiplier 10 "$@"
    ;;
valgrind)
    exec tools/run_tests.py build --suite unit --suite loop --setup valgrind "$@"
    ;;
*)
    echo "usage: $0 asan|tsan|valgrind" >&2
    exit 2
    ;;
esac
