#include "chat/prompt_budget.hpp"

#include <random>

#include "llm/token_estimate.hpp"
#include "unit/store/store_fixture.hpp"

namespace confab::chat {
namespace {

using store::good;
using store::run_task;

TEST(TokenKnowledge, FollowsWhatIsCounted) {
    TokenKnowledge known;
    known = with_sample(known, 1'000, 1'400);
    EXPECT_DOUBLE_EQ(known.factor, 1.4) << "the first one is all that is known";
    for (int i = 0; i < 20; ++i) {
        known = with_sample(known, 1'000, 1'200);
    }
    EXPECT_NEAR(known.factor, 1.2, 0.01);
    known = with_sample(known, 1'000, 2'000);
    EXPECT_NEAR(known.factor, 1.6, 0.01) << "upwards by half";
    known = with_sample(known, 1'000, 1'200);
    EXPECT_NEAR(known.factor, 1.52, 0.01) << "downwards by a fifth";
}

TEST(TokenKnowledge, IsBoundedAndTakesNoSmallSamples) {
    TokenKnowledge known;
    EXPECT_EQ(with_sample(known, kSampleTokensMin - 1, 10'000), known);
    EXPECT_EQ(with_sample(known, 1'000, 0), known);
    for (int i = 0; i < 50; ++i) {
        known = with_sample(known, 1'000, 1'000'000);
    }
    EXPECT_LE(known.factor, kTokenFactorMax);
    for (int i = 0; i < 50; ++i) {
        known = with_sample(known, 1'000, 1);
    }
    EXPECT_GE(known.factor, kTokenFactorMin);
    for (int i = 0; i < 50; ++i) {
        known = with_refusal(known, 0);
    }
    EXPECT_LE(known.factor, kTokenFactorMax);
}

TEST(TokenKnowledge, RemembersAWindowThatWasNamed) {
    TokenKnowledge known = with_refusal({}, 4'096);
    EXPECT_EQ(known.window, 4'096);
    EXPECT_EQ(known.samples, 0) << "the estimate was not to blame";
    known = with_refusal(known, 4'096);
    EXPECT_GT(known.factor, 1) << "this time it was";
}

class Calibration : public store::StoreTest {
protected:
    static void wait_for(net::Task<void> task) {
        auto done = [](net::Task<void> body) -> net::Task<bool> {
            co_await std::move(body);
            co_return true;
        };
        run_task(done(std::move(task)));
    }
};

TEST_F(Calibration, IsKeptInTheStore) {
    TokenCalibration calibration(*store_);
    wait_for(calibration.learn("server", "model", 1'000, 1'500));
    wait_for(calibration.refused("server", "other", 8'192));
    EXPECT_DOUBLE_EQ(calibration.find("server", "model").factor, 1.5);
    EXPECT_EQ(calibration.find("server", "unknown").samples, 0);
    TokenCalibration later(*store_);
    good(run_task(later.load()));
    EXPECT_DOUBLE_EQ(later.find("server", "model").factor, 1.5);
    EXPECT_EQ(later.find("server", "model").samples, 1);
    EXPECT_EQ(later.find("server", "other").window, 8'192);
}

// A server with a tokenizer of its own, and some noise: after one prompt the budget keeps within its window.
TEST_F(Calibration, KeepsPromptsWithinTheWindow) {
    std::mt19937 random(5);
    for (const double truth : {0.6, 0.9, 1.3, 1.9, 2.4}) {
        const std::string model = "model-" + std::to_string(truth);
        llm::Catalog catalog;
        auto upstream = std::make_shared<llm::Upstream>();
        upstream->name = "server";
        upstream->context_tokens = 16'000;
        catalog.upstreams.push_back({upstream, {}, true, {}});
        TokenCalibration calibration(*store_);
        const llm::ChatRequest parameters;
        const PromptParts parts{parameters, "Be brief.", "some text"};
        int over = 0;
        for (int i = 0; i < 200; ++i) {
            const PromptBudget budget = make_prompt_budget(catalog, &calibration, model, parts);
            const std::int64_t estimated = budget.tokens_max + budget.fixed_tokens;
            const double noise = 0.98 + 0.04 * static_cast<double>(random() % 1'000) / 1'000;
            const auto counted = static_cast<std::int64_t>(static_cast<double>(estimated) * truth * noise);
            over += counted > 16'000 - budget.output_tokens ? 1 : 0;
            if (i > 0) {
                EXPECT_LE(counted, 16'000 - budget.output_tokens) << truth << " turn " << i;
                EXPECT_GE(counted, (16'000 - budget.output_tokens) * 8 / 10) << "nor is much given away";
            }
            wait_for(calibration.learn("server", model, estimated, counted));
        }
        EXPECT_LE(over, 1);
    }
}

llm::Catalog catalog_of(std::int64_t configured, std::int64_t listed) {
    auto upstream = std::make_shared<llm::Upstream>();
    upstream->name = "server";
    upstream->context_tokens = configured;
    llm::Model model;
    model.id = "model";
    model.context_tokens = listed;
    llm::Catalog catalog;
    catalog.upstreams.push_back({upstream, {model}, true, {}});
    return catalog;
}

TEST(PromptBudget, TakesTheWindowThatTheServerListsButNoMoreThanConfigured) {
    const auto window = [](std::int64_t configured, std::int64_t listed) {
        const llm::Catalog catalog = catalog_of(configured, listed);
        return catalog.window_of(catalog.upstreams[0].upstream, "model");
    };
    EXPECT_EQ(window(0, 131'072).tokens, 131'072);
    EXPECT_EQ(window(8'192, 131'072).tokens, 8'192);
    EXPECT_EQ(window(131'072, 8'192).tokens, 8'192);
    EXPECT_EQ(window(8'192, 0).tokens, 8'192);
    EXPECT_EQ(window(0, 0).tokens, llm::kContextTokensDefault);
    EXPECT_FALSE(window(0, 0).known);
    EXPECT_TRUE(window(0, 4'096).known);
}

TEST(PromptBudget, LeavesRoomForTheOutputTheInstructionsAndTheTools) {
    const llm::Catalog catalog = catalog_of(0, 32'000);
    llm::ChatRequest plain;
    const std::int64_t alone = make_prompt_budget(catalog, nullptr, "model", {plain, "", ""}).tokens_max;
    EXPECT_LT(alone, 32'000 - kOutputTokensReserved);
    EXPECT_GT(alone, (32'000 - kOutputTokensReserved) * 8 / 10);
    const std::string instructions(4'000, 'x');
    const std::int64_t told = make_prompt_budget(catalog, nullptr, "model", {plain, instructions, ""}).tokens_max;
    EXPECT_EQ(alone - told, llm::estimate_tokens(instructions) + llm::kMessageTokens);
    llm::ChatRequest tools = plain;
    tools.extra_members.emplace_back("tools", std::string(8'000, 'y'));
    EXPECT_EQ(
        alone - make_prompt_budget(catalog, nullptr, "model", {tools, "", ""}).tokens_max,
        llm::estimate_tokens(tools.extra_members[0].second)
    );
    llm::ChatRequest more = plain;
    more.output_tokens_max = 20'000;
    EXPECT_LT(make_prompt_budget(catalog, nullptr, "model", {more, "", ""}).tokens_max, 12'000);
    more.output_tokens_max = 1'000'000;
    EXPECT_GT(make_prompt_budget(catalog, nullptr, "model", {more, "", ""}).tokens_max, 0);
}

TEST(PromptBudget, RefusesByKnownWindowsOnly) {
    const llm::ChatRequest plain;
    const auto known = make_prompt_budget(catalog_of(0, 1'000), nullptr, "model", {plain, "", ""});
    EXPECT_GE(known.sure_tokens_max(), 1'000) << "an estimate may be too high";
    EXPECT_LE(known.sure_tokens_max(), 2'000);
    EXPECT_LE(known.whole_tokens_max(), 1'000);
    const auto guessed = make_prompt_budget(catalog_of(0, 0), nullptr, "model", {plain, "", ""});
    EXPECT_GT(guessed.sure_tokens_max(), 1'000'000'000);
    EXPECT_GT(guessed.whole_tokens_max(), 1'000'000'000);
}

TEST(PromptBudget, KnowsHowFamiliesDifferOnTheText) {
    std::string chinese;
    for (int i = 0; i < 500; ++i) {
        chinese += "漢字";
    }
    const llm::ChatRequest plain;
    const llm::Catalog catalog = catalog_of(32'000, 0);
    const auto factor = [&](const std::string& model, std::string_view sample) {
        return make_prompt_budget(catalog, nullptr, model, {plain, "", sample}).factor;
    };
    EXPECT_LT(factor("gpt-4o", chinese), 0.85);
    EXPECT_GT(factor("meta-llama/Llama-2-7b-chat", chinese), 1.5);
    EXPECT_NEAR(factor("meta-llama/Llama-2-7b-chat", "漢字"), 1, 0.05) << "two characters say little";
    EXPECT_DOUBLE_EQ(factor("unheard-of", chinese), 1);
}

}  // namespace
}  // namespace confab::chat
