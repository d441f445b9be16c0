// A line plot as an inline SVG picture. Its colours come from the page's style sheet (variables --s0, --s1, --line,
// --text), so that it is dark where the page is.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace confab::review {

struct PlotSeries {
    std::string name;
    int colour = 0;  // 0 or 1
    std::vector<std::pair<double, double>> points;  // by x
};

// A stretch of x with a name, behind the lines.
struct PlotBand {
    double begin = 0;
    double end = 0;
    std::string name;
};

struct Plot {
    std::string title = {};
    std::string x_label = {};
    std::string y_label = {};
    bool log_x = false;  // points that are not positive are left out then
    bool log_y = false;
    bool wide = false;   // the whole width of the page rather than half of it
    bool dots = false;   // a dot on each point
    std::vector<PlotSeries> series = {};
    std::vector<PlotBand> bands = {};
};

// Empty when no series has a point.
std::string render_svg(const Plot& plot);

// Text for the content of an element or a quoted attribute.
std::string escape_html(std::string_view text);

}  // namespace confab::review
