"""What the ops of every framework come down to, in relations: shapes are given, nothing is asked of a framework."""
