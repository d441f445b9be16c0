#include "api/tools.hpp"

#include <algorithm>

namespace confab::api {

namespace {

using base::invalid;
using base::Result;
using base::Status;

// A function in the form of chat completions, by its name.
struct Function {
    std::string name;
    std::string rendered;
};

std::string render_function(const json::object& tool) {
    std::string text;
    base::JsonWriter out(text);
    out.begin_object();
    out.member("type", "function");
    out.key("function");
    out.begin_object();
    for (const std::string_view name : {"name", "description", "parameters", "strict"}) {
        if (const json::value* value = base::find(tool, name); value != nullptr && !value->is_null()) {
            out.raw_member(name, base::to_string(*value));
        }
    }
    out.end_object();
    out.end_object();
    return text;
}

Result<Function> parse_function(const json::object& tool, const std::string& param) {
    const Fields fields(tool, param + ".");
    TRY(const auto name, fields.required_text("name", kFunctionNameBytesMax));
    if (name.empty()) {
        return invalid(
            fields.param("name"),
            "Missing required parameter: '" + fields.param("name") + "'.",
            "missing_required_parameter"
        );
    }
    TRY_VOID(fields.text("description", kToolsBytesMax));
    TRY_VOID(fields.object("parameters"));
    TRY_VOID(fields.boolean("strict"));
    return Function{name, render_function(tool)};
}

// The functions among the tools; `echo` gets all of them. Strict clients want every member of a function present.
Result<std::vector<Function>> parse_list(const json::array& tools, json::array& echo) {
    std::vector<Function> functions;
    if (tools.size() > kToolsMax) {
        return invalid(
            "tools", "'tools' has at most " + std::to_string(kToolsMax) + " entries.", "array_above_max_length"
        );
    }
    for (std::size_t i = 0; i < tools.size(); ++i) {
        const std::string param = "tools[" + std::to_string(i) + "]";
        if (!tools[i].is_object()) {
            return invalid(param, "'" + param + "' must be an object.", "invalid_type");
        }
        json::object tool = tools[i].get_object();
        TRY(const auto type, Fields(tool, param + ".").required_text("type"));
        if (type == "function") {
            TRY(auto function, parse_function(tool, param));
            functions.push_back(std::move(function));
            for (const char* name : {"description", "parameters", "strict"}) {
                tool.emplace(name, nullptr);
            }
        }
        echo.emplace_back(std::move(tool));
    }
    return functions;
}

Status check_known(const std::vector<Function>& functions, std::string_view name, const std::string& param) {
    if (std::ranges::find(functions, name, &Function::name) == functions.end()) {
        return invalid(param, "'" + param + "' names a function that is not among the tools.");
    }
    return {};
}

// {"type":"allowed_tools","mode","tools":[{"type":"function","name"}]}: few servers know it, so what is not allowed is
// not sent, and the mode becomes the choice.
Result<std::string> allow_only(std::vector<Function>& functions, const json::object& choice) {
    const Fields fields(choice, "tool_choice.");
    TRY(const auto mode, fields.required_text("mode"));
    TRY(const json::array* tools, fields.array("tools"));
    if (tools == nullptr || (mode != "auto" && mode != "required")) {
        return invalid("tool_choice", "'allowed_tools' has a mode, 'auto' or 'required', and tools.");
    }
    std::vector<std::string_view> names;
    for (const json::value& tool : *tools) {
        if (tool.is_object() && base::find_string(tool.get_object(), "type") == "function") {
            names.push_back(base::find_string(tool.get_object(), "name"));
            TRY_VOID(check_known(functions, names.back(), "tool_choice.tools"));
        }
    }
    std::erase_if(functions, [&names](const Function& function) {
        return std::ranges::find(names, function.name) == names.end();
    });
    return "\"" + mode + "\"";
}

// What is sent as tool_choice; empty: nothing. May leave functions out.
Result<std::string> parse_choice(const json::value& choice, std::vector<Function>& functions) {
    if (choice.is_string()) {
        const std::string mode(choice.get_string().data(), choice.get_string().size());
        if (mode != "auto" && mode != "none" && mode != "required") {
            return invalid("tool_choice", "'tool_choice' is 'auto', 'none', 'required' or an object.");
        }
        return "\"" + mode + "\"";
    }
    if (!choice.is_object()) {
        return invalid("tool_choice", "'tool_choice' must be a string or an object.", "invalid_type");
    }
    const Fields fields(choice.get_object(), "tool_choice.");
    TRY(const auto type, fields.required_text("type"));
    if (type == "allowed_tools") {
        return allow_only(functions, choice.get_object());
    }
    if (type != "function") {
        return std::string();  // one of OpenAI's own tools
    }
    TRY(const auto name, fields.required_text("name", kFunctionNameBytesMax));
    TRY_VOID(check_known(functions, name, "tool_choice.name"));
    std::string rendered;
    base::JsonWriter out(rendered);
    out.begin_object();
    out.member("type", "function");
    out.key("function");
    out.begin_object();
    out.member("name", name);
    out.end_object();
    out.end_object();
    return rendered;
}

std::string join(const std::vector<Function>& functions) {
    std::string text;
    base::JsonWriter out(text);
    out.begin_array();
    for (const Function& function : functions) {
        out.raw(function.rendered);
    }
    out.end_array();
    return text;
}

}  // namespace

Result<ToolFields> parse_tools(const Fields& fields, llm::ChatRequest& parameters) {
    ToolFields echo;
    TRY(const json::array* tools, fields.array("tools"));
    TRY(const auto parallel, fields.boolean("parallel_tool_calls"));
    std::vector<Function> functions;
    if (tools != nullptr) {
        json::array all;
        TRY(functions, parse_list(*tools, all));
        echo.tools = base::to_string(all);
        if (echo.tools.size() > kToolsBytesMax) {
            return invalid("tools", "'tools' has at most 256 KiB of JSON.", "string_above_max_length");
        }
    }
    std::string choice;
    if (const json::value* given = fields.any("tool_choice")) {
        TRY(choice, parse_choice(*given, functions));
        echo.tool_choice = base::to_string(*given);
    }
    echo.parallel_tool_calls = parallel.value_or(true);
    if (functions.empty()) {
        return echo;  // servers refuse the other members without tools
    }
    parameters.extra_members.emplace_back("tools", join(functions));
    if (!choice.empty()) {
        parameters.extra_members.emplace_back("tool_choice", choice);
    }
    if (parallel) {
        parameters.extra_members.emplace_back("parallel_tool_calls", *parallel ? "true" : "false");
    }
    return echo;
}

Status parse_reasoning(const Fields& fields, llm::ChatRequest& parameters) {
    TRY(const json::object* reasoning, fields.object("reasoning"));
    if (reasoning == nullptr) {
        return {};
    }
    TRY(const auto effort, Fields(*reasoning, "reasoning.").text("effort", kReasoningEffortBytesMax));
    if (effort && !effort->empty()) {
        std::string rendered;
        base::JsonWriter(rendered).value(*effort);
        parameters.extra_members.emplace_back("reasoning_effort", std::move(rendered));
    }
    return {};
}

}  // namespace confab::api
