// How the command line says that something failed.
#pragma once

#include "base/error.hpp"

namespace confab::app {

// Prints the message to standard error. The exit status of a command that failed: 1.
int complain(const base::Error& error);

}  // namespace confab::app
