#!/bin/sh
# demo.sh: weft's main job, on this machine alone.  It starts weft's own server, and fetches 100
# URLs of JSON from it: five at a time, at most 50 a second.  Ten of them fail twice first.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
weft=${WEFT:-${WEFT_BUILD_ROOT:-$root/build}/src/cli/weft}
[ -x "$weft" ] || { echo "demo: $weft is not there: type make" >&2; exit 1; }

work=$(mktemp -d "${TMPDIR:-/tmp}/weft-demo.XXXXXX")
server=
finish() {
    [ -z "$server" ] || kill -INT "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    bold= plain=
fi
say() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }

say '$ weft serve --echo --port 0'
"$weft" serve --echo --port 0 >"$work/server" 2>&1 &
server=$!
tries=0
until grep -q 'http://' "$work/server"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$work/server" >&2
        exit 1
    fi
    sleep 0.1
done
cat "$work/server"
base=$(sed -n 's,.*\(http://[^ ]*\)/ .*,\1,p' "$work/server")

# 90 URLs that answer, 10 that answer with 503 twice before they do.
for n in $(seq 1 100); do
    case $n in
        *0) printf '%s/retry/2/order-%d?delay=0.08\tout=order-%d.json\n' "$base" "$n" "$n" ;;
        *) printf '%s/json/%d?delay=0.08\tout=user-%d.json\n' "$base" "$n" "$n" ;;
    esac
done >"$work/urls.txt"

echo
say '$ weft fetch -i urls.txt -c 5 --rate 50 --retry 4 --expect-json -d out --results results.jsonl'
cd "$work"
"$weft" fetch -i urls.txt -c 5 --rate 50 --retry 4 --expect-json -d out --results results.jsonl

files=$(find out -name '*.json' | wc -l)
lines=$(grep -c '"ok":true' results.jsonl)
stats=$("$weft" "$base/stats")
highest=$(printf '%s' "$stats" | sed -n 's/.*"highest":\([0-9]*\).*/\1/p')
requests=$(printf '%s' "$stats" | sed -n 's/.*"requests":\([0-9]*\).*/\1/p')

echo
say '$ weft '"$base/stats"
echo "$stats"
echo
say '$ head -n 1 results.jsonl; cat out/user-7.json out/order-10.json'
head -n 1 results.jsonl
cat out/user-7.json
echo
cat out/order-10.json
echo
echo
echo "The server counted $requests requests, and never more than $highest at once."
echo "$files files are in out/, $lines lines in results.jsonl say ok."

if [ "$files" -ne 100 ] || [ "$lines" -ne 100 ] || [ "$highest" -gt 5 ] ||
    [ "$requests" -ne 120 ]; then
    echo "demo: this is not what was to be expected" >&2
    exit 1
fi
