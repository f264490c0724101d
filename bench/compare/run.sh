#!/bin/sh
# run.sh [BUILD]: weft's retry and rate limits, and their peers, one after the other, in one table.
#
# It installs nothing: a peer that is missing is named in the table. On Debian the peers are
# python3-tenacity and golang-golang-x-time-dev; aiolimiter has no package there. PYTHON names
# another interpreter, for example that of a virtual environment with aiolimiter.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build}
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
        go build -o "$work/rate" bench/compare/rate.go
        "$work/rate"
    fi
}

for peer in weft python go; do
    "measure_$peer" >>"$work/rows"
done
echo '| what | result |'
echo '|---|---:|'
awk '{
    result = $(NF - 1) " " $NF
    $NF = $(NF - 1) = ""
    sub(/ +$/, "")
    print "| " $0 " | " result " |"
}' "$work/rows"
