#include "web/multipart.hpp"

#include <vector>

#include <gmock/gmock.h>

namespace confab::web {
namespace {

using testing::ElementsAre;
using Event = MultipartParser::Event;

struct Part {
    PartHead head;
    std::string content;
    bool ended = false;
};

struct Form {
    std::vector<Part> parts;
    bool complete = false;
    std::string error;  // code
};

// Parses `bytes` in pieces of `step`, each in memory of its own, so that a view beyond a piece is caught.
Form parse(const std::string& bytes, std::size_t step, std::string_view boundary = "XyZ") {
    MultipartParser parser(boundary);
    Form form;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        const std::vector<char> piece(
            bytes.begin() + static_cast<std::ptrdiff_t>(at),
            bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at + step, bytes.size()))
        );
        parser.feed({piece.data(), piece.size()});
        for (bool more = true; more;) {
            const auto event = parser.next();
            if (!event) {
                form.error = event.error().code;
                return form;
            }
            switch (*event) {
                case Event::need_more: more = false; break;
                case Event::part: form.parts.push_back({parser.head(), "", false}); break;
                case Event::data:
                    EXPECT_FALSE(parser.data().empty());
                    form.parts.back().content += parser.data();
                    break;
                case Event::part_end: form.parts.back().ended = true; break;
                case Event::end: break;
            }
        }
    }
    form.complete = parser.complete();
    return form;
}

std::string part(const std::string& head, const std::string& content) {
    return "--XyZ\r\n" + head + "\r\n\r\n" + content + "\r\n";
}

const std::string kPurpose = part("Content-Disposition: form-data; name=\"purpose\"", "vision");

std::string file_part(const std::string& content) {
    return part(
        "content-disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\nContent-Type: image/png", content
    );
}

// The code of the error, "" when there is none.
std::string error_of(const std::string& bytes) {
    return parse(bytes, bytes.size()).error;
}

constexpr auto kMalformed = "malformed_multipart";

TEST(MultipartTest, ReadsAFormCutAtEveryByte) {
    // Content that looks like delimiters and is none.
    const std::string content = "\r\n--Xy\r\r\n\r\n--XyX\r\n-\n--XyZ" + std::string(1, '\0') + "\r";
    const std::string bytes = "a preamble\r\n--Xy\r\n" + kPurpose + file_part(content) + "--XyZ--\r\nan epilogue --XyZ";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        const Form form = parse(bytes, step);
        ASSERT_EQ(form.error, "") << step;
        ASSERT_TRUE(form.complete) << step;
        ASSERT_EQ(form.parts.size(), 2U) << step;
        EXPECT_EQ(form.parts[0].head.name, "purpose");
        EXPECT_FALSE(form.parts[0].head.filename);
        EXPECT_EQ(form.parts[0].content, "vision") << step;
        EXPECT_EQ(form.parts[1].head.name, "file");
        EXPECT_EQ(form.parts[1].head.filename, "cat.png");
        EXPECT_EQ(form.parts[1].head.content_type, "image/png");
        EXPECT_EQ(form.parts[1].content, content) << step;
        EXPECT_TRUE(form.parts[0].ended && form.parts[1].ended);
    }
}

TEST(MultipartTest, ReadsEmptyPartsAndEmptyForms) {
    const Form form = parse(file_part("") + "--XyZ--", 1);
    ASSERT_EQ(form.parts.size(), 1U);
    EXPECT_EQ(form.parts[0].content, "");
    EXPECT_TRUE(form.parts[0].ended);
    EXPECT_TRUE(form.complete);
    EXPECT_TRUE(parse("--XyZ--\r\n", 3).complete);
}

TEST(MultipartTest, AFormThatIsCutShortIsNotComplete) {
    const std::string whole = kPurpose + file_part("abc") + "--XyZ--";
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const Form form = parse(whole.substr(0, length), 7);
        EXPECT_FALSE(form.complete) << length;
        EXPECT_EQ(form.error, "") << length;
    }
}

TEST(MultipartTest, DelimitersMayBePaddedWithBlanks) {
    const Form form = parse("--XyZ \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XyZ--", 2);
    ASSERT_EQ(form.parts.size(), 1U);
    EXPECT_EQ(form.parts[0].head.name, "a");
    EXPECT_EQ(error_of("--XyZ" + std::string(100, ' ')), kMalformed);
    EXPECT_EQ(error_of("--XyZ x\r\n"), kMalformed);
    EXPECT_EQ(
        error_of("--XyZ\nContent-Disposition: form-data; name=a\n\n1\n--XyZ--" + std::string(100, 'x')), kMalformed
    );
}

