"""Music: MIDI to events, a recurrent model of events, and generation of new MIDI."""
