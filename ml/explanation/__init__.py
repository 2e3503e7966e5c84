"""What in a picture spoke for a class? Pictures in, one map each out, computed live."""
