#include "store/sqlite/calls.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kCallsStep = 500;  // rows that one sweep takes

struct KnownCall {
    Call call;
    Sha256 body{};
    std::int64_t process = 0;
    UnixSeconds created_at = 0;
};

Result<std::optional<KnownCall>> find_call(Connection& db, UserNo user, const Sha256& scope) {
    auto found = db.use(
        "SELECT no, finished, made, status, answer, body, process, created_at FROM repeatable_calls "
        "WHERE user_no = ?1 AND scope = ?2",
        user,
        scope
    );
    TRY(const bool row, found.step());
    if (!row) {
        return std::nullopt;
    }
    KnownCall known;
    known.call.no = found.get<CallNo>(0);
    known.call.state = found.integer(1) != 0 ? CallState::finished : CallState::running;
    known.call.made = found.get<std::string>(2);
    known.call.status = found.get<unsigned>(3);
    known.call.answer = found.get<std::string>(4);
    known.body = found.get<Sha256>(5);
    known.process = found.integer(6);
    known.created_at = found.integer(7);
    return known;
}

// The oldest finished one makes room for one more.
Status make_room_for_call(Connection& db, UserNo user) {
    std::int64_t calls = 0;
    {
        auto counted = db.use(
            "SELECT count(*) FROM repeatable_calls INDEXED BY repeatable_calls_finished WHERE user_no = ?1", user
        );
        TRY_VOID(counted.step());
        calls = counted.integer(0);
    }
    if (calls < kCallsPerUserMax) {
        return {};
    }
    TRY_VOID(db.run(
        "DELETE FROM repeatable_calls WHERE no IN (SELECT no FROM repeatable_calls INDEXED BY "
        "repeatable_calls_finished WHERE user_no = ?1 AND finished = 1 ORDER BY no LIMIT ?2)",
        user,
        calls - kCallsPerUserMax + 1
    ));
    if (db.changed_rows() == 0) {
        return base::fail(
            base::Errc::rate_limited,
            "1,000 of your requests with an Idempotency-Key are still being answered. Wait until some have ended.",
            "too_many_idempotent_requests"
        );
    }
    return {};
}

// Lets go of the answers of the oldest until one of `bytes` more fits; that they were carried out stays known.
Status make_room_for_answer(Connection& db, UserNo user, std::int64_t bytes) {
    for (;;) {
        std::int64_t held = 0;
        {
            auto counted = db.use(
                "SELECT coalesce(sum(answer_bytes), 0) FROM repeatable_calls INDEXED BY repeatable_calls_finished "
                "WHERE user_no = ?1",
                user
            );
            TRY_VOID(counted.step());
            held = counted.integer(0);
        }
        if (held + bytes <= kCallAnswersBytesMax) {
            return {};
        }
        TRY_VOID(db.run(
            "UPDATE repeatable_calls SET status = 0, answer = '', answer_bytes = 0 WHERE no = (SELECT no FROM "
            "repeatable_calls INDEXED BY repeatable_calls_finished WHERE user_no = ?1 AND finished = 1 "
            "AND answer_bytes > 0 ORDER BY no LIMIT 1)",
            user
        ));
        if (db.changed_rows() == 0) {
            return {};
        }
    }
}

Result<Call> insert_call(Connection& db, const NewCall& call, UnixSeconds now) {
    TRY_VOID(make_room_for_call(db, call.user));
    TRY_VOID(db.run(
        "INSERT INTO repeatable_calls (user_no, scope, body, process, created_at, made) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        call.user,
        call.scope,
        call.body,
        call.process,
        now,
        call.made
    ));
    Call begun;
    begun.no = static_cast<CallNo>(db.inserted_key());
    begun.made = call.made;
    return begun;
}

}  // namespace

Result<Call> begin_call(Connection& db, const NewCall& call, UnixSeconds now) {
    TRY(auto known, find_call(db, call.user, call.scope));
    if (known && known->created_at <= now - kCallKept) {
        TRY_VOID(forget_call(db, known->call.no));
        known.reset();
    }
    if (!known) {
        return insert_call(db, call, now);
    }
    if (known->body != call.body) {
        return base::fail(
            base::Errc::unprocessable,
            "This Idempotency-Key was used for another request already. A new request needs a new key.",
            "idempotency_key_reused"
        );
    }
    if (known->call.state == CallState::running && known->process != call.process) {
        known->call.state = CallState::interrupted;
        TRY_VOID(db.run("UPDATE repeatable_calls SET process = ?2 WHERE no = ?1", known->call.no, call.process));
    }
    return std::move(known->call);
}

Status finish_call(Connection& db, const FinishedCall& finished) {
    UserNo user{};
    {
        auto found = db.use("SELECT user_no FROM repeatable_calls WHERE no = ?1", finished.no);
        TRY(const bool row, found.step());
        if (!row) {
            return {};  // the person was deleted meanwhile
        }
        user = found.get<UserNo>(0);
    }
    const auto bytes = static_cast<std::int64_t>(finished.answer.size());
    TRY_VOID(make_room_for_answer(db, user, bytes));
    return db.run(
        "UPDATE repeatable_calls SET finished = 1, made = ?2, status = ?3, answer = ?4, answer_bytes = ?5 WHERE no = ?1",
        finished.no,
        finished.made,
        finished.status,
        finished.answer,
        bytes
    );
}

Status interrupt_call(Connection& db, CallNo no) {
    return db.run("UPDATE repeatable_calls SET process = 0 WHERE no = ?1", no);
}

Status forget_call(Connection& db, CallNo no) {
    return db.run("DELETE FROM repeatable_calls WHERE no = ?1", no);
}

Result<bool> delete_calls_before(Connection& db, UnixSeconds time) {
    TRY_VOID(db.run(
        "DELETE FROM repeatable_calls WHERE no IN (SELECT no FROM repeatable_calls WHERE created_at < ?1 "
        "ORDER BY created_at LIMIT ?2)",
        time,
        kCallsStep
    ));
    return db.changed_rows() == static_cast<std::int64_t>(kCallsStep);
}

}  // namespace confab::store::sqlite
