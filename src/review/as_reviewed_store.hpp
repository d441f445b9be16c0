// The database as the reviewed application used it: a connection for each query, histories whole.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace confab::review {

struct LoadedMessage {
    std::string id;
    bool assistant = false;
    std::string text;
};

class AsReviewedStore {
public:
    explicit AsReviewedStore(std::string path) : path_(std::move(path)) {}

    // All of it. `not_found` when there is no such conversation.
    base::Result<std::vector<LoadedMessage>> load_history(const std::string& conversation_id) const;

    // Appends one.
    base::Status store_message(const std::string& conversation_id, const LoadedMessage& message) const;

private:
    struct Place {
        std::int64_t conversation = 0;
        std::int64_t user = 0;
    };

    base::Result<Place> find(const std::string& conversation_id) const;

    std::string path_;
};

}  // namespace confab::review
