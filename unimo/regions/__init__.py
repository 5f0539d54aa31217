"""Images as regions: the value, the store, detectors and importers."""

from unimo.regions.regions import FeatureSpec, Regions, assert_same_features
from unimo.regions.store import RegionStore, RegionStoreWriter, verify_store

__all__ = ["FeatureSpec", "RegionStore", "RegionStoreWriter", "Regions", "assert_same_features", "verify_store"]
