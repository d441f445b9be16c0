#include "web/trusted_proxies.hpp"

#include <optional>
#include <ranges>

#include "base/text.hpp"

namespace confab::web {

namespace {

namespace ip = boost::asio::ip;

// An IPv4 address that an IPv6 socket shows as ::ffff:1.2.3.4 is that address.
ip::address plain(const ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return ip::make_address_v4(ip::v4_mapped, address.to_v6());
    }
    return address;
}

// "1.2.3.4", "1.2.3.4:567", "::1", "[::1]", "[::1]:567"
std::optional<ip::address> parse_forwarded(std::string_view text) {
    if (text.starts_with('[')) {
        text = text.substr(1, text.find(']') - 1);
    } else if (std::ranges::count(text, ':') == 1) {
        text = text.substr(0, text.find(':'));
    }
    boost::system::error_code ec;
    const ip::address address = ip::make_address(std::string(text), ec);
    return ec ? std::nullopt : std::optional(plain(address));
}

// All headers of this name as one list, in the order in which proxies added to it.
std::vector<std::string_view> list_of(const Request& request, std::string_view name) {
    std::vector<std::string_view> list;
    for (const Header& header : request.headers) {
        if (header.name != name) {
            continue;
        }
        for (const auto part : std::views::split(std::string_view(header.value), ',')) {
            list.push_back(base::trim(std::string_view(part.begin(), part.end())));
        }
    }
    return list;
}

}  // namespace

base::Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& networks) {
    TrustedProxies proxies;
    for (const std::string& text : networks) {
        boost::system::error_code bad;
        const bool whole = text.find('/') == std::string::npos;
        const bool is_v6 = text.find(':') != std::string::npos;
        if (is_v6) {
            proxies.v6_.push_back(ip::make_network_v6(whole ? text + "/128" : text, bad).canonical());
        } else {
            proxies.v4_.push_back(ip::make_network_v4(whole ? text + "/32" : text, bad).canonical());
        }
        if (bad) {
            return base::invalid(
                "trusted_proxies",
                "'" + text + "' in trusted_proxies is no address or network; it looks like 127.0.0.1 or 10.0.0.0/8."
            );
        }
    }
    return proxies;
}

bool TrustedProxies::contains(const ip::address& address) const {
    const ip::address one = plain(address);
    if (one.is_v4()) {
        const ip::network_v4 host(one.to_v4(), 32);
        return std::ranges::any_of(v4_, [&](const auto& network) { return host == network || host.is_subnet_of(network); });
    }
    const ip::network_v6 host(one.to_v6(), 128);
    return std::ranges::any_of(v6_, [&](const auto& network) { return host == network || host.is_subnet_of(network); });
}

Peer TrustedProxies::client_of(const Peer& peer, const Request& request) const {
    Peer client{plain(peer.address), peer.secure};
    if (!contains(client.address)) {
        return client;
    }
    const auto protocols = list_of(request, "x-forwarded-proto");
    client.secure = client.secure || (!protocols.empty() && base::iequals(protocols.back(), "https"));
    for (const std::string_view text : list_of(request, "x-forwarded-for") | std::views::reverse) {
        const auto address = parse_forwarded(text);
        if (!address) {
            break;  // nobody can say what stands before it
        }
        client.address = *address;
        if (!contains(*address)) {
            break;
        }
    }
    return client;
}

}  // namespace confab::web
