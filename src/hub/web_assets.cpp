#include "hub/web_assets.h"

namespace harambee::hub {

const WebAsset* web_asset(std::string_view name) {
  for (const WebAsset& asset : web_assets()) {
    if (asset.name == name) return &asset;
  }
  return nullptr;
}

}  // namespace harambee::hub
