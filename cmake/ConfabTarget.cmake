# One static library per folder: confab_target(store DEPS base net meter) makes confab_store from the folder's sources.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

# Where CMAKE_UNITY_BUILD is on, several files are one translation unit, so that headers are read and templates made once
# for all of them: names in anonymous namespaces must differ within a folder.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 10)

find_program(CONFAB_CCACHE ccache)
if(CONFAB_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER
        ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CONFAB_CCACHE})
endif()

add_library(confab_flags INTERFACE)
target_include_directories(confab_flags INTERFACE "${CMAKE_SOURCE_DIR}/src")
target_compile_options(confab_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wextra-semi
    -fstack-protector-strong -fno-omit-frame-pointer $<$<CONFIG:RelWithDebInfo>:-g1>)
target_compile_definitions(confab_flags INTERFACE
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
    BOOST_ASIO_DISABLE_BOOST_COROUTINE
    $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 reports false positives of these inside Asio's coroutine frames and std::expected.
    target_compile_options(confab_flags INTERFACE -fcoroutines -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
    if(CMAKE_UNITY_BUILD)
        target_compile_options(confab_flags INTERFACE -Wno-subobject-linkage)
    endif()
endif()
if(CONFAB_WERROR)
    target_compile_options(confab_flags INTERFACE -Werror)
endif()
if(CONFAB_SANITIZE)
    target_compile_options(confab_flags INTERFACE -fsanitize=${CONFAB_SANITIZE} -fno-sanitize-recover=undefined -g1)
    target_link_options(confab_flags INTERFACE -fsanitize=${CONFAB_SANITIZE})
    if(CONFAB_SANITIZE MATCHES "address.*undefined")
        # The checks before every access for null and for alignment are a quarter of the time to build. A null pointer ends
        # the program under the address sanitizer as well, and pointers are cast to pointers to bytes only.
        target_compile_options(confab_flags INTERFACE -fno-sanitize=null,alignment)
    endif()
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        target_compile_options(confab_flags INTERFACE --param=ggc-min-heapsize=1048576)  # KiB: collects its garbage less often
    endif()
    find_program(CONFAB_LLD ld.lld)
    if(CONFAB_LLD)
        target_link_options(confab_flags INTERFACE -fuse-ld=lld)
    endif()
endif()

function(confab_precompile target)
    if(NOT CONFAB_PCH)
        return()
    endif()
    if(NOT TARGET confab_pch)
        file(WRITE "${CMAKE_BINARY_DIR}/pch.cpp" "")
        add_library(confab_pch STATIC "${CMAKE_BINARY_DIR}/pch.cpp")
        target_link_libraries(confab_pch PRIVATE confab_flags confab_third_party)
        target_compile_options(confab_pch PRIVATE -fpch-preprocess)
        target_precompile_headers(confab_pch PRIVATE "${CMAKE_SOURCE_DIR}/cmake/pch.hpp")
    endif()
    target_compile_options(${target} PRIVATE -fpch-preprocess)
    target_precompile_headers(${target} REUSE_FROM confab_pch)
endfunction()

function(confab_target folder)
    cmake_parse_arguments(ARG "" "" "DEPS;LIBS" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
    add_library(confab_${folder} STATIC ${sources})
    list(TRANSFORM ARG_DEPS PREPEND confab_)
    target_link_libraries(confab_${folder} PUBLIC confab_flags ${ARG_DEPS} ${ARG_LIBS} PRIVATE confab_third_party)
    confab_precompile(confab_${folder})
endfunction()
