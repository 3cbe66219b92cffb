# harambee_library(room [DEPENDS room…] [LINK target…]): one library a room, from the folder's
# *.cpp files. It links only the rooms it names, so that an upward call does not build.
function(harambee_library room)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(TRANSFORM ARG_DEPENDS PREPEND harambee_)
  if(sources)
    add_library(harambee_${room} STATIC ${sources})
    target_include_directories(harambee_${room} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(harambee_${room} PUBLIC ${ARG_DEPENDS} ${ARG_LINK})
  else()
    add_library(harambee_${room} INTERFACE)
    target_include_directories(harambee_${room} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(harambee_${room} INTERFACE ${ARG_DEPENDS} ${ARG_LINK})
  endif()
endfunction()

# harambee_test(room [LINK target…]): tests/<room>/*_test.cpp as one program linked with that room
# alone (and what it names), so each room is proven to stand on its own.
function(harambee_test room)
  cmake_parse_arguments(ARG "" "" "LINK;ARGS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${room} ${sources})
  target_include_directories(test_${room} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(test_${room} PRIVATE
    HARAMBEE_VECTORS="${CMAKE_SOURCE_DIR}/tests/vectors"
    HARAMBEE_BIN="${CMAKE_BINARY_DIR}/bin" HARAMBEE_SOURCE="${CMAKE_SOURCE_DIR}")
  if(TARGET harambee_${room})
    target_link_libraries(test_${room} PRIVATE harambee_${room})
  endif()
  target_link_libraries(test_${room} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main Threads::Threads)
  add_test(NAME ${room} COMMAND test_${room})
  set_tests_properties(${room} PROPERTIES TIMEOUT 600)
endfunction()
