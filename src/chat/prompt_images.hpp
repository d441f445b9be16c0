// The images of a prompt: what the rendered text only marks (llm::kImageMark) becomes data URLs that are read from the
// disk while the request is being sent.
#pragma once

#include "meter/byte_budget.hpp"
#include "net/body_source.hpp"
#include "store/blob_disk.hpp"
#include "store/store.hpp"

namespace confab::chat {

// In one prompt; a note takes the place of older ones. Their bytes do not count towards kPromptBytesMax.
inline constexpr std::size_t kPromptImagesMax = 16;

// Stand for an image that is not sent.
inline constexpr std::string_view kOlderImageNote = "[An older image was left out.]";
inline constexpr std::string_view kGoneImageNote = "[An image was here; it has been deleted.]";

class PromptImages {
public:
    // Only files of `user` are sent.
    PromptImages(store::FileStore& files, store::BlobDisk& blobs, store::UserNo user)
        : files_(files), blobs_(blobs), user_(user) {}

    // Replaces the marks in body.text. The pieces that sending will hold are added to `lease`. Errors: unavailable
    // (overloaded), those of the store. A text without marks costs one look.
    net::Task<base::Status> insert(net::BodySource& body, meter::Lease& lease) const;

private:
    net::Task<base::Status> insert_one(net::BodySource& body, std::string_view mark) const;

    store::FileStore& files_;
    store::BlobDisk& blobs_;
    store::UserNo user_;
};

}  // namespace confab::chat
