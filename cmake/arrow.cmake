# Arrow and Parquet, which Debian 12 does not have: deploy/arrow installs them under build/ of the
# source tree, once for all build directories, and they are put where programs find them.
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/deploy/arrow OUTPUT_VARIABLE ARROW_PREFIX
                OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE ARROW_FAILED)
if(ARROW_FAILED)
  message(FATAL_ERROR "Arrow, which reads Parquet files, could not be installed: see above")
endif()
file(STRINGS ${ARROW_PREFIX}/so_version ARROW_SO_VERSION)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
foreach(library arrow parquet)
  set(file lib${library}.so.${ARROW_SO_VERSION})
  file(CREATE_LINK ${ARROW_PREFIX}/lib/${file} ${CMAKE_BINARY_DIR}/lib/${file} COPY_ON_ERROR)
  add_library(Arrow::${library} SHARED IMPORTED)
  set_target_properties(Arrow::${library} PROPERTIES
    IMPORTED_LOCATION ${ARROW_PREFIX}/lib/${file}
    INTERFACE_INCLUDE_DIRECTORIES ${ARROW_PREFIX}/include)
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/deploy/arrow)
