#!/usr/bin/env python3
"""Checks what the compiler does not: the rules of this code base that would otherwise erode.

    tools/tidy.py ROOT         prints `file:line: rule: what to do`, ends with 1 when there is something to do
    tools/tidy.py --self-test  shows for each rule that it can fail

An exception is granted in place, on the line or on one of the two lines above it, and needs a reason:

    // tidy: allow mutex: held only to move a job in or out

A granted exception that nothing needs any more is reported as well. Python's standard library only.
"""

import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 6
FILE_LINES_MAX = 600
REASON_CHARS_MIN = 10

# Which layers each layer may include directly; what is below those is allowed too, and a layer itself.
LAYERS = {
    "main": ["app"],
    "app": ["review"],
    "review": ["api"],
    "api": ["web", "chat", "auth", "transfer"],
    "transfer": ["chat"],
    "web": ["net", "meter"],
    "chat": ["store", "llm"],
    "auth": ["store"],
    "llm": ["net", "meter"],
    "store": ["net", "meter"],
    "net": ["base"],
    "meter": ["base"],
    "base": [],
}

SOURCE_FOLDERS = ["src", "tests", "bench", "tools", "cmake", "ui/src", "docs", "packaging"]
SKIPPED_FOLDERS = {"node_modules", "build", "dist", "golden", "__pycache__", ".git", ".cache"}
CPP = {".cpp", ".hpp", ".h"}
HEADERS = {".hpp", ".h"}
SCRIPTS = {".js", ".mjs", ".ts", ".svelte"}
TEXT = CPP | SCRIPTS | {".py", ".css", ".cmake", ".txt", ".sql", ".md", ".sh", ".html", ".toml", ".yml", ".yaml"}

ALLOW = re.compile(r"tidy: allow ([a-z-]+)(?:: *(.*?))?\s*(?:\*/|-->)?\s*$")


@dataclass(frozen=True)
class Banned:
    """A pattern that may not occur in the code (comments and literals do not count) below `under`."""

    rule: str
    pattern: re.Pattern
    advice: str
    under: str = "src/"
    except_under: tuple = ()
    suffixes: frozenset = frozenset(CPP)


BANNED = [
    Banned("stdout", re.compile(r"std::c(out|err|log)\b|\b(printf|puts|putchar)\s*\("),
           "log through base/log.hpp; only main and app talk to the terminal", except_under=("src/main.cpp", "src/app/")),
    Banned("detached", re.compile(r"\bdetached\b|\.detach\s*\(\s*\)"),
           "spawn into a net::TaskGroup, whose owner cancels and joins"),
    Banned("sleep", re.compile(r"\b(sleep|usleep|nanosleep)\s*\(|this_thread::sleep_(for|until)"),
           "nothing may block a shard: co_await net::sleep_for or a Ticker"),
    Banned("shell", re.compile(r"\b(system|popen)\s*\("), "start no shell"),
    Banned("c-string", re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok)\s*\("),
           "use std::string, std::string_view, fmt or std::to_chars"),
    Banned("rand", re.compile(r"\bs?rand\s*\("), "use base/ids.hpp, <random> or libsodium"),
    Banned("mutex", re.compile(r"\bstd::(recursive_|shared_|timed_|recursive_timed_|shared_timed_)?mutex\b"),
           "what a shard owns only its thread touches: send the work there with net::run_on",
           except_under=("src/net/", "src/store/", "src/meter/")),
    Banned("raw-new", re.compile(r"(?<!operator )\bnew\b(?!\s*\()\s*[\w:]|\bdelete\b\s*(\[\s*\])?\s*[\w(*:]"),
           "own memory through a container or std::make_unique"),
    Banned("using-namespace", re.compile(r"\busing\s+namespace\b"),
           "name what is meant: a header's names reach every file", under="", suffixes=frozenset(HEADERS)),
    Banned("unsafe-html", re.compile(r"\b(inner|outer)HTML\b|\binsertAdjacentHTML\b|\{@html\b|\bdocument\.write\b"),
           "render through elements and text nodes; an answer is hostile input", under="ui/src/", suffixes=frozenset(SCRIPTS)),
    Banned("eval", re.compile(r"(?<![\w.])eval\s*\(|\bnew\s+Function\s*\("), "run no text as code", under="ui/src/",
           suffixes=frozenset(SCRIPTS)),
]


