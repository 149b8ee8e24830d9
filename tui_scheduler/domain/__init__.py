"""Pure values and decisions. Nothing here reads a clock, draws a random number or touches the world."""
