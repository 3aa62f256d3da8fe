// SPDX-License-Identifier: Apache-2.0
//
// What this organisation shares: resources, their capabilities and how each is invoked, as plain options from
// configuration. Immutable table, any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "fedgate/id.h"
#include "fedgate/invocation.h"

namespace fedgate::adapters {

struct Capability {
  CapabilityId id;
  std::string description;
  Access access = Access::write;
  bool idempotent = false;
  std::chrono::milliseconds timeout{30'000};
  std::string request;  ///< http: `GET /items/{sku}`
  /// http: how arguments that the path does not name travel; `automatic`: query for GET, HEAD and DELETE, JSON
  /// body otherwise.
  enum class Arguments : std::uint8_t { automatic, query, body } arguments = Arguments::automatic;
  std::string defined_at;
};

struct Resource {
  ResourceId id;
  std::string name;
  std::string type = "http";                                 ///< the adapter
  std::string url;                                           ///< http: base URL of the service
  std::vector<std::pair<std::string, std::string>> headers;  ///< http: fixed headers for the service
  std::string authorization;  ///< http: value of Authorization, from `authorization_file`; secret
  std::vector<Capability> capabilities;
  std::string defined_at;
};

class ResourceTable {
 public:
  explicit ResourceTable(std::vector<Resource> resources);
  struct Found {
    const Resource* resource = nullptr;
    const Capability* capability = nullptr;
  };
  /// capability null: the resource exists, the capability does not. Both null: neither.
  [[nodiscard]] Found find(const ResourceId& resource, const CapabilityId& capability) const;
  [[nodiscard]] const std::vector<Resource>& all() const { return resources_; }

 private:
  std::vector<Resource> resources_;
  std::unordered_map<ResourceId, std::size_t> by_id_;
};

}  // namespace fedgate::adapters
