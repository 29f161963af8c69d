"""JSON Schemas of the events, as files for people and other languages; tests hold them equal to the models."""
