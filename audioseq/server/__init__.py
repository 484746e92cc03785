"""The server: OpenAI's and Vosk's protocols, music over HTTP, and the page."""
