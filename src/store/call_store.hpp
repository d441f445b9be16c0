// CallStore: requests that may be repeated (Idempotency-Key), so that a repetition does nothing twice.
//
// A call is noted before it does anything, together with the id of what it will make; so whoever finds it interrupted
// can find out whether it was done. Bounded by user, in rows and in bytes of kept answers, and by age.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "net/task.hpp"
#include "store/rows.hpp"

namespace confab::store {

inline constexpr std::int64_t kCallsPerUserMax = 1'000;                   // the oldest finished ones make room
inline constexpr UnixSeconds kCallKept = 24 * 3'600;                      // seconds
inline constexpr std::size_t kCallAnswerBytesMax = 256 * 1024;            // of one answer; a larger one is not kept
inline constexpr std::int64_t kCallAnswersBytesMax = 4LL * 1024 * 1024;  // of a user's; the oldest are let go of

enum class CallNo : std::int64_t {};

struct NewCall {
    UserNo user{};
    Sha256 scope{};            // of the route and the key
    Sha256 body{};             // of all that is asked
    std::int64_t process = 0;  // that answers it, not 0
    std::string made;          // the id of what will be made
};

enum class CallState : std::uint8_t {
    begun,        // nobody was here before
    running,      // it is being answered
    interrupted,  // its process ended, or gave it up; now the caller answers it
    finished,
};

struct Call {
    CallNo no{};
    CallState state = CallState::begun;
    std::string made;     // ids, separated by blanks
    unsigned status = 0;  // of the answer; 0: it was not kept
    std::string answer;
};

struct FinishedCall {
    CallNo no{};
    std::string made;
    unsigned status = 0;  // 0: the answer is not kept
    std::string answer;   // at most kCallAnswerBytesMax
};

class CallStore {
public:
    virtual ~CallStore() = default;

    // `unprocessable` (idempotency_key_reused) when the same key came with another body, `rate_limited`
    // (too_many_idempotent_requests) when kCallsPerUserMax are unfinished.
    virtual net::Task<base::Result<Call>> begin_call(NewCall call) = 0;
    virtual net::Task<base::Status> finish_call(FinishedCall finished) = 0;
    // Whoever repeats it finds out whether it was done.
    virtual net::Task<base::Status> interrupt_call(CallNo no) = 0;
    // It did nothing: whoever repeats it is the first one.
    virtual net::Task<base::Status> forget_call(CallNo no) = 0;
    // A bounded step; true: there may be more.
    virtual net::Task<base::Result<bool>> delete_calls_before(UnixSeconds time) = 0;
};

}  // namespace confab::store
