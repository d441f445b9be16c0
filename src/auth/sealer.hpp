// Sealer: encrypts small secrets at rest (libsodium secretbox) with a key file in the data directory.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace confab::auth {

class Sealer {
public:
    // Reads the key file, or makes one (mode 0600). Error: internal with the path and the reason.
    static base::Result<Sealer> open_key_file(const std::string& path);

    std::string seal(std::string_view secret) const;  // base64
    base::Result<std::string> open(std::string_view sealed
    ) const;  // internal when the key or the text is not the right one

private:
    std::array<unsigned char, 32> key_{};
};

}  // namespace confab::auth
