"""Kill the real server with -9, again and again, and hold what a real receiver saw against what was planned."""
