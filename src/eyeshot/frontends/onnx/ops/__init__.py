"""What each operator's outputs read: one file a family."""
