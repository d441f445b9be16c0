// UpstreamRegistry: the model servers from the configuration plus those an administrator connected in the page.
//
// The latter are kept in the store as one setting; their API keys are sealed with a key file of the data directory, so
// that a copied database alone gives none away. Lives on the home shard of Upstreams.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/sealer.hpp"
#include "llm/upstream.hpp"
#include "store/store.hpp"

namespace confab::api {

struct UpstreamChange {
    std::optional<std::int64_t> slots;   // requests at once; 0: as many as the server bears
    std::optional<std::string> api_key;  // empty: the server asks for none
};

class UpstreamRegistry {
public:
    UpstreamRegistry(
        net::Executor home,
        store::SettingStore& store,
        llm::Upstreams& upstreams,
        auth::Sealer sealer,
        std::vector<llm::Upstream> configured
    )
        : home_(home),
          store_(store),
          upstreams_(upstreams),
          sealer_(std::move(sealer)),
          configured_(std::move(configured)) {}

    // Reads what is stored and tells Upstreams. Once, at start, on the home shard.
    net::Task<base::Status> load();

    // conflict (upstream_exists), invalid_request (param name, base_url).
    net::Task<base::Status> add(llm::Upstream upstream);
    // not_found, also for servers from the configuration.
    net::Task<base::Status> remove(std::string name);
    // In force from the next request on. Errors like remove().
    net::Task<base::Status> change(std::string name, UpstreamChange change);

private:
    net::Task<base::Status> add_at_home(llm::Upstream upstream);
    net::Task<base::Status> remove_at_home(std::string name);
    net::Task<base::Status> change_at_home(std::string name, UpstreamChange change);
    std::unexpected<base::Error> not_stored(const std::string& name) const;
    net::Task<base::Status> save(std::vector<llm::Upstream> stored);
    void apply();
    std::string render(const std::vector<llm::Upstream>& stored) const;

    net::Executor home_;
    store::SettingStore& store_;
    llm::Upstreams& upstreams_;
    auth::Sealer sealer_;
    std::vector<llm::Upstream> configured_;
    std::vector<llm::Upstream> stored_;
};

}  // namespace confab::api
