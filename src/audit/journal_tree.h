// SPDX-License-Identifier: Apache-2.0
//
// How the hash tree is brought to where the journal's segments end, at start: what it lacks is read from the leaves,
// what it has too much is cut, what is damaged is made again. The opening thread's; blocking.
#pragma once

#include <memory>

#include "audit/disk.h"
#include "audit/merkle_tree.h"
#include "audit/segment_files.h"
#include "base/log.h"

namespace fedgate::audit {

/// Code::io_error where the leaves that are needed are pruned, with what to do.
Result<std::unique_ptr<MerkleTree>> open_tree(Disk& disk, const SegmentFiles& files, const JournalOptions& options,
                                              const log::Logger& log);

}  // namespace fedgate::audit