@dataclass
class Finding:
    path: str
    line: int
    rule: str
    advice: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.advice}"


@dataclass
class Source:
    """A file, and its code with comments, literals and (for C++) preprocessor lines blanked, positions kept."""

    path: str
    text: str
    code: str = ""
    allows: dict = field(default_factory=dict)  # (line, rule) -> used
    findings: list = field(default_factory=list)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def report(self, line, rule, advice, above=2):
        for allowed_line in range(line, line - above - 1, -1):
            if (allowed_line, rule) in self.allows:
                self.allows[(allowed_line, rule)] = True
                return
        self.findings.append(Finding(self.path, line, rule, advice))


# ---- reading ------------------------------------------------------------------------------------------------------------

TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""",
    re.DOTALL,
)


def blanked(match):
    """Spaces for everything but line ends; the quotes of a literal stay, so that it still is an operand."""
    text = match.group(0)
    spaces = re.sub(r"[^\n]", " ", text)
    return '"' + spaces[1:-1] + '"' if text[0] in "\"R'" and len(text) > 1 else spaces


def code_of(path, text):
    if path.suffix in CPP:
        code = TOKENS.sub(blanked, text)
        return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.MULTILINE)
    if path.suffix in SCRIPTS:
        return re.sub(r"(?<![:\"'`])//[^\n]*|/\*.*?\*/|<!--.*?-->", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.DOTALL)
    return text


def read_source(root, path):
    name = path.relative_to(root).as_posix()
    source = Source(name, path.read_text(encoding="utf-8", errors="replace"))
    source.code = code_of(path, source.text)
    for number, line in enumerate(source.text.split("\n"), 1):
        match = ALLOW.search(line)
        if match and name != "tools/tidy.py":
            source.allows[(number, match.group(1))] = False
            if len(match.group(2) or "") < REASON_CHARS_MIN:
                source.findings.append(Finding(name, number, "allow", "give the reason: `tidy: allow RULE: why it is right here`"))
    return source


def source_files(root):
    for folder in SOURCE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            parts = path.relative_to(root).parts
            if path.suffix in TEXT and path.is_file() and not SKIPPED_FOLDERS.intersection(parts):
                yield path


# ---- functions ----------------------------------------------------------------------------------------------------------

@dataclass
class Function:
    name: str
    begin: int  # offset of the first character of its head
    end: int    # offset of its closing brace
    parameters: int


def matching(code, start):
    """Offset of the bracket that closes the one at `start`, or the end of the code."""
    close = {"(": ")", "{": "}", "[": "]"}[code[start]]
    depth = 0
    for offset in range(start, len(code)):
        if code[offset] == code[start]:
            depth += 1
        elif code[offset] == close:
            depth -= 1
            if depth == 0:
                return offset
    return len(code) - 1


def skip_angles(text, start):
    """Offset after the `>` that closes the `<` at `start`, or `start` when nothing closes it."""
    depth = 0
    offset = start
    while offset < len(text):
        character = text[offset]
        if character in "([{":
            offset = matching(text, offset)
        elif character == "<":
            depth += 1
        elif character == ">" and text[offset - 1] not in "-=":
            depth -= 1
            if depth == 0:
                return offset + 1
        offset += 1
    return start


def without_templates(head):
    head = re.sub(r"^\s*(?:(?:public|private|protected)\s*:\s*)*", "", head)
    while (match := re.match(r"\s*template\s*(?=<)", head)):
        end = skip_angles(head, match.end())
        if end == match.end():
            break
        head = head[end:]
        if (clause := re.match(r"\s*requires\s*(?=\()", head)):
            head = head[matching(head, clause.end()) + 1:]
    return head.strip()


NOT_NAMES = {"noexcept", "requires", "decltype", "alignas", "explicit", "__attribute__", "if", "for", "while", "switch", "return", "catch"}


def parameter_list(head):
    """(name, parameters text) of the function this head declares, or None when it declares none."""
    head = re.sub(r"\boperator\s*(\(\s*\)|\[\s*\]|[^\s\w(]+)", "operator_", head)
    offset = 0
    while offset < len(head):
        character = head[offset]
        if character == "=":
            return None  # an initialiser
        if character == "<":
            offset = max(skip_angles(head, offset), offset + 1)
            continue
        if character == "(":
            name = re.search(r"([\w~]+)\s*$", head[:offset])
            end = matching(head, offset)
            if name and name.group(1) not in NOT_NAMES:
                return name.group(1), head[offset + 1:end]
            offset = end
        offset += 1
    return None


def count_parameters(text):
    if text.strip() in ("", "void"):
        return 0
    count = 1
    offset = 0
    while offset < len(text):
        character = text[offset]
        if character in "([{":
            offset = matching(text, offset)
        elif character == "<":
            offset = max(skip_angles(text, offset), offset + 1)
            continue
        elif character == ",":
            count += 1
        offset += 1
    return count


def is_member_initialiser(head):
    """True when a `{` after this head initialises a member in a constructor's list instead of opening the body."""
    declared = parameter_list(without_templates(head))
    if declared is None:
        return False
    after = head[head.rfind(")", 0, len(head)) + 1:] if re.search(r"\)\s*(noexcept\s*)?:[^:]", head) else None
    return after is not None and re.search(r"[\w>]\s*$", head) is not None


