"""What a stranger's file may do to whoever opens it: nothing."""
