# Writes OUT: a C++ file with the migrations of DIR as string literals. Run by src/store/CMakeLists.txt at build time.
file(GLOB files "${DIR}/*.sql")
list(SORT files)
set(entries "")
foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME_WE)
    string(REGEX MATCH "^[0-9]+" number "${name}")
    math(EXPR version "1${number} - 10000")
    file(READ "${file}" sql)
    string(APPEND entries "    {${version}, \"${name}\", R\"sql(${sql})sql\"},\n")
endforeach()
file(WRITE "${OUT}" "#include \"store/sqlite/migrations.hpp\"

namespace confab::store::sqlite {

namespace {

constexpr Migration kMigrations[] = {
${entries}};

}  // namespace

std::span<const Migration> embedded_migrations() {
    return kMigrations;
}

}  // namespace confab::store::sqlite
")