def functions_of(code):
    """The function definitions at namespace and class level; lambdas belong to the function around them."""
    found = []
    head_begin = 0
    offset = 0
    while offset < len(code):
        character = code[offset]
        if character in "([":
            offset = matching(code, offset)
        elif character in ";}":
            head_begin = offset + 1
        elif character == "{":
            head = code[head_begin:offset]
            bare = without_templates(head)
            if re.match(r"(inline\s+)?namespace\b|class\b|struct\b|union\b|extern\b\s*\"", bare) and parameter_list(bare.split(":")[0]) is None:
                head_begin = offset + 1
            elif is_member_initialiser(head):
                offset = matching(code, offset)
            else:
                end = matching(code, offset)
                declared = None if bare.startswith("enum") else parameter_list(bare)
                if declared:
                    begin = head_begin + len(head) - len(head.lstrip())
                    found.append(Function(declared[0], begin, end, count_parameters(declared[1])))
                    head_begin = end + 1
                offset = end
        offset += 1
    return found


# ---- rules --------------------------------------------------------------------------------------------------------------

def below(layer):
    reached = {layer}
    pending = [layer]
    while pending:
        for lower in LAYERS[pending.pop()]:
            if lower not in reached:
                reached.add(lower)
                pending.append(lower)
    return reached


def check_includes(source):
    parts = source.path.split("/")
    if parts[0] != "src":
        return
    layer = parts[1] if len(parts) > 2 else parts[1].split(".")[0]
    if layer not in LAYERS:
        source.report(1, "layer", f"`{layer}` is no layer of design.md: put the file into one of {', '.join(LAYERS)}")
        return
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', source.text, re.MULTILINE):
        line = source.line_of(match.start())
        target = match.group(1).split("/")[0]
        if "/" not in match.group(1) or target not in LAYERS:
            source.report(line, "include-root", f'write the path from src/, for instance "{layer}/{match.group(1).split("/")[-1]}"')
        elif target not in below(layer):
            allowed = ", ".join(sorted(below(layer)))
            source.report(line, "include-direction", f"{layer} must not know {target}; it may include {allowed}")


def is_owned(before, word):
    """`= delete`, `operator delete`, and `new` straight into a unique_ptr, as factories of private constructors must write it."""
    if word.startswith("delete"):
        return re.search(r"(=|\boperator)\s*$", before) is not None
    return re.search(r"\bunique_ptr<[^;{}]*>\s*\w*\s*[({]\s*$", before) is not None


def check_banned(source):
    suffix = Path(source.path).suffix
    for banned in BANNED:
        if suffix not in banned.suffixes or not source.path.startswith(banned.under) or source.path.startswith(banned.except_under or ("\0",)):
            continue
        for match in banned.pattern.finditer(source.code):
            if banned.rule == "raw-new" and is_owned(source.code[max(0, match.start() - 200):match.start()], match.group(0)):
                continue
            source.report(source.line_of(match.start()), banned.rule, banned.advice)


