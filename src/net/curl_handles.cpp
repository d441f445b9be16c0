#include "net/curl_handles.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/error.hpp"

namespace confab::net {

namespace {

constexpr std::size_t kIdleHandlesMax = 32;
constexpr long kReadBufferBytes = 1024;  // per live transfer, libcurl's least; tokens are small, streams are many

// What libcurl does by itself too; here it is counted.
curl_socket_t open_counted_socket(void* sockets, curlsocktype /*purpose*/, curl_sockaddr* address) {
    const int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (socket < 0) {
        return CURL_SOCKET_BAD;
    }
    ++*static_cast<std::uint64_t*>(sockets);
    return socket;
}

int close_counted_socket(void* sockets, curl_socket_t socket) {
    --*static_cast<std::uint64_t*>(sockets);
    return ::close(socket);
}

}  // namespace

CurlHandles::~CurlHandles() {
    for (CURL* handle : idle_) {
        curl_easy_cleanup(handle);
    }
}

CURL* CurlHandles::take() {
    while (!idle_.empty()) {
        CURL* handle = idle_.back();
        idle_.pop_back();
        // A handle whose host name could not be resolved keeps its buffer, and then refuses another size.
        if (curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, kReadBufferBytes) == CURLE_OK) {
            prepare(handle);
            return handle;
        }
        curl_easy_cleanup(handle);
    }
    CURL* handle = curl_easy_init();
    CONFAB_ASSERT(handle != nullptr);
    CONFAB_ASSERT(curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, kReadBufferBytes) == CURLE_OK);
    prepare(handle);
    return handle;
}

void CurlHandles::prepare(CURL* handle) {
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, &open_counted_socket);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &sockets_);
    curl_easy_setopt(handle, CURLOPT_CLOSESOCKETFUNCTION, &close_counted_socket);
    curl_easy_setopt(handle, CURLOPT_CLOSESOCKETDATA, &sockets_);
}

void CurlHandles::give(CURL* handle) {
    if (idle_.size() < kIdleHandlesMax) {
        curl_easy_reset(handle);
        idle_.push_back(handle);
    } else {
        curl_easy_cleanup(handle);
    }
}

}  // namespace confab::net
