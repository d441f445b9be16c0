#include "web/tls_certificate.hpp"

#include <cstring>
#include <string_view>

#include <openssl/ssl.h>

namespace confab::web {

namespace {

namespace ssl = boost::asio::ssl;
using base::invalid;

constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::string_view kHttp = "\x08http/1.1";  // as ALPN writes it

// A client that also speaks HTTP/2 is told that this is HTTP/1.1; one that does not ask is not told.
int choose_protocol(
    SSL* /*connection*/,
    const unsigned char** chosen,
    unsigned char* chosen_size,
    const unsigned char* offered,
    unsigned int offered_size,
    void* /*context*/
) {
    unsigned char* found = nullptr;
    const auto* ours = reinterpret_cast<const unsigned char*>(kHttp.data());
    const int result = SSL_select_next_proto(
        &found, chosen_size, ours, static_cast<unsigned>(kHttp.size()), offered, offered_size
    );
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

void harden(SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, kTls12Ciphers);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // it would grow; tickets need no memory
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
}

}  // namespace

base::Result<TlsContext> load_certificate(const std::string& certificate_file, const std::string& key_file) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    harden(context->native_handle());
    boost::system::error_code ec;
    // Without this OpenSSL asks for it at the terminal.
    context->set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); }, ec);
    context->use_certificate_chain_file(certificate_file, ec);
    if (ec) {
        return invalid(
            "tls_certificate",
            "The certificate " + certificate_file + " cannot be read as PEM: " + ec.message() + "."
        );
    }
    context->use_private_key_file(key_file, ssl::context::pem, ec);
    if (ec && SSL_CTX_check_private_key(context->native_handle()) != 1 && ec.message().find("mismatch") != std::string::npos) {
        return invalid("tls_key", "The key " + key_file + " is not that of the certificate " + certificate_file + ".");
    }
    if (ec) {
        return invalid(
            "tls_key",
            "The key " + key_file + " cannot be read as PEM without a password: " + ec.message() + "."
        );
    }
    return context;
}

}  // namespace confab::web
