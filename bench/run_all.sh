#!/usr/bin/env bash
# Builds what the benchmarks need and runs them all; prints Markdown that can be pasted into RESULTS.md. Takes about ten minutes on an
# idle machine with two cores; everything listens on 127.0.0.1, and what it writes is in a temporary directory that it removes.
#
#     bench/run_all.sh            all of them
#     bench/run_all.sh streams    one of: store page client reviewed streams idle
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly build=build/bench
readonly wanted=${1:-all}
readonly messages=1000000

cmake --preset release -B "$build" -DCONFAB_BENCH=ON -DCONFAB_TESTS=OFF >&2
cmake --build "$build" --target confab store_bench client_bench as_reviewed mock_upstream load_streams >&2

directory=$(mktemp -d)
mock=
cleanup() {
    if [ -n "$mock" ]; then kill "$mock" 2>/dev/null || true; fi
    rm -rf "$directory"
}
trap cleanup EXIT
export BENCH_BUILD=$PWD/$build BENCH_DIR=$directory

# 1,000 streams are 2,000 sockets of the proxy.
ulimit -n "$(ulimit -H -n)"

wants() { [ "$wanted" = all ] || [ "$wanted" = "$1" ]; }

# Each step has its time; one that hangs does not keep the others from being told.
step() {
    local seconds=$1
    shift
    printf '\n### `%s`\n' "${*//$directory/DIR}" | sed "s#$BENCH_BUILD#$build#g"
    timeout --kill-after=5 "$seconds" "$@" || echo "(failed or took longer than $seconds s)"
}

echo "Load of the machine before: $(cut -d' ' -f1-3 /proc/loadavg)"

if wants store || wants page; then
    mkdir -p "$directory/data"
    step 150 "$build/bench/store_bench" seed "$directory/data/confab.db" "$messages"
fi
if wants page; then step 90 node bench/http_page.mjs "$directory/data"; fi
if wants store; then step 120 "$build/bench/store_bench" run "$directory/data/confab.db"; fi
rm -rf "$directory/data"

if wants client; then
    port=$(node -e 'const s = require("net").createServer(); s.listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
    "$build/bench/mock_upstream" "$port" 2>/dev/null &
    mock=$!
    sleep 0.3
    step 60 "$build/bench/client_bench" --port "$port"
    kill "$mock"
    mock=
fi

if wants reviewed; then step 120 node bench/as_reviewed.mjs; fi
if wants streams; then step 900 node bench/streams.mjs 3; fi
if wants idle; then step 90 node bench/idle.mjs; fi
