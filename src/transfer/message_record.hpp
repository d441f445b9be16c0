// A SourceMessage as bytes and back, for the spool.
#pragma once

#include <string>
#include <string_view>

#include "transfer/source_model.hpp"

namespace confab::transfer {

std::string to_record(const SourceMessage& message);
SourceMessage from_record(std::string_view record);  // of one that to_record() made

}  // namespace confab::transfer
