// confab routes: the server's own table of addresses, for who wants to know what is open to whom, and for the tests
// that call every one of them.
#pragma once

namespace confab::app {

// Prints the table, one route a line, or as one JSON array. Needs neither configuration nor data. Answers the exit
// status.
int show_routes(bool as_json);

}  // namespace confab::app
