// An upload: however the bytes are cut, the same parts with the same contents. The first byte of the input chooses the
// cuts; the boundary is always "b".
#include <string>

#include "tests/fuzz/fuzz.hpp"
#include "web/multipart.hpp"

namespace {

using confab::web::MultipartParser;

// Takes everything that was fed; false after an error.
bool take(MultipartParser& parser, std::string_view fed, std::string& told) {
    parser.feed(fed);
    for (;;) {
        const auto event = parser.next();
        if (!event) {
            told += "!";
            return false;
        }
        switch (*event) {
            case MultipartParser::Event::need_more:
            case MultipartParser::Event::end: return true;
            case MultipartParser::Event::part:
                told += "<" + parser.head().name + "|" + parser.head().filename.value_or("") + "|" +
                        parser.head().content_type + ">";
                break;
            case MultipartParser::Event::data:
                FUZZ_CHECK(!parser.data().empty());
                told += parser.data();
                break;
            case MultipartParser::Event::part_end: told += "</>"; break;
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view body = confab::fuzz::as_text(data + 1, size - 1);
    if (const auto boundary = confab::web::form_boundary(body.substr(0, 200))) {
        FUZZ_CHECK(!boundary->empty() && boundary->size() <= confab::web::kBoundaryBytesMax);
    }
    MultipartParser at_once("b");
    std::string whole;
    const bool whole_is_good = take(at_once, body, whole);

    MultipartParser in_pieces("b");
    std::string cut;
    bool cut_is_good = true;
    for (confab::fuzz::Cutter cutter(body, data[0]); cut_is_good && !cutter.done();) {
        cut_is_good = take(in_pieces, cutter.next(), cut);
    }
    FUZZ_CHECK(whole_is_good == cut_is_good);
    FUZZ_CHECK(whole == cut);
    FUZZ_CHECK(!whole_is_good || at_once.complete() == in_pieces.complete());
    return 0;
}
