// The scratch data of a review: people with keys, and conversations of given lengths, written through the store before
// any server runs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "net/task.hpp"

namespace confab::review {

struct SizedConversation {
    std::int64_t messages = 0;
    std::string id;  // as the API shows it
};

struct Person {
    std::string key;  // of the API
    SizedConversation conversation;  // a short one; none (0 messages) for who only imports
};

struct Seeded {
    std::vector<Person> people;                   // the first one owns `conversations` besides
    std::vector<SizedConversation> conversations;  // by length
};

inline constexpr std::int64_t kShortMessages = 100;

// Who is there: the owner of the long conversations, those with a short one each, and at the end one with none.
inline constexpr std::size_t kOwner = 0;
inline constexpr std::size_t kNeighbours = 4;
inline constexpr std::size_t kImporter = kNeighbours + 1;

// Makes FOLDER/confab.db. `messages` are the lengths, ascending; messages have 200 to 600 bytes. Returns when the search
// index has caught up, so that nothing is left to do that would be taken for the workload's. `progress` gets a share.
net::Task<base::Result<Seeded>> seed(
    std::string folder,
    std::vector<std::int64_t> messages,
    std::function<void(double)> progress
);

}  // namespace confab::review
