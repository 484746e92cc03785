"""Sheet music of a score: readable rhythms, voices, staves and spelling, written as MusicXML or ABC."""
