// What became of titles that a model was to find.
#pragma once

#include "meter/counters.hpp"

namespace confab::meter {

struct TitleCounters {
    Counter made;
    Counter failed;   // the model server failed, or answered nothing that is a title
    Counter dropped;  // for other work, or because a person gave a title meanwhile
};

}  // namespace confab::meter
