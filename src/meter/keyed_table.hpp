// KeyedTable: values by key for several threads, for lookups that are rare. What is not in use elsewhere gives way when
// the table is full.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace confab::meter {

inline constexpr std::size_t kTableEntriesMax = 65'536;

template <class Key, class Value, class Hash = std::hash<Key>>
class KeyedTable {
public:
    explicit KeyedTable(std::size_t entries_max = kTableEntriesMax) : entries_max_(entries_max) {}

    std::optional<Value> find(const Key& key) const {
        const std::lock_guard lock(mutex_);
        const auto entry = entries_.find(key);
        return entry == entries_.end() ? std::nullopt : std::optional(entry->second);
    }

    // Calls `change` with the value, which is made by default when there is none, and returns a copy of it. When the
    // table is full of values for which `is_idle` is false, it grows all the same.
    template <class Change, class IsIdle>
    Value update(const Key& key, Change change, IsIdle is_idle) {
        const std::lock_guard lock(mutex_);
        if (entries_.size() >= entries_max_ && !entries_.contains(key)) {
            std::erase_if(entries_, [&](const auto& entry) { return is_idle(entry.second); });
        }
        Value& value = entries_[key];
        change(value);
        return value;
    }

    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return entries_.size();
    }

private:
    const std::size_t entries_max_;
    mutable std::mutex mutex_;
    std::unordered_map<Key, Value, Hash> entries_;
};

}  // namespace confab::meter
