// The certificate and key with which Confab speaks TLS.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>

#include "base/error.hpp"

namespace confab::web {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// PEM files: the certificate with what links it to its root, and its key, which is not encrypted. TLS 1.2 and 1.3, with forward secrecy
// only (Mozilla's "intermediate"). Errors: invalid_request (tls_certificate, tls_key) with a message for people.
base::Result<TlsContext> load_certificate(const std::string& certificate_file, const std::string& key_file);

}  // namespace confab::web
