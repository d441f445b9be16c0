// CurlHandles: libcurl's easy handles, kept for reuse, and a count of the sockets that libcurl has open for them. A socket
// may outlive its handle, in libcurl's pool, but not this object.
#pragma once

#include <cstdint>
#include <vector>

using CURL = void;  // as in curl.h

namespace confab::net {

class CurlHandles {
public:
    CurlHandles() = default;
    CurlHandles(const CurlHandles&) = delete;
    CurlHandles& operator=(const CurlHandles&) = delete;
    ~CurlHandles();

    // Without options but for the size of its read buffer and the count of its sockets.
    CURL* take();
    void give(CURL* handle);

    std::uint64_t sockets() const { return sockets_; }

private:
    void prepare(CURL* handle);

    std::vector<CURL*> idle_;
    std::uint64_t sockets_ = 0;
};

}  // namespace confab::net
