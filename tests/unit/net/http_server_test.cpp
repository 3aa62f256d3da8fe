// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "raw_socket.h"
#include "running_server.h"
#include "support/temp_directory.h"

namespace fedgate::net::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

const std::string host = "Host: gate.example\r\n";

std::string get(const std::string& target, const std::string& more = {}) {
  return "GET " + target + " HTTP/1.1\r\n" + host + more + "\r\n";
}

TEST(HttpServer, answers_and_keeps_the_connection) {
  RunningServer server;
  auto client = RawSocket::connect(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send(get("/a?b=" + std::to_string(i)));
    const std::string answer = client.answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
    EXPECT_THAT(answer, HasSubstr(" GMT\r\n"));
    EXPECT_THAT(answer, testing::EndsWith("\r\n\r\nGET /a?b=" + std::to_string(i) + " "));
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST(HttpServer, answers_pipelined_requests_in_order) {
  RunningServer server;
  auto client = RawSocket::connect(server.port());
  client.send(get("/1") + "POST /2 HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\nab" +
              get("/3", "Connection: close\r\n") + get("/4"));
  const std::string all = client.all();
  EXPECT_THAT(all, HasSubstr("GET /1 "));
  EXPECT_LT(all.find("GET /1 "), all.find("POST /2 ab"));
  EXPECT_LT(all.find("POST /2 ab"), all.find("GET /3 "));
  EXPECT_EQ(all.find("GET /4"), std::string::npos);
  EXPECT_THAT(all, HasSubstr("Connection: close\r\n"));
}

TEST(HttpServer, takes_a_request_byte_by_byte) {
  RunningServer server;
  auto client = RawSocket::connect(server.port());
  const std::string request = "\r\nPOST /x HTTP/1.1\r\n" + host +
                              "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n";
  for (const char c : request) client.send(std::string_view(&c, 1));
  EXPECT_THAT(client.answer(), testing::EndsWith("POST /x abcde"));
}

TEST(HttpServer, HEAD_has_no_body_and_HTTP_1_0_closes) {
  RunningServer server;
  auto client = RawSocket::connect(server.port());
  client.send("HEAD / HTTP/1.1\r\n" + host + "\r\n");
  EXPECT_THAT(client.answer(true), HasSubstr("Content-Length: 7\r\n"));
  EXPECT_EQ(client.kept(), "");
  client.send("GET / HTTP/1.0\r\n" + host + "\r\n");
  EXPECT_THAT(client.all(), HasSubstr("GET / "));
}

TEST(HttpServer, says_100_continue_only_to_who_waits_for_it) {
  RunningServer server;
  auto client = RawSocket::connect(server.port());
  client.send("POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_THAT(client.answer(), testing::EndsWith("POST / ok"));
  client.send("POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 200"));
}

struct Trap {
  const char* name;
  std::string bytes;
  int status;
};

std::string post(const std::string& fields, const std::string& body) {
  return "POST / HTTP/1.1\r\n" + host + fields + "\r\n" + body;
}

class Traps : public testing::TestWithParam<Trap> {};

TEST_P(Traps, is_refused_and_closed) {
  RunningServer server;
  auto client = RawSocket::connect(server.port());
  client.send(GetParam().bytes);
  const std::string answer = client.all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(GetParam().status) + " "));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, HasSubstr("application/problem+json"));
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << "one answer only";
  EXPECT_EQ(server.handler.calls, 0);
}

