#!/usr/bin/env bash
# Runs the fuzz targets, two at a time: tests/fuzz/run.sh [SECONDS for each, 60] [TARGET...]
# Begins with the seeds in corpus/TARGET (and with what real model servers sent); what is found on the way is kept under
# build/fuzz/corpus and used again. An input that breaks something is left in build/fuzz/findings and named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

seconds=${1:-60}
shift || true
build=$PWD/../../build/fuzz
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(request_head completion_stream request_json multipart base_url import_json import_zip)
mkdir -p "$build/findings"

fuzz() {
  local target=$1 log="$build/$1.log" seeds=()
  [ -d "corpus/$target" ] && seeds+=("corpus/$target")
  [ "$target" = completion_stream ] && seeds+=(../golden/upstreams)
  mkdir -p "$build/corpus/$target"
  if "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$target-" "$build/corpus/$target" "${seeds[@]}" >"$log" 2>&1; then
    echo "ok   $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s"
  else
    echo "FAIL $target: see $log"
    grep -E 'broken:|ERROR|Test unit written' "$log" || tail -20 "$log"
    return 1
  fi
}

failed=0
running=()
for target in "${targets[@]}"; do
  fuzz "$target" &
  running+=($!)
  if [ ${#running[@]} -eq 2 ]; then
    wait "${running[0]}" || failed=$((failed + 1))
    running=("${running[1]}")
  fi
done
for pid in "${running[@]}"; do wait "$pid" || failed=$((failed + 1)); done
echo "$((${#targets[@]} - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
