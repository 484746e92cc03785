"""The page, built with NiceGUI: transcribe and compose in a browser."""
