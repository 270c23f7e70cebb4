# librein_torch.so: the project's only C++. Found by header and library, not by libtorch's own CMake
# files, which ask for CUDA, protobuf and Python where nothing here needs them.
if(REIN_TORCH AND NOT REIN_FUZZ)
  set(torch_places HINTS /usr NO_CACHE)
  if(REIN_TORCH_ROOT)
    set(torch_places PATHS ${REIN_TORCH_ROOT} NO_DEFAULT_PATH NO_CACHE)
  endif()
  find_path(torch_include ATen/ATen.h PATH_SUFFIXES include ${torch_places})
  find_path(torch_api torch/torch.h
            PATH_SUFFIXES include/torch/csrc/api/include torch/csrc/api/include ${torch_places})
  foreach(name torch torch_cpu c10)
    find_library(lib_${name} ${name} PATH_SUFFIXES lib ${torch_places})
  endforeach()
  if(NOT (torch_include AND torch_api AND lib_torch AND lib_torch_cpu AND lib_c10))
    if(REIN_TORCH_ROOT)
      message(FATAL_ERROR "REIN_TORCH_ROOT=${REIN_TORCH_ROOT} has no include/ATen/ATen.h and "
                          "lib/libtorch.so: name the folder `torch` inside site-packages")
    endif()
    message(STATUS "libtorch not found (`make torch` installs it): native engine only")
    set(REIN_TORCH OFF)
  endif()
endif()

if(REIN_TORCH AND NOT REIN_FUZZ)
  enable_language(CXX)
  set(torch_standard 17) # newer libtorch refuses less than 20, in so many words
  file(STRINGS ${torch_include}/ATen/ATen.h needs_20 REGEX "C\\+\\+20")
  if(needs_20)
    set(torch_standard 20)
  endif()
  file(GLOB torch_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/nets/torch/*.cpp)
  add_library(rein_torch MODULE ${torch_sources})
  # PyPI wheels before 2.7 are built with GCC's old strings; they say so in these words
  find_file(torch_config TorchConfig.cmake NO_CACHE PATH_SUFFIXES share/cmake/Torch ${torch_places})
  if(torch_config)
    file(STRINGS ${torch_config} old_abi REGEX "TORCH_CXX_FLAGS .*_GLIBCXX_USE_CXX11_ABI=0")
    if(old_abi)
      target_compile_definitions(rein_torch PRIVATE _GLIBCXX_USE_CXX11_ABI=0)
    endif()
  endif()
  set_target_properties(rein_torch PROPERTIES
    CXX_STANDARD ${torch_standard} CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  # -O1: it only calls; whole-program optimisation of a thin layer is compile time for nothing
  target_compile_options(rein_torch PRIVATE -O1 -Wall -Wextra -Wshadow -Werror)
  target_compile_definitions(rein_torch PRIVATE _GNU_SOURCE REIN_VERSION="${PROJECT_VERSION}")
  target_include_directories(rein_torch PRIVATE ${PROJECT_SOURCE_DIR})
  target_include_directories(rein_torch SYSTEM PRIVATE ${torch_api} ${torch_include})
  # libtorch itself holds nothing but the names of the parts to load: libtorch_cuda, where it is one
  target_link_libraries(rein_torch PRIVATE
    -Wl,--no-as-needed ${lib_torch} -Wl,--as-needed ${lib_torch_cpu} ${lib_c10})
  if(REIN_SANITIZE) # a C caller's enum may hold anything; every switch here has a way out of it
    target_compile_options(rein_torch PRIVATE -fno-sanitize=enum)
  else()
    target_link_options(rein_torch PRIVATE -Wl,-z,defs) # nothing may come from the program
  endif()
  pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib) # checksums inside TorchScript files
  target_link_libraries(rein_torch PRIVATE PkgConfig::ZLIB)
  target_precompile_headers(rein_torch PRIVATE <torch/script.h> <torch/torch.h>)
  target_compile_definitions(rein_nets PRIVATE REIN_HAVE_TORCH)
  add_dependencies(rein_nets rein_torch)
  message(STATUS "libtorch: ${lib_torch}, C++${torch_standard}")
endif()
