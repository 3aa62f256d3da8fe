# SPDX-License-Identifier: Apache-2.0
# fedgate_embed_migrations(TARGET): builds the text of migrations/*/*.sql into TARGET, so that the program carries
# its schema. Run as a script (cmake -P) it writes the source file.

if(CMAKE_SCRIPT_MODE_FILE)
  set(rows "")
  file(GLOB files LIST_DIRECTORIES false RELATIVE ${MIGRATIONS} ${MIGRATIONS}/*/*.sql)
  list(SORT files)
  foreach(file IN LISTS files)
    file(READ ${MIGRATIONS}/${file} text)
    string(APPEND rows "    {\"${file}\", R\"sql(${text})sql\"},\n")
  endforeach()
  file(WRITE ${OUTPUT} "// Made by cmake/Migrations.cmake from migrations/.\n#include \"store/migrations.h\"\n\n"
    "namespace fedgate::store {\n\nstd::span<const MigrationFile> built_in_migrations() {\n"
    "  static constexpr MigrationFile files[] = {\n${rows}  };\n  return files;\n}\n\n}  // namespace fedgate::store\n")
  return()
endif()

set(FEDGATE_MIGRATIONS_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(fedgate_embed_migrations target)
  set(directory ${PROJECT_SOURCE_DIR}/migrations)
  set(output ${PROJECT_BINARY_DIR}/built_in_migrations.cpp)
  file(GLOB files CONFIGURE_DEPENDS ${directory}/*/*.sql)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DMIGRATIONS=${directory} -DOUTPUT=${output} -P ${FEDGATE_MIGRATIONS_SCRIPT}
    DEPENDS ${files} ${FEDGATE_MIGRATIONS_SCRIPT} COMMENT "Embedding migrations" VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
