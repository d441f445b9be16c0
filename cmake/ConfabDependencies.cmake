# Debian 12 packages; tools/install_dependencies.sh installs them.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(cjose REQUIRED IMPORTED_TARGET cjose)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core)

pkg_check_modules(archive REQUIRED IMPORTED_TARGET libarchive)

find_path(CONFAB_BOOST_INCLUDE boost/version.hpp REQUIRED)

# What the precompiled header names; every target sees the same set of definitions.
add_library(confab_third_party INTERFACE)
target_include_directories(confab_third_party SYSTEM INTERFACE ${CONFAB_BOOST_INCLUDE})
target_link_libraries(confab_third_party INTERFACE Threads::Threads spdlog::spdlog fmt::fmt)
