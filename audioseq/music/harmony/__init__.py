"""Four-part harmonisation: alto, tenor and bass for a melody, in the style of Bach's chorales."""
