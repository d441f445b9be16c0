#include "web/address_share.hpp"

#include <algorithm>

namespace confab::web {

namespace {

namespace ip = boost::asio::ip;

constexpr std::uint64_t kFourBytes = 0xFFFF;  // marks an IPv4 address; the /64 of an IPv6 address that begins so is reserved

std::uint64_t key_of(const ip::address& address) {
    if (address.is_v4() || address.to_v6().is_v4_mapped()) {
        const auto v4 = address.is_v4() ? address.to_v4() : ip::make_address_v4(ip::v4_mapped, address.to_v6());
        return kFourBytes << 48U | v4.to_uint();
    }
    std::uint64_t key = 0;
    const auto bytes = address.to_v6().to_bytes();
    for (std::size_t i = 0; i < 8; ++i) {
        key = key << 8U | bytes[i];
    }
    return key;
}

}  // namespace

std::string customer_of(const std::string& address) {
    boost::system::error_code ec;
    const ip::address parsed = ip::make_address(address, ec);
    if (ec || parsed.is_v4()) {
        return address;
    }
    if (parsed.to_v6().is_v4_mapped()) {
        return ip::make_address_v4(ip::v4_mapped, parsed.to_v6()).to_string();
    }
    auto bytes = parsed.to_v6().to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), 0);
    return ip::address_v6(bytes).to_string() + "/64";
}

AddressShare::Place::~Place() {
    if (share_ == nullptr) {
        return;
    }
    const auto entry = share_->taken_.find(key_);
    if (--entry->second == 0) {
        share_->taken_.erase(entry);
    }
}

AddressShare::Place AddressShare::take(const ip::address& address) {
    const std::uint64_t key = key_of(address);
    std::size_t& taken = taken_[key];
    if (taken >= places_max_) {
        return {};
    }
    ++taken;
    return {*this, key};
}

}  // namespace confab::web
