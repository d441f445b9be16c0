#include "auth/sealer.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

namespace confab::auth {

namespace {

constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;

auto cannot(const std::string& path, std::string_view what) {
    return base::fail(
        base::Errc::internal,
        "Cannot " + std::string(what) + " the key file " + path + ": " + std::strerror(errno) + ".",
        "key_file"
    );
}

}  // namespace

base::Result<Sealer> Sealer::open_key_file(const std::string& path) {
    Sealer sealer;
    static_assert(sizeof(sealer.key_) == crypto_secretbox_KEYBYTES);
    const int existing = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (existing >= 0) {
        const auto got = ::read(existing, sealer.key_.data(), sealer.key_.size());
        ::close(existing);
        if (got != static_cast<ssize_t>(sealer.key_.size())) {
            return base::fail(base::Errc::internal, "The key file " + path + " is damaged.", "key_file");
        }
        return sealer;
    }
    if (errno != ENOENT) {
        return cannot(path, "read");
    }
    randombytes_buf(sealer.key_.data(), sealer.key_.size());
    const int made = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) {
        return cannot(path, "create");
    }
    const auto put = ::write(made, sealer.key_.data(), sealer.key_.size());
    const int synced = ::fsync(made);
    ::close(made);
    if (put != static_cast<ssize_t>(sealer.key_.size()) || synced != 0) {
        return cannot(path, "write");
    }
    return sealer;
}

std::string Sealer::seal(std::string_view secret) const {
    std::vector<unsigned char> box(crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + secret.size());
    randombytes_buf(box.data(), crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(
        box.data() + crypto_secretbox_NONCEBYTES,
        reinterpret_cast<const unsigned char*>(secret.data()),
        secret.size(),
        box.data(),
        key_.data()
    );
    std::string text(sodium_base64_encoded_len(box.size(), kVariant), '\0');
    sodium_bin2base64(text.data(), text.size(), box.data(), box.size(), kVariant);
    text.pop_back();  // the terminating NUL
    return text;
}

base::Result<std::string> Sealer::open(std::string_view sealed) const {
    const auto damaged = [] {
        return base::fail(base::Errc::internal, "A sealed secret cannot be opened.", "sealed_secret");
    };
    constexpr std::size_t kOverhead = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (sealed.size() < kOverhead) {
        return damaged();  // also what is empty, and has no address
    }
    std::vector<unsigned char> box(sealed.size());
    std::size_t bytes = 0;
    if (sodium_base642bin(box.data(), box.size(), sealed.data(), sealed.size(), nullptr, &bytes, nullptr, kVariant) !=
            0 ||
        bytes < kOverhead) {
        return damaged();
    }
    std::string secret(bytes - kOverhead, '\0');
    const int opened = crypto_secretbox_open_easy(
        reinterpret_cast<unsigned char*>(secret.data()),
        box.data() + crypto_secretbox_NONCEBYTES,
        bytes - crypto_secretbox_NONCEBYTES,
        box.data(),
        key_.data()
    );
    if (opened != 0) {
        return damaged();
    }
    return secret;
}

}  // namespace confab::auth
