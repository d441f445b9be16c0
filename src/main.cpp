// confab: parses the command line, does what it says.
#include <cstdio>
#include <exception>

#include "app/command_line.hpp"

int main(int argc, char** argv) {
    try {
        return confab::app::run_command_line(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "confab: %s\n", e.what());
        return 1;
    }
}
