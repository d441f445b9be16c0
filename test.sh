#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test. A part of them: ./test.sh unit|api|fault|e2e|ui|fuzz
set -euo pipefail
cd "$(dirname "$0")"

part="${1:-all}"
tools/install_dependencies.sh test

echo "== build (address and undefined-behaviour sanitizers)"
cmake --preset asan >/dev/null
cmake --build --preset asan
export CONFAB_BIN="$PWD/build/asan/confab"
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

if [ "$part" = all ] || [ "$part" = unit ]; then
    echo "== unit and golden tests"
    ctest --preset asan -j 2 --output-on-failure
fi
if [ "$part" = all ] || [ "$part" = ui ]; then
    echo "== the page: types, unit tests, size"
    (cd ui && npm run --silent check && npm test --silent && npm run --silent size)
fi
# The fuzz targets take what the API tests leave of the processor: those wait much.
if [ "$part" = all ] || [ "$part" = fuzz ]; then
    echo "== fuzz targets, ${CONFAB_FUZZ_SECONDS:-60} s each (CONFAB_FUZZ_SECONDS)$([ "$part" = all ] && echo ", beside the API tests")"
    cmake --preset fuzz >/dev/null
    cmake --build --preset fuzz
    nice -n 19 tests/fuzz/run.sh "${CONFAB_FUZZ_SECONDS:-60}" >build/fuzz/run.log 2>&1 &
    fuzzing=$!
    trap 'kill "$fuzzing" 2>/dev/null || true' EXIT
fi
for suite in api fault e2e; do
    if [ -n "${fuzzing:-}" ] && [ "$suite" = fault ]; then
        echo "== what the fuzz targets found"
        finished=0
        wait "$fuzzing" || finished=$?
        cat build/fuzz/run.log
        [ "$finished" -eq 0 ]
        trap - EXIT
    fi
    if [ "$part" = all ] || [ "$part" = "$suite" ]; then
        echo "== $suite tests"
        tests/run_node_tests.sh "$suite"
    fi
done
echo "All tests passed."
