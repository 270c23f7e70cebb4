# rein_embed_models(<target>): adds every envs/mujoco/models/*.xml to the target as a byte array
# (the table rein_mjcf_files of mjcf.h). A changed, new or removed file makes CMake run again.
function(rein_embed_models target)
  set(folder "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/models")
  file(GLOB files CONFIGURE_DEPENDS "${folder}/*.xml")
  list(SORT files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(arrays "")
  set(table "")
  foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME)
    string(MAKE_C_IDENTIFIER "${name}" symbol)
    file(READ "${file}" bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "static const unsigned char ${symbol}[] = {${bytes}};\n")
    string(APPEND table "    {\"${name}\", ${symbol}, sizeof ${symbol}},\n")
  endforeach()
  set(output "${CMAKE_CURRENT_BINARY_DIR}/mjcf_files.c")
  file(CONFIGURE OUTPUT "${output}" @ONLY CONTENT
"/* Made by embed.cmake from envs/mujoco/models. */
#include \"envs/mujoco/mjcf.h\"

@arrays@
const rein_mjcf rein_mjcf_files[] = {
@table@    {NULL, NULL, 0},
};
")
  target_sources(${target} PRIVATE "${output}")
endfunction()