def check_text(source):
    lines = source.text.split("\n")
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            source.report(number, "tab", "indent with spaces; write \\t in literals")
        if line != line.rstrip():
            source.report(number, "trailing-space", "remove the white space at the end of the line")
        if re.search(r"\bFIX" + r"ME\b", line):
            source.report(number, "fix-me", "repair it now, or write TODO(topic): reason")
    count = len(lines) - 1 if lines[-1] == "" else len(lines)
    if Path(source.path).suffix in CPP | SCRIPTS and count > FILE_LINES_MAX:
        source.report(count, "file-length", f"{count} lines: split by responsibility (at most {FILE_LINES_MAX})", above=count)


def check_header(source):
    if Path(source.path).suffix in HEADERS and not re.search(r"^#pragma once$", source.text, re.MULTILINE):
        source.report(1, "pragma-once", "begin the header with #pragma once, after its comment")


def check_functions(source):
    if not source.path.startswith("src/") or Path(source.path).suffix not in CPP:
        return
    for function in functions_of(source.code):
        first = source.line_of(function.begin)
        lines = source.line_of(function.end) - first + 1
        if lines > FUNCTION_LINES_MAX:
            source.report(first, "function-length", f"{function.name} has {lines} lines: split it (at most {FUNCTION_LINES_MAX})")
        if function.parameters > PARAMETERS_MAX:
            source.report(first, "parameters", f"{function.name} has {function.parameters}: group them in a struct (at most {PARAMETERS_MAX})")


def check_target(root, source):
    """Every .cpp is compiled by somebody: a file no target knows rots."""
    parts = source.path.split("/")
    if not source.path.endswith(".cpp") or parts[0] not in ("src", "bench") and parts[:2] != ["tests", "unit"]:
        return
    if parts[0] == "src" and len(parts) > 2:
        known = f"confab_target({parts[1]}" in read_text(root / "src" / parts[1] / "CMakeLists.txt")
        known = known and f"add_subdirectory({parts[1]})" in read_text(root / "src" / "CMakeLists.txt")
        advice = f"src/{parts[1]}/CMakeLists.txt needs confab_target({parts[1]} ...) and src/CMakeLists.txt add_subdirectory({parts[1]})"
    elif parts[0] == "tests":
        known = re.search(rf"foreach\(folder[^)]*\b{parts[2]}\b", read_text(root / "tests/unit/CMakeLists.txt")) is not None
        advice = f"name the folder {parts[2]} in tests/unit/CMakeLists.txt"
    else:
        known = Path(parts[-1]).stem in read_text(root / parts[0] / "CMakeLists.txt")
        advice = f"name the file in {parts[0]}/CMakeLists.txt"
    if not known:
        source.report(1, "target", advice)


def read_text(path):
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def check_allows(source):
    known = {banned.rule for banned in BANNED} | {
        "layer", "include-root", "include-direction", "tab", "trailing-space", "fix-me", "file-length", "pragma-once",
        "function-length", "parameters", "target",
    }
    for (line, rule), used in source.allows.items():
        if rule not in known:
            source.findings.append(Finding(source.path, line, "allow", f"there is no rule `{rule}`"))
        elif not used:
            source.findings.append(Finding(source.path, line, "allow", f"nothing here breaks `{rule}` any more: remove the exception"))


def check(root):
    findings = []
    for path in source_files(root):
        source = read_source(root, path)
        check_text(source)
        check_banned(source)
        if path.suffix in CPP:
            check_header(source)
            check_includes(source)
            check_functions(source)
            check_target(root, source)
        check_allows(source)
        findings += source.findings
    return sorted(findings, key=lambda finding: (finding.path, finding.line))


# ---- self-test ----------------------------------------------------------------------------------------------------------