TEST(MultipartTest, NamesMayBeQuotedInEveryWay) {
    const auto name_of = [](const std::string& parameters) {
        const Form form = parse(part("Content-Disposition: form-data; " + parameters, "x"), 1000);
        return form.parts.empty() ? form.error : form.parts[0].head.filename.value_or(form.parts[0].head.name);
    };
    EXPECT_EQ(name_of("name=\"a b\""), "a b");
    EXPECT_EQ(name_of("name=file; filename=\"a\\\"b;c.png\""), "a\"b;c.png");
    EXPECT_EQ(name_of("name=file; FileName=\"a%22b.png\""), "a\"b.png");
    EXPECT_EQ(name_of("name=file ;filename=\"C:\\dir\\x.png\""), "C:\\dir\\x.png");
    EXPECT_EQ(name_of("name=\"f\xC3\xA9\";"), "f\xC3\xA9");
    EXPECT_EQ(name_of("name=file; filename=\"../../etc/passwd\""), "../../etc/passwd");
}

TEST(MultipartTest, MalformedHeadsAreRefused) {
    for (const char* head : {
             "Content-Type: image/png",                         // no disposition
             "Content-Disposition: attachment; name=\"a\"",     // of another kind
             "Content-Disposition: form-data",                  // no name
             "Content-Disposition: form-data; name=\"\"",       // an empty one
             "Content-Disposition: form-data; name=\"a",        // no end of it
             "Content-Disposition: form-data; name=a; name=b",  // two of them
             "Content-Disposition: form-data name=a",           // no semicolon
             "Content-Disposition: form-data; name=a\r\ncontent-disposition: form-data; name=b",
             "Content-Disposition: form-data; name=a\r\nno colon",
             "Content-Disposition: form-data; name=a\r\nX: a\nb",  // a bare line feed
             "Content-Disposition: form-data; name=a\rb: c",       // a bare carriage return
         }) {
        EXPECT_EQ(error_of(part(head, "x")), kMalformed) << head;
    }
    EXPECT_EQ(error_of(part("Content-Disposition: form-data; name=a\r\nX: " + std::string(1, '\0'), "x")), kMalformed);
    EXPECT_EQ(error_of("--XyZ\r\n\r\nno head at all\r\n"), kMalformed);
}

TEST(MultipartTest, HeadsAndPartsAreBounded) {
    const std::string good = "Content-Disposition: form-data; name=a\r\nX: ";
    EXPECT_EQ(error_of(part(good + std::string(kPartHeadBytesMax - good.size() - 4, 'x'), "1")), "");
    EXPECT_EQ(error_of(part(good + std::string(kPartHeadBytesMax - good.size() - 3, 'x'), "1")), kMalformed);
    std::string many;
    for (int i = 0; i < kPartsMax; ++i) {
        many += kPurpose;
    }
    EXPECT_EQ(parse(many + "--XyZ--", 100).parts.size(), static_cast<std::size_t>(kPartsMax));
    EXPECT_EQ(error_of(many + "--XyZ--"), "");
    EXPECT_EQ(error_of(many + kPurpose), kMalformed);
}

TEST(MultipartTest, TheBoundaryComesFromTheContentType) {
    EXPECT_EQ(form_boundary("multipart/form-data; boundary=XyZ").value(), "XyZ");
    EXPECT_EQ(form_boundary("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"a b:c\"").value(), "a b:c");
    EXPECT_EQ(form_boundary("multipart/form-data; boundary=" + std::string(70, 'b')).value(), std::string(70, 'b'));
    for (const std::string& bad :
         {std::string("multipart/form-data"),
          std::string("multipart/form-data; boundary="),
          std::string("multipart/form-data; boundary=\"a \""),
          std::string("multipart/form-data; boundary=\"a\r\nb\""),
          std::string("multipart/form-data; boundary=a; boundary=b"),
          std::string("multipart/form-data; boundary=") + std::string(71, 'b')}) {
        const auto boundary = form_boundary(bad);
        ASSERT_FALSE(boundary) << bad;
        EXPECT_EQ(boundary.error().code, kMalformed) << bad;
    }
    for (const char* other : {"", "application/json", "multipart/mixed; boundary=XyZ"}) {
        EXPECT_EQ(form_boundary(other).error().errc, base::Errc::unsupported_media) << other;
    }
}

}  // namespace
}  // namespace confab::web