INSTANTIATE_TEST_SUITE_P(
    HostileInput, Traps,
    testing::Values(
        Trap{"unknown_encoding", post("Transfer-Encoding: gzip\r\n", "GET /smuggled HTTP/1.1\r\n\r\n"), 400},
        Trap{"quoted_encoding", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
        Trap{"two_encodings", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400},
        Trap{"encoding_twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        Trap{"encoding_and_length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
        Trap{"length_and_encoding", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        Trap{"encoding_in_1_0", "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        Trap{"length_list", post("Content-Length: 5, 5\r\n", "abcde"), 400},
        Trap{"length_twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "abcde"), 400},
        Trap{"length_sign", post("Content-Length: +5\r\n", "abcde"), 400},
        Trap{"length_hex", post("Content-Length: 0x5\r\n", "abcde"), 400},
        Trap{"length_negative", post("Content-Length: -1\r\n", ""), 400},
        Trap{"length_empty", post("Content-Length:\r\n", ""), 400},
        Trap{"length_overflow", post("Content-Length: 18446744073709551621\r\n", "abcde"), 400},
        Trap{"host_missing", "GET / HTTP/1.1\r\n\r\n", 400}, Trap{"host_twice", get("/", host), 400},
        Trap{"host_foreign", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400},
        Trap{"host_list", "GET / HTTP/1.1\r\nHost: gate.example, evil.example\r\n\r\n", 400},
        Trap{"host_user", "GET / HTTP/1.1\r\nHost: gate.example@evil.example\r\n\r\n", 400},
        Trap{"host_port_odd", "GET / HTTP/1.1\r\nHost: gate.example:80a\r\n\r\n", 400},
        Trap{"host_empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
        Trap{"connect", "CONNECT gate.example:443 HTTP/1.1\r\n" + host + "\r\n", 400},
        Trap{"absolute", "GET http://gate.example/ HTTP/1.1\r\n" + host + "\r\n", 400},
        Trap{"asterisk", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 400},
        Trap{"unknown_method", "BREW / HTTP/1.1\r\n" + host + "\r\n", 400},
        Trap{"lower_case_method", "get / HTTP/1.1\r\n" + host + "\r\n", 400},
        Trap{"target_high_byte", get("/\xC3\xA4"), 400}, Trap{"target_control", get("/a\tb"), 400},
        Trap{"target_del", get("/a\x7F"), 400}, Trap{"target_fragment", get("/a#b"), 400},
        Trap{"version_2", "GET / HTTP/2.0\r\n" + host + "\r\n", 400}, Trap{"no_version", "GET /\r\n\r\n", 400},
        Trap{"space_before_colon", "GET / HTTP/1.1\r\nHost : gate.example\r\n\r\n", 400},
        Trap{"bare_line_feeds", "GET / HTTP/1.1\nHost: gate.example\n\n\r\n\r\n", 400},
        Trap{"nul_in_value", get("/", std::string("X: a\0b\r\n", 8)), 400},
        Trap{"bare_cr_in_value", get("/", "X: a\rb\r\n"), 400},
        Trap{"expectation", post("Expect: 200-ok\r\nContent-Length: 1\r\n", "a"), 400},
        Trap{"not_http", "\x16\x03\x01\x02\x05\x01 hello there\r\n\r\n", 400},
        Trap{"chunk_size_odd", post("Transfer-Encoding: chunked\r\n", "0x5\r\nabcde\r\n0\r\n\r\n"), 400},
        Trap{"chunk_size_overflow", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), 400},
        Trap{"chunk_without_end", post("Transfer-Encoding: chunked\r\n", "3\r\nabcX\r\n0\r\n\r\n"), 400},
        Trap{"chunk_extension",
             post("Transfer-Encoding: chunked\r\n", "3;x=" + std::string(1100, 'a') + "\r\nabc\r\n0\r\n\r\n"), 400},
        Trap{"chunk_extension_endless", post("Transfer-Encoding: chunked\r\n", "3;x=" + std::string(70'000, 'a')), 400},
        Trap{"trailers_endless", post("Transfer-Encoding: chunked\r\n", "0\r\nX: " + std::string(70'000, 'a')), 400},
        Trap{"chunks_too_large", post("Transfer-Encoding: chunked\r\n", "200000\r\n"), 413},
        Trap{"length_too_large", post("Content-Length: 2000000\r\n", ""), 413},
        Trap{"header_too_large", get("/", "X: " + std::string(20'000, 'a') + "\r\n"), 431},
        Trap{"fields_too_many",
             get("/",
                 [] {
                   std::string all;
                   for (int i = 0; i < 200; ++i) all += "X: a\r\n";
                   return all;
                 }()),
             431},
        Trap{"target_too_long", get("/" + std::string(20'000, 'a')), 414}),
    [](const auto& tested) { return tested.param.name; });

TEST(HttpServer, a_head_that_trickles_line_by_line_stays_bounded) {
  RunningServer server;
  auto client = RawSocket::connect(server.port());
  client.send("GET / HTTP/1.1\r\n" + host);
  std::thread writer([&] {
    for (int i = 0; i < 2000; ++i) {
      if (!client.send("X" + std::to_string(i) + ": " + std::string(20, 'a') + "\r\n")) return;
    }
  });
  EXPECT_THAT(client.all(), StartsWith("HTTP/1.1 431 "));
  writer.join();
}

TEST(HttpServer, extensions_of_many_small_chunks_count_together) {
  RunningServer server;
  auto client = RawSocket::connect(server.port());
  client.send(post("Transfer-Encoding: chunked\r\n", ""));
  for (int i = 0; i < 40; ++i) {
    if (!client.send("1;" + std::string(60, 'x') + "\r\na\r\n")) break;
  }
  EXPECT_THAT(client.all(), StartsWith("HTTP/1.1 400 "));
}

TEST(HttpServer, a_slow_head_is_answered_with_408_however_it_trickles) {
  RunningServer::Setup setup;
  setup.limits.header_time = 150ms;
  RunningServer server(echo, setup);
  auto client = RawSocket::connect(server.port());
  client.patience(20ms);
  std::string got;
  const auto begin = std::chrono::steady_clock::now();
  bool open = true;
  client.send("GET / HTTP/1.1\r\nX: ");
  while (open && std::chrono::steady_clock::now() - begin < 10s) {
    client.send("a");
    auto some = client.receive();
    if (some) got += *some;
    open = !some || !some->empty();
  }
  EXPECT_THAT(got, StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(got, HasSubstr("\"status\":408"));
}

TEST(HttpServer, a_slow_body_is_answered_with_408_and_an_idle_connection_ends_silently) {
  RunningServer::Setup setup;
  setup.limits.body_time = 60ms;
  setup.limits.idle = 60ms;
  RunningServer server(echo, setup);
  auto slow = RawSocket::connect(server.port());
  slow.send(post("Content-Length: 5\r\n", "ab"));
  EXPECT_THAT(slow.all(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(RawSocket::connect(server.port()).all(), "");
}

TEST(HttpServer, a_client_that_takes_no_answer_is_dropped) {
  RunningServer::Setup setup;
  setup.limits.write_time = 100ms;
  RunningServer server(
      [](const Connection&, Request&, Response& response) -> Task<> {
        response.body.assign(32 * 1024 * 1024, 'x');
        co_return;
      },
      setup);
  auto client = RawSocket::connect(server.port());
  client.send(get("/"));
  EXPECT_TRUE(eventually([&] { return server.handler.calls == 1 && server.connections() == 0; }));
}

TEST(HttpServer, a_handler_is_cancelled_when_its_peer_leaves) {
  std::atomic<int> cancelled{0};
  std::atomic<int> recorded{0};
  Worker* worker = nullptr;
  RunningServer server([&](const Connection&, Request&, Response&) -> Task<> {
    bool stop = false;
    try {
      co_await sleep_until(worker->wheel(), worker->wheel().now() + 1h);
    } catch (const boost::system::system_error& error) {
      stop = error.code() == asio::error::operation_aborted;
    }
    if (stop) ++cancelled;
    co_await shielded();
    co_await sleep_until(worker->wheel(), worker->wheel().now() + 20ms);
    ++recorded;
  });
  worker = server.workers[0].get();
  auto client = RawSocket::connect(server.port());
  client.send(get("/"));
  ASSERT_TRUE(eventually([&] { return server.handler.calls == 1; }));
  EXPECT_EQ(cancelled, 0);
  client.close();
  EXPECT_TRUE(eventually([&] { return recorded == 1 && server.connections() == 0; }));
  EXPECT_EQ(cancelled, 1);
}

TEST(HttpServer, a_handler_goes_on_when_more_bytes_arrive) {
  Worker* worker = nullptr;
  RunningServer server([&](const Connection& c, Request& request, Response& response) -> Task<> {
    if (request.target == "/slow") co_await sleep_until(worker->wheel(), worker->wheel().now() + 100ms);
    co_await echo(c, request, response);
  });
  worker = server.workers[0].get();
  auto client = RawSocket::connect(server.port());
  client.send(get("/slow"));
  ASSERT_TRUE(eventually([&] { return server.handler.calls == 1; }));
  client.send(get("/next"));
  EXPECT_THAT(client.answer(), testing::EndsWith("GET /slow "));
  EXPECT_THAT(client.answer(), testing::EndsWith("GET /next "));
}

TEST(HttpServer, an_exception_is_500_and_says_nothing_of_its_reason) {
  RunningServer server([](const Connection&, Request& request, Response& response) -> Task<> {
    if (request.target == "/throw") throw std::runtime_error("secret detail");
    response.headers.add("X-Bad", "a\r\nSet-Cookie: b");
    co_return;
  });
  for (const char* target : {"/throw", "/header"}) {
    auto client = RawSocket::connect(server.port());
    client.send(get(target));
    const std::string answer = client.all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_EQ(answer.find("secret"), std::string::npos);
    EXPECT_EQ(answer.find("Set-Cookie"), std::string::npos);
  }
}

TEST(HttpServer, close_if_ends_chosen_connections_busy_or_idle) {
  Worker* worker = nullptr;
  RunningServer server([&](const Connection& c, Request& request, Response& response) -> Task<> {
    if (request.target == "/slow") co_await sleep_until(worker->wheel(), worker->wheel().now() + 1h);
    response.body = std::to_string(c.id);
  });
  worker = server.workers[0].get();
  auto busy = RawSocket::connect(server.port());
  busy.send(get("/slow"));
  ASSERT_TRUE(eventually([&] { return server.handler.calls == 1; }));
  auto idle = RawSocket::connect(server.port());
  idle.send(get("/"));
  EXPECT_THAT(idle.answer(), testing::EndsWith("2"));
  auto other = RawSocket::connect(server.port());
  other.send(get("/"));
  EXPECT_THAT(other.answer(), testing::EndsWith("3"));
  EXPECT_EQ(server.close_if([](const Connection& c) { return c.id < 3; }), 2u);
  EXPECT_EQ(busy.all(), "");
  EXPECT_EQ(idle.all(), "");
  EXPECT_TRUE(eventually([&] { return server.connections() == 1; }));
  other.send(get("/"));
  EXPECT_THAT(other.answer(), testing::EndsWith("3"));
}

TEST(HttpServer, cut_ends_sockets_at_once_whatever_their_handlers_still_do) {
  Worker* worker = nullptr;
  std::atomic<bool> finish{false};
  RunningServer server([&](const Connection& c, Request& request, Response& response) -> Task<> {
    if (request.target == "/record") {
      co_await shielded();  // as whoever records an outcome
      while (!finish) co_await sleep_until(worker->wheel(), worker->wheel().now() + 5ms);
    }
    response.body = std::to_string(c.id);
  });
  worker = server.workers[0].get();
  auto busy = RawSocket::connect(server.port());
  busy.send(get("/record"));
  ASSERT_TRUE(eventually([&] { return server.handler.calls == 1; }));
  auto idle = RawSocket::connect(server.port());
  idle.send(get("/"));
  std::ignore = idle.answer();
  std::atomic<bool> closed{false};
  Ticket held(nullptr, [&](void*) { closed = true; });
  std::size_t cut = 0;
  server.on(0, [&]() -> Task<> {
    const auto all = [](const Connection&) { return true; };
    cut = server.servers[0]->cut(all, held);
    cut += server.servers[0]->cut(all, held);  // they are counted once
    held.reset();
    co_return;
  });
  EXPECT_EQ(cut, 2u);
  EXPECT_EQ(busy.all(), "") << "its handler still runs";
  EXPECT_EQ(idle.all(), "");
  EXPECT_TRUE(eventually([&] { return server.connections() == 1; }));
  EXPECT_FALSE(closed) << "one is not closed yet";
  finish = true;
  EXPECT_TRUE(eventually([&] { return closed && server.connections() == 0; }));
}

TEST(HttpServer, drain_lets_calls_finish_ends_idle_ones_and_cuts_at_its_deadline) {
  Worker* worker = nullptr;
  std::atomic<bool> cut{false};
  RunningServer server([&](const Connection& c, Request& request, Response& response) -> Task<> {
    if (request.target == "/short") co_await sleep_until(worker->wheel(), worker->wheel().now() + 80ms);
    try {
      if (request.target == "/long") co_await sleep_until(worker->wheel(), worker->wheel().now() + 1h);
    } catch (...) {
      cut = true;
      throw;
    }
    co_await echo(c, request, response);
  });
  worker = server.workers[0].get();
  auto idle = RawSocket::connect(server.port());
  idle.send(get("/"));
  std::ignore = idle.answer();
  auto shorter = RawSocket::connect(server.port());
  shorter.send(get("/short"));
  auto longer = RawSocket::connect(server.port());
  longer.send(get("/long"));
  ASSERT_TRUE(eventually([&] { return server.handler.calls == 3; }));
  std::string answered;
  std::thread reader([&] {
    answered = shorter.all();
    shorter.close();
  });
  server.drain(500ms);
  reader.join();
  EXPECT_THAT(answered, HasSubstr("GET /short "));
  EXPECT_THAT(answered, HasSubstr("Connection: close"));
  EXPECT_EQ(idle.all(), "");
  EXPECT_TRUE(cut);
  EXPECT_EQ(server.connections(), 0u);
  EXPECT_THROW(RawSocket::connect(server.port()), std::runtime_error);
}

TEST(HttpServer, the_event_loop_may_end_with_connections_open) {
  auto server = std::make_unique<RunningServer>();
  auto client = RawSocket::connect(server->port());
  client.send(get("/"));
  std::ignore = client.answer();
  server->stopped = true;  // no drain
  server.reset();
  EXPECT_TRUE(!client.receive() || client.receive()->empty());
}

TEST(Listener, spreads_connections_over_workers) {
  RunningServer::Setup setup;
  setup.workers = 2;
  RunningServer server(echo, setup);
  std::vector<RawSocket> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(RawSocket::connect(server.port()));
    clients.back().send(get("/"));
    EXPECT_THAT(clients.back().answer(), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_EQ(server.servers[0]->connections(), 3u);
  EXPECT_EQ(server.servers[1]->connections(), 3u);
}

TEST(Listener, closes_and_counts_connections_beyond_its_bound) {
  RunningServer::Setup setup;
  setup.limits.connections = 2;
  RunningServer server(echo, setup);
  auto one = RawSocket::connect(server.port());
  auto two = RawSocket::connect(server.port());
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));
  EXPECT_EQ(RawSocket::connect(server.port()).all(), "");
  EXPECT_EQ(server.metrics.rejected_connections("test", "limit").Value(), 1);
  one.close();
  ASSERT_TRUE(eventually([&] { return server.connections() == 1; }));
  auto three = RawSocket::connect(server.port());
  three.send(get("/"));
  EXPECT_THAT(three.answer(), StartsWith("HTTP/1.1 200"));
}

TEST(Listener, unix_socket_has_its_mode_and_tells_who_connects) {
  const fedgate::test::TempDirectory directory;
  const std::string path = directory.path("gate.sock");
  RunningServer::Setup setup;
  setup.address = "unix:" + path;
  RunningServer server(
      [](const Connection& c, Request&, Response& response) -> Task<> {
        response.body = c.unix_credentials
                            ? std::to_string(c.unix_credentials->uid) + ":" + std::to_string(c.unix_credentials->pid)
                            : "none";
        co_return;
      },
      setup);
  struct stat found{};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0660u);
  auto client = RawSocket::connect(path);
  client.send(get("/"));
  EXPECT_THAT(client.answer(), testing::EndsWith(std::to_string(::getuid()) + ":" + std::to_string(::getpid())));

  const auto second = Listener::bind(*server.workers[0], {setup.address, 0660, {}}, log::silent());
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().detail, HasSubstr("another daemon"));
  server.drain(0ms);
  EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the path goes with the listener";
}

TEST(Listener, replaces_a_stale_unix_socket_but_no_file) {
  const fedgate::test::TempDirectory directory;
  Worker worker(0, system_clock());
  const std::string path = directory.path("stale.sock");
  {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::close(fd);
  }
  EXPECT_TRUE(Listener::bind(worker, {"unix:" + path, 0600, {}}, log::silent()).has_value());
  const std::string file = directory.path("file");
  ::close(::open(file.c_str(), O_CREAT | O_WRONLY, 0600));
  const auto refused = Listener::bind(worker, {"unix:" + file, 0600, {}}, log::silent());
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().detail, HasSubstr("not a socket"));
  EXPECT_EQ(::access(file.c_str(), F_OK), 0);
}

TEST(Listener, says_what_is_wrong_with_an_address) {
  RunningServer server;
  Worker worker(1, system_clock());
  const auto twice = Listener::bind(worker, {"127.0.0.1:" + std::to_string(server.port()), 0, {}}, log::silent());
  ASSERT_FALSE(twice.has_value());
  EXPECT_EQ(twice.error().code, Code::io_error);
  EXPECT_THAT(twice.error().detail, HasSubstr("another program"));
  const auto name = Listener::bind(worker, {"gate.example:0", 0, {}}, log::silent());
  ASSERT_FALSE(name.has_value());
  EXPECT_THAT(name.error().detail, HasSubstr("numeric"));
}

}  // namespace
}  // namespace fedgate::net::test
