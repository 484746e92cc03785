"""Music: from MIDI to events, a recurrent model of them, and new music in MIDI again."""
