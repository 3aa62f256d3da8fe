#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that each rule of lint.py refuses a bad sample, and that a clean tree passes: a rule that cannot fail is
not a rule. Every rule must have a sample here."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint  # noqa: E402

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
CLEAN = {
    "CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\n"
                      "fedgate_module(vocabulary DIRECTORY include/fedgate SOURCES_IN src/vocabulary)\n"
                      "fedgate_module(base LINKS vocabulary)\nfedgate_module(net LINKS base)\n"
                      "fedgate_module(store LINKS base)\nfedgate_module(nodes LINKS store)\nfedgate_module(app LINKS net nodes)\n",
    "include/fedgate/id.h": SPDX + "#include <string>\n",
    "src/base/task.h": SPDX + '#include "fedgate/id.h"\n',
    "src/net/stream.h": SPDX + '#include "base/task.h"\n',
    "src/net/http.h": SPDX + "#include <boost/beast/http.hpp>\n",
    "src/net/http.cpp": SPDX + '#include "net/http.h"\n',
    "src/store/store.h": SPDX + '#include "base/task.h"\n',
    "src/nodes/registry.h": SPDX + '#include "fedgate/id.h"\n#include "store/store.h"\n#include "base/task.h"\n',
    "src/app/gateway.cpp": SPDX + '#include "nodes/registry.h"\n// a detached house, a Manager and sleep_for: only words\n'
                                  'const char* text = "co_spawn(x, asio::detached)";\nint n = 1\'000;\n',
    "tests/unit/net/stream_test.cpp": SPDX + '#include "net/stream.h"\n#include "support/eventually.h"\n',
    "tests/support/eventually.h": SPDX + "inline void wait() { std::this_thread::sleep_for(pause); }\n",
    "tests/unit/net/slow_service.h": SPDX + "void f() { std::this_thread::sleep_for(1s); }  // a slow service, not a wait\n",
    "scripts/run": "#!/usr/bin/env bash\n# SPDX-License-Identifier: Apache-2.0\n",
    "docs/concepts.md": "[code](../src/base/task.h) [web](https://example.org/x) [here](#part)\n",
}

# rule → samples, each a set of files that replace or join the clean ones.
BAD = {
    "includes": [
        {"src/net/stream.h": SPDX + '#include "store/store.h"\n'},                 # a sibling
        {"src/base/task.h": SPDX + '#include "net/stream.h"\n'},                   # upwards
        {"src/net/stream.h": SPDX + '#include "http.h"\n'},                        # not from the root
        {"src/net/stream.h": SPDX + '#include "../base/task.h"\n'},
        {"include/fedgate/id.h": SPDX + "#include <boost/asio.hpp>\n"},            # the vocabulary is plain
        {"include/fedgate/id.h": SPDX + '#include "base/task.h"\n'},
        {"src/net/stream.h": SPDX + '#include "support/eventually.h"\n'},          # product on tests
        {"tests/unit/net/stream_test.cpp": SPDX + '#include "nodes/registry.h"\n'},
        {"src/other/thing.cpp": SPDX + '#include "base/task.h"\n'},                # a folder that is no module
    ],
    "libraries": [
        {"src/nodes/registry.h": SPDX + "#include <yaml-cpp/yaml.h>\n"},
        {"src/net/stream.h": SPDX + "#include <pqxx/pqxx>\n"},
        {"src/nodes/registry.h": SPDX + "#include <boost/beast/http.hpp>\n"},
    ],
    "json": [
        {"src/net/stream.h": SPDX + "auto v = nlohmann::json::parse(text);\n"},
        {"src/net/stream.h": SPDX + "using Json = nlohmann::json;\nauto v = Json::parse(text);\n"},
    ],
    "detached": [
        {"src/net/stream.h": SPDX + "void f() { asio::co_spawn(io, g(), asio::detached); }\n"},
        {"src/net/stream.h": SPDX + "void f() { std::thread(g).detach(); }\n"},
    ],
    "names": [
        {"src/net/stream.h": SPDX + "class ConnectionManager {};\n"},
        {"src/net/stream.h": SPDX + "struct TlsHelper {};\n"},
        {"src/net/stream.h": SPDX + "namespace fedgate::utils {}\n"},
        {"src/net/string_utils.h": SPDX},
        {"src/net/helpers/thing.h": SPDX},
        {"src/net/detail/thing.h": SPDX},
        {"src/net/impl/thing.h": SPDX},
    ],
    "basenames": [{"src/net/id.h": SPDX}],
    "length": [{"src/net/stream.h": SPDX + "int x;\n" * 500}],
    "spdx": [
        {"src/net/stream.h": "int x;\n"},
        {"src/net/stream.h": "\n" + SPDX},
        {"scripts/run": "#!/usr/bin/env bash\nset -e\n"},
    ],
    "unfinished": [
        {"src/net/stream.h": SPDX + "// TODO: later\n"},
        {"docs/concepts.md": "FIXME\n"},
    ],
    "beast": [{f"src/net/unit{i}.cpp": SPDX + '#include "net/http.h"\n' for i in range(20)}],
    "machine": [
        {"scripts/run": "#!/usr/bin/env bash\n# SPDX-License-Identifier: Apache-2.0\ncd /work/main\n"},
        {"docs/concepts.md": "see ../shared/product.md\n"},
    ],
    "sleep": [
        {"tests/unit/net/stream_test.cpp": SPDX + "void f() { std::this_thread::sleep_for(1s); }\n"},
        {"tests/integration/call.cpp": SPDX + "void f() { usleep(10); }\n"},
    ],
    "links": [{"docs/concepts.md": "[gone](nowhere.md)\n"}],
}


class Samples(unittest.TestCase):
    def judge(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**CLEAN, **files}.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as out:
                    out.write(text)
            return lint.findings(root)

    def test_a_clean_tree_passes(self):
        self.assertEqual([str(f) for f in self.judge({})], [])

    def test_each_bad_sample_is_refused_by_its_rule_and_no_other(self):
        for rule, samples in BAD.items():
            for sample in samples:
                with self.subTest(rule=rule, files=sorted(sample)):
                    self.assertEqual({f.rule for f in self.judge(sample)}, {rule})

    def test_every_rule_has_a_sample(self):
        self.assertEqual({r.__name__.removeprefix("rule_") for r in lint.RULES}, set(BAD))

    def test_a_finding_names_file_and_line(self):
        found = self.judge({"src/net/stream.h": SPDX + "\nclass TrustManager {};\n"})
        self.assertEqual([(f.file, f.line) for f in found], [("src/net/stream.h", 3)])

    def test_links_must_stand_bottom_up(self):
        with self.assertRaises(SystemExit):
            self.judge({"CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\nfedgate_module(base LINKS net)\nfedgate_module(net LINKS base)\n"})


if __name__ == "__main__":
    unittest.main()
