// The precompiled header names Asio, whose definitions are in confab_net; this layer lies below it and cannot link it.
#include <boost/asio/impl/src.hpp>
