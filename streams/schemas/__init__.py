"""JSON Schemas of what the shell publishes of any domain, as files; tests hold them equal to the models."""
