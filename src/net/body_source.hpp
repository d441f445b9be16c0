// What a request body is made of: a text, and possibly parts that are read piece by piece while it is being sent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace confab::net {

// A stretch of a body that is not in memory. May be read any number of times.
class BodyPart {
public:
    virtual ~BodyPart() = default;

    // Bytes as sent; what read() gives must add up to it.
    virtual std::uint64_t size() const = 0;

    // The bytes at `offset`, which is 0 or where an earlier piece ended: at least one, and few enough to hold. `done`
    // is called once, from any thread, possibly before this returns.
    virtual void read(std::uint64_t offset, std::move_only_function<void(base::Result<std::string>)> done) = 0;
};

struct BodySource {
    // Stands before the character text[at], or at the end.
    struct Insertion {
        std::size_t at = 0;
        std::shared_ptr<BodyPart> part;
    };

    BodySource() = default;

    BodySource(std::string its_text)
        : text(std::move(its_text)) {}  // NOLINT(google-explicit-constructor): the usual body

    std::uint64_t size() const {
        std::uint64_t bytes = text.size();
        for (const Insertion& insertion : insertions) {
            bytes += insertion.part->size();
        }
        return bytes;
    }

    std::string text;
    std::vector<Insertion> insertions;  // by `at`
};

}  // namespace confab::net
