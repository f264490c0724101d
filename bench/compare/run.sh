#!/bin/sh
# run.sh [--update] [BUILD [RUNS]]: weft's retry and rate limits, and their peers, as tables of Markdown.
#
# Everything runs RUNS times (3), one after the other; --update puts the tables into
# docs/performance-retry.md instead of printing them.  Nothing is installed: a peer that is missing is
# named in the table. On Debian the peers are python3-tenacity and golang-golang-x-time-dev; aiolimiter
# has no package there. PYTHON names another interpreter, for example that of a virtual environment
# with aiolimiter.
set -eu
cd "$(dirname "$0")/../.."
update=
if [ "${1:-}" = --update ]; then
    update=docs/performance-retry.md
    shift
fi
build=${1:-build}
runs=${2:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's modules belong to Debian's interpreter, which need not be the first in PATH.
find_python()
{
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import tenacity' 2>/dev/null && echo "$python" && return
    done
    command -v python3
}

missing()
{
    printf '%-60s %9s %s\n' "$1: all" not installed
}

measure_weft()
{
    for name in retry limit; do
        "$build/bench/bench_$name" >"$work/bench"
        sed 's/^[^ ]/weft: &/' "$work/bench"
    done
}

measure_python()
{
    if python=${PYTHON:-$(find_python)}; then
        "$python" bench/compare/peers.py
    else
        missing Python
    fi
}

# GO111MODULE=off: Debian's Go packages are source under GOPATH, and nothing is downloaded.
measure_go()
{
    export GO111MODULE=off GOPATH="${GOPATH:-/usr/share/gocode}" GOCACHE="$work/go"
    if ! command -v go >/dev/null; then
        missing Go
    elif ! go list golang.org/x/time/rate >/dev/null 2>&1; then
        missing x/time/rate
    else
        [ -x "$work/rate" ] || go build -o "$work/rate" bench/compare/rate.go
        "$work/rate"
    fi
}

run=0
while [ "$run" -lt "$runs" ]; do
    run=$((run + 1))
    for peer in weft python go; do
        "measure_$peer" >>"$work/wall.$run"
    done
    BENCH_CLOCK=cpu measure_weft >>"$work/cpu.$run"
    cut -d ' ' -f 1 /proc/loadavg >>"$work/load"
done
python3 bench/compare/table.py "$work" $update
