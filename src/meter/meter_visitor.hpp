// What a meter says of itself: a name with its unit, what it means, and its value. The metrics page, the resources page
// and the history are three visitors of the same meters, so that they cannot differ.
#pragma once

#include <cstdint>
#include <string_view>

#include "meter/counters.hpp"

namespace confab::meter {

enum class MeterKind : std::uint8_t {
    counter,  // only grows
    gauge,
};

struct MeterLabel {
    std::string_view name;  // empty: the meter has no labels
    std::string_view value;
};

class MeterVisitor {
public:
    virtual ~MeterVisitor() = default;

    // `name` and `help` are literals. The values of a meter with labels follow one another.
    virtual void value(MeterKind kind, const char* name, const char* help, double value, MeterLabel label) = 0;
    // `scale` turns the histogram's unit into the one that the name says.
    virtual void histogram(const char* name, const char* help, const Histogram& histogram, double scale) = 0;

    void counter(const char* name, const char* help, const Counter& counter) {
        value(MeterKind::counter, name, help, static_cast<double>(counter.value()), {});
    }

    void counter(const char* name, const char* help, double total) { value(MeterKind::counter, name, help, total, {}); }

    void gauge(const char* name, const char* help, const Gauge& gauge) {
        value(MeterKind::gauge, name, help, static_cast<double>(gauge.value()), {});
    }

    void gauge(const char* name, const char* help, double now) { value(MeterKind::gauge, name, help, now, {}); }

    void peak(const char* name, const char* help, const Gauge& gauge) {
        value(MeterKind::gauge, name, help, static_cast<double>(gauge.peak()), {});
    }
};

}  // namespace confab::meter
