// The command line: confab serve | user ... | key ... | config.
#pragma once

namespace confab::app {

// Parses the arguments and does what they say. The process's exit status: 0 done, 1 failed, 2 misused.
int run_command_line(int argc, char** argv);

}  // namespace confab::app
