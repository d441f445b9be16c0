// Where an item stands among the branches of its conversation, and how pages of a path are asked for.
#pragma once

#include <optional>
#include <variant>

#include "store/rows.hpp"

namespace confab::store {

// One item of the whole tree, without its text.
struct TreeItem {
    ItemId id;
    std::optional<ItemId> parent;
    std::optional<ResponseId> response;
    ItemRole role = ItemRole::user;
    UnixSeconds created_at = 0;
};

// Somewhere on a path, to read around it.
struct AtItem {
    ItemId item;
};

struct AtShare {
    double share = 0;  // 0: the beginning, 1: the end
};

struct AtDate {
    UnixSeconds date = 0;  // the first item made then or later
};

// A page of a path: one way from `after`, or around a place, half of it before and half after.
struct ItemPageRequest : PageRequest<ItemId> {
    ItemPageRequest() = default;

    ItemPageRequest(PageRequest<ItemId> page)  // NOLINT(google-explicit-constructor): a page of the active path
        : PageRequest<ItemId>(std::move(page)) {}

    ItemPageRequest(std::optional<ItemId> after_item, Order direction, std::size_t rows)
        : PageRequest<ItemId>{after_item, direction, rows} {}

    std::optional<std::variant<AtItem, AtShare, AtDate>> around;  // then `after` and `order` do not matter
    std::optional<ItemId> leaf;  // the path ends with this item; absent: the active branch's path
};

// `has_more`: in the direction asked for; around a place, newer ones.
struct ItemPage : Page<Item> {
    bool has_older = false;
    bool has_newer = false;
    std::optional<ItemId> leaf;  // the last visible item of the path; nothing: it is empty
    Position head = 0;           // its position: the length of the path; 0 without one
};

}  // namespace confab::store
