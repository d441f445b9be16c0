#!/usr/bin/env bash
# Installs what is missing, builds Confab, and starts it. Flags are passed on to `confab serve`: ./run.sh --listen 127.0.0.1:9000
set -euo pipefail
cd "$(dirname "$0")"

tools/install_dependencies.sh run
if [ ! -f build/release/build.ninja ]; then
    echo "Configuring ..." >&2
    cmake --preset release -DCONFAB_TESTS=OFF >&2
fi
if [ ! -x build/release/confab ]; then
    echo "Building; the first time takes a few minutes ..." >&2
fi
cmake --build --preset release --target confab -- --quiet >&2
exec build/release/confab serve "$@"
