#include "transfer/message_record.hpp"

#include <cstring>
#include <type_traits>

namespace confab::transfer {

namespace {

class Packer {
public:
    template <class T>
    void number(T value) {
        static_assert(std::is_trivially_copyable_v<T>);
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }

    void text(std::string_view value) {
        number(static_cast<std::uint64_t>(value.size()));
        bytes_.append(value);
    }

    template <class Id>
    void id(const std::optional<Id>& value) {
        number(static_cast<std::uint8_t>(value.has_value()));
        if (value) {
            number(value->bytes);
        }
    }

    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
};

class Unpacker {
public:
    explicit Unpacker(std::string_view bytes) : bytes_(bytes) {}

    template <class T>
    T number() {
        T value{};
        CONFAB_ASSERT(bytes_.size() >= sizeof value);
        std::memcpy(&value, bytes_.data(), sizeof value);
        bytes_.remove_prefix(sizeof value);
        return value;
    }

    std::string text() {
        const auto size = number<std::uint64_t>();
        CONFAB_ASSERT(bytes_.size() >= size);
        std::string value(bytes_.substr(0, size));
        bytes_.remove_prefix(size);
        return value;
    }

    template <class Id>
    std::optional<Id> id() {
        if (number<std::uint8_t>() == 0) {
            return std::nullopt;
        }
        return Id{number<base::IdBytes>()};
    }

private:
    std::string_view bytes_;
};

}  // namespace

std::string to_record(const SourceMessage& message) {
    Packer out;
    out.text(message.id);
    out.text(message.parent);
    out.number(message.created_at);
    out.text(message.model);
    out.text(message.usage);
    out.number(static_cast<std::uint8_t>(message.timing.has_value()));
    if (message.timing) {
        out.number(message.timing->first_token_ms);
        out.number(message.timing->duration_ms);
        out.number(message.timing->output_tokens.value_or(-1));
    }
    out.id(message.given_id);
    out.id(message.given_run);
    out.number(static_cast<std::uint64_t>(message.items.size()));
    for (const SourceItem& item : message.items) {
        out.number(item.type);
        out.number(item.item.role);
        out.number(item.item.status);
        out.number(item.item.format);
        out.number(item.item.tokens);
        out.text(item.item.body);
    }
    return out.take();
}

SourceMessage from_record(std::string_view record) {
    Unpacker in(record);
    SourceMessage message;
    message.id = in.text();
    message.parent = in.text();
    message.created_at = in.number<store::UnixSeconds>();
    message.model = in.text();
    message.usage = in.text();
    if (in.number<std::uint8_t>() != 0) {
        store::RunTiming timing;
        timing.first_token_ms = in.number<std::int64_t>();
        timing.duration_ms = in.number<std::int64_t>();
        const auto tokens = in.number<std::int64_t>();
        timing.output_tokens = tokens < 0 ? std::nullopt : std::optional(tokens);
        message.timing = timing;
    }
    message.given_id = in.id<store::ItemId>();
    message.given_run = in.id<store::ResponseId>();
    const auto count = in.number<std::uint64_t>();
    for (std::uint64_t i = 0; i < count; ++i) {
        SourceItem item;
        item.type = in.number<base::ItemType>();
        item.item.role = in.number<store::ItemRole>();
        item.item.status = in.number<store::ItemStatus>();
        item.item.format = in.number<store::BodyFormat>();
        item.item.tokens = in.number<std::int64_t>();
        item.item.body = in.text();
        message.items.push_back(std::move(item));
    }
    return message;
}

}  // namespace confab::transfer
