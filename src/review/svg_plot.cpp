#include "review/svg_plot.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "review/report.hpp"

namespace confab::review {

namespace {

constexpr double kLeft = 58;
constexpr double kRight = 26;  // half of the last label
constexpr double kTop = 30;
constexpr double kBottom = 40;
constexpr double kHeight = 250;
constexpr double kNarrow = 480;
constexpr double kWide = 980;
constexpr std::size_t kPointsMax = 600;  // drawn of a series
constexpr double kBandNameMin = 52;      // narrower bands have no name

// One axis: values -> pixels.
class Axis {
public:
    Axis(bool logarithmic, double from, double to) : log_(logarithmic), from_(from), to_(to) {}

    static constexpr double kTicks = 4;       // about as many
    static constexpr double kPerTick = 120;  // pixels, when there is room for more

    void include(double value) {
        if (log_ && value <= 0) {
            return;
        }
        low_ = std::min(low_, value);
        high_ = std::max(high_, value);
    }

    bool empty() const { return low_ > high_; }

    // Rounds the range outwards and finds the ticks.
    void finish() {
        if (log_) {
            low_ = std::pow(10, std::floor(std::log10(low_) + 1e-9));
            high_ = std::max(low_ * 10, std::pow(10, std::ceil(std::log10(high_) - 1e-9)));
            for (double tick = low_; tick <= high_ * 1.001; tick *= 10) {
                ticks_.push_back(tick);
            }
            return;
        }
        low_ = 0;
        const double step = nice_step(std::max(high_, 1e-9) / std::max(kTicks, std::abs(to_ - from_) / kPerTick));
        high_ = std::max(1.0, std::ceil(high_ / step - 1e-9)) * step;
        for (double tick = 0; tick <= high_ + step / 2; tick += step) {
            ticks_.push_back(tick);
        }
    }

    // Ends where the values do.
    void finish_tight() {
        const double high = high_;
        finish();
        high_ = high;
        std::erase_if(ticks_, [high](double tick) { return tick > high; });
    }

    double at(double value) const {
        const double share = log_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
        return from_ + share * (to_ - from_);
    }

    bool shows(double value) const { return !log_ || value > 0; }

    const std::vector<double>& ticks() const { return ticks_; }

private:
    static double nice_step(double least) {
        const double power = std::pow(10, std::floor(std::log10(least)));
        for (const double factor : {1.0, 2.0, 5.0}) {
            if (power * factor >= least) {
                return power * factor;
            }
        }
        return power * 10;
    }

    bool log_;
    double from_;
    double to_;
    double low_ = std::numeric_limits<double>::infinity();
    double high_ = -std::numeric_limits<double>::infinity();
    std::vector<double> ticks_;
};

class Drawing {
public:
    explicit Drawing(const Plot& plot)
        : plot_(plot),
          width_(plot.wide ? kWide : kNarrow),
          x_(plot.log_x, kLeft, width_ - kRight),
          y_(plot.log_y, kHeight - kBottom, kTop) {}

    std::string render() {
        for (const PlotSeries& series : plot_.series) {
            for (const auto& [x, y] : series.points) {
                if (x_.shows(x) && y_.shows(y)) {
                    x_.include(x);
                    y_.include(y);
                }
            }
        }
        if (x_.empty() || y_.empty()) {
            return {};
        }
        if (plot_.log_x) {
            x_.finish();
        } else {
            x_.finish_tight();
        }
        y_.finish();
        out_ = fmt::format(
            "<svg class=\"plot{}\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n",
            plot_.wide ? " wide" : "",
            width_,
            kHeight,
            escape_html(plot_.title)
        );
        out_ += fmt::format("<text class=\"title\" x=\"{:.0f}\" y=\"16\">{}</text>\n", kLeft, escape_html(plot_.title));
        draw_bands();
        draw_axes();
        for (const PlotSeries& series : plot_.series) {
            draw(series);
        }
        return out_ + "</svg>\n";
    }

private:
    void draw_bands() {
        bool odd = false;
        for (const PlotBand& band : plot_.bands) {
            const double from = x_.at(band.begin);
            const double to = std::min(x_.at(band.end), width_ - kRight);
            odd = !odd;
            if (to <= from) {
                continue;
            }
            out_ += fmt::format(
                "<rect class=\"band{}\" x=\"{:.1f}\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"{:.0f}\"><title>{}</title></rect>\n",
                odd ? " odd" : "",
                from,
                kTop,
                to - from,
                kHeight - kTop - kBottom,
                escape_html(band.name)
            );
            if (to - from >= std::max(kBandNameMin, static_cast<double>(band.name.size()) * 5.6)) {
                out_ += fmt::format(
                    "<text class=\"phase\" x=\"{:.1f}\" y=\"{:.0f}\">{}</text>\n", from + 3, kTop + 11, escape_html(band.name)
                );
            }
        }
    }

    void draw_axes() {
        for (const double tick : y_.ticks()) {
            const double at = y_.at(tick);
            out_ += fmt::format("<line class=\"grid\" x1=\"{:.0f}\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, width_ - kRight, at, at);
            out_ += fmt::format("<text class=\"y\" x=\"{:.0f}\" y=\"{:.1f}\">{}</text>\n", kLeft - 6, at + 3.5, show_value(tick));
        }
        for (const double tick : x_.ticks()) {
            out_ += fmt::format("<text class=\"x\" x=\"{:.1f}\" y=\"{:.0f}\">{}</text>\n", x_.at(tick), kHeight - kBottom + 15, show_value(tick));
        }
        out_ += fmt::format(
            "<text class=\"label\" x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n", (kLeft + width_ - kRight) / 2, kHeight - 6, escape_html(plot_.x_label)
        );
        out_ += fmt::format(
            "<text class=\"label\" transform=\"translate(12 {:.0f}) rotate(-90)\">{}</text>\n", (kTop + kHeight - kBottom) / 2, escape_html(plot_.y_label)
        );
    }

    void draw(const PlotSeries& series) {
        std::string line;
        std::string dots;
        const std::size_t step = series.points.size() / kPointsMax + 1;
        for (std::size_t i = 0; i < series.points.size(); i += step) {
            auto [x, y] = series.points[i];
            for (std::size_t next = i + 1; next < std::min(i + step, series.points.size()); ++next) {
                y = std::max(y, series.points[next].second);  // a peak between two drawn points is not lost
            }
            if (!x_.shows(x) || !y_.shows(y)) {
                continue;
            }
            line += fmt::format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", x_.at(x), y_.at(y));
            dots += fmt::format(
                "<circle class=\"s{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{}: {} {} at {}</title></circle>",
                series.colour,
                x_.at(x),
                y_.at(y),
                escape_html(series.name),
                show_value(y),
                escape_html(plot_.y_label),
                show_value(x)
            );
        }
        out_ += fmt::format("<path class=\"s{}\" d=\"{}\"/>\n", series.colour, line);
        out_ += plot_.dots ? dots + "\n" : "";
    }

    const Plot& plot_;
    double width_;
    Axis x_;
    Axis y_;
    std::string out_;
};

}  // namespace

std::string render_svg(const Plot& plot) {
    return Drawing(plot).render();
}

std::string escape_html(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        switch (c) {
            case '&': safe += "&amp;"; break;
            case '<': safe += "&lt;"; break;
            case '>': safe += "&gt;"; break;
            case '"': safe += "&quot;"; break;
            case '\'': safe += "&#39;"; break;
            default: safe += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? ' ' : c;
        }
    }
    return safe;
}

}  // namespace confab::review
