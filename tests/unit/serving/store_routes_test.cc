#include "serving/store_routes.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

void expect_route(const char* target, StoreRoute route, const char* job = "") {
  const auto got = parse_target(target);
  ASSERT_TRUE(got.has_value()) << target;
  EXPECT_EQ(got->route, route) << target;
  EXPECT_EQ(got->job, job) << target;
}

TEST(StoreRoutes, AreFoundByPath) {
  expect_route("/v1/features", StoreRoute::kFeatures);
  expect_route("/v1/features?a=/b", StoreRoute::kFeatures);
  expect_route("/v1/jobs/cards/keys?view=v", StoreRoute::kKeys, "cards");
  expect_route("/v1/jobs/card%20s/keys", StoreRoute::kKeys, "card s");
  expect_route("/health", StoreRoute::kHealth);
  expect_route("/jobs/cards/health", StoreRoute::kHealth, "cards");
  expect_route("/get-online-features", StoreRoute::kFeastFeatures);
  expect_route("/jobs/a%2Fb/get-online-features?x", StoreRoute::kFeastFeatures, "a/b");
}

TEST(StoreRoutes, TolerateSlashesWhereFeastsSdkMayPutThem) {
  expect_route("//get-online-features", StoreRoute::kFeastFeatures);
  expect_route("/get-online-features/", StoreRoute::kFeastFeatures);
  expect_route("//jobs//cards///get-online-features//", StoreRoute::kFeastFeatures, "cards");
  expect_route("/health/", StoreRoute::kHealth);
}

TEST(StoreRoutes, AreNoOthers) {
  for (const char* target :
       {"", "/", "/v1", "/v1/features/", "/v1/jobs/keys", "/v1/jobs//keys", "/v1/jobs/a/b/keys",
        "/jobs/get-online-features", "/jobs/a/b/get-online-features", "/jobs/a", "/jobs/a/",
        "/push", "/write-to-online-store", "/healthy", "health"}) {
    EXPECT_FALSE(parse_target(target).has_value()) << target;
  }
}

TEST(StoreRoutes, TakeOneMethod) {
  EXPECT_STREQ(method_of(StoreRoute::kFeatures), "POST");
  EXPECT_STREQ(method_of(StoreRoute::kKeys), "GET");
  EXPECT_STREQ(method_of(StoreRoute::kHealth), "GET");
  EXPECT_STREQ(method_of(StoreRoute::kFeastFeatures), "POST");
}

}  // namespace
}  // namespace tidemill
