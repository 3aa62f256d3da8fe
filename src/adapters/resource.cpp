// SPDX-License-Identifier: Apache-2.0
#include "adapters/resource.h"

#include <algorithm>
#include <utility>

namespace fedgate::adapters {

ResourceTable::ResourceTable(std::vector<Resource> resources) : resources_(std::move(resources)) {
  by_id_.reserve(resources_.size());
  for (std::size_t i = 0; i < resources_.size(); ++i) by_id_.emplace(resources_[i].id, i);
}

ResourceTable::Found ResourceTable::find(const ResourceId& resource, const CapabilityId& capability) const {
  const auto place = by_id_.find(resource);
  if (place == by_id_.end()) return {};
  const Resource& found = resources_[place->second];
  const auto match = std::ranges::find(found.capabilities, capability, &Capability::id);
  return {&found, match == found.capabilities.end() ? nullptr : &*match};
}

}  // namespace fedgate::adapters
