// AddressShare: how many connections of one shard each address has, so that none has them all.
//
// One thread. An IPv6 address counts with its /64: that is what one customer gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

#include <boost/asio/ip/address.hpp>

namespace confab::web {

// What stands for the customer behind an address: itself, or the /64 that an IPv6 address is of. Text that is no address
// stays as it is.
std::string customer_of(const std::string& address);

class AddressShare {
public:
    // A place among an address's connections; given back when it dies. Must not outlive the share.
    class Place {
    public:
        Place() = default;

        Place(Place&& other) noexcept : share_(std::exchange(other.share_, nullptr)), key_(other.key_) {}

        Place& operator=(Place&& other) noexcept {
            std::swap(share_, other.share_);
            std::swap(key_, other.key_);
            return *this;
        }

        ~Place();

        explicit operator bool() const { return share_ != nullptr; }

    private:
        friend class AddressShare;

        Place(AddressShare& share, std::uint64_t key) : share_(&share), key_(key) {}

        AddressShare* share_ = nullptr;
        std::uint64_t key_ = 0;
    };

    explicit AddressShare(std::size_t places_max) : places_max_(places_max) {}

    // Empty (false) when the address has all its places.
    Place take(const boost::asio::ip::address& address);

    std::size_t addresses() const { return taken_.size(); }

private:
    std::size_t places_max_;
    std::unordered_map<std::uint64_t, std::size_t> taken_;
};

}  // namespace confab::web
