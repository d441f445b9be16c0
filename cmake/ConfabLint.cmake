# `cmake --workflow --preset lint`: clang-tidy over every source file; needs no precompiled header.
find_program(CONFAB_RUN_CLANG_TIDY NAMES run-clang-tidy-19 run-clang-tidy)
find_program(CONFAB_CLANG_TIDY NAMES clang-tidy-19 clang-tidy)
if(CONFAB_RUN_CLANG_TIDY AND CONFAB_CLANG_TIDY)
    add_custom_target(lint
        COMMAND ${CONFAB_RUN_CLANG_TIDY} -quiet -clang-tidy-binary ${CONFAB_CLANG_TIDY} -p ${CMAKE_BINARY_DIR} "${CMAKE_SOURCE_DIR}/src/.*\\.cpp"
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM)
endif()
