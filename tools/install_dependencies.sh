#!/usr/bin/env bash
# Installs what is missing of Debian's packages: tools/install_dependencies.sh run|test
# Prints nothing and asks for nothing when everything is there. Needs root, or sudo.
set -euo pipefail

packages=(
    g++ cmake ninja-build pkg-config python3 nodejs npm
    libboost1.81-dev libssl-dev libcurl4-openssl-dev libsqlite3-dev libsodium-dev libcjose-dev libjansson-dev libspdlog-dev libfmt-dev libcli11-dev
    libtomlplusplus-dev prometheus-cpp-dev libarchive-dev ca-certificates
)
if [ "${1:-run}" = test ]; then
    packages+=(libgtest-dev libgmock-dev chromium sqlite3 openssl nginx-light slowhttptest lld clang-19 libclang-rt-19-dev)
fi

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

provided_elsewhere() {  # Node.js may come from another source than Debian
    case "$1" in
        nodejs) command -v node >/dev/null ;;
        npm) command -v npm >/dev/null ;;
        python3) command -v python3 >/dev/null ;;
        *) false ;;
    esac
}

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || provided_elsewhere "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "These packages are missing, and this is no Debian: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "As root, install: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
echo "Installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
