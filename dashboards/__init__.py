"""What people look at: the built-in page (`console`)."""