CLEAN = {
    "src/CMakeLists.txt": "add_subdirectory(base)\nadd_subdirectory(web)\nadd_executable(confab main.cpp)\n",
    "src/base/CMakeLists.txt": "confab_target(base)\n",
    "src/web/CMakeLists.txt": "confab_target(web DEPS base)\n",
    "src/base/a.hpp": "#pragma once\n\nstruct A {\n    A(const A&) = delete;\n    int x{1};\n};\n",
    "src/web/b.cpp": '#include "web/b.hpp"\n#include "base/a.hpp"\n// printf( and std::cout in a comment\nconst char* k = "system( new Thing";\n',
    "src/main.cpp": '#include "app/app.hpp"\nint main() { printf("x"); }\n',
    "tests/unit/CMakeLists.txt": "foreach(folder base web)\n",
    "tests/unit/base/a_test.cpp": "// a test\n",
    "ui/src/a.ts": "// innerHTML in a comment\nconst medieval = retrieval(1); node.textContent = text;\n",
}


def function_of_lines(count):
    return "int f() {\n" + "    // line\n" * (count - 2) + "}\n"


# rule -> files that break it, each on its own in an otherwise clean tree
BROKEN = {
    "include-direction": [("src/base/x.hpp", '#pragma once\n#include "net/task.hpp"\n'), ("src/web/x.cpp", '#include "chat/run.hpp"\n'),
                          ("src/web/x.cpp", '#include "store/store.hpp"\n')],
    "include-root": [("src/web/x.cpp", '#include "b.hpp"\n'), ("src/web/x.cpp", '#include "../base/a.hpp"\n')],
    "layer": [("src/util/x.hpp", "#pragma once\n")],
    "stdout": [("src/web/x.cpp", 'void f() { std::cout << 1; }\n'), ("src/web/x.cpp", 'void f() { std::printf("x"); }\n')],
    "detached": [("src/web/x.cpp", "void f() { asio::co_spawn(e, g(), asio::detached); }\n"), ("src/web/x.cpp", "void f() { thread.detach(); }\n")],
    "sleep": [("src/web/x.cpp", "void f() { usleep(5); }\n"), ("src/web/x.cpp", "void f() { std::this_thread::sleep_for(1s); }\n")],
    "shell": [("src/web/x.cpp", 'void f() { std::system("ls"); }\n')],
    "c-string": [("src/web/x.cpp", "void f() { strcpy(a, b); }\n"), ("src/web/x.cpp", "void f() { sprintf(a, b); }\n")],
    "rand": [("src/web/x.cpp", "int f() { return rand() % 6; }\n")],
    "mutex": [("src/web/x.cpp", "std::mutex lock;\n"), ("src/web/x.cpp", "mutable std::shared_mutex lock;\n")],
    "raw-new": [("src/web/x.cpp", "auto* p = new Thing;\n"), ("src/web/x.cpp", "void f() { delete p; }\n"), ("src/web/x.cpp", "void f() { delete[] p; }\n")],
    "using-namespace": [("src/web/x.hpp", "#pragma once\nusing namespace std;\n"), ("tests/unit/base/x.hpp", "#pragma once\nusing namespace std;\n")],
    "unsafe-html": [("ui/src/x.ts", "node.innerHTML = answer;\n"), ("ui/src/x.svelte", "<p>{@html answer}</p>\n")],
    "eval": [("ui/src/x.ts", "eval(answer);\n"), ("ui/src/x.mjs", "new Function(answer)();\n")],
    "tab": [("src/web/x.cpp", "\tint x;\n"), ("tools/x.py", "if x:\n\tpass\n")],
    "trailing-space": [("src/web/x.cpp", "int x; \n"), ("ui/src/x.css", "a {} \n")],
    "fix-me": [("src/web/x.cpp", "// FIX" + "ME: later\n")],
    "file-length": [("src/web/x.cpp", "// line\n" * 601)],
    "pragma-once": [("src/web/x.hpp", "struct X {};\n"), ("tests/support/x.hpp", "struct X {};\n")],
    "function-length": [("src/web/x.cpp", function_of_lines(71)),
                        ("src/web/x.cpp", "struct X {\n    X(int a) : a_(a), b_{1} {\n" + "        g();\n" * 70 + "    }\n};\n"),
                        ("src/web/x.cpp", "template <class T> requires (A<T> && B)\nauto X<T>::f(T t) const noexcept -> std::vector<T> {\n" + "    g([&] { h(); });\n" * 70 + "}\n")],
    "parameters": [("src/web/x.cpp", "int f(int a, int b, int c, int d, int e, int g, int h) {\n    return a;\n}\n"),
                   ("src/web/x.cpp", "struct S {\n    void operator()(int a, map<int, int> b, int c, int d, int e, int g, function<void(int, int)> h) const {}\n};\n")],
    "target": [("src/web/x.cpp", "int x;\n"), ("tests/unit/zoo/x_test.cpp", "int x;\n"), ("bench/x.cpp", "int x;\n")],
    "allow": [("src/web/x.cpp", "// tidy: allow mutex\nstd::mutex lock;\n"), ("src/web/x.cpp", "// tidy: allow mutex: nothing here needs it\nint x;\n"),
              ("src/web/x.cpp", "// tidy: allow mutx: the rule's name is wrong\n")],
}

