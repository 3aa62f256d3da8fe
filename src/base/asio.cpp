// SPDX-License-Identifier: Apache-2.0
//
// Asio's implementation, compiled once (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
