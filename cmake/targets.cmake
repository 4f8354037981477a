# tidemill_library(NAME SOURCES ... [DEPS ...] [PRIVATE_DEPS ...] [MUTABLE])
#   A static library. DEPS are part of its interface. PRIVATE_DEPS are fenced: only its own sources
#   see their headers. MUTABLE, for libraries that hold deliberate bugs (shared/base/mutation.h), also
#   builds NAME_mutable with them, for the simulation that proves that they are caught; its
#   dependencies are the mutable ones where they exist.
# tidemill_test(NAME SOURCES ... DEPS ...): a GoogleTest program, run by ctest as one test.
add_library(tidemill_pch INTERFACE)
target_precompile_headers(tidemill_pch INTERFACE <algorithm> <array> <cstdint> <cstring> <functional>
                          <map> <memory> <optional> <set> <span> <string> <string_view>
                          <unordered_map> <utility> <variant> <vector>)

function(tidemill_one_library name mutable)
  cmake_parse_arguments(L "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${L_SOURCES})
  target_link_libraries(${name} PRIVATE tidemill_pch)
  foreach(dep IN LISTS L_DEPS)
    if(mutable AND TARGET ${dep}_mutable)
      set(dep ${dep}_mutable)
    endif()
    target_link_libraries(${name} PUBLIC ${dep})
  endforeach()
  foreach(dep IN LISTS L_PRIVATE_DEPS)
    if(mutable AND TARGET ${dep}_mutable)
      set(dep ${dep}_mutable)
    endif()
    target_link_libraries(${name} PRIVATE ${dep})
  endforeach()
  if(mutable)
    target_link_libraries(${name} PUBLIC tidemill_mutation)
  endif()
endfunction()

function(tidemill_library name)
  cmake_parse_arguments(L "MUTABLE" "" "" ${ARGN})
  tidemill_one_library(${name} OFF ${L_UNPARSED_ARGUMENTS})
  if(L_MUTABLE)
    tidemill_one_library(${name}_mutable ON ${L_UNPARSED_ARGUMENTS})
  endif()
endfunction()

function(tidemill_test name)
  cmake_parse_arguments(T "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE tidemill_pch ${T_DEPS} GTest::gtest GTest::gtest_main
                        ${RAPIDCHECK_LIBRARY})
  target_include_directories(${name} PRIVATE ${RAPIDCHECK_INCLUDE})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()