# Code that looks like a fault and is none.
FINE = [
    ("src/web/x.cpp", "// tidy: allow mutex: it guards the log's file, off the request path\nstd::mutex lock;\n"),
    ("src/web/x.cpp", function_of_lines(70)),
    ("src/web/x.cpp", "int f(int a, int b, map<int, int> c, int d, int e, function<void(int, int)> g) {\n    return a;\n}\n"),
    ("src/web/x.cpp", "constexpr auto kTable = make({\n" + "    1,\n" * 100 + "});\nconst std::array k{\n" + "    g(1),\n" * 100 + "};\n"),
    ("src/web/x.cpp", 'auto k = R"(\n' + "{ std::cout\n" * 100 + ')";\nchar c = \'{\';\nint n = 1\'000\'000;\n'),
    ("src/web/x.cpp", "class X {\npublic:\n    std::function<void(int)> f_{};\n    X& operator=(const X&) = delete;\n" + "    int a();\n" * 100 + "};\n"),
    ("src/web/x.cpp", "#define M(x) \\\n    { printf(x); }\nvoid* operator new(std::size_t);\nboost::system::error_code e;\nvoid f() { co_await net::sleep_for(1s); }\n"),
    ("src/web/x.cpp", "struct X : Y {\n    explicit X(int a)\n        : a_(a), m_{{1, 2}}, n_(g(a)) {}\n" + "    int b;\n" * 100 + "};\n"),
    ("src/net/x.cpp", "std::mutex lock;\n"),
    ("src/web/x.cpp", "std::unique_ptr<A<int>> a(new A<int>(1));\nvoid f() {\n    return std::unique_ptr<A>(new A);\n}\n"),
    ("src/net/x.cpp", "void f() {\n    client.detach(*transfer_);\n    delete_item(db);\n    renew(x);\n}\n"),
]


def rules_broken_by(files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [finding.rule for finding in check(root)]


def self_test():
    failures = []
    if broken := rules_broken_by(CLEAN):
        failures.append(f"the clean tree breaks {broken}")
    for rule, cases in BROKEN.items():
        for name, text in cases:
            files = {**CLEAN, name: text}
            if rule == "target" and name.startswith("src/"):
                files["src/CMakeLists.txt"] = "add_subdirectory(base)\n"
            broken = set(rules_broken_by(files))
            if rule not in broken or broken - {rule, "target"}:
                failures.append(f"{rule}: {name} should break it alone, but breaks {sorted(broken)}:\n{text[:200]}")
    for name, text in FINE:
        extra = {"src/CMakeLists.txt": CLEAN["src/CMakeLists.txt"] + "add_subdirectory(net)\n", "src/net/CMakeLists.txt": "confab_target(net)\n"}
        if broken := rules_broken_by({**CLEAN, **extra, name: text}):
            failures.append(f"{name} is fine, but breaks {broken}:\n{text[:200]}")
    for failure in failures:
        print(failure)
    print(f"self-test: {len(BROKEN)} rules, {len(failures)} failures")
    return 1 if failures else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print(__doc__)
        return 2
    findings = check(Path(arguments[0]).resolve())
    for finding in findings:
        print(finding)
    print(f"tidy: {len(findings)} finding(s)" if findings else "tidy: clean")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
