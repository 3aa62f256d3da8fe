# SPDX-License-Identifier: Apache-2.0
# The commit in a generated header. Included by the project it declares the target that keeps the header up to
# date at every build; run as a script (cmake -P) it writes the header, and only when the commit has changed.
if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND git describe --always --dirty --abbrev=12 WORKING_DIRECTORY ${SOURCE_DIR}
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed OR NOT commit MATCHES "^[A-Za-z0-9._/-]+$")
    set(commit unknown)
  endif()
  file(CONFIGURE OUTPUT ${HEADER} CONTENT "#pragma once\n#define FEDGATE_COMMIT \"${commit}\"\n")
  return()
endif()

# fedgate_version(TARGET): TARGET may include "generated/version.h".
function(fedgate_version target)
  set(header ${PROJECT_BINARY_DIR}/generated/include/generated/version.h)
  add_custom_target(fedgate_commit
    COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DHEADER=${header} -P ${PROJECT_SOURCE_DIR}/cmake/Version.cmake
    BYPRODUCTS ${header} COMMENT "" VERBATIM)
  add_dependencies(${target} fedgate_commit)
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated/include)
endfunction()
