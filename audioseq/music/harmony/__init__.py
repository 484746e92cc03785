"""Four-part harmony: alto, tenor and bass to a melody, after Bach's chorales."""
