// The page's files, embedded in the program and compressed at build time.
#pragma once

#include <span>
#include <string_view>

namespace confab::web {

inline constexpr std::string_view kIndexPath = "/index.html";

struct Asset {
    std::string_view path;  // "/assets/index-4f3a.js"
    std::string_view content_type;
    std::string_view etag;   // quoted
    bool immutable = false;  // its name holds a hash of its content
    bool is_page = false;    // HTML
    std::string_view plain;
    std::string_view gzip;
    std::string_view brotli;
};

// Made by tools/embed_assets.mjs; empty in a build without the page.
std::span<const Asset> embedded_assets();

const Asset* find_asset(std::string_view path);

}  // namespace confab::web
