// FairQueue: who waits for a model server, and who is next: whoever's person holds the fewest slots, and among those in
// turn. One person's requests come in their order.
//
// So a person with a hundred requests in the line delays another one's first by one turn, not by a hundred. Without a
// clock and a lock of its own: see UpstreamSlots.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace confab::llm {

using PersonKey = std::int64_t;  // 0: nobody in particular, the server's own work

// `Waiter` is a pointer; null is none.
template <class Waiter>
class FairQueue {
public:
    std::size_t size() const { return waiting_; }

    bool empty() const { return waiting_ == 0; }

    std::size_t waiting_of(PersonKey person) const {
        const auto entry = people_.find(person);
        return entry == people_.end() ? 0 : entry->second.line.size();
    }

    void push(PersonKey person, Waiter waiter) {
        Person& its = people_[person];
        if (its.line.empty()) {
            its.turn = ++turns_;
            order_.insert(place_of(person, its));
        }
        its.line.push_back(std::move(waiter));
        ++waiting_;
    }

    // The next one; it holds a slot from now on.
    Waiter pop() {
        if (order_.empty()) {
            return nullptr;
        }
        const PersonKey person = std::get<2>(*order_.begin());
        Person& its = people_.at(person);
        order_.erase(order_.begin());
        Waiter next = std::move(its.line.front());
        its.line.pop_front();
        --waiting_;
        ++its.held;
        its.turn = ++turns_;
        if (!its.line.empty()) {
            order_.insert(place_of(person, its));
        }
        return next;
    }

    // One of the person's slots is free again: others who hold as few come first now.
    void release(PersonKey person) {
        const auto entry = people_.find(person);
        if (entry == people_.end() || entry->second.held == 0) {
            return;
        }
        Person& its = entry->second;
        const bool listed = order_.erase(place_of(person, its)) > 0;
        --its.held;
        its.turn = ++turns_;
        if (listed) {
            order_.insert(place_of(person, its));
        }
        forget_if_idle(entry);
    }

    // It does not want to wait any more.
    void erase(PersonKey person, const Waiter& waiter) {
        const auto entry = people_.find(person);
        if (entry == people_.end()) {
            return;
        }
        Person& its = entry->second;
        waiting_ -= std::erase(its.line, waiter);
        if (its.line.empty()) {
            order_.erase(place_of(person, its));
            forget_if_idle(entry);
        }
    }

    // Makes room for one more of this person: takes out the newest of whoever has the most in the line, if that is more
    // than this person would have. Null: nobody has.
    Waiter displace(PersonKey person) {
        auto longest = people_.end();
        for (auto entry = people_.begin(); entry != people_.end(); ++entry) {
            if (longest == people_.end() || entry->second.line.size() > longest->second.line.size()) {
                longest = entry;
            }
        }
        if (longest == people_.end() || longest->second.line.size() <= waiting_of(person) + 1) {
            return nullptr;
        }
        Waiter last = std::move(longest->second.line.back());
        longest->second.line.pop_back();  // others of the same person are left
        --waiting_;
        return last;
    }

private:
    struct Person {
        std::deque<Waiter> line;
        std::size_t held = 0;
        std::uint64_t turn = 0;  // when it last came, got a slot or gave one back
    };

    using People = std::unordered_map<PersonKey, Person>;
    using Place = std::tuple<std::size_t, std::uint64_t, PersonKey>;

    static Place place_of(PersonKey person, const Person& its) { return {its.held, its.turn, person}; }

    void forget_if_idle(typename People::iterator entry) {
        if (entry->second.held == 0 && entry->second.line.empty()) {
            people_.erase(entry);
        }
    }

    People people_;          // who waits, or holds something
    std::set<Place> order_;  // of people who wait
    std::size_t waiting_ = 0;
    std::uint64_t turns_ = 0;
};

}  // namespace confab::llm
